package pure

import (
	"testing"

	"dsync/merge"
)

// What shared/design/conflicts.md lists to be tested first: two sides.
func TestConflictsTwoSides(t *testing.T) {
	runNamed(t, []named{
		{name: "append, append", n: 2, past: mail, history: "0:ap X a; 1:ap X b; 0=1", want: "INBOX; X 1:m 3:a 4:b; Y", rules: "1 1"},
		{name: "append, append of one content", n: 2, past: mail, history: "0:ap X a; 1:ap X a; 0=1", want: "INBOX; X 1:m 2:a; Y"},
		{name: "append three, append one", n: 2, past: mail, history: "0:ap X a0; 0:ap X a1; 0:ap X a2; 1:ap X b; 0=1", want: "INBOX; X 1:m 3:a1 4:a2 5:a0 6:b; Y", rules: "1 1"},
		{name: "append and expunge, append", n: 2, past: mail, history: "0:ap X a; 0:ex X#a; 1:ap X b; 0=1", want: "INBOX; X 1:m 3:b; Y", rules: "1"},
		{name: "append, expunge highest", n: 2, past: mail, history: "0:ex X#m; 1:ap X b; 0=1", want: "INBOX; X 2:b; Y"},
		{name: "flag, flag", n: 2, past: mail, history: "0:f+F X#m; 1:f+S X#m; 0=1", want: "INBOX; X 1:m[F S]; Y"},
		{name: "flag, flag of others", n: 2, past: mail + "; 0:ap X m2", history: "0:f+F X#m; 1:f+F X#m2; 0=1", want: "INBOX; X 1:m[F] 2:m2[F]; Y"},
		{name: "expunge, expunge", n: 2, past: mail, history: "0:ex X#m; 1:ex X#m; 0=1", want: "INBOX; X; Y"},
		{name: "expunge, expunge of others", n: 2, past: mail + "; 0:ap X m2", history: "0:ex X#m; 1:ex X#m2; 0=1", want: "INBOX; X; Y"},
		{name: "a flag relayed", n: 3, past: mail, history: "0:f+F X#m; 0=1; 1=2; 0=1", want: "INBOX; X 1:m[F]; Y"},
		{name: "delete, append", n: 2, past: mail, history: "0:dl X; 1:ap X a; 0=1", want: "INBOX; X 2:a; Y", rules: "15"},
		{name: "delete, rename", n: 2, past: mail, history: "0:dl X; 1:rn X>Z; 0=1", want: "INBOX; Y", rules: "17"},
		{name: "delete and recreate, append", n: 2, past: mail, history: "0:dl X; 0:cr X; 1:ap X a; 0=1", want: "INBOX; X 1:a; Y", rules: "19"},
		{name: "move, flag", n: 2, past: mail, history: "0:mv X#m>Y; 1:f+F X#m; 0=1", want: "INBOX; X; Y 1:m[F]"},
		{name: "move, move elsewhere", n: 2, past: mail + "; 0:cr Z", history: "0:mv X#m>Y; tick; 1:mv X#m>Z; 0=1", want: "INBOX; X; Y; Z 1:m", rules: "5"},
		{name: "move, move elsewhere in one second", n: 2, past: mail + "; 0:cr Z", history: "0:mv X#m>Y; 1:mv X#m>Z; 0=1", want: "INBOX; X; Y 1:m; Z", rules: "5"},
		{name: "move, expunge", n: 2, past: mail, history: "0:mv X#m>Y; 1:ex X#m; 1=0", want: "INBOX; X; Y 1:m", rules: "4"},
		{name: "copy, copy", n: 2, past: mail, history: "0:cp X#m>Y; 1:cp X#m>Y; 0=1", want: "INBOX; X 1:m; Y 1:m"},
		{name: "copy, expunge of the source", n: 2, past: mail, history: "0:cp X#m>Y; 1:ex X#m; 0=1", want: "INBOX; X; Y 1:m"},
		{name: "rename, rename of one", n: 2, past: mail, history: "0:rn X>P; tick; 1:rn X>Q; 0=1", want: "INBOX; Q 1:m; Y", rules: "12"},
		{name: "rename, rename to one", n: 2, past: mail + "; 0:ap Y n", history: "0:rn X>Z; tick; 1:rn Y>Z; 0=1", want: "INBOX; Z 1:n; Z-3c6e6d55 1:m", rules: "13"},
		{name: "rename cycle", n: 2, past: mail, history: "0:rn X>Y/X; tick; 1:rn Y>X/Y; 0=1", want: "INBOX; Y; Y/X 1:m", rules: "14"},
		{name: "rename swap", n: 2, past: mail + "; 0:ap Y n", history: "0:rn X>T; 0:rn Y>X; 0:rn T>Y; 0=1", want: "INBOX; X 1:n; Y 1:m"},
		{name: "rename, create there", n: 2, past: mail, history: "0:rn X>Z; tick; 1:cr Z; 1:ap Z z; 0=1", want: "INBOX; Y; Z 1:z; Z-3c6e6d55 1:m", rules: "13"},
		{name: "rename onto INBOX's child", n: 2, past: mail, history: "0:rn X>INBOX/X; 1:ap X a; 0=1", want: "INBOX; INBOX/X 1:m 2:a; Y"},
		{name: "replace, add", n: 2, past: mail + "; 0:f+F X#m", history: "0:f-F X#m; 0:f+S X#m; 1:f+A X#m; 0=1", want: "INBOX; X 1:m[A S]; Y"},
		{name: "add; add and remove", n: 2, past: mail, history: "0:f+F X#m; 1:f+F X#m; 1:f-F X#m; 0=1", want: "INBOX; X 1:m[F]; Y", rules: "8"},
		{name: "add; add and remove of deleted", n: 2, past: mail, history: "0:f+T X#m; 1:f+T X#m; 1:f-T X#m; 0=1", want: "INBOX; X 1:m; Y", rules: "8"},
		{name: "remove and add again, remove", n: 2, past: mail + "; 0:f+S X#m", history: "0:f-S X#m; 1:f-S X#m; 1:f+F X#m; 1:f+S X#m; 0=1", want: "INBOX; X 1:m[F S]; Y", rules: "8"},
		{name: "keyword both ways", n: 2, past: mail, history: "0:k+kw X#m; 0:k-kw X#m; 1:k+kw X#m; 0=1", want: "INBOX; X 1:m[kw]; Y", rules: "9"},
		{name: "keyword in two cases", n: 2, past: mail, history: "0:k+KW X#m; tick; 1:k+kw X#m; 0=1", want: "INBOX; X 1:m[KW]; Y"},
		{name: "create, create with mail", n: 2, history: "0:cr A; 0:ap A a; 1:cr A; 1:ap A b; 0=1", want: "INBOX; A 2:a 3:b", rules: "1 1"},
		{name: "create, create, empty", n: 2, history: "0:cr A; tick; 1:cr A; 0=1", want: "INBOX; A"},
		{name: "uidvalidity reset", n: 2, past: mail + "; 0:ap X m2", history: "0:uv X up; 0=1", want: "INBOX; X 1:m 2:m2; Y"},
		{name: "uidvalidity lowered", n: 2, past: mail + "; 0:ap X m2", history: "0:uv X down; 0=1", want: "INBOX; X 1:m 2:m2; Y"},
		{name: "uidvalidity reset on both", n: 2, past: mail + "; 0:ap X m2", history: "0:uv X up; 1:uv X up; 0:ap X a; 1:ap X b; 0=1", want: "INBOX; X 1:m 2:m2 4:a 5:b; Y", rules: "1 1"},
		{name: "uidvalidity reset, append", n: 2, past: mail, history: "0:uv X up; 1:ap X b; 0=1", want: "INBOX; X 1:m 2:b; Y", rules: "22"},
		{name: "attribute, attribute", n: 2, past: mail, history: "0:md X v1; tick; 1:md X v2; 0=1", want: "INBOX; X{v2} 1:m; Y", rules: "23"},
		{name: "attribute, attribute in one second", n: 2, past: mail, history: "0:md X v2; 1:md X v1; 0=1", want: "INBOX; X{v2} 1:m; Y", rules: "23"},
		{name: "subscribe, unsubscribe", n: 2, past: mail, history: "0:su X; 0=1; 0:us X; 0:su X; tick; 1:us X; 0=1", want: "INBOX; X 1:m; Y", rules: "21"},
		{name: "subscribe, unsubscribe in one second", n: 2, past: mail + "; 0:su X", history: "0:us X; 1:us X; 1:su X; 0=1", want: "INBOX; X 1:m; Y; sub X", rules: "21"},
		{name: "subscribe, rename", n: 2, past: mail, history: "0:su X; 1:rn X>Z; 0=1", want: "INBOX; Y; Z 1:m; sub Z"},
		{name: "subscribe, delete", n: 2, past: mail, history: "0:su X; 1:dl X; 0=1", want: "INBOX; Y; sub X"},
		{name: "attribute, delete", n: 2, past: mail, history: "0:md X v1; 1:dl X; 0=1", want: "INBOX; Y", rules: "16"},
		{name: "move into, delete", n: 2, past: mail, history: "0:mv X#m>Y; 1:dl Y; 0=1", want: "INBOX; X; Y 1:m", rules: "15"},
		{name: "copy into, delete", n: 2, past: mail, history: "0:cp X#m>Y; 1:dl Y; 0=1", want: "INBOX; X 1:m; Y 1:m", rules: "15"},
		{name: "move out, delete", n: 2, past: mail, history: "0:mv X#m>Y; 1:dl X; 0=1", want: "INBOX; Y 1:m", rules: "4"},
		{name: "flag, delete", n: 2, past: mail, history: "0:f+F X#m; 1:dl X; 0=1", want: "INBOX; Y", rules: "7"},
		{name: "flag, expunge", n: 2, past: mail, history: "0:f+F X#m; 1:ex X#m; 0=1", want: "INBOX; X; Y", rules: "7"},
		{name: "create child, rename parent", n: 2, past: mail, history: "0:cr X/C; 0:ap X/C c; 1:rn X>Z; 0=1", want: "INBOX; Y; Z 1:m; Z/C 1:c"},
		{name: "one GUID, other bytes", n: 2, past: mail, history: "0:ap X g/1; 1:ap X g/2; 0=1", want: "INBOX; X 1:m 3:49c69958c715ffbd51a27148ef071453/2 4:g/1; Y", rules: "1 1 29"},
		{name: "one GUID, other bytes, two mailboxes", n: 2, past: mail, history: "0:ap X g/1; 1:ap Y g/2; 0=1", want: "INBOX; X 1:m 2:g/1; Y 2:49c69958c715ffbd51a27148ef071453/2", rules: "1 29"},
		{name: "clock of one side an hour ahead", n: 2, past: mail, history: "0:skew 3600; 0:rn X>P; tick; 1:rn X>Q; 0=1; 1:rn P>R; 0=1", want: "INBOX; R 1:m; Y", rules: "12"},
	})
}

