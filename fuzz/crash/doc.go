// Package crash breaks runs at every write, and looks at what the next run makes of
// it. It is a ring of tests (E5, E6, E7, E10; laws P6, P9, P14, P15):
//
//   - in memory: two accounts and their log; an image of all three is taken before
//     each write of any of them, with part of what was not synced, and a run is
//     made from every image. Errors and cancellations likewise.
//   - the program: killed by SIGKILL after delays drawn over its run time, on full
//     disks, without permission, with two of it at once, on damaged logs.
//
// By default a sample is tried; DSYNC_CRASH=long tries all. What a random case did
// is named by one line: DSYNC_CRASH_CASE repeats it.
package crash
