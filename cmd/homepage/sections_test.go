package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Each section of a streamed page stands in its own place, whichever of them
// failed on the page before.
func TestFailedSectionsAreNotMistakenForEachOther(t *testing.T) {
	var failing string             // the body of the service that fails
	var answers chan chan struct{} // takes what the other one waits for
	service := func(body string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if body == failing {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			select {
			case <-<-answers:
			case <-r.Context().Done():
			}
			w.Header().Set("Cache-Control", "no-store")
			_, _ = io.WriteString(w, body)
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	p := start(t, map[string]string{"PROMO_SERVICE_URL": service(cake), "RECCO_SERVICE_URL": service(cakeBook), "SERVICE_TIMEOUT": "1m"})
	for _, test := range []struct{ name, fails, early, slot, late string }{
		{"the promo fails", cake, "offer is taking a nap", "recommendations", "A book on cake"},
		{"then the recommendations", cakeBook, "could not fetch your recommendations", "promo", "Cake on Friday"},
	} {
		t.Run(test.name, func(t *testing.T) {
			failing, answers = test.fails, make(chan chan struct{}, 1)
			answer := make(chan struct{})
			answers <- answer
			response, err := client(t).Get(p.url)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			var page bytes.Buffer
			readUntil(t, io.TeeReader(response.Body, &page), test.early)
			close(answer)
			if _, err := page.ReadFrom(response.Body); err != nil {
				t.Fatal(err)
			}
			for slot, want := range map[string]string{"promo": test.early, "recommendations": test.early, test.slot: test.late} {
				if got := section(t, page.String(), slot); !strings.Contains(got, want) {
					t.Errorf("the slot %s holds\n%s\nwant %q", slot, got, want)
				}
			}
		})
	}
}
