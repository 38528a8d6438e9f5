package serve_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"homepage/internal/serve"
)

func TestDelay(t *testing.T) {
	for _, test := range []struct {
		name  string
		delay time.Duration
		cut   time.Duration // after the request to stop; 0 for never
		want  time.Duration
	}{
		{"none", 0, 0, 0},
		{"whole", 5 * time.Second, 0, 5 * time.Second},
		{"cut", 5 * time.Second, time.Second, time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				delay := new(serve.Delay)
				after, cancel := delay.After(ctx, test.delay, slog.New(slog.DiscardHandler))
				defer cancel()
				time.Sleep(time.Hour)
				if after.Err() != nil {
					t.Fatal("it is over before anyone asked to stop")
				}
				stop()
				begin := time.Now()
				if test.cut > 0 {
					time.Sleep(test.cut)
					if !delay.Cut() {
						t.Error("there was no delay to cut")
					}
				}
				<-after.Done()
				if took := time.Since(begin); took != test.want {
					t.Errorf("it took %v, want %v", took, test.want)
				}
				synctest.Wait()
				if delay.Cut() {
					t.Error("it was cut when it was over")
				}
			})
		})
	}
}

// Whoever cuts the delay as soon as the program was asked to stop, cuts it.
func TestADelayThatIsCutAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		delay := new(serve.Delay)
		after, cancel := delay.After(ctx, time.Minute, slog.New(slog.DiscardHandler))
		defer cancel()
		begin := time.Now()
		stop()
		if !delay.Cut() || delay.Cut() {
			t.Error("want the first cut to end the delay, and no other")
		}
		<-after.Done()
		if took := time.Since(begin); took > 0 {
			t.Errorf("it took %v", took)
		}
	})
}