// The histories with three and four replicas at the end of conflicts.md.
func TestConflictsMoreReplicas(t *testing.T) {
	runNamed(t, []named{
		{name: "move and deliver, -m", n: 3, past: mail, history: "0:mv X#m>Y; 0:ap Y n; 0=1 -m Y; 0=1; 1=2", want: "INBOX; X; Y 2:n 3:m", rules: "1"},
		{name: "flag over two ways", n: 4, past: mail, history: "0:f+F X#m; 1:f+F X#m; 3=1; 2=0; 3=2; 1:f-F X#m; 1=0; 2=1; 3=2; 2=0", want: "INBOX; X 1:m[F]; Y", rules: "8"},
		{name: "copies linked, one expunged", n: 3, past: mail, history: "0:cp X#m>Y; 1:cp X#m>Y; 1=2; 2:ex Y#m; 0=1; 1=2; 0=1", want: "INBOX; X 1:m; Y 2:m", rules: "1 4"},
		{name: "copies linked after the expunge", n: 3, past: mail, history: "0:cp X#m>Y; 1:cp X#m>Y; 1=2; 2:ex Y#m; 0=2; 0=1; 1=2", want: "INBOX; X 1:m; Y 2:m", rules: "1"},
		{name: "INBOX with two GUIDs", n: 3, history: "2:ap INBOX c; 0=1; 2=0; 0=1", want: "INBOX 1:c"},
	})
}

