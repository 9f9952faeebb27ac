package check_test

import (
	"context"
	"fmt"

	"dsync/fuzz/check"
	"dsync/fuzz/engine"
)

// A synchroniser whose left side always wins is caught, and what it did wrong is
// made small.
func ExampleRun() {
	e := engine.Memory()
	defer e.Close()
	rep, err := check.Run(context.Background(), e, check.Options{Policy: "left-wins", Law: "P7", Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(rep.Findings[0])
	// Output:
	// P7 broken at sync B A: old of a was cleared, and is not any more
	// scenario "seed 2"
	//   seed 2
	//   A: deliver a to INBOX
	//   A: flag a in INBOX +old
	//   level
	//   A: flag a in INBOX -old
	//   sync B A
	// repeat with: dsync lab test --engine memory --policy left-wins --law P7 --seed 2 --count 1
}
