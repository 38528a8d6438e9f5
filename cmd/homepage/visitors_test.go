package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// forVisitor is what the service of these tests says to a visitor, who has it as
// their cookie.
var forVisitor = regexp.MustCompile(`for-visitor-\d+-only`)

// startPersonal starts a service that is late, fails, breaks off, allows its
// answers to be kept or not, and repeats the visitor's cookie wherever it can.
func startPersonal(t *testing.T) (url string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		own := "nobody"
		if cookie, err := r.Cookie("visitor"); err == nil {
			own = cookie.Value
		}
		<-time.After(rand.N(4 * time.Millisecond))
		h := w.Header()
		h.Set("Set-Cookie", "seen="+own)
		h.Set("X-Seen", own)
		h.Set("Etag", `"`+own+`"`)
		h.Set("Cache-Control", []string{"no-store", "max-age=0, stale-while-revalidate=60", "max-age=1", "no-cache", "private"}[rand.N(5)])
		if rand.N(2) == 0 {
			h.Set("Vary", "Cookie")
		}
		switch {
		case rand.N(40) == 0:
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, own)
		case rand.N(40) == 0:
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, own)
		case rand.N(40) == 0:
			fmt.Fprintf(w, "{%q: ", own)
			panic(http.ErrAbortHandler)
		case rand.N(40) == 0:
			fmt.Fprintf(w, "{%q: 1}", own)
		case r.Header.Get("If-None-Match") == `"`+own+`"` && rand.N(2) == 0:
			w.WriteHeader(http.StatusNotModified)
		default:
			fmt.Fprintf(w, `{"title": %q, "items": [{"title": %[1]q}]}`, own)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// Three replicas, and visitors who come to any of them, 500 or as many as VISITORS
