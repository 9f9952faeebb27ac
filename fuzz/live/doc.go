// Package live runs histories on whole sessions: real stores, real logs, the real
// engine. It is the ring outside of fuzz/pure (E1 to E4, E8; laws P1 to P10, P12,
// P13, P15, P17, P19, P20, P22, P26).
//
// A world is two to five replicas; each is an account (store/memory, a Maildir on
// disk, or a Maildir under Dovecot) and they share one change log. A history is a
// list of operations as fuzz/pure has them: clients' operations, which are made
// behind the synchroniser's back, and runs, which are sessions. Every operation is
// total: one that does not apply does nothing, so failing histories shrink by
// leaving operations out.
//
// What a run must come to is said twice: by what both stores show afterwards (equal,
// bodies intact, UIDs never used again), and by a slow model (model.go) that knows
// messages by their bodies, looks at both stores before the run, and keeps for each
// message the writes that count, by the two sentences of shared/design/messages.md 1.
package live
