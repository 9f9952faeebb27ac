# dsync: two mail accounts kept equal.
#
#   make build    ./dsync
#   make test     what every change must pass: vet and all tests (TIMEOUT for each package)
#   make race     the tests under the race detector
#   make crash    every crash image and 200 kills a mode, not a sample (long)
#   make explore  every pair of short histories: all modes and policies, three operations (hours)
#   make mutants  breaks the sources in one place at a time: is each noticed, by which ring?
#                 (MUTANTS: flags, as -all or -only PART)
#   make sim      simulated worlds with faults for MINUTES (10)
#   make fuzz     every native fuzz target for FUZZTIME (a minute each)
#   make interop  the rings that need Dovecot, which must then be there
#   make faults   doveadm's published faults, found again from their seeds (minutes)
#   make bench    side by side with doveadm sync, mbsync and cp (BENCH: its flags)
#   make lint     gofmt, vet, and the tests of the house
#   make demo     two sample accounts, changed on both sides: plan, sync, log
#   make clean    removes what the others made
#
# The last line of a test target counts what passed, failed and was skipped, and why.
# Variables of the environment: DSYNC_REQUIRE=dovecot,chromium,sshd makes a missing one a
# failure; DSYNC_SUITE=all plays every shipped scenario on Dovecot, too; DSYNC_SHARED
# names the shared directory (../shared); DSYNC_TEST_TMP where Maildirs of tests are
# made; DSYNC_HISTORIES=N how many random histories;
# DSYNC_SEED, DSYNC_CRASH_CASE repeat one that failed, as its message says.

GO       ?= go
FUZZTIME ?= 1m
TIMEOUT  ?= 480s
BENCH    ?=
MUTANTS  ?=
TALLY     = $(GO) run ./cmd/internal/tally

# Tests run in their packages' directories.
ifdef DSYNC_SHARED
export DSYNC_SHARED := $(abspath $(DSYNC_SHARED))
endif

.PHONY: build test race crash explore sim mutants fuzz interop faults bench lint demo clean

build:
	$(GO) build -o dsync ./cmd/dsync

test: # GOGC: short programs with small heaps; an eighth less CPU
	$(GO) vet ./...
	GOGC=$${GOGC:-400} $(TALLY) -p 2 -timeout $(TIMEOUT) ./...

race:
	CGO_ENABLED=1 $(TALLY) -race -p 2 -timeout 60m ./...

crash:
	DSYNC_CRASH=long DSYNC_CRASH_SEEDS=$${DSYNC_CRASH_SEEDS:-50} $(TALLY) -count 1 -timeout 4h \
		-run 'Crash|Kill|Error|Cancel|Mutants' ./fuzz/crash ./changelog/logdb ./store/maildir

# Each search keeps its progress in EXPLORE and goes on from there.
EXPLORE ?= explore-progress
explore: build
	@mkdir -p $(EXPLORE)
	./dsync -v lab explore --modes all --resume $(EXPLORE)/small.json
	./dsync -v lab explore --messages 3 --flags 2 --modes all --resume $(EXPLORE)/large.json
	./dsync -v lab explore --replicas 3 --messages 3 --flags 2 --ops 1 --resume $(EXPLORE)/triples.json
	for p in $$(./dsync lab policy list | awk '$$1 !~ /^(left-wins|right-wins|random)$$/ { print $$1 }'); do \
		./dsync -v lab explore --flags 3 --modes parts --policy $$p --resume $(EXPLORE)/$$p.json || \
			case $$p in crdt-pluto|dovecot) ;; *) exit 1;; esac; \
	done
	./dsync -v lab explore --messages 1 --mailboxes 1 --flags 2 --ops 3 --modes all --resume $(EXPLORE)/three-one.json
	./dsync -v lab explore --ops 3 --resume $(EXPLORE)/three.json

mutants:
	$(GO) run ./fuzz/mutants $(MUTANTS)

MINUTES ?= 10
sim: build
	./dsync -v lab simulate --minutes $(MINUTES)

fuzz:
	@$(GO) list ./... | while read -r p; do \
		for f in $$($(GO) test -list '^Fuzz' "$$p" | grep '^Fuzz'); do \
			echo "== $$p $$f"; \
			$(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) "$$p" || exit 1; \
		done; \
	done

interop:
	DSYNC_REQUIRE=dovecot DSYNC_SUITE=all $(TALLY) -count 1 -timeout 60m \
		./fuzz/lab ./fuzz/dovecot ./fuzz/live ./fuzz/check ./fuzz/torture ./fuzz/genmail ./fuzz/bench ./store/maildir ./cmd/dsync

faults: build
	@sed -n 's/^  note repeat with: //p' fuzz/testdata/doveadm/*.txt | while read -r line; do \
		echo "== $$line"; ./$$line; [ $$? -eq 2 ] || exit 1; \
	done

bench: build
	$(GO) run ./fuzz/bench -dsync ./dsync $(BENCH)

lint:
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo 'run gofmt -w'; exit 1; }
	$(GO) vet ./...
	$(GO) test -count 1 ./cmd/internal/house

demo: build
	@sh cmd/internal/demo/demo.sh ./dsync

clean:
	rm -rf dsync bench-*.json explore-progress
