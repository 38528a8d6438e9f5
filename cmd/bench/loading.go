package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
)

// loading measures pages a second and how long they take for many visitors.
func (b *bench) loading() measure {
	var racers, keeping []contestant
	if b.tools.wrk != "" {
		racers = slices.DeleteFunc(b.variants(), func(c contestant) bool { return c.crowd || c.kind == b.kinds.oneByOne })
		keeping = b.able([]contestant{{name: homepageKeeping, kind: b.kinds.keeping, path: "/"}})
	}
	steps := []step{{"memory counts from here", func(context.Context) error {
		for _, s := range b.sides {
			s.resetPeak()
		}
		return nil
	}}}
	for _, pace := range b.loadPaces() {
		for _, connections := range b.plan.connections {
			if connections != 32 && pace != b.plan.paces[0] && pace != claimPace() {
				continue // between the two, and for services that work, one number is enough
			}
			all := racers
			if connections == 32 && pace == claimPace() {
				all = append(slices.Clip(all), keeping...)
			}
			if connections == 32 && pace == b.plan.paces[0] && len(racers) > 0 {
				all = append(slices.Clip(all), b.uncompressed()...)
			}
			what := fmt.Sprintf("load, services answer %v, connections: %d", pace, connections)
			rounds := b.plan.rounds
			if pace.wait > 0 || connections != 32 {
				rounds = 1 // the wait is nearly all there is, so that rounds are alike; and more visitors than that wait for each other
			}
			steps = append(steps, b.rounds(rounds, what, all, func(ctx context.Context, c contestant, s *side) error {
				b.setPace(pace)
				got, err := b.wrk(ctx, s.url+c.path, connections, b.plan.loadTime(connections, pace, c.kind == b.kinds.django), "--header=Accept-Encoding: "+c.encoding())
				if err != nil {
					return err
				}
				addLoad(b.loads, pageKey{c.name, pace, connections}, got)
				return b.wholeOnAverage(ctx, s.url+c.path, c.encoding(), got.bytes)
			})...)
		}
	}
	return measure{steps, b.addLoads}
}

// crowding measures the variants whose pages take seconds when many ask: each
// visitor of a crowd asks once, and all are answered. wrk would leave a queue
// behind that the side works off while others are measured. One small crowd is
// enough: where a side is that busy, it hardly matters how soon the services
// answer, and a larger crowd only waits longer.
func (b *bench) crowding() measure {
	all := slices.DeleteFunc(b.variants(), func(c contestant) bool { return !c.crowd })
	connections, pace := b.plan.connections[0], b.plan.paces[0]
	what := fmt.Sprintf("crowd of %d, services answer %v", connections, pace)
	steps := b.rounds(1, what, all, func(ctx context.Context, c contestant, s *side) error {
		b.setPace(pace)
		got, err := crowd(ctx, s.url+c.path, connections, connections)
		if _, lacking := errors.AsType[lackingError](err); err == nil || lacking {
			addLoad(b.loads, pageKey{c.name, pace, connections}, got)
		}
		return err
	})
	return measure{steps, func(*report) {}} // told by loading
}

// addLoads tells of all loads of homepages.
func (b *bench) addLoads(r *report) {
	t := table{
		title: "Homepages a second",
		note: "wrk asks on each connection for the next page as soon as it has one, for a second or two a round, and accepts gzip as browsers do, but for the rows that say so. Django leaves that to a proxy. " +
			"Services that hash 1 MiB for each answer stand for those that have work to do. Django’s variants without a pooled client take seconds a page when many ask: " +
			"of these each of 32 visitors asked once, in one round. Where services take 50 or 300 ms, one round is enough as well: their time is nearly all there is. For one connection see the page for one visitor.",
		head: []string{"services answer", "connections", "", "pages a second", "half within, ms", "99 % within, ms", "pages a second: homepage ÷ this"},
		fold: true,
	}
	c := chart{
		file:  "load",
		title: "Homepages a second, services answer at once, 32 connections",
		desc:  "Pages a second; more is better.",
	}
	all := slices.Concat(b.variants(), []contestant{{name: homepageKeeping}}, b.uncompressed())
	for _, pace := range b.loadPaces() {
		for _, connections := range b.plan.connections {
			for _, one := range all {
				got := b.loads[pageKey{one.name, pace, connections}]
				if got == nil {
					continue
				}
				home, more := b.loads[pageKey{homepage, pace, connections}], none
				if one.plain {
					home = b.loads[pageKey{homepagePlain, pace, connections}]
				}
				switch {
				case one.name == homepage, one.name == homepagePlain:
					more = ""
				case home != nil && one.crowd: // not in the same rounds
					more = ratio(figure{home.perSecond.median()}, got.perSecond).times()
				case home != nil:
					more = ratio(home.perSecond, got.perSecond).times()
				}
				t.add(pace.String(), strconv.Itoa(connections), one.name, got.perSecond.String(), got.p50.String(), got.p99.String(), more)
				if pace == b.plan.paces[0] && connections == 32 && !one.plain {
					c.add(one.name, got.perSecond.median(), 0, number(got.perSecond.median())+", 99 % within "+number(got.p99.median())+" ms")
				}
			}
		}
	}
	r.tables, r.charts = append(r.tables, t), append(r.charts, c)
	r.summary.load = summarizeLoad(b.loads)
}

// workingPace is that of services that have something to do for an answer. It
// is the only one that costs a processor more than the transfer.
func workingPace() pace { return pace{hash: 1 << 20} }

// loadPaces are those of the services under load.
func (b *bench) loadPaces() []pace { return append(slices.Clip(b.plan.paces), workingPace()) }

// loads are the figures of several rounds.
type loads struct{ perSecond, p50, p99 figure }

// addLoad adds the figures of a round to those of the same key.
func addLoad[K comparable](to map[K]*loads, key K, one loaded) {
	l := to[key]
	if l == nil {
		l = &loads{}
		to[key] = l
	}
	l.perSecond, l.p50, l.p99 = append(l.perSecond, one.perSecond), append(l.p50, one.p50), append(l.p99, one.p99)
}

// wholeOnAverage finds out that a side under load sent pages without their
// sections: the average of what it sent is smaller than a page, even one that
// had to wait for nothing. The tolerance is that of wrk's figures.
func (b *bench) wholeOnAverage(ctx context.Context, url, encoding string, bytes float64) error {
	b.setPace(pace{})
	body, sent, err := getEncoded(ctx, http.DefaultClient, url, encoding)
	if err != nil {
		return err
	}
	if !wholePage(body) || bytes < 0.97*float64(sent) {
		return errors.New("pages lacked a section")
	}
	return nil
}
