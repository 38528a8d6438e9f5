package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// forwarding measures pages a second of visitors whom the services can tell
// apart, so that no two of them share a call.
func (b *bench) forwarding() measure {
	const connections = 32
	var all []contestant
	if b.tools.wrk != "" {
		all = b.able([]contestant{
			{name: homepageTelling, kind: b.kinds.telling, path: "/"},
			{name: homepageTellingKept, kind: b.kinds.tellingKept, path: "/"},
			{name: nginxSSI, kind: b.kinds.nginx, path: "/"}, // it hands on all headers
		})
	}
	type key struct {
		name     string
		visitors int
	}
	const rounds = 2
	counts, figures := []int{1, 100, 10_000}, map[key]*loads{}
	var steps []step
	for _, visitors := range counts {
		steps = append(steps, b.rounds(min(rounds, b.plan.rounds), fmt.Sprintf("different visitors: %d", visitors), all, func(ctx context.Context, c contestant, s *side) error {
			b.setPace(pace{})
			load := func(length time.Duration) (loaded, error) {
				return b.wrk(ctx, s.url+c.path, connections, length, "--header=Accept-Encoding: "+c.encoding(),
					"--script="+b.peers("wrk", "visitors.lua"), "--header=X-Visitors: "+strconv.Itoa(visitors))
			}
			before := b.services.told.Load()
			if c.kind == b.kinds.tellingKept && visitors > 1000 && figures[key{c.name, visitors}] == nil { // each visitor has been here before
				if _, err := load(5 * b.plan.load); err != nil {
					return err
				}
			}
			got, err := load(b.plan.load)
			if err != nil {
				return err
			}
			if c.kind != b.kinds.tellingKept && b.services.told.Load() == before {
				return errors.New("no service was told of a visitor")
			}
			addLoad(figures, key{c.name, visitors}, got)
			return b.wholeOnAverage(ctx, s.url+c.path, c.encoding(), got.bytes)
		})...)
	}
	return measure{steps, func(r *report) {
		t := table{
			title: "Homepages for visitors whom the services can tell apart",
			note:  strconv.Itoa(connections) + " connections, on which so many different visitors ask in turn. Both services get their cookie, answer at once, and recommend a book of theirs. Nothing may be kept, but where it says so: there services say max-age, HOMEPAGE_CACHE is 128 MiB, and each visitor has been there before. nginx hands on the same cookie, and pastes HTML as the services send it.",
			head:  []string{"visitors", "", "pages a second", "half within, ms", "99 % within, ms", "pages a second: homepage ÷ this"},
		}
		for _, visitors := range counts {
			home := figures[key{homepageTelling, visitors}]
			for _, c := range all {
				got, more := figures[key{c.name, visitors}], none
				switch {
				case got == nil:
					continue
				case got == home:
					more = ""
				case home != nil:
					more = ratio(home.perSecond, got.perSecond).times()
				}
				t.add(strconv.Itoa(visitors), c.name, got.perSecond.String(), got.p50.String(), got.p99.String(), more)
			}
		}
		r.tables = append(r.tables, t)
	}}
}
