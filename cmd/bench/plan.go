package main

import "time"

// plan tells how long and how often is measured. All of it together must stay
// below timeMost on two cores.
type plan struct {
	rounds      int
	certRounds  int // of certificates, where the sides are close to each other
	connections []int
	paces       []pace        // of the services
	load        time.Duration // of wrk at least, in whole seconds
	counted     int           // pages for which calls are counted
	bigUpload   int64         // bytes
	bigRounds   int
	storeRounds int // of the largest upload into an object store, which takes half a minute
	smallFiles  int
	smallUpload int64 // bytes of each
	waiting     int   // visitors at once
	waitingPace pace
}

func fullPlan() plan {
	return plan{
		rounds:      3,
		certRounds:  4,
		connections: []int{32, 256},
		paces:       []pace{{}, {wait: 50 * time.Millisecond}, claimPace()},
		load:        time.Second,
		counted:     1000,
		bigUpload:   1 << 30,
		bigRounds:   2,
		storeRounds: 1,
		smallFiles:  200,
		smallUpload: 16 << 10,
		waiting:     4000,
		waitingPace: pace{wait: 3 * time.Second},
	}
}

// rehearsal tries everything in a fraction of the time.
func rehearsal() plan {
	p := fullPlan()
	p.rounds, p.certRounds, p.bigRounds, p.counted = 1, 1, 1, 100
	p.bigUpload, p.smallFiles = 32<<20, 20
	return p
}

// loadTime is how long wrk loads a page, in whole seconds, as it takes them.
// It must last for several pages.
func (p plan) loadTime(connections int, pace pace, slow bool) time.Duration {
	if pace.wait > 100*time.Millisecond || (connections > 32 && slow) {
		return 2 * p.load
	}
	return p.load
}