// observed.md §A, as far as the pure ring can express it; and what befalls logs.
func TestObserved(t *testing.T) {
	runNamed(t, []named{
		{name: "1 symmetric new mail", n: 2, past: mail, history: "0:ap X a; 1:ap X b; 0=1", want: "INBOX; X 1:m 3:a 4:b; Y", rules: "1 1"},
		{name: "1 symmetric flags", n: 2, past: mail + "; 0:ap X m2", history: "0:f+S X#m; 1:f+S X#m2; 0=1", want: "INBOX; X 1:m[S] 2:m2[S]; Y"},
		{name: "1 symmetric flag removal", n: 2, past: mail + "; 0:f+S X#m", history: "0:f-S X#m; 1:f+F X#m; 0=1", want: "INBOX; X 1:m[F]; Y"},
		{name: "1 symmetric keywords", n: 2, past: mail + "; 0:ap X m2", history: "0:k+a X#m; 1:k+b X#m2; 0=1", want: "INBOX; X 1:m[a] 2:m2[b]; Y"},
		{name: "1 symmetric expunge", n: 2, past: mail + "; 0:ap X m2; 0:ap X m3", history: "0:ex X#m; 1:ex X#m2; 0=1", want: "INBOX; X 3:m3; Y"},
		{name: "1 backup of the same count", n: 2, past: mail, history: "0:ap X a; 1:ap X b; 0=1 backup", want: "INBOX; X 1:m 2:a; Y", others: map[int]string{1: "INBOX; X 1:m 2:a; Y"}},
		{name: "1 copies, one expunged", n: 2, history: "0:ap INBOX g; 0:ap INBOX g; 0=1; 1:ex INBOX#0; 0=1", want: "INBOX 2:g"},
		{name: "2 backup onto INBOX that lost mail", n: 2, past: "0:ap INBOX a; 0:ap INBOX b", history: "1:ex INBOX#a; 0=1 backup", want: "INBOX 1:a 2:b"},
		{name: "2 backup onto INBOX with more", n: 2, past: "0:ap INBOX a", history: "1:ap INBOX z; 1:ap INBOX y; 0=1 backup", want: "INBOX 1:a"},
		{name: "2 backup onto INBOX with higher UIDNEXT", n: 2, past: "0:ap INBOX a", history: "1:un INBOX; 1:un INBOX; 0:ap INBOX b; 0=1 backup", want: "INBOX 1:a 2:b"},
		{name: "2 backup onto INBOX of other UIDVALIDITY", n: 2, past: "0:ap INBOX a", history: "1:uv INBOX up; 0=1 backup", want: "INBOX 1:a"},
		{name: "2 backup over expunged, flagged and extra mail, then whole", n: 2, past: "0:ap INBOX a; 0:ap INBOX b; 0:ap INBOX c", history: "1:ex INBOX#a; 1:f+F INBOX#b; 1:ap INBOX z; 1:cr N; 1:ap N n; 0=1 backup; 0=1", want: "INBOX 1:a 2:b 3:c"},
		{name: "3 created on both", n: 2, history: "0:cr A; 0:ap A a; tick; 1:cr A; 1:ap A b; 0=1", want: "INBOX; A 2:a 3:b", rules: "1 1"},
		{name: "3 both non-empty at first", n: 2, history: "0:ap INBOX a; 0:cr A; 0:ap A a1; 1:ap INBOX b; 1:cr A; 1:ap A b1; 0:lost; 1:lost; 0=1", want: "INBOX 2:a 3:b; A 2:a1 3:b1", rules: "1 1 1 1"},
		{name: "3 a copied tree", n: 2, history: "0:ap INBOX a; 0:ap INBOX b; 0:f+F INBOX#a; 0:cr A; 0:ap A c; 0:su A; 1:clone 0; 0:lost; 0=1", want: "INBOX 1:a[F] 2:b; A 1:c; sub A"},
		{name: "3 a copied tree, worked on", n: 2, history: "0:ap INBOX a; 0:ap INBOX b; 1:clone 0; 1:ap INBOX c; 1:ex INBOX#a; 0:f+S INBOX#b; 0=1", want: "INBOX 2:b[S] 3:c", rules: "28"},
		{name: "3 same content, other GUIDs of mailboxes", n: 2, history: "0:ap INBOX a; 1:ap INBOX a; 0:cr A; 1:cr A; 0:ap A b; 1:ap A b; 0:lost; 1:lost; 0=1", want: "INBOX 1:a; A 1:b"},
		{name: "3 delete and recreate", n: 2, past: "0:cr A; 0:ap A a", history: "0:dl A; 0:cr A; 0:ap A n; 0=1", want: "INBOX; A 1:n"},
		{name: "3 delete and recreate, new mail", n: 2, past: "0:cr A; 0:ap A a", history: "0:dl A; 0:cr A; 1:ap A n; 0=1", want: "INBOX; A 1:n", rules: "19"},
		{name: "4 uidvalidity raised", n: 2, past: "0:ap INBOX a; 0:ap INBOX b; 0:ap INBOX c; 0:ap INBOX d", history: "0:uv INBOX up; 0=1", want: "INBOX 1:a 2:b 3:c 4:d"},
		{name: "5 uidvalidity lowered, new mail on both", n: 2, past: "0:ap INBOX a; 0:ap INBOX b", history: "1:uv INBOX down; 1:ap INBOX c; 0:ap INBOX d; 0=1", want: "INBOX 1:a 2:b 3:d 4:c", rules: "22"},
		{name: "7 lost log, expunged before", n: 2, past: "0:ap INBOX a; 0:ap INBOX b", history: "0:ex INBOX#a; 0:lost; 0=1", want: "INBOX 2:b 3:a", rules: "28"},
		{name: "7 lost log, expunged at the other side", n: 2, past: "0:ap INBOX a; 0:ap INBOX b", history: "1:ex INBOX#a; 0:lost; 0=1", want: "INBOX 2:b", rules: "28"},
		{name: "7 lost log, flags of the other side", n: 2, past: "0:ap INBOX a; 0:f+F INBOX#a", history: "1:f-F INBOX#a; 1:f+S INBOX#a; 0:lost; 0=1", want: "INBOX 1:a[S]"},
		{name: "7 lost log, deleted at the other side", n: 2, past: "0:cr A; 0:ap A a", history: "1:dl A; 0:lost; 0=1", want: "INBOX", rules: "28"},
		{name: "7 lost log, renamed at the other side", n: 2, past: "0:cr A; 0:ap A a", history: "1:rn A>B; 0:lost; 0=1", want: "INBOX; B 1:a"},
		{name: "7 lost log on both", n: 2, past: "0:ap INBOX a; 0:cr A; 0:ap A b; 0:su A", history: "0:ap A c; 1:ex INBOX#a; 0:lost; 1:lost; 0=1", want: "INBOX 2:a; A 1:b 2:c; sub A", rules: "1"},
		{name: "8 -m of a mailbox renamed there", n: 2, past: "0:cr A; 0:ap A a", history: "1:rn A>A9; 0=1 -m A; 0=1", want: "INBOX; A9 1:a"},
		{name: "9 move into, delete", n: 2, past: "0:cr A; 0:ap INBOX m", history: "0:mv INBOX#m>A; 1:dl A; 0=1", want: "INBOX; A 1:m", rules: "15"},
		{name: "9 rename and deliver long after the delete", n: 2, past: "0:cr A; 0:ap A a", history: "1:dl A; tick; tick; 0:rn A>B; 0:ap B n; 0=1", want: "INBOX; B 2:n", rules: "15"},
		{name: "10 restored, nothing done since", n: 2, past: "0:ap INBOX a; 0:ap INBOX b", history: "0:save; 0:ex INBOX#a; 0:ap INBOX c; 0=1; 0:restore; 0=1", want: "INBOX 2:b 3:c"},
		{name: "10 restored, worked on", n: 2, past: "0:ap INBOX a; 0:ap INBOX b", history: "0:save; 0:ex INBOX#a; 0:ap INBOX c; 0=1; 0:restore; 0:ap INBOX d; 0:f+F INBOX#b; 0=1", want: "INBOX 2:b[F] 4:d 5:c", rules: "1 1"},
		{name: "10 restored, never synced between", n: 2, past: "0:ap INBOX a", history: "0:save; 0:ap INBOX c; 0:restore; 0:ap INBOX d; 0=1", want: "INBOX 1:a 2:d"},
		{name: "10 restored, met by another road", n: 3, past: "0:ap INBOX a", history: "0:save; 0:ap INBOX c; 0:f+F INBOX#a; 0=1; 1=2; 0:restore; 0:ap INBOX d; 0=2; 1=2; 0=1", want: "INBOX 1:a[F] 3:c 4:d", rules: "1 1"},
		{name: "11 keyword of other case", n: 2, past: "0:ap INBOX a", history: "0:k+KW INBOX#a; tick; 1:k+kw INBOX#a; 0=1", want: "INBOX 1:a[KW]"},
		{name: "12 one GUID, other bytes", n: 2, history: "0:ap INBOX g/1; 1:ap INBOX g/2; 0=1", want: "INBOX 2:49c69958c715ffbd51a27148ef071453/2 3:g/1", rules: "1 1 29"},
		{name: "manual's example of -1", n: 2, history: "0:ap INBOX a; 0:ap INBOX b; 0:ap INBOX c; 0:ap INBOX d; 0:ap INBOX e; 0=1; 0:ex INBOX#d; 0:ap INBOX f; 1:ex INBOX#e; 1:ap INBOX g; 0=1 -1; 0=1 -1", want: "INBOX 1:a 2:b 3:c 5:e 6:f", others: map[int]string{1: "INBOX 1:a 2:b 3:c 4:d 7:f 8:g"}, final: "INBOX 1:a 2:b 3:c 7:f 8:g", rules: "1 1"},
		{name: "-1 with expunges and deletes at the source", n: 2, past: mail + "; 0:ap Y n", history: "0:ex X#m; 0:dl Y; 0:cr N; 0:ap N new; 0=1 -1", want: "INBOX; N 1:new; X", others: map[int]string{1: "INBOX; N 1:new; X 1:m; Y 1:n"}, final: "INBOX; N 1:new; X"},
		{name: "-1 with moves at the source", n: 2, past: mail, history: "0:mv X#m>Y; 0:f+F Y#m; 0=1 -1", want: "INBOX; X; Y 1:m[F]", others: map[int]string{1: "INBOX; X 1:m[F]; Y"}, final: "INBOX; X; Y 1:m[F]"},
		{name: "-1, the destination expunged", n: 2, past: mail, history: "1:ex X#m; 0:f+F X#m; 0=1 -1", want: "INBOX; X 1:m[F]; Y", others: map[int]string{1: "INBOX; X; Y"}, final: "INBOX; X; Y"},
		{name: "-1 keyword away", n: 2, past: mail + "; 0:k+kw X#m", history: "0:k-kw X#m; 1:f+S X#m; 0=1 -1", want: "INBOX; X 1:m; Y", others: map[int]string{1: "INBOX; X 1:m[S]; Y"}, final: "INBOX; X 1:m[S]; Y"},
	})
}

