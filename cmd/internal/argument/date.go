package argument

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// MaxAge bounds an age: two hundred years.
const MaxAge = 200 * 365 * 24 * time.Hour

// maxUnix is the end of the year 9999, the last that RFC 3339 can write.
const maxUnix = 253402300799

var dateForms = []string{
	"2006-01-02 15:04:05", "2006-01-02", "2-Jan-2006 15:04:05", "2-Jan-2006", time.RFC3339,
}

// Date reads YYYY-MM-DD[ HH:MM:SS], 01-Jan-2026[ HH:MM:SS], seconds since 1970, or
// an age before now ("2weeks", "5d"). RFC 3339, as dump prints it, is read too.
func Date(s string, now time.Time) (time.Time, error) {
	text := strings.TrimSpace(s)
	for _, form := range dateForms {
		if t, err := time.ParseInLocation(form, text, now.Location()); err == nil {
			return inRange(s, t)
		}
	}
	digits := leadingDigits(text)
	if digits != "" && digits == text {
		sec, err := strconv.ParseInt(text, 10, 64)
		if err != nil || sec > maxUnix {
			return time.Time{}, fmt.Errorf("date %.40q: beyond the year 9999", s)
		}
		return time.Unix(sec, 0), nil
	}
	if digits != "" {
		if age, err := Age(text); err == nil {
			return now.Add(-age), nil
		}
	}
	return time.Time{}, fmt.Errorf("date %.40q: want YYYY-MM-DD[ HH:MM:SS], 01-Jan-2026, seconds since 1970, or an age like 2weeks", s)
}

func inRange(s string, t time.Time) (time.Time, error) {
	if u := t.Unix(); u > maxUnix || t.Year() < 1 {
		return time.Time{}, fmt.Errorf("date %.40q: out of range", s)
	}
	return t, nil
}

var ageUnits = []struct {
	name string
	unit time.Duration
}{
	{"seconds", time.Second}, {"secs", time.Second}, {"minutes", time.Minute}, {"mins", time.Minute},
	{"hours", time.Hour}, {"days", 24 * time.Hour}, {"weeks", 7 * 24 * time.Hour},
}

// Age reads a number and a unit (seconds, minutes, hours, days, weeks) that may be
// cut short as in Dovecot: "5d", "2 weeks", "90min".
func Age(s string) (time.Duration, error) {
	digits := leadingDigits(s)
	unit := strings.ToLower(strings.TrimSpace(s[len(digits):]))
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || unit == "" {
		return 0, fmt.Errorf("age %.40q: want a number and a unit, like 2weeks or 5d", s)
	}
	for _, u := range ageUnits {
		if !strings.HasPrefix(u.name, unit) {
			continue
		}
		if n > int64(MaxAge/u.unit) {
			return 0, fmt.Errorf("age %.40q: at most 200 years", s)
		}
		return time.Duration(n) * u.unit, nil
	}
	return 0, fmt.Errorf("age %.40q: unknown unit %.20q; known are seconds, minutes, hours, days, weeks", s, unit)
}

func leadingDigits(s string) string {
	n := 0
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return s[:n]
}

// MaxSeconds bounds what Seconds takes: a year.
const MaxSeconds = 365 * 24 * 60 * 60

// Seconds reads a whole number of seconds.
func Seconds(s string) (time.Duration, error) {
	if n, err := strconv.ParseUint(s, 10, 32); err == nil && n <= MaxSeconds {
		return time.Duration(n) * time.Second, nil
	}
	return 0, fmt.Errorf("%.40q: want a whole number of seconds, at most %d", s, MaxSeconds)
}
