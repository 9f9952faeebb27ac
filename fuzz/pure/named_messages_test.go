package pure

import "testing"

// mail is the past of most histories: m, an old message in X that all hold.
const mail = "0:cr X,Y; 0:ap X m"

// The histories of shared/design/messages.md, by its numbers.
func TestMessages(t *testing.T) {
	runNamed(t, []named{
		{name: "1 move, expunge", n: 2, past: mail, history: "0:mv X#m>Y; 1:ex X#m; 0=1", want: "INBOX; X; Y 1:m", rules: "4"},
		{name: "1 move, clear", n: 2, past: mail + "; 0:f+F X#m", history: "0:mv X#m>Y; 1:f-F X#m; 0=1", want: "INBOX; X; Y 1:m"},
		{name: "1 move, move to the same", n: 2, past: mail, history: "0:mv X#m>Y; 1:mv X#m>Y; 0=1", want: "INBOX; X; Y 1:m"},
		{name: "2 move of flagged, expunge", n: 2, past: mail + "; 0:f+F X#m; 0:k+kw X#m", history: "0:mv X#m>Y; 1:ex X#m; 0=1", want: "INBOX; X; Y 1:m[F kw]", rules: "4"},
		{name: "2 flag after the move, expunge", n: 2, past: mail, history: "0:mv X#m>Y; 0:f+F Y#m; 1:ex X#m; 1=0", want: "INBOX; X; Y 1:m[F]", rules: "4"},
		{name: "3 link fails", n: 3, past: mail, history: "0:ap X g; 2:ap X g; 2:f+F X#g; 2=0 half; 0=1; 1=2; 0=1", want: "INBOX; X 1:m 2:g[F]; Y"},
		{name: "3 link fails, the other way", n: 3, past: mail, history: "0:ap X g; 2:ap X g; 2:f+F X#g; 0=2 half; 0=1; 1=2; 0=1", want: "INBOX; X 1:m 2:g[F]; Y"},
		{name: "4 flag, move, -m", n: 2, past: mail + "; 0:f+F X#m", history: "0:f-F X#m; 0:mv X#m>Y; 0=1 -m X; 0=1", want: "INBOX; X; Y 1:m"},
		{name: "4 origins held elsewhere", n: 3, past: mail, history: "0:ap X n; 0=2; 0:mv X#n>Y; 0=1 -m X; 2:f+F X#n; 1=2; 0=1; 1=2", want: "INBOX; X 1:m; Y 1:n[F]", rules: "1"},
		{name: "5 all of it waits", n: 2, past: mail, history: "0:mv X#m>Y; 0:f+F Y#m; 0=1 -m X", want: "INBOX; X; Y 1:m[F]", others: map[int]string{1: "INBOX; X 1:m; Y"}},
		{name: "5 expunge waits with the place", n: 2, past: mail, history: "0:mv X#m>Y; 0:ex Y#m; 0=1 -m Y", want: "INBOX; X; Y", others: map[int]string{1: "INBOX; X 1:m; Y"}},
		{name: "6 union of what both had seen", n: 3, past: mail, history: "1:ap X n1; 1:ap X p2; 1=0 -t; 0=2; 0:ex X#p2; 0=1; 0=2", want: "INBOX; X 1:m 4:n1; Y", rules: "1"},
		{name: "7 delivery, copy", n: 2, past: mail + "; 0:ap Y g", history: "0:ap X g; 1:cp Y#g>X; 0=1", want: "INBOX; X 1:m 2:g; Y 1:g"},
		{name: "7 move, copy", n: 2, past: mail, history: "0:mv X#m>Y; 1:cp X#m>Y; 0=1", want: "INBOX; X; Y 2:m 3:m", rules: "1 1"},
		{name: "8 copy, flag", n: 2, past: mail, history: "0:cp X#m>Y; 1:f+F X#m; 0=1", want: "INBOX; X 1:m[F]; Y 1:m"},
		{name: "9 one second", n: 3, past: mail, history: "1:ap X g; 2:ap Y g; 2:mv Y#g>X; 1=2; 0=1; 1=2", want: "INBOX; X 1:m 2:g; Y"},
		{name: "10 a wrong clock", n: 2, past: mail, history: "0:skew 200000; 0:mv X#m>Y; 1:mv X#m>INBOX; 0=1; 1:mv Y#m>INBOX; 0=1", want: "INBOX 2:m; X; Y", rules: "5"},
		{name: "11 uidvalidity under -t", n: 2, past: mail, history: "0:uv X up; 1:ap X n2; 0=1 -t", want: "INBOX; X 1:m; Y", others: map[int]string{1: "INBOX; X 1:m 2:n2; Y"}, final: "INBOX; X 1:m 2:n2; Y"},
		{name: "13 set and clear", n: 3, past: mail, history: "0:f+T X#m; 1:f+T X#m; 1:f-T X#m; 0=1; 1=2; 0=1; 0:trim; 1:trim; 2:trim; 0=1; 1=2", want: "INBOX; X 1:m; Y", rules: "8"},
		{name: "14 backup splits", n: 3, past: mail, history: "0:ap X g; 1:ap X g; 0=1; 2:ap X g; 2:ap X g; 2=0 backup; 0=1; 1=2; 0=1", want: "INBOX; X 1:m 2:g 3:g; Y"},
		{name: "open P7", n: 3, past: mail + "; 0:f+F X#m; 0:ap X g0; 0:ap Y g1", history: "0:ex Y#g1; 0:mv X#m>Y; 2:ap X g2; 1=0; 0:cp Y#m>X; 0:f+S Y#m; 2:ex X#g0; 0=2 -m X; 2=1; 0=1 backup", want: "INBOX; X 4:g2 5:m[F]; Y 2:m[F S]", others: map[int]string{2: "INBOX; X 4:g2 5:m[F]; Y 2:m[F]"}, rules: "1 1"},
	})
}