// Other choices than the default's, for the rules that have one.
func TestNamedPolicies(t *testing.T) {
	for _, c := range []struct {
		p *merge.Policy
		named
	}{
		{merge.AddWins, named{name: "add; add and remove of deleted", history: "0:f+T X#m; 1:f+T X#m; 1:f-T X#m; 0=1", want: "INBOX; X 1:m[T]; Y", rules: "8"}},
		{merge.RemoveWins, named{name: "add; add and remove", history: "0:f+F X#m; 1:f+F X#m; 1:f-F X#m; 0=1", want: "INBOX; X 1:m; Y", rules: "8"}},
		{merge.LaterWins, named{name: "add later", history: "1:f+F X#m; 1:f-F X#m; tick; 0:f+F X#m; 0=1", want: "INBOX; X 1:m[F]; Y", rules: "8"}},
		{merge.LaterWins, named{name: "remove later", history: "0:f+F X#m; tick; 1:f+F X#m; 1:f-F X#m; 0=1", want: "INBOX; X 1:m; Y", rules: "8"}},
		{merge.Dovecot, named{name: "delete beats delivery", history: "0:dl X; 1:ap X a; 0=1", want: "INBOX; Y", rules: "15"}},
		{&merge.Policy{Name: "expunge-follows-move", ExpungeFollowsMove: true}, named{name: "move, expunge", history: "0:mv X#m>Y; 1:ex X#m; 0=1", want: "INBOX; X; Y", rules: "4"}},
	} {
		c.n, c.past = 2, mail
		t.Run(c.p.Name+" "+c.name, func(t *testing.T) { c.run(t, c.p) })
	}
}
