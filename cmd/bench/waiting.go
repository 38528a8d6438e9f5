package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sync/errgroup"
)

// waiting measures how much memory the homepage takes for visitors who wait
// for slow services, very many at the same time.
func (b *bench) waiting() measure {
	var rest, peak, each figure
	one := step{fmt.Sprintf("%d visitors who wait", b.plan.waiting), func(ctx context.Context) error {
		b.setPace(pace{})
		s, _, err := b.launch(ctx, b.kinds.patient) // a new one, which no load before has left its memory to
		if err != nil {
			return err
		}
		defer s.stop()
		s.settle(ctx)
		before, err := s.usage()
		if err != nil {
			return err
		}
		s.resetPeak()
		b.setPace(b.plan.waitingPace)
		if err := s.waitTogether(ctx, b.plan.waiting); err != nil {
			return err
		}
		after, err := s.usage()
		if err != nil {
			return err
		}
		rest, peak = figure{before.resident / (1 << 20)}, figure{after.peak / (1 << 20)}
		each = figure{(after.peak - before.resident) / float64(b.plan.waiting) / (1 << 10)}
		return nil
	}}
	return measure{[]step{one}, func(r *report) {
		t := table{
			title: "Memory of visitors who wait",
			note: fmt.Sprintf("%s visitors who accept gzip wait at the same time for a page over services that answer %v, and all get it whole; in one round. "+
				"Resident memory of a program just started, after its first page; the most until all were answered; and the difference, divided by the visitors.",
				number(float64(b.plan.waiting)), b.plan.waitingPace),
			head: []string{"", "at rest, MiB", "at most, MiB", "a visitor, KiB"},
		}
		t.add(homepage, rest.String(), peak.String(), each.String())
		r.tables = append(r.tables, t)
	}}
}

// waitTogether lets visitors ask for a page, each over a connection of its
// own. All are connected before the first asks, since that may take as long as
// the page. It fails if one did not get the page whole, or if they were not
// all waiting at the same time.
func (s *side) waitTogether(ctx context.Context, visitors int) error {
	connections := make(chan net.Conn, visitors)
	defer func() {
		close(connections)
		for unused := range connections {
			_ = unused.Close()
		}
	}()
	for range visitors {
		connection, err := new(net.Dialer).DialContext(ctx, "tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			return err
		}
		connections <- connection
	}
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return <-connections, nil
		},
	}}
	var mu sync.Mutex
	var lacking, now, most int
	count := func(more int) {
		mu.Lock()
		defer mu.Unlock()
		now += more
		most = max(most, now)
	}
	var group errgroup.Group // all use their connection, whatever happens to others
	for range visitors {
		group.Go(func() error {
			ctx := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
				WroteRequest: func(httptrace.WroteRequestInfo) { count(1) },
			})
			body, _, err := getEncoded(ctx, client, s.url+"/", browsersEncoding)
			count(-1)
			if err == nil && !wholePage(body) {
				mu.Lock()
				defer mu.Unlock()
				lacking++
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	switch {
	case lacking > 0:
		return lackingError{lacking, visitors}
	case most < visitors:
		return fmt.Errorf("only %d of %d visitors waited at the same time", most, visitors)
	}
	return nil
}

// raiseFileLimit lets this program and those it starts hold as many
// connections as they may. Go raises the limit by itself, but gives its
// children the old one unless it was set by hand. Where it can't be raised,
// the measures that need it say so.
func raiseFileLimit() {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return
	}
	limit.Cur = limit.Max
	_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}
