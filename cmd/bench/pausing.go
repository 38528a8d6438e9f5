package main

import (
	"context"
	"strconv"
)

// pausing measures how long a page takes when the machine is not full: visitors
// look at a page before they ask for the next.
func (b *bench) pausing() measure {
	const connections = 32
	var all []contestant
	if b.tools.wrk != "" {
		all = b.able([]contestant{
			{name: homepageKeeping, kind: b.kinds.keeping, path: "/"},
			{name: homepageStale, kind: b.kinds.stale, path: "/"},
			{name: homepage, kind: b.kinds.home, path: "/"},
			{name: nginxSSI, kind: b.kinds.nginx, path: "/"},
		})
	}
	figures := map[string]*loads{}
	steps := b.rounds(b.plan.bigRounds, "visitors who pause", all, func(ctx context.Context, c contestant, s *side) error {
		b.setPace(pace{})
		got, err := b.wrk(ctx, s.url+c.path, connections, b.plan.load, "--header=Accept-Encoding: "+c.encoding(), "--script="+b.peers("wrk", "pause.lua"))
		if err != nil {
			return err
		}
		addLoad(figures, c.name, got)
		return nil
	})
	return measure{steps, func(r *report) {
		t := table{
			title: "Homepages for visitors who pause",
			note:  strconv.Itoa(connections) + " connections, on each of which 2 to 10 ms pass between a page and the request for the next. Services answer at once; where nothing else is said, nothing may be kept.",
			head:  []string{"", "pages a second", "half within, ms", "99 % within, ms"},
		}
		for _, c := range all {
			if got := figures[c.name]; got != nil {
				t.add(c.name, got.perSecond.String(), got.p50.String(), got.p99.String())
			}
		}
		r.tables = append(r.tables, t)
	}}
}
