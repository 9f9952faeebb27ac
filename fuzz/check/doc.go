// Package check tests synchronisers and mail stores with generated histories.
//
// # Use
//
//	rep, err := check.Run(ctx, e, check.Options{Seed: 1, Count: 500})
//	fmt.Print(rep.Text())
//
// e is any engine.Engine: one of ours, engine.Command for a synchroniser that is a
// command line, engine.Stores for any store.Store, or one's own. From a test the
// package checktest does the same with rapid, in three lines. "dsync lab test" is
// Run on the command line.
//
// # Contract
//
//   - A Kind makes scenarios (fuzz/scenario): a common past, then tails of changes
//     at two sides or more that collide in a tiny universe, with runs between. Each
//     scenario aims at one cell of the matrix of conflicts (two kinds of changes,
//     one at each side, unseen by the other); the cells take turns.
//   - A scenario is made by its Kind and its Source alone. Scenario number n of a
//     search comes from the seed Options.Seed+n, on any machine.
//   - What is covered is measured by playing the scenario on the merge alone: only
//     changes that changed something count. Coverage.Missing are the cells that were
//     aimed at and never hit; a search long enough to hit all fails over one.
//   - fuzz/lab judges, by looking alone; with P4 (who starts a run does not matter)
//     asked by playing each scenario a second time with the sides of its runs
//     exchanged, unless Options.Once says no.
//   - A scenario that breaks a law is made smaller as long as it breaks the same law:
//     fewer steps, fewer replicas, plainer steps. It is played again in the end; what
//     does not break then each time is called Unsteady.
//   - Nothing here keeps a clock or a global random; only the engine does.
package check
