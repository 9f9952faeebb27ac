package torture

import "strings"

// GoodNames gives mailbox names that every store can hold and that must come
// through unchanged. Levels are divided by "/"; none holds a ".". Dovecot 2.3
// takes all but "~".
func GoodNames() []string {
	return []string{
		"a", "Sent Items", " leading", "trailing ", "two  spaces", "a/b", "a/b/c/d/e/f/g/h",
		"INBOX/child", "Not INBOX", "&", "a&b", "&-", "&AOk-", "Entwürfe", "Entwu\u0308rfe", // composed, decomposed
		"台北/日本語", "😀", "עברית", "case", "Case", "CASE", "-", "--help", "-rf", "#news", "%", "*", "?",
		"100%25", "a\"b", `a\b`, "a'b", "a`b", "(a)", "[a]", "{3}", "{3+}", "a,b", "a:b", "a;b", "a|b", "<a>", "$HOME",
		"NIL", "0", "1e9", "~", "a~", "\u00a0", "\u200b", "a\u202eb",
		strings.Repeat("n", 200), strings.Repeat("ü", 60), strings.Repeat("d/", 15) + "d",
	}
}

// DottedNames gives names that LAYOUT=fs can hold and Maildir++ cannot,
// because there the dot divides levels.
func DottedNames() []string {
	return []string{"a.b", ".a", "a.", "a..b", "x/a.b", "...", "a/.b/c"}
}

// ReservedNames gives names that Maildir++ can hold and that LAYOUT=fs cannot
// at the top, because a Maildir keeps files and directories of those names.
func ReservedNames() []string {
	return []string{"cur", "new", "tmp", "dovecot-uidlist", "subscriptions"}
}

// BadNames gives names that no store may accept: empty levels, ways out of
// the account, control characters, invalid UTF-8, excessive length.
func BadNames() []string {
	return []string{
		"", "/", "//", "/a", "a/", "a//b", ".", "..", "../a", "a/..", "a/../b", "a/./b", "../../etc/passwd",
		"a\x00b", "\x00", "a\nb", "a\rb", "a\tb", "\x1b[31m", "\x7f", "a\u0085b", "\xff", "a\xc3", "\xed\xa0\x80",
		strings.Repeat("x", 10_000), strings.Repeat("d/", 5_000) + "d", strings.Repeat("ü", 5_000),
	}
}

// BadDirectories gives names of directories that may lie in a Maildir++ root
// and name no mailbox: invalid modified UTF-7, empty levels, 8-bit bytes.
func BadDirectories() []string {
	return []string{
		"..a", ".a..b", ".a.", ".&", ".&AOk", ".&!!-", ".&A-", ".&2D0-", ".&AGE-", ".\xff", ".a\xc3", ".a\nb",
		".a\x01b", ".a\x7f", ".&AOkAAA-",
	}
}

// FileNames gives names of message files that other programs may leave in
// cur/: odd info parts, missing or wrong sizes, invalid UTF-8.
func FileNames() []string {
	return []string{
		"1600000000.M1P1.host:2,", "1600000001.M1P1.host", "1600000002.M1P1.host:1,x", "1600000003.M1P1.host:2,SSFF",
		"1600000004.M1P1.host:2,ZYX", "1600000005.M1P1.host:2,S,extra", "1600000006.M1P1.host,S=99999:2,S",
		"1600000007.M1P1.host,S=,W=:2,S", "1600000008.M1P1.host,U=5,FMD5=0:2,", "1600000009.M1P1.\xff\xfe:2,S",
		"1600000010.M1P1.hôte:2,S", "a", "no-time-at-all:2,S", "1600000011.M1P1.with space:2,", "1600000012:2,abcxyz",
		"1600000013.M1P1.host:3,S", "1600000014.M1P1.host:2,S:2,F", "-1.M1P1.host:2,", strings.Repeat("9", 200) + ":2,",
		"1600000015.M1P1.host:2,RS\n", "1600000016.M1P1." + strings.Repeat("h", 230),
	}
}

// Keywords gives keywords that IMAP allows and that must come through; the
// last two differ in case only.
func Keywords() []string {
	return []string{
		"$Forwarded", "$MDNSent", "NonJunk", "a/b", "a:b", "x.y", "x+y", "~t", "0", "a'b", "a&b", "#1", "a,b", "a=b",
		strings.Repeat("k", 200), "case", "CASE",
	}
}
