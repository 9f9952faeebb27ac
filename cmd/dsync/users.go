package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"dsync/cmd/internal/config"
	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/location"
)

// everyUser runs the users of -F one after the other.
func (r *syncRun) everyUser(ctx context.Context) (int, error) {
	users, err := readUsers(r.userFile)
	if err != nil {
		return 0, err
	}
	if err := r.checkVaries(users[0]); err != nil {
		return 0, err
	}
	exits := []int{}
	r.owner = map[string]string{}
	for _, u := range users {
		r.msg.user = u
		exit, err := r.oneOfMany(ctx, u)
		if err != nil {
			exit = exitOf(err)
			r.msg.print(engine.Error, err.Error())
			r.oweLine(u, "")
			r.last.now(exit, err)
		}
		exits = append(exits, exit)
		if exit != engine.ExitOK && !(r.dry && exit == engine.ExitAgain) {
			r.msg.printf(engine.Error, "user %s ended with status %d", u, exit)
		}
	}
	return engine.Combine(exits...), nil
}

func (r *syncRun) oneOfMany(ctx context.Context, u string) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, engine.Fail(engine.ExitTemp, fmt.Errorf("not run: %w", err))
	}
	if err := location.CheckUser(u); err != nil {
		return 0, err
	}
	o, err := r.of(u)
	if err == nil {
		err = r.own(o)
	}
	if err != nil {
		return 0, err
	}
	return r.one(ctx, o)
}

// checkVaries finds what is wrong with the locations whoever the user is, and
// keeps the mail of many users from one account.
func (r *syncRun) checkVaries(first string) error {
	_, err := location.Destination(r.words, r.vars(first))
	var absent *location.Missing
	if errors.As(err, &absent) {
		return asked(err)
	}
	near := r.set.Get(config.MailLocation)
	if near != "" && !location.Varies(near) {
		return usagef("-F: mail_location=%s is the same for every user; write %%u where the name belongs", near)
	}
	if far := strings.Join(r.words, " "); !location.Varies(far) {
		return usagef("-F: the destination %s is the same for every user; write %%u where the name belongs", far)
	}
	return nil
}

// own notes which accounts are this user's, and refuses those of another: names
// that differ may expand alike.
func (r *syncRun) own(o engine.Options) error {
	for _, l := range []string{o.Near, o.Far} {
		if u, ok := r.owner[l]; ok && u != o.User {
			return usagef("-F: %s is also the account of %s", l, u)
		}
		r.owner[l] = o.User
	}
	return nil
}
