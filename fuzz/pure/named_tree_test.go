package pure

import "testing"

// The histories of shared/design/tree.md, by its numbers.
func TestTree(t *testing.T) {
	runNamed(t, []named{
		{name: "1 presence without the message", n: 2, history: "0:ap INBOX g; 1=0 half; 0=1", want: "INBOX 1:g"},
		{name: "2 union of bases", n: 3, past: "0:cr A", history: "2:ap A g; 1=2 -m A; 1:ex A#g; 0=1; 1=2; 0=1", want: "INBOX; A"},
		{name: "3 no orphan", n: 2, history: "0:cr B/A; 1=0 -m B/A", want: "INBOX; B/; B/A", rules: ""},
		{name: "3 INBOX lives", n: 2, history: "0:cr INBOX/A; 1=0 -m INBOX/A; 0=1", want: "INBOX; INBOX/A"},
		{name: "4 cycle", n: 2, history: "0:cr A,B; 0=1; 0:rn A>B/A; 1:rn B>A/B; 0=1", want: "INBOX; B; B/A", rules: "14"},
		{name: "4 cycle, second later", n: 2, history: "0:cr A,B; 0:ap A a; 0:ap B b; 0=1; 0:rn A>B/A; tick; 1:rn B>A/B; 0=1", want: "INBOX; B 1:b; B/A 1:a", rules: "14"},
		{name: "5 one place", n: 2, history: "0:cr A,A/B; 1:cr A/B; 0=1", want: "INBOX; A; A/B"},
		{name: "6 who met first", n: 4, history: "0:cr A; 0=2; 2:rn A>B; 1:cr A; 1:ap A g; 1=3; 3=2; 0=1; 0=2; 0=1; 2=3", want: "INBOX; B 1:g", rules: "12"},
		{name: "6 associative", n: 3, history: "1:cr A; 1=0; 0:rn A>C; 2:cr A; 0=2; 1=2; 0=1", want: "INBOX; C", rules: "12"},
		{name: "6 associative, other way", n: 3, history: "1:cr A; 1=0; 0:rn A>C; 2:cr A; 1=2; 0=1; 1=2", want: "INBOX; C", rules: "12"},
		{name: "7 parents have GUIDs", n: 2, history: "0:cr A/C; 0=1; 0:rn A>B; 1:cr A/D; 0=1", want: "INBOX; B/; B/C; B/D"},
		{name: "8 leftovers go along", n: 1, history: "0:cr A,A/C; 0:dl A; 0:cr A; 0:rn A>B", want: "INBOX; B; B/C"},
		{name: "9 two mailboxes, one number", n: 2, history: "0:cr A; 1:cr A; 1:dl A; 0=1", want: "INBOX; A", rules: "15"},
		{name: "9 swap raises nothing", n: 2, past: "0:cr A,B; 0:ap A a; 0:ap B b", history: "0:rn A>T; 0:rn B>A; 0:rn T>B; 0=1", want: "INBOX; A 1:b; B 1:a"},
		{name: "10 loser stays", n: 2, past: "0:cr A,B; 0:ap A a; 0:ap B b", history: "0:rn A>Z; tick; 1:rn B>Z; 0=1; 0:dl Z; 0=1", want: "INBOX; Z-3c6e6d55 1:a", rules: "13"},
		{name: "11 subscriptions of names and nodes", n: 2, history: "0:su A; 0:cr A; 0:us A; 0=1", want: "INBOX; A"},
		{name: "11 follows the rename, outlives the deletion", n: 2, past: "0:cr A,B; 0:su A; 0:su B", history: "0:rn A>C; 1:dl B; 0=1", want: "INBOX; C; sub B C"},
		{name: "12 delete, delivery", n: 2, past: "0:cr A; 0:ap A old", history: "0:dl A; 1:ap A new; 0=1", want: "INBOX; A 2:new", rules: "15"},
		{name: "12 delete, delivery gone by now", n: 2, past: "0:cr A; 0:ap A old", history: "0:dl A; 1:ap A new; 1:ex A#new; 0=1", want: "INBOX; A", rules: "15"},
		{name: "13 equal stamps by path", n: 2, past: "0:cr A; 0:ap A a", history: "0:rn A>P; 1:rn A>Q; 0=1", want: "INBOX; P 1:a", rules: "12"},
		{name: "three INBOXes", n: 3, history: "0:ap INBOX a; 1:ap INBOX b; 2:ap INBOX c; 0=1; 2=0; 1=2", want: "INBOX 2:a 3:b 4:c", rules: "1 1 1"},
		{name: "children follow", n: 2, past: "0:cr A,A/C; 0:ap A/C c", history: "0:rn A>B; 1:rn A/C>A/D; 1:cr A/E; 1:ap A/E e; 0=1", want: "INBOX; B; B/D 1:c; B/E 1:e"},
		{name: "swaps on both sides", n: 2, past: "0:cr A,B; 0:ap A a; 0:ap B b", history: "0:rn A>T; 0:rn B>A; 0:rn T>B; 1:rn A>T; 1:rn B>A; 1:rn T>B; 0=1", want: "INBOX; A 1:b; B 1:a"},
		{name: "delete, rename", n: 2, past: "0:cr A; 0:ap A a", history: "0:dl A; 1:rn A>B; 0=1", want: "INBOX", rules: "17"},
		{name: "delete, rename and delivery", n: 2, past: "0:cr A; 0:ap A a", history: "0:dl A; 1:rn A>B; 1:ap B b; 0=1", want: "INBOX; B 2:b", rules: "15"},
		{name: "delete parent, create child", n: 2, past: "0:cr A; 0:ap A a", history: "0:dl A; 1:cr A/C; 1:ap A/C c; 0=1", want: "INBOX; A/; A/C 1:c"},
		{name: "delete and recreate", n: 2, past: "0:cr A; 0:ap A a", history: "0:dl A; 0:cr A; 0:ap A b; 1:ap A c; 0=1", want: "INBOX; A 1:b 2:c", rules: "19"},
		{name: "9 a number left before the deletion", n: 2, history: "0:cr A; 0:ap A g; 0:uv A down; 0:dl A; 1:cr A; 0=1", want: "INBOX; A", rules: "15"},
		{name: "9 a number that the path has shown for another", n: 2, history: "0:cr A; 0:ap A a; 1:cr B; 1:ap B b; 0=1; 0:rn A>T; 0:rn B>A; 0=1", want: "INBOX; A 1:b; T 1:a"},
	})
}
