package main

import (
	"context"
	"time"
)

// visiting measures how one visitor sees the page arrive.
func (b *bench) visiting() measure {
	first := map[pageKey]figure{}
	all := b.variants()
	steps := b.rounds(1, "warm up", all, func(ctx context.Context, c contestant, s *side) error {
		b.setPace(pace{})
		_, err := visit(ctx, s.url+c.path)
		return err
	})
	for _, pace := range b.plan.paces {
		steps = append(steps, b.rounds(b.plan.rounds, "one visitor, services answer "+pace.String(), all, func(ctx context.Context, c contestant, s *side) error {
			b.setPace(pace)
			page, err := visit(ctx, s.url+c.path)
			if err != nil {
				return err
			}
			key := pageKey{c.name, pace, 1}
			first[key], b.whole[key] = append(first[key], page.first), append(b.whole[key], page.whole)
			return nil
		})...)
	}
	return measure{steps, func(r *report) {
		t := table{
			title: "A page for one visitor",
			note:  "Milliseconds from the request, over a new connection, to the first byte of the page and to its last. The homepage begins without what is not there after `HOMEPAGE_GRACE`, 50 ms.",
			head:  []string{"services answer", "", "first byte, ms", "whole page, ms", "whole page: this ÷ homepage"},
		}
		c := chart{
			file:  pageChart,
			title: "One visitor’s page over two services of 300 ms each",
			desc:  "Milliseconds to the whole page; the strong part is the wait for its first byte.",
		}
		for _, pace := range b.plan.paces {
			for _, one := range all {
				key := pageKey{one.name, pace, 1}
				t.add(pace.String(), one.name, first[key].String(), b.whole[key].String(), beside(one.name, b.whole[key], b.whole[pageKey{homepage, pace, 1}]))
				if pace == claimPace() {
					c.add(one.name, b.whole[key].median(), first[key].median(),
						number(b.whole[key].median())+" ms, first byte "+number(first[key].median())+" ms")
				}
			}
		}
		r.tables, r.charts = append(r.tables, t), append(r.charts, c)
		r.summary.page = summarizePage(first, b.whole)
	}}
}

// claimPace is that of the services in the article's claim.
func claimPace() pace { return pace{wait: 300 * time.Millisecond} }

// claim tells whether gathering halves the time, as the article says it does.
// The visits have measured it.
func (b *bench) claim() measure {
	return measure{nil, func(r *report) {
		t := table{
			title: "Does gathering halve the time?",
			note:  "The article’s claim, by one visitor’s whole page over two services of 300 ms.",
			head:  []string{"", "one after the other, ms", "at once, ms", "times as fast"},
		}
		for _, pair := range []struct {
			name, slow, fast string
			kind             *kind
		}{
			{"Django, async, a client for each page (the article’s)", djangoSequential, djangoGather, b.kinds.django},
			{"Django, sync against gather with one client", djangoSync, djangoPooled, b.kinds.django},
			{"homepage, `HOMEPAGE_CONCURRENCY` 1 and 0", homepageOneByOne, homepage, b.kinds.home},
		} {
			if !pair.kind.missing {
				slow, fast := b.whole[pageKey{pair.slow, claimPace(), 1}], b.whole[pageKey{pair.fast, claimPace(), 1}]
				t.add(pair.name, slow.String(), fast.String(), ratio(slow, fast).times())
			}
		}
		r.tables = append(r.tables, t)
	}}
}
