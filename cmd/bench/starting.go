package main

import (
	"context"
	"fmt"
)

// starting measures the time from the start of a program to its first page,
// and lets all sides run for the measures that follow.
func (b *bench) starting() measure {
	var steps []step
	for round := range b.plan.rounds {
		for _, k := range b.kinds.compared() {
			steps = append(steps, step{fmt.Sprintf("start to first page, round %d of %d: %s", round+1, b.plan.rounds, k.name), func(ctx context.Context) error {
				s, took, err := b.launch(ctx, k)
				if err != nil {
					return err
				}
				s.stop()
				b.started[k] = append(b.started[k], inMillis(took))
				return nil
			}})
		}
	}
	for _, k := range b.kinds.all() {
		steps = append(steps, step{"start for what follows: " + k.name, func(ctx context.Context) error {
			s, _, err := b.launch(ctx, k)
			if err != nil {
				return err
			}
			b.sides[k] = s
			return nil
		}})
	}
	for _, k := range b.kinds.compared() {
		steps = append(steps, step{"memory at rest: " + k.name, func(ctx context.Context) error {
			s := b.sides[k]
			if s == nil {
				return nil
			}
			s.settle(ctx)
			used, err := s.usage()
			b.rest[k] = used.resident
			return err
		}})
	}
	return measure{steps, func(*report) {}} // told by memory
}

// memory tells of the sides' memory and of their start. The load was that of
// the measures before it.
func (b *bench) memory() measure {
	peak := map[*kind]float64{}
	var steps []step
	for _, k := range b.kinds.compared() {
		steps = append(steps, step{"memory under load: " + k.name, func(context.Context) error {
			s := b.sides[k]
			if s == nil {
				return nil
			}
			used, err := s.usage()
			peak[k] = used.peak
			return err
		}})
	}
	return measure{steps, func(r *report) {
		t := table{
			title: "Memory and start",
			note:  "Resident memory of the program with all its workers: after the first page, and the most while many asked for homepages. Start is from exec to the first whole answer.",
			head:  []string{"", "at rest, MiB", "under load, MiB", "start, ms", "start: this ÷ homepage"},
		}
		for _, k := range b.kinds.compared() {
			t.add(k.name, mebibytes(b.rest[k]), mebibytes(peak[k]), b.started[k].String(), beside(k.name, b.started[k], b.started[b.kinds.home]))
		}
		r.tables = append(r.tables, t)
	}}
}

func mebibytes(bytes float64) string {
	if bytes == 0 {
		return none
	}
	return number(bytes / (1 << 20))
}

// beside is how many times the homepage's time another side takes.
func beside(name string, other, home figure) string {
	if name == homepage {
		return ""
	}
	return ratio(other, home).times()
}
