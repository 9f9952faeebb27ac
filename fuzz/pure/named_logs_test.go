package pure

import "testing"

// Histories with limits (-m -g -x -t -O, with -1 and backup) that broke the merge;
// each was shrunk from a generated one.
func TestLimitsNamed(t *testing.T) {
	runNamed(t, []named{
		{name: "backup beside mail that waits numbers as -1 does", n: 2, history: "1:ap INBOX g3; 0=1 limit tree,backup; 0=1 limit tree,backup",
			want: "INBOX", others: map[int]string{1: "INBOX 1:g3"}, final: "INBOX 1:g3"},
		{name: "backup of a mailbox whose UIDVALIDITY differs leaves it", n: 2, past: "0:cr A; 0:ap A g1", history: "1:uv A down; 0=1 limit t,backup; 0=1 limit t,backup", want: "INBOX; A 1:g1"},
		{name: "what a path outside has shown stays the other side's affair", n: 3, history: "0=2; 0=1 limit x:INBOX; 0=2; 1=2", want: "INBOX"},
		{name: "-g names a mailbox also where the two have not met", n: 2, history: "0:ap INBOX g0; 0=1 limit g:INBOX,1", want: "INBOX 1:g0"},
		{name: "backup keeps to the paths of the two sides", n: 3, history: "0:cr A; 2:rn INBOX>A/C; 0:rn A>B; 2=0 limit x:B/C,backup; 0=2; 1=2; 0=1", want: "INBOX; A/; A/C"},
		{name: "-1 takes no name from what is there", n: 2, history: "1:cr A; 1:ap A g1; tick; 0:cr A; 0:cr B; 1:rn A>B; tick; 0:dl A; 0:rn B>B2; 0:rn B2>B; 0=1 -1", want: "INBOX; B",
			others: map[int]string{1: "INBOX; B 1:g1; B-daa6f324"}, final: "INBOX; B 1:g1; B-daa6f324"},
		{name: "a move overridden before is no news", n: 4, rules: "5 5",
			history: "0:cr A; 0:ap INBOX g0; 0=1; 1=2; 0:mv INBOX>A; 2=3; 3:rn INBOX>A/C; 3=1; 0=3; 2:rn INBOX>B/C; 1=2; 2=3; 0=1; 0=3; 1=2; 2=3", want: "INBOX; A; A/C; B/; B/C 1:g0"},
	})
}

// Histories of lost, cloned and restored logs, with -1 and backup between, that
// broke the merge; each was shrunk from a generated one.
func TestLogsNamed(t *testing.T) {
	runNamed(t, []named{
		{name: "subscription that outlives its mailbox under -1", n: 2, history: "0:cr A; 0:su A; 0:dl A; 0=1 -1", want: "INBOX; sub A"},
		{name: "expunged, and put back by backup under another origin", n: 3, rules: "",
			history: "0:ap INBOX g0; 2:clone 0; 0:ex INBOX; 1=2; 2=0 backup; 1:lost; 1=2 -1; 0=1; 1=2", want: "INBOX 1:g0"},
		{name: "a mailbox gives way to one met without history, and keeps its mail", n: 2, past: "0:cr A; 0:ap INBOX g0; 0:cp INBOX>A", rules: "13 28",
			history: "1:rn A>B; 1:rn INBOX>A; 1:lost; 0=1", want: "INBOX 2:g0; A 1:g0; A-3c6fcf0c 1:g0"},
		{name: "a flag cleared against one that -1 carried to a found copy", n: 3,
			history: "0:cr A; 0:ap A g1; 0:f+F A; 0=1; 1=2; 1:lost; 1=2 backup; 0:f-F A; 2=1 -1; 0=1", want: "INBOX; A 1:g1", others: map[int]string{2: "INBOX; A 1:g1[F]"}},
	})
}
