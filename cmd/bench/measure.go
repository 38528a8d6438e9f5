package main

import (
	"context"
	"fmt"
	"time"
)

// measure is one question: the steps that answer it in their order, and what
// is said of it then. Steps that failed leave gaps.
type measure struct {
	steps []step
	add   func(*report)
}

type step struct {
	name string
	run  func(context.Context) error
}

// measures are all there are, in their order.
func (b *bench) measures() []measure {
	return []measure{
		b.starting(),
		b.visiting(),
		b.claim(),
		b.counting(),
		b.certificates(),
		b.scaling(),
		b.signing(),
		b.uploading("small files", b.plan.rounds, b.plan.smallFiles, b.plan.smallUpload, 6),
		b.uploading("one file", b.plan.bigRounds, 1, b.plan.bigUpload, 1),
		b.storing(),
		b.loading(),
		b.pausing(),
		b.forwarding(),
		b.memory(),
		b.waiting(),
		b.crowding(),
	}
}

// contestant is what a side answers with at one path.
type contestant struct {
	name  string
	kind  *kind
	path  string
	plain bool // wrk asks for pages that are not compressed
	crowd bool // its pages take seconds when many ask: wrk would leave a queue behind
}

// rounds makes the steps of several rounds in which all have their turn.
func (b *bench) rounds(count int, what string, all []contestant, run func(context.Context, contestant, *side) error) []step {
	var steps []step
	for round := range count {
		for _, c := range all {
			steps = append(steps, step{
				fmt.Sprintf("%s, round %d of %d: %s", what, round+1, count, c.name),
				func(ctx context.Context) error {
					s := b.sides[c.kind]
					if s == nil {
						return nil // that it does not run was said when it did not start
					}
					err := run(ctx, c, s)
					s.settle(ctx)
					return err
				},
			})
		}
	}
	return steps
}

// pace is what a service does before it answers.
type pace struct {
	wait time.Duration
	hash int             // bytes whose digest it takes, as work for the processor
	gate <-chan struct{} // if there is one, the wait begins when it is closed
}

// setPace tells the services how to answer from now on.
func (b *bench) setPace(p pace) { b.services.pace.Store(&p) }

// String says how the services answer.
func (p pace) String() string {
	switch {
	case p.hash > 0:
		return fmt.Sprintf("having hashed %d MiB", p.hash>>20)
	case p.wait >= time.Second:
		return fmt.Sprintf("in %.3g s", p.wait.Seconds())
	case p.wait > 0:
		return fmt.Sprintf("in %d ms", p.wait.Milliseconds())
	}
	return "at once"
}
