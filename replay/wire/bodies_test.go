package wire_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"dsync/replay/wire"
	"dsync/replay/wire/wiretest"
	"dsync/store"
)

func upTo(n, size int) (out []int) {
	for i := range n {
		out = append(out, size+i)
	}
	return out
}

// Bodies that come and are not opened do not keep others from coming, in whatever
// order they are opened; what was dropped comes when it is opened.
func TestOpenedOtherwise(t *testing.T) {
	all := upTo(60, 30_000) // 1.8 MB, the window holds 256 KiB
	back := slices.Clone(all)
	slices.Reverse(back)
	for _, c := range []struct {
		name  string
		order []int
	}{{"backwards", back}, {"from the middle", append(slices.Clone(all[30:]), all[:30]...)}, {"the last only", all[59:]}, {"another", []int{100_000}}} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				a, b := ends(wiretest.Link{Delay: time.Millisecond}, wire.Options{Limits: wire.Limits{Window: 1}}, wire.Options{Serve: shelf})
				if err := a.Bodies().Want(ids(all...)); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second) // the window fills
				if s := a.Stats(); s.Held < 128<<10 {
					t.Errorf("%d bytes came unasked", s.Held)
				}
				for _, n := range c.order {
					if err := open(a.Bodies(), n); err != nil {
						t.Fatal(err)
					}
				}
				if s := a.Stats(); s.BodiesDropped == 0 || s.BodyBytesCame > 10<<20 {
					t.Errorf("%d bodies dropped, %d bytes came", s.BodiesDropped, s.BodyBytesCame)
				}
				part(t, a, b)
			})
		})
	}
}

// More are announced than the other end lets wait; and they come in order, so that
// nothing is dropped.
func TestManyAnnounced(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := ends(wiretest.Link{Delay: time.Millisecond}, wire.Options{}, wire.Options{Serve: shelf, Limits: wire.Limits{Asks: 16}})
		all := upTo(2000, 10)
		if err := a.Bodies().Want(ids(all...)); err != nil {
			t.Fatal(err)
		}
		for _, n := range all {
			if err := open(a.Bodies(), n); err != nil {
				t.Fatal(err)
			}
		}
		if s := a.Stats(); s.BodiesDropped != 0 || s.BodiesCame != 2000 {
			t.Errorf("%d bodies came, %d dropped", s.BodiesCame, s.BodiesDropped)
		}
		part(t, a, b)
	})
}

// Who waits for a body that was not announced does not wait for all that were, and a
// packet does not either.
func TestNotBehind(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := ends(wiretest.Link{Bandwidth: 1e6, Buffer: 128 << 10}, wire.Options{}, wire.Options{Serve: shelf, NoZstd: true})
		b.Send(bg, 16, nil)
		receive(t, a, 16, nil)
		a.Bodies().Want(ids(upTo(30, 100_000)...)) // three seconds of the link
		time.Sleep(100 * time.Millisecond)
		begin := time.Now()
		b.Send(bg, 16, []byte("hello"))
		receive(t, a, 16, []byte("hello"))
		if d := time.Since(begin); d > 500*time.Millisecond {
			t.Errorf("a packet took %v", d)
		}
		begin = time.Now()
		if err := open(a.Bodies(), 5); err != nil {
			t.Error(err)
		}
		if d := time.Since(begin); d > 800*time.Millisecond {
			t.Errorf("a body took %v", d)
		}
		part(t, a, b)
	})
}

