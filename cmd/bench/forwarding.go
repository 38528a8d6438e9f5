package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
)

// forwarding measures pages a second of visitors whom the services can tell
// apart, so that no two of them share a call.
func (b *bench) forwarding() measure {
	const connections = 32
	var all []contestant
	if b.tools.wrk != "" {
		all = b.able([]contestant{
			{name: homepageTelling, kind: b.kinds.telling, path: "/"},
			{name: nginxSSI, kind: b.kinds.nginx, path: "/"}, // it hands on all headers
		})
	}
	type key struct {
		name     string
		visitors int
	}
	counts, figures := []int{1, 100, 10_000}, map[key]*loads{}
	var steps []step
	for _, visitors := range counts {
		steps = append(steps, b.rounds(b.plan.rounds, fmt.Sprintf("different visitors: %d", visitors), all, func(ctx context.Context, c contestant, s *side) error {
			b.setPace(pace{})
			before := b.services.told.Load()
			got, err := b.wrk(ctx, s.url+c.path, connections, b.plan.load, "--header=Accept-Encoding: "+c.encoding(),
				"--script="+b.peers("wrk", "visitors.lua"), "--header=X-Visitors: "+strconv.Itoa(visitors))
			if err != nil {
				return err
			}
			if b.services.told.Load() == before {
				return errors.New("no service was told of a visitor")
			}
			addLoad(figures, key{c.name, visitors}, got)
			return b.wholeOnAverage(ctx, s.url+c.path, c.encoding(), got.bytes)
		})...)
	}
	return measure{steps, func(r *report) {
		t := table{
			title: "Homepages for visitors whom the services can tell apart",
			note:  strconv.Itoa(connections) + " connections, on which so many different visitors ask in turn. Both services get their cookie, answer at once, and nothing may be kept.",
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
