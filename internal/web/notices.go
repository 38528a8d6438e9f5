package web

import (
	"crypto/rand"
	"net/http"
	"sync"
	"time"

	"homepage/internal/upload"
)

// notices hold what the homepage tells a visitor once, after an upload. The
// cookie is only a random key to them: nobody can forge or replay a notice,
// and its size is not bound by a cookie's. One that is never fetched is
// forgotten, as all are by a restart; what was stored is stored all the same.
type notices struct {
	now     func() time.Time
	mu      sync.Mutex
	pending map[string]notice
}

type notice struct {
	receipts []upload.Receipt
	expires  time.Time
}

const (
	noticeCookie = "notice"
	noticeLife   = time.Minute // a redirect takes less than a second
	noticesMost  = 1000        // bounds memory when many post and nobody follows
	receiptsMost = 100         // of one notice, for the same reason
)

func newNotices(now func() time.Time) *notices {
	return &notices{now: now, pending: map[string]notice{}}
}

// leave keeps the receipts for the visitor's next homepage, after those of
// earlier uploads that it has not shown yet.
func (n *notices) leave(w http.ResponseWriter, r *http.Request, receipts []upload.Receipt) {
	key, now := rand.Text(), n.now()
	n.mu.Lock()
	defer n.mu.Unlock()
	if cookie, err := r.Cookie(noticeCookie); err == nil && !now.After(n.pending[cookie.Value].expires) {
		receipts = append(n.pending[cookie.Value].receipts, receipts...)
		receipts = receipts[max(0, len(receipts)-receiptsMost):]
		delete(n.pending, cookie.Value)
	}
	for key, old := range n.pending {
		if now.After(old.expires) {
			delete(n.pending, key)
		}
	}
	for key := range n.pending {
		if len(n.pending) < noticesMost {
			break
		}
		delete(n.pending, key)
	}
	n.pending[key] = notice{receipts, now.Add(noticeLife)}
	setNoticeCookie(w, key, int(noticeLife.Seconds()))
}

// take returns what was left for this visitor, and forgets it.
func (n *notices) take(w http.ResponseWriter, r *http.Request) []upload.Receipt {
	cookie, err := r.Cookie(noticeCookie)
	if err != nil {
		return nil
	}
	setNoticeCookie(w, "", -1)
	n.mu.Lock()
	defer n.mu.Unlock()
	found := n.pending[cookie.Value]
	delete(n.pending, cookie.Value)
	if n.now().After(found.expires) {
		return nil
	}
	return found.receipts
}

// setNoticeCookie has no Secure attribute, since the site does not know
// whether a proxy speaks TLS for it; the key is worthless after its use.
func setNoticeCookie(w http.ResponseWriter, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // no Secure, see above
		Name: noticeCookie, Value: value, Path: homePath, MaxAge: maxAge,
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
}
