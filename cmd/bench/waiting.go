package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
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
		if err := b.waitTogether(ctx, s); err != nil {
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
			note: fmt.Sprintf("%s visitors who accept gzip wait for a page at the same time: the services answer %v, counted from when the last has asked, and all get the page whole. One round. "+
				"Resident memory of a program just started, after its first page; the most until all were answered; and the difference, divided by the visitors.",
				number(float64(b.plan.waiting)), b.plan.waitingPace),
			head: []string{"", "at rest, MiB", "at most, MiB", "a visitor, KiB"},
		}
		t.add(homepage, rest.String(), peak.String(), each.String())
		r.tables = append(r.tables, t)
	}}
}

// waitTogether lets visitors ask for a page, each over a connection of its
// own. All are connected before the first asks, and all have asked before a
// service answers. It fails if one did not get the page whole.
func (b *bench) waitTogether(ctx context.Context, s *side) error {
	visitors := b.plan.waiting
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
	allAsked := make(chan struct{})
	pace := b.plan.waitingPace
	pace.gate = allAsked
	b.setPace(pace)
	var asked, lacking atomic.Int64
	trace := &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) {
		if asked.Add(1) == int64(visitors) {
			close(allAsked)
		}
	}}
	var group errgroup.Group // all use their connection, whatever happens to others
	for range visitors {
		group.Go(func() error {
			body, _, err := getEncoded(httptrace.WithClientTrace(ctx, trace), client, s.url+"/", browsersEncoding)
			if err == nil && !wholePage(body) {
				lacking.Add(1)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if n := lacking.Load(); n > 0 {
		return lackingError{int(n), visitors}
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
