package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"
)

// fleet is replicas behind the balancer.
type fleet struct {
	Addr     string // of the balancer, for this fleet
	Replicas []string
	figures  map[string]*loads // by path
}

func (f *fleet) url() string { return "http://" + f.Addr }

// scaling measures homepages and certificates a second of replicas behind a
// balancer. They run only meanwhile.
func (b *bench) scaling() measure {
	const connections, page, certificate = 32, "/", "/certificate"
	rounds := min(2, b.plan.rounds)
	fleets := make([]*fleet, 3) // of one replica, two and three
	for i := range fleets {
		fleets[i] = &fleet{figures: map[string]*loads{}}
	}
	var running []*side
	var steps []step
	if b.tools.haproxy != "" && b.tools.wrk != "" {
		steps = append(steps, step{"start of replicas and balancer", func(ctx context.Context) (err error) {
			running, err = b.launchFleets(ctx, fleets)
			return err
		}})
		for round := range rounds {
			for _, path := range []string{page, certificate} {
				for _, f := range fleets {
					name := fmt.Sprintf("balanced %s, round %d of %d, replicas: %d", path, round+1, rounds, len(f.Replicas))
					steps = append(steps, step{name, func(ctx context.Context) error {
						if len(running) == 0 {
							return nil // why was said when they did not start
						}
						return b.loadFleet(ctx, f, path, connections, path == page, running)
					}})
				}
			}
		}
		steps = append(steps, step{"end of replicas and balancer", func(context.Context) error {
			for _, s := range running {
				s.stop()
			}
			return nil
		}})
	}
	return measure{steps, func(r *report) {
		t := table{
			title: "Replicas behind a balancer",
			note: fmt.Sprintf("%d connections to HAProxy, which passes each request to the replica that has the fewest; services answer at once, and pages are compressed; rounds of a second: %d. "+
				"On this machine the replicas, HAProxy, the services and the load share the same cores, so that this shows what a balancer costs and not what a second machine brings.", connections, rounds),
			head: []string{"replicas", "homepages a second", "99 % within, ms", "certificates a second", "99 % within, ms"},
		}
		for i, f := range fleets {
			cells := []string{strconv.Itoa(i + 1)}
			for _, path := range []string{page, certificate} {
				if got := f.figures[path]; got != nil {
					cells = append(cells, got.perSecond.String(), got.p99.String())
				} else {
					cells = append(cells, none, none)
				}
			}
			if len(f.figures) > 0 {
				t.add(cells...)
			}
		}
		r.tables = append(r.tables, t)
	}}
}

// launchFleets starts as many replicas as the last fleet has, and the balancer.
func (b *bench) launchFleets(ctx context.Context, fleets []*fleet) (running []*side, err error) {
	var addrs []string
	for _, f := range fleets {
		replica, _, err := b.launch(ctx, b.kinds.home)
		if err != nil {
			return nil, err
		}
		running = append(running, replica)
		addrs = append(addrs, strings.TrimPrefix(replica.url, "http://"))
		f.Replicas = addrs
		if f.Addr, err = freeAddr(ctx); err != nil {
			return nil, err
		}
	}
	balancer, _, err := b.launch(ctx, &kind{name: "HAProxy", command: func(b *bench, folder, addr, _ string) (command, env []string, err error) {
		fleets[0].Addr = addr
		config, err := template.ParseFiles(b.peers("haproxy", "haproxy.cfg"))
		if err != nil {
			return nil, nil, err
		}
		var text bytes.Buffer
		if err := config.Execute(&text, fleets); err != nil {
			return nil, nil, err
		}
		file := filepath.Join(folder, "haproxy.cfg")
		return []string{b.tools.haproxy, "-db", "-f", file}, nil, os.WriteFile(file, text.Bytes(), 0o600)
	}})
	if err != nil {
		return nil, err
	}
	return append(running, balancer), nil
}

// loadFleet loads a path of the fleet for a round.
func (b *bench) loadFleet(ctx context.Context, f *fleet, path string, connections int, page bool, running []*side) error {
	b.setPace(pace{})
	got, err := b.wrk(ctx, f.url()+path, connections, b.plan.load, "--header=Accept-Encoding: "+browsersEncoding)
	if err != nil {
		return err
	}
	addLoad(f.figures, path, got)
	for _, s := range running {
		s.settle(ctx)
	}
	if page {
		return b.wholeOnAverage(ctx, f.url()+path, browsersEncoding, got.bytes)
	}
	return nil
}
