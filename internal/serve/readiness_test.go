package serve_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"homepage/internal/serve"
)

const late = "it takes too long"

// tried is a site that a readiness tries, under synctest.
type tried struct {
	*serve.Readiness
	tries  atomic.Int64
	takes  time.Duration
	reason string
	log    *bytes.Buffer
}

func newTried() *tried {
	site := &tried{log: new(bytes.Buffer)}
	site.Readiness = serve.NewReadiness(func() (string, error) {
		site.tries.Add(1)
		time.Sleep(site.takes)
		if site.reason == "" {
			return "", nil
		}
		return site.reason, errors.New("details of " + site.reason)
	}, late, slog.New(slog.NewTextHandler(site.log, nil)))
	return site
}

func (s *tried) want(t *testing.T, reason string) {
	t.Helper()
	if got := s.Unready(t.Context()); got != reason {
		t.Errorf("after %d tries the reason is %q, want %q", s.tries.Load(), got, reason)
	}
}

func (s *tried) wantLog(t *testing.T, lines ...string) {
	t.Helper()
	got := strings.Split(strings.TrimSpace(s.log.String()), "\n")
	if len(got) != len(lines) {
		t.Fatalf("%d log lines, want %d:\n%s", len(got), len(lines), s.log)
	}
	for i, want := range lines {
		if !strings.Contains(got[i], want) {
			t.Errorf("line %d is %s, want %s", i, got[i], want)
		}
	}
}

func TestItIsTriedEvery5Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := newTried()
		for second := range 60 {
			site.reason = ""
			if second >= 20 && second < 40 {
				site.reason = "the disk is gone"
			}
			var group sync.WaitGroup
			for range 100 {
				group.Go(func() { site.want(t, site.reason) })
			}
			group.Wait()
			if want := int64(second/5 + 1); site.tries.Load() != want {
				t.Fatalf("%d tries after %d s, want %d", site.tries.Load(), second, want)
			}
			time.Sleep(time.Second)
		}
		site.wantLog(t, `level=WARN msg="not ready" reason="the disk is gone" err="details of the disk is gone"`, `level=INFO msg="ready again"`)
	})
}

// Those who ask while a try runs wait for that one.
func TestATryIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := newTried()
		site.takes, site.reason = time.Second, "the disk is gone"
		begin := time.Now()
		var group sync.WaitGroup
		for range 100 {
			group.Go(func() { site.want(t, "the disk is gone") })
		}
		group.Wait()
		if took := time.Since(begin); site.tries.Load() != 1 || took != time.Second {
			t.Errorf("%d tries in %v, want 1 in a second", site.tries.Load(), took)
		}
	})
}

func TestATryThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := newTried()
		site.takes = time.Minute
		begin := time.Now()
		site.want(t, late)
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("it answered after %v, want 2s", took)
		}
		for time.Since(begin) < time.Minute {
			asked := time.Now()
			site.want(t, late)
			if took := time.Since(asked); took != 0 || site.tries.Load() != 1 {
				t.Errorf("it answered after %v with %d tries, want at once with 1", took, site.tries.Load())
			}
			time.Sleep(time.Second)
		}
		synctest.Wait()
		site.takes = 0
		site.want(t, "")
		site.wantLog(t, `reason="it takes too long"`, `msg="ready again"`)
	})
}

// One who gives up leaves the try to the others.
func TestAskingEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := newTried()
		site.takes, site.reason = time.Second, "the disk is gone"
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if got := site.Unready(ctx); got != "" {
			t.Errorf("%q, want what was known", got)
		}
		site.want(t, "the disk is gone")
	})
}
