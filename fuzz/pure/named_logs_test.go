package pure

import "testing"

// Histories of lost, cloned and restored logs, with -1 and backup between, that
// broke the merge; each was shrunk from a generated one.
func TestLogsNamed(t *testing.T) {
	runNamed(t, []named{
		{name: "subscription that outlives its mailbox under -1", n: 2, history: "0:cr A; 0:su A; 0:dl A; 0=1 -1", want: "INBOX; sub A"},
		{name: "expunged, and put back by backup under another origin", n: 3, rules: "",
			history: "0:ap INBOX g0; 2:clone 0; 0:ex INBOX; 1=2; 2=0 backup; 1:lost; 1=2 -1; 0=1; 1=2", want: "INBOX 1:g0"},
		{name: "a flag cleared against one that -1 carried to a found copy", n: 3,
			history: "0:cr A; 0:ap A g1; 0:f+F A; 0=1; 1=2; 1:lost; 1=2 backup; 0:f-F A; 2=1 -1; 0=1", want: "INBOX; A 1:g1", others: map[int]string{2: "INBOX; A 1:g1[F]"}},
	})
}
