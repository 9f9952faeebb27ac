// Package memory is a mail store that lives in memory: the model that the other
// stores are compared with, and the account that the merge, the recorder and
// the simulator are tested on.
//
// # Contract
//
//   - A Store meets store.Store in full. It keeps UIDs, GUIDs and mailbox GUIDs
//     as given; what it cannot do is only what Options.Capabilities took away.
//   - Everything is a function of the calls made, Options.Seed and Options.Clock:
//     no wall clock, no global random, no map order. (Lock alone waits for real
//     time, through Options.After.)
//   - A handle is "key/state/letters". The key stays with the message for good,
//     through moves too, and names one message of the account at a time; the
//     state is the modseq of the last change of flags or keywords. A new UID
//     leaves the handle alone.
//   - Fingerprints are random numbers drawn at each change, so that an account
//     and its restored copy never show one print for two contents. With
//     Options.Grain they change as the times of a directory do, and are Racy.
//   - Client is what a mail client does behind the synchroniser's back. It passes
//     by read-only, Fail and Hook.
//   - Options.Hook is called before each step, Options.Fail before each effect,
//     both with no lock held: they may use the store, its Client, Clone and Dump.
//   - UIDs are bound in one step ("bind"), as a rewrite of dovecot-uidlist does:
//     a run that stops before it leaves its new messages visible with UID 0.
//     What a client delivers during an Apply has UID 0 until the Apply ends.
//
// The order of the steps of one Apply: every "add", "in", "flags", one "bind"
// (UIDs, UIDVALIDITY, UIDNEXT, mailbox GUID), every "expunge", "attributes".
// If a UID wanted by an item is held by a message that keeps it, the item is
// undone and ends with ErrChanged.
//
// A Store is safe for concurrent use.
package memory
