package main

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// counting counts the calls that the services get for many visitors.
func (b *bench) counting() measure {
	const connections = 32
	pace := pace{wait: 50 * time.Millisecond}
	calls := map[string]float64{}
	all := b.able([]contestant{
		{name: homepage, kind: b.kinds.home, path: "/"},
		{name: homepageKeeping, kind: b.kinds.keeping, path: "/"},
		{name: nginxSSI, kind: b.kinds.nginx, path: "/"},
		{name: djangoPooled, kind: b.kinds.django, path: "/"},
	})
	steps := b.rounds(1, fmt.Sprintf("calls for %d pages", b.plan.counted), all, func(ctx context.Context, c contestant, s *side) error {
		b.setPace(pace)
		before := b.services.calls.Load()
		_, err := crowd(ctx, s.url+c.path, connections, b.plan.counted)
		calls[c.name] = float64(b.services.calls.Load()-before) * 1000 / float64(b.plan.counted)
		return err
	})
	return measure{steps, func(r *report) {
		t := table{
			title: "Calls that reach the services, for 1,000 pages",
			note:  fmt.Sprintf("%d visitors at once, services that answer %v. Nothing may be kept but where they say so; the homepage lets visitors who come together share a call.", connections, pace),
			head:  []string{"", "calls"},
		}
		for _, c := range all {
			if n, ok := calls[c.name]; ok {
				t.add(c.name, strconv.FormatFloat(n, 'f', 0, 64))
			} else {
				t.add(c.name, none)
			}
		}
		r.tables = append(r.tables, t)
	}}
}
