package source

import (
	"errors"
	"time"
)

// Loads tells how the template in service came there.
type Loads struct {
	Last   time.Time     // when it was loaded
	Took   time.Duration // to read and link it
	Failed int64         // reloads since the start that left an older one in service
}

// Loads is safe for concurrent use.
func (s *Source) Loads() Loads { return *s.loads.Load() }

// record remembers a load that began at start. No two run at once.
func (s *Source) record(start time.Time, err error) {
	loads := Loads{}
	if last := s.loads.Load(); last != nil {
		loads = *last
	}
	switch now := time.Now(); {
	case err == nil:
		loads.Last, loads.Took = now, now.Sub(start)
	case !errors.Is(err, errUnchanged):
		loads.Failed++
	}
	s.loads.Store(&loads)
}
