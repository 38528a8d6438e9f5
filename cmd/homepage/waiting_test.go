package main

import (
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

const waiting = "The site is busy. Waiting for a free place…"

// busy answers as a site does that has no free place.
func busy(w http.ResponseWriter, r *http.Request, status int, retryAfter string) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Retry-After", retryAfter)
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `{"detail":"We are busy."}`)
}

// The form waits until the site has a free place, says so, and goes on by itself
// with all of its files, in their order.
func TestTheFormWaitsForAFreePlace(t *testing.T) {
	t.Parallel()
	p, tab := start(t, map[string]string{"UPLOAD_MAX_PER_CLIENT": "1"}), openTab(t)
	slow := startUpload(t, p.url)
	drive(t, tab,
		chromedp.Navigate(p.url+"/upload"),
		chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{write(t, "list.txt", []byte("first")), write(t, "list.txt", []byte("second"))}),
		chromedp.Click(chromedp.CSS("#send")))
	await(t, tab, rowSays("list.txt", "place", waiting))
	await(t, tab, `document.getElementById("status").textContent === "list.txt waits for a free place."`)
	slow.finish(t)
	drive(t, tab, chromedp.WaitVisible(chromedp.CSS("#upload.done")))
	checkStored(t, p, "list.txt", []byte("first"))
	checkStored(t, p, "list-1.txt", []byte("second"))
}

// However the site says when to come back, the form does not come sooner.
func TestTheFormWaitsAsLongAsItIsTold(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	var posts atomic.Int32
	var told time.Time
	front := inFront(t, p, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		if waited := time.Since(told); posts.Load() > 0 && waited < time.Second {
			t.Errorf("the form came back after %v", waited)
		}
		told = time.Now()
		switch posts.Add(1) {
		case 1:
			busy(w, r, http.StatusServiceUnavailable, "1")
		case 2:
			busy(w, r, http.StatusTooManyRequests, "0") // not at once, whatever it says
		case 3:
			busy(w, r, http.StatusServiceUnavailable, time.Now().Add(2500*time.Millisecond).UTC().Format(http.TimeFormat))
		default:
			pass.ServeHTTP(w, r)
		}
	})
	drive(t, tab,
		chromedp.Navigate(front+"/upload"),
		chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{write(t, "a.txt", []byte("a"))}),
		chromedp.Click(chromedp.CSS("#send")),
		chromedp.WaitVisible(chromedp.CSS("#upload.done")))
	checkStored(t, p, "a.txt", []byte("a"))
	if got := posts.Load(); got != 4 {
		t.Errorf("%d posts, want 4", got)
	}
}

// The form stops waiting when the visitor says so, and never waits longer than
// ten minutes; then it says what the site said.
func TestTheFormStopsWaiting(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, retryAfter string
		cancel           bool
		says             string
	}{
		{"cancelled", "300", true, "Cancelled. You can send it again."},
		{"more than ten minutes", "601", false, "We are busy."},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, tab := start(t, nil), openTab(t)
			var free atomic.Bool
			front := inFront(t, p, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
				if !free.Load() {
					busy(w, r, http.StatusServiceUnavailable, test.retryAfter)
					return
				}
				pass.ServeHTTP(w, r)
			})
			drive(t, tab,
				chromedp.Navigate(front+"/upload"),
				chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{write(t, "a.txt", []byte("a"))}),
				chromedp.Click(chromedp.CSS("#send")))
			if test.cancel {
				await(t, tab, rowSays("a.txt", "place", waiting))
				drive(t, tab, chromedp.Click(chromedp.CSS("#queue .cancel"), chromedp.NodeVisible))
			}
			await(t, tab, rowSays("a.txt", "failed", test.says))
			free.Store(true)
			drive(t, tab,
				chromedp.Click(chromedp.CSS("#queue .again"), chromedp.NodeVisible),
				chromedp.WaitVisible(chromedp.CSS("#upload.done")))
			checkStored(t, p, "a.txt", []byte("a"))
		})
	}
}
