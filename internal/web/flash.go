package web

import (
	"crypto/rand"
	"net/http"
	"sync"
	"time"

	"homepage/internal/upload"
)

// flashMessages are what the homepage tells visitors once, after an upload. The
// cookie is only a random key to one: nobody can forge or replay a message, and
// it may be larger than a cookie. One that is never fetched is forgotten, as all
// are by a restart; what was stored is stored all the same.
type flashMessages struct {
	now     func() time.Time
	mu      sync.Mutex
	pending map[string]flashMessage
}

type flashMessage struct {
	receipts []upload.Receipt
	expires  time.Time
}

const (
	flashCookie  = "flash"
	flashLife    = time.Minute // a redirect takes less than a second
	flashesMost  = 1000        // bounds memory when many post and nobody follows
	receiptsMost = 100         // of one message, for the same reason
)

func newFlashMessages(now func() time.Time) *flashMessages {
	return &flashMessages{now: now, pending: map[string]flashMessage{}}
}

// leave keeps the receipts for the visitor's next homepage, after those of
// earlier uploads that it has not shown yet.
func (f *flashMessages) leave(w http.ResponseWriter, r *http.Request, receipts []upload.Receipt) {
	key, now := rand.Text(), f.now()
	f.mu.Lock()
	defer f.mu.Unlock()
	if cookie, err := r.Cookie(flashCookie); err == nil && !now.After(f.pending[cookie.Value].expires) {
		receipts = append(f.pending[cookie.Value].receipts, receipts...)
		receipts = receipts[max(0, len(receipts)-receiptsMost):]
		delete(f.pending, cookie.Value)
	}
	for key, old := range f.pending {
		if now.After(old.expires) {
			delete(f.pending, key)
		}
	}
	for key := range f.pending {
		if len(f.pending) < flashesMost {
			break
		}
		delete(f.pending, key)
	}
	f.pending[key] = flashMessage{receipts, now.Add(flashLife)}
	setFlashCookie(w, key, int(flashLife.Seconds()))
}

// take returns what was left for this visitor, and forgets it.
func (f *flashMessages) take(w http.ResponseWriter, r *http.Request) []upload.Receipt {
	cookie, err := r.Cookie(flashCookie)
	if err != nil {
		return nil
	}
	setFlashCookie(w, "", -1)
	f.mu.Lock()
	defer f.mu.Unlock()
	found := f.pending[cookie.Value]
	delete(f.pending, cookie.Value)
	if f.now().After(found.expires) {
		return nil
	}
	return found.receipts
}

// setFlashCookie has no Secure attribute, since the site does not know
// whether a proxy speaks TLS for it; the key is worthless after its use.
func setFlashCookie(w http.ResponseWriter, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // no Secure, see above
		Name: flashCookie, Value: value, Path: homePath, MaxAge: maxAge,
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
}