// Why a body does not come arrives as what it was.
func TestBodyErrors(t *testing.T) {
	known := map[string]error{"message": store.ErrNoMessage, "gone": store.ErrGone, "permission": fs.ErrPermission, "changed": store.ErrChanged,
		"mailbox": store.ErrNoMailbox, "busy": store.ErrBusy, "damaged": store.ErrDamaged, "unsupported": store.ErrUnsupported}
	bubble(t, func(t *testing.T) {
		serve := func(_ context.Context, id []byte) (io.ReadCloser, string, error) {
			switch err := known[string(id)]; {
			case err != nil:
				return nil, "", fmt.Errorf("open %s:\x07 %w", id, err)
			case string(id) == "key":
				return io.NopCloser(strings.NewReader("x")), strings.Repeat("k", 1025), nil
			case string(id) == "text":
				return nil, "", errors.New(strings.Repeat("long ", 1000))
			case string(id) == "half":
				return io.NopCloser(io.MultiReader(bytes.NewReader(pattern(1, 100_000)), &broken{})), "k", nil
			}
			return shelf(bg, id)
		}
		a, b := ends(wiretest.Link{}, wire.Options{}, wire.Options{Serve: serve})
		for name, want := range known {
			var e *wire.BodyError
			_, _, err := a.Bodies().Open(bg, []byte(name))
			if !errors.Is(err, want) || !errors.As(err, &e) || strings.Contains(e.Text, "\x07") || !strings.Contains(e.Text, "open "+name) {
				t.Errorf("%s: %v", name, err)
			}
			for other, e := range known {
				if other != name && errors.Is(err, e) {
					t.Errorf("%s is %v too", name, e)
				}
			}
		}
		if _, _, err := a.Bodies().Open(bg, []byte("key")); !errors.Is(err, store.ErrUnsupported) {
			t.Errorf("a long key: %v", err)
		}
		var e *wire.BodyError
		if _, _, err := a.Bodies().Open(bg, []byte("text")); !errors.As(err, &e) || len(e.Text) != 1024 {
			t.Errorf("a long text: %d bytes", len(fmt.Sprint(err)))
		}
		rc, _, err := a.Bodies().Open(bg, []byte("half"))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(rc); !errors.As(err, &e) || !strings.Contains(e.Text, "disk on fire") || len(got) > 100_000 {
			t.Errorf("half a body: %d bytes, %v", len(got), err)
		}
		rc.Close()
		for _, id := range []string{"", strings.Repeat("x", 65)} {
			if _, _, err := a.Bodies().Open(bg, []byte(id)); err == nil {
				t.Errorf("an id of %d bytes", len(id))
			}
		}
		if err := open(a.Bodies(), 1000); err != nil {
			t.Errorf("after all that: %v", err)
		}
		b.SetServe(nil)
		if _, _, err := a.Bodies().Open(bg, []byte("1")); !errors.Is(err, store.ErrUnsupported) {
			t.Errorf("nobody serves: %v", err)
		}
		part(t, a, b)
	})
}

type broken struct{}

func (*broken) Read([]byte) (int, error) { return 0, errors.New("disk on fire") }

// What is not read on is not sent on.
func TestGivenUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := ends(wiretest.Link{Delay: time.Millisecond, Bandwidth: 10 << 20}, wire.Options{}, wire.Options{Serve: shelf, NoZstd: true})
		rc, _, err := a.Bodies().Open(bg, []byte("50000000"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(io.Discard, rc, 100_000); err != nil {
			t.Error(err)
		}
		rc.Close()
		if _, err := rc.Read(make([]byte, 1)); err == nil || err == io.EOF {
			t.Errorf("read after Close: %v", err)
		}
		a.Bodies().Want(ids(upTo(2000, 5000)...))
		a.Bodies().Forget()
		if err := open(a.Bodies(), 1000); err != nil {
			t.Error(err)
		}
		time.Sleep(10 * time.Second)
		if s := b.Stats(); s.BodyBytesSent > 15<<20 {
			t.Errorf("%d bytes were sent", s.BodyBytesSent)
		}
		part(t, a, b)
	})
}

// A body that came whole can be read when the connection is gone; one that did not
// cannot, not even to what looks like its end.
func TestReadAfterTheEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		x, y := wiretest.Link{}.Pipe()
		a := wire.New(x, wire.Options{Starter: true})
		e := &evil{b: wire.AppendPreamble(nil, false, false)}
		e.frame(wire.Body, 3, 1, bodyEnd(3, "\xa1kabc")).frame(wire.Body, 1, 2, []byte("\xa1kabc"))
		go io.Copy(io.Discard, y)
		a.Bodies().Want(ids(1, 2))
		y.Write(e.b[:len(wire.AppendPreamble(nil, false, false))])
		time.Sleep(time.Second)
		y.Write(e.b[len(wire.AppendPreamble(nil, false, false)):])
		y.Close()
		end(a)
		for n, want := range map[int]string{1: "<nil>", 2: "the connection was cut: EOF"} {
			rc, _, err := a.Bodies().Open(bg, []byte(fmt.Sprint(n)))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(rc); string(got) != "abc" || fmt.Sprint(err) != want {
				t.Errorf("body %d: %q, %v", n, got, err)
			}
		}
		if _, _, err := a.Bodies().Open(bg, []byte("3")); !errors.Is(err, wire.ErrCut) {
			t.Errorf("one more: %v", err)
		}
		a.Fail(1, "")
	})
}
