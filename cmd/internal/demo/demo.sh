#!/bin/sh
# Two sample accounts, changed on both sides, and what dsync makes of it.
#   demo.sh PROGRAM      PROGRAM: the dsync to show
# It works in a directory of its own, which it removes at the end; KEEP=1 keeps it.
set -eu
program=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
dir=$(mktemp -d "${TMPDIR:-/tmp}/dsync-demo.XXXXXX")
if [ -n "${KEEP:-}" ]; then echo "working in $dir"; else trap 'rm -rf "$dir"' EXIT; fi
cd "$dir"

heading() { printf '\n== %s\n' "$1"; }
note() { printf '   %s\n' "$1"; }

# dsync runs the program on the laptop's account and shows the command and how it
# ended.
dsync() {
	printf '\n$ dsync %s\n' "$*"
	status=0
	"$program" -o mail_location=maildir:laptop -o changelog=log "$@" 2>&1 || status=$?
	echo "  (exit $status)"
}

# mail SIDE MAILBOX NAME FLAGS SUBJECT puts a message into a mailbox, as a delivery
# followed by a mail program would.
mail() {
	mkdir -p "$1/$2/cur" "$1/$2/new" "$1/$2/tmp"
	if [ -n "$2" ]; then : >"$1/$2/maildirfolder"; fi
	printf 'From: Ann <ann@example.org>\nTo: Ben <ben@example.org>\nSubject: %s\nDate: Mon, 02 Nov 2026 10:00:00 +0000\n\nHello.\n' \
		"$5" >"$1/$2/cur/$3:2,$4"
}

# flags SIDE NAME FLAGS sets the flags of a message of INBOX.
flags() { mv "$1"/cur/"$2":2,* "$1/cur/$2:2,$3"; }

heading "Two accounts: a laptop with mail, a server that does not exist yet"
mail laptop '' 1761991201.M1.laptop F 'Minutes of the meeting'
mail laptop '' 1761991202.M2.laptop S 'Lunch on Friday'
mail laptop .Projects 1761991203.M3.laptop S 'Plan for the new shed'
mail laptop .Old 1761991204.M4.laptop S 'Last year'
find laptop -name '*:2,*' | sort

heading "First sync: everything is new to the server"
dsync -v sync -s auto maildir:server

heading "Changes on both sides"
note "laptop: the flag of the minutes is cleared ..."
flags laptop 1761991201.M1.laptop ''
note "        ... a plan is asked for, and so the change is seen ..."
"$program" -o mail_location=maildir:laptop -o changelog=log plan maildir:server >plan.txt || true
note "        ... and then it is set again."
flags laptop 1761991201.M1.laptop F
note "server: the flag of the minutes is cleared."
flags server 1761991201.M1.laptop ''
note "laptop: the mailbox Projects is deleted."
rm -r laptop/.Projects
note "server: new mail comes into Projects."
mail server .Projects 1761991301.M5.server '' 'The shed: wood has arrived'
note "laptop: the mailbox Old is renamed to Archive."
mv laptop/.Old laptop/.Archive
note "server: new mail comes into Old, and the lunch is read and answered."
mail server .Old 1761991302.M6.server '' 'One more from last year'
flags server 1761991202.M2.laptop RS

heading "The plan: what a sync would do, and by which rule. It changes nothing"
dsync plan maildir:server

heading "The sync: both sides end equal, in one run"
dsync -v sync -s auto maildir:server

heading "What was overridden, by which rule, as the change log keeps it"
printf '\n$ dsync log -v maildir:laptop | grep conflict\n'
"$program" -o changelog=log log -v maildir:laptop | grep conflict

heading "Where everything came from"
dsync log maildir:laptop -m Old -m Archive -m Projects

heading "The second run: nothing to do"
note "What was written within the clock's grain is looked at once more."
dsync -v sync -s auto maildir:server

heading "The third run, and what it cost"
printf '\n$ dsync sync -s auto --json maildir:server\n'
"$program" -o mail_location=maildir:laptop -o changelog=log sync -s auto --json maildir:server |
	tr ',' '\n' | grep -E 'exit|equal|names_listed|entries_compared|files_opened|duration' | tr '\n}' '  '
echo

heading "Are they equal? Is the log sound?"
dsync verify maildir:laptop maildir:server
dsync check maildir:laptop
dsync dump maildir:server