// says: whoever sees a section sees their own, whole or streamed. Nobody gets a
// service's cookie, and neither the log nor the metrics hold a visitor's.
func TestNoVisitorSeesAnothersPage(t *testing.T) {
	const visits, atOnce = 2, 32
	visitors := 500
	if text := os.Getenv("VISITORS"); text != "" {
		var err error
		if visitors, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	service := startPersonal(t)
	var replicas []*program
	var logs sync.WaitGroup
	for range 3 {
		p := start(t, map[string]string{
			"PROMO_SERVICE_URL": service, "PROMO_SERVICE_FORWARD": "Cookie:visitor",
			"RECCO_SERVICE_URL": service, "RECCO_SERVICE_FORWARD": "Accept-Language, Cookie:visitor",
			"HOMEPAGE_CACHE": "1MiB", "HOMEPAGE_GRACE": "3ms", "SERVICE_MAX_CALLS": "16",
			"METRICS_ADDR": "127.0.0.1:0", "LOG_LEVEL": "info",
		})
		logs.Go(func() {
			for line := range p.lines {
				if text := fmt.Sprint(line); forVisitor.MatchString(text) {
					t.Errorf("the log tells of a visitor: %s", text)
				}
			}
		})
		replicas = append(replicas, p)
	}
	client := client(t)
	var mu sync.Mutex
	own, streamed, etags := 0, 0, map[string]string{}
	visit := func(visitor int) error {
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		if rand.N(20) == 0 {
			time.AfterFunc(rand.N(5*time.Millisecond), leave)
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, replicas[rand.N(3)].url, nil)
		if err != nil {
			return err
		}
		cookie := ""
		if visitor > 0 { // else nobody
			cookie = fmt.Sprintf("for-visitor-%d-only", visitor)
			request.Header.Set("Cookie", "other=x; visitor="+cookie)
		}
		response, err := client.Do(request)
		if err != nil {
			return ctx.Err() // nil unless this visitor left
		}
		defer response.Body.Close()
		page, err := io.ReadAll(response.Body)
		if err != nil {
			return ctx.Err()
		}
		h := response.Header
		if h.Get("Cache-Control") != "private, no-cache" || h["Set-Cookie"] != nil || h["X-Seen"] != nil ||
			!slices.Contains(h["Vary"], "Cookie") || !slices.Contains(h["Vary"], "Accept-Language") {
			t.Errorf("headers %v", h)
		}
		seen := forVisitor.FindAllString(string(page), -1)
		mu.Lock()
		defer mu.Unlock()
		for _, one := range seen {
			own++
			if one != cookie {
				t.Errorf("visitor %d saw what is %s", visitor, one)
			}
		}
		etag := h.Get("Etag")
		if etag == "" {
			streamed++
		} else if other, ok := etags[etag]; ok && other != string(page) {
			t.Error("two pages have the same ETag")
		}
		etags[etag] = string(page)
		return nil
	}
	var group sync.WaitGroup
	numbers := make(chan int)
	for range atOnce {
		group.Go(func() {
			for visitor := range numbers {
				for range visits {
					_ = visit(visitor)
				}
			}
		})
	}
	for visitor := range visitors {
		numbers <- visitor
	}
	close(numbers)
	group.Wait()
	if own < visitors*visits || streamed < visitors/20 || streamed > visitors*visits*19/20 {
		t.Errorf("%d sections were the visitors' own, and %d pages streamed", own, streamed)
	}
	for _, p := range replicas {
		if _, text := get(t, p.metrics); forVisitor.MatchString(text) || !strings.Contains(text, "homepage_section") {
			t.Error("the metrics tell of a visitor, or of nothing")
		}
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	}
	logs.Wait()
}

// Who sends too much is nobody in particular, which the log says once.
func TestVisitorsWhoSendTooMuch(t *testing.T) {
	service := startPersonal(t)
	p := start(t, map[string]string{"PROMO_SERVICE_URL": service, "PROMO_SERVICE_FORWARD": "Cookie:visitor"})
	for range 3 {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Cookie", "visitor=for-visitor-1-only"+strings.Repeat("x", 4<<10))
		response, err := client(t).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if page, err := io.ReadAll(response.Body); err != nil || forVisitor.Match(page) {
			t.Errorf("the service was told: %v", err)
		}
		_ = response.Body.Close()
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	said := 0
	for line := range p.lines {
		if strings.HasPrefix(fmt.Sprint(line["msg"]), "a visitor sent more than is forwarded") {
			said++
			if line["setting"] != "PROMO_SERVICE_FORWARD" || line["most_bytes"] != 4096.0 {
				t.Errorf("the line is %v", line)
			}
		}
		if forVisitor.MatchString(fmt.Sprint(line)) {
			t.Errorf("the log tells of the visitor: %v", line)
		}
	}
	if said != 1 {
		t.Errorf("it was said %d times", said)
	}
}

func TestForwardSettings(t *testing.T) {
	for _, test := range []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{"PROMO_SERVICE_FORWARD": "Host"}, "PROMO_SERVICE_FORWARD (--promo-service-forward) takes names of headers and, as Cookie:NAME, of cookies, with commas or spaces between them, such as Accept-Language, Cookie:visitor: Host can't be forwarded"},
		{map[string]string{"RECCO_SERVICE_FORWARD": "Cookie"}, "RECCO_SERVICE_FORWARD (--recco-service-forward) takes"},
		{map[string]string{"PROMO_SERVICE_FORWARD": "x-key", "PROMO_SERVICE_HEADERS": "X-Key: hunter2"}, "PROMO_SERVICE_FORWARD: X-Key can't be forwarded, as the service is told another one already by PROMO_SERVICE_HEADERS"},
		{map[string]string{"RECCO_SERVICE_FORWARD": "Cookie:a", "RECCO_SERVICE_HEADERS": "Cookie: b=hunter2"}, "RECCO_SERVICE_FORWARD: Cookie can't be forwarded, as the service is told another one already by RECCO_SERVICE_HEADERS"},
		{map[string]string{"HOMEPAGE_CACHE": "0"}, "HOMEPAGE_CACHE (--homepage-cache) is \"0\", but takes a size above zero"},
		{map[string]string{"SERVICE_MAX_CALLS": "0"}, "SERVICE_MAX_CALLS (--service-max-calls) is \"0\", but takes a whole number above zero"},
	} {
		if _, err := parseSettings(nil, env(test.env), io.Discard); err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v: error %v, want %q", test.env, err, test.want)
		}
	}
	s, err := parseSettings(nil, env(map[string]string{"PROMO_SERVICE_FORWARD": "cookie:visitor,accept-language"}), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	config := strings.Join(s.inForce, "\n")
	for _, want := range []string{
		`PROMO_SERVICE_FORWARD="Cookie:visitor, Accept-Language"  # environment`, "# RECCO_SERVICE_FORWARD is not set",
		`HOMEPAGE_CACHE="32MiB"  # default`, `SERVICE_MAX_CALLS="256"  # default`,
	} {
		if !strings.Contains(config, want) {
			t.Errorf("homepage config does not say %s:\n%s", want, config)
		}
	}
}
