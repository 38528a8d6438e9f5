package main

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"homepage/internal/upload/s3/s3test"
)

// Whatever moment a replica is killed at, all that the fleet acknowledged is in
// the store, whole, and nothing else is visible. What it was receiving in parts
// goes on on another one. The requests that it had fail, and no others.
func TestReplicasKilledAtRandomMoments(t *testing.T) {
	t.Parallel() // as it waits for the balancer
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	server := s3test.Start(t)
	f := startFleet(t, sharedBucket(t, server))
	visitors := f.visit(t, senders(7<<20)...) // at times of more than one part
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	var kills []kill9
	cut := 0
	for range killsOf(t, 3) {
		name := replicaNames()[random.IntN(3)]
		victim := f.replicas[name]
		// It has at least this upload, which comes to it past the balancer.
		u := newResumed(1)
		u.content = append(make([]byte, 12<<20), u.content...)
		u.name = digest(u.content) + ".bin"
		if err := u.begin(transport, f.url); err != nil {
			t.Fatal(err)
		}
		pause, began := time.Duration(random.IntN(20))*time.Millisecond, make(chan time.Time, 1)
		stored, err := u.goOn(transport, victim.url, &killing{Reader: u.rest(), left: 1 + random.IntN(12<<20), kill: func() {
			time.AfterFunc(pause, func() {
				began <- time.Now()
				_ = victim.cmd.Process.Kill()
			})
		}})
		moment := kill9{began: <-began}
		end(t, victim.cmd, victim.program)
		moment.ended = time.Now()
		kills = append(kills, moment)
		if err != nil {
			cut++
			if err := u.ask(transport, f.url); err != nil {
				t.Fatal(err)
			}
			if stored, err = u.goOn(transport, f.url, u.rest()); err != nil {
				t.Fatal(err)
			}
		}
		visitors.keep(stored)
		f.start(t, name, victim.addr)
		f.sees(t, name, "UP")
	}

	for _, failed := range visitors.end(t) {
		if !slices.ContainsFunc(kills, func(k kill9) bool { return failed.began.Before(k.ended) && failed.ended.After(k.began) }) {
			t.Errorf("%s failed, and no replica was killed meanwhile: %v", failed.visitor, failed.err)
		}
	}
	checkSweep(t, server, visitors.found)
	if cut == 0 {
		t.Error("no upload was cut off")
	}
	t.Logf("%d kills; %d uploads in parts that were cut off past the balancer, and %d behind it, went on", len(kills), cut, visitors.goneOn.Load())
}

// kill9 is when a replica was killed.
type kill9 struct{ began, ended time.Time }
