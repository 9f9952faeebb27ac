package torture

import "time"

// Dates gives received dates from 1970-01-01 to 2096-12-31, in UTC and whole
// seconds, among them the limits of 32-bit time and leap days.
func Dates() []time.Time {
	var out []time.Time
	for _, s := range []string{
		"1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z", "1972-02-29T12:00:00Z", "1999-12-31T23:59:59Z",
		"2000-02-29T00:00:00Z", "2001-09-09T01:46:40Z", "2004-02-29T23:59:59Z", "2016-12-31T23:59:59Z",
		"2024-03-31T01:30:00Z", "2038-01-19T03:14:07Z", "2038-01-19T03:14:08Z", "2096-02-29T06:07:08Z",
		"2096-12-31T23:59:59Z",
	} {
		t, err := time.Parse(time.RFC3339, s)
		if err != nil {
			panic("torture: bad date in the list: " + s)
		}
		out = append(out, t)
	}
	return out
}
