package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/animation"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// gate is a service that answers when the test says so.
type gate struct {
	url   string
	calls atomic.Int32
	open  func()
}

func newGate(t *testing.T, body string) *gate {
	t.Helper()
	opened := make(chan struct{})
	g := &gate{open: sync.OnceFunc(func() { close(opened) })}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.calls.Add(1)
		select {
		case <-opened:
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	t.Cleanup(g.open)
	g.url = server.URL
	return g
}

const (
	cake     = `{"title":"Cake on Friday","text":"With cream.","url":"/upload"}`
	cakeBook = `{"items":[{"title":"A book on cake"},{"title":"Another"}]}`
)

// slowly returns the program between two services that wait for the test.
func slowly(t *testing.T) (p *program, promo, recco *gate) {
	t.Helper()
	promo, recco = newGate(t, cake), newGate(t, cakeBook)
	return start(t, map[string]string{"PROMO_SERVICE_URL": promo.url, "RECCO_SERVICE_URL": recco.url, "SERVICE_TIMEOUT": "1m"}), promo, recco
}

// readUntil reads a page while it is written, until it has the text.
func readUntil(t *testing.T, body io.Reader, text string) {
	t.Helper()
	var read []byte
	for piece := make([]byte, 512); !bytes.Contains(read, []byte(text)); {
		n, err := body.Read(piece)
		read = append(read, piece[:n]...)
		if err != nil && !bytes.Contains(read, []byte(text)) {
			t.Fatalf("the page ends (%v) without %q:\n%s", err, text, read)
		}
	}
}

// Visitors who come together cost each service one call, and all get the page.
func TestManyVisitorsAtOnce(t *testing.T) {
	const visitors = 500
	p, promo, recco := slowly(t)
	var waiting, done sync.WaitGroup
	waiting.Add(visitors)
	for range visitors {
		done.Go(func() {
			response, err := client(t).Get(p.url)
			if err != nil {
				t.Error(err)
				waiting.Done()
				return
			}
			defer response.Body.Close()
			waiting.Done() // the page has begun
			content, err := io.ReadAll(response.Body)
			if err != nil || !bytes.Contains(content, []byte("Cake on Friday")) || !bytes.HasSuffix(content, []byte("</html>\n")) {
				t.Errorf("%v, and the page:\n%s", err, content)
			}
		})
	}
	waiting.Wait()
	recco.open()
	promo.open()
	done.Wait()
	for name, service := range map[string]*gate{"promo": promo, "recommendations": recco} {
		if got := service.calls.Load(); got != 1 {
			t.Errorf("%d visitors cost %s %d calls, want 1", visitors, name, got)
		}
	}
}

// Pages that wait for a service hold little memory each, compressed as browsers
// ask for them.
func TestWaitingPagesAreSmall(t *testing.T) {
	const visitors, most = 300, 64 << 20
	promo, recco := newGate(t, cake), newGate(t, cakeBook)
	cmd, p := spawn(t, t.TempDir(), "PROMO_SERVICE_URL="+promo.url, "RECCO_SERVICE_URL="+recco.url, "SERVICE_TIMEOUT=1m", "HOMEPAGE_GRACE=0s")
	visitor := client(t)
	for range visitors {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Accept-Encoding", "gzip, deflate, br, zstd")
		response, err := visitor.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if response.Header.Get("Content-Encoding") == "" {
			t.Fatal("the page is not compressed")
		}
	}
	peak := peakMemory(t, cmd)
	t.Logf("%.1f MiB", float64(peak)/(1<<20))
	if peak > most {
		t.Errorf("%d waiting pages took %d MiB, want at most %d", visitors, peak>>20, most>>20)
	}
	kill(t, cmd)
}

// begin opens a page without waiting for its end.
func begin(t *testing.T, tab context.Context, url string) {
	t.Helper()
	if _, err := chromedp.Call(tab, page.Navigate, page.NavigateParams{URL: url}); err != nil {
		t.Fatal(err)
	}
}

// await waits until an expression is true in the page. It asks from outside,
// since a page without JavaScript can't be made to watch itself.
func await(t *testing.T, tab context.Context, expression string) {
	t.Helper()
	frame := time.NewTicker(time.Second / 60) // more often would only keep the processor from the browser
	defer frame.Stop()
	for !evaluate[bool](t, tab, expression) {
		select {
		case <-frame.C:
		case <-tab.Done():
			t.Fatalf("%s: %v", expression, tab.Err())
		}
	}
}

// seen is an expression for whether an element is to be seen, in main or in
// its shadow root.
func seen(selector string) string {
	return fmt.Sprintf(`(() => {
		const main = document.querySelector("main");
		const element = main?.querySelector(%[1]q) ?? main?.shadowRoot?.querySelector(%[1]q);
		return !!element && element.checkVisibility({visibilityProperty: true}) && element.getBoundingClientRect().height > 0;
	})()`, selector)
}

// The page is there while both services are slow, and each section comes to
// its place when it comes, without a line of JavaScript.
func TestSectionsComeInAnyOrder(t *testing.T) {
	t.Parallel()
	const (
		promoWaits, reccoWaits = ".hero .waiting", ".shelf .waiting"
		promoThere, reccoThere = "#promo-title", "#recco-title"
	)
	for _, promoFirst := range []bool{true, false} {
		t.Run(fmt.Sprintf("promo first %v", promoFirst), func(t *testing.T) {
			p, promo, recco := slowly(t)
			tab := openTab(t)
			complaints := complain(t, tab)
			setScript(t, tab, false)
			begin(t, tab, p.url)
			for _, selector := range []string{".tagline", promoWaits, reccoWaits, ".desk"} {
				await(t, tab, seen(selector))
			}
			first, second := promo, recco
			comes, waits, last := promoThere, reccoWaits, reccoThere
			if !promoFirst {
				first, second = recco, promo
				comes, waits, last = reccoThere, promoWaits, promoThere
			}
			first.open()
			await(t, tab, seen(comes))
			if !evaluate[bool](t, tab, seen(waits)) {
				t.Error("the other section does not wait any more")
			}
			second.open()
			await(t, tab, seen(last))
			await(t, tab, `document.readyState === "complete"`)
			for _, gone := range []string{promoWaits, reccoWaits, ".late"} {
				if evaluate[bool](t, tab, seen(gone)) {
					t.Errorf("%s is still to be seen", gone)
				}
			}
			tops := evaluate[[]float64](t, tab, `[".tagline", "#promo-title", "#recco-title", ".desk"].map((s) => document.querySelector(s).getBoundingClientRect().top)`)
			if !slices.IsSorted(tops) {
				t.Errorf("heading, offer, recommendations and desk stand at %v", tops)
			}
			want := []string{
				"banner", "navigation Main", "main",
				"heading A library that stays up late",
				"region Cake on Friday", "heading Cake on Friday",
				"region Chosen for you", "heading Chosen for you", "heading A book on cake", "heading Another",
				"region At the desk", "heading At the desk", "heading Send us your reading list", "heading Download your certificate",
				"contentinfo",
			}
			if got := spoken(t, tab); !slices.Equal(got, want) {
				t.Errorf("the accessibility tree has\n%q, want\n%q", got, want)
			}
			if got := complaints(); len(got) > 0 {
				t.Errorf("the browser complains: %q", got)
			}
		})
	}
}

// spoken lists the landmarks and headings that a screen reader comes by.
func spoken(t *testing.T, tab context.Context) []string {
	t.Helper()
	tree, err := chromedp.Call(tab, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	if err != nil {
		t.Fatal(err)
	}
	nodes := map[accessibility.NodeID]*accessibility.Node{}
	for _, node := range tree.Nodes {
		nodes[node.NodeID] = node
	}
	var list []string
	var walk func(accessibility.NodeID)
	walk = func(id accessibility.NodeID) {
		node := nodes[id]
		if node == nil {
			return
		}
		switch role := axValue(node.Role); role {
		case "banner", "navigation", "main", "region", "heading", "contentinfo":
			if !node.Ignored {
				list = append(list, strings.TrimSpace(role+" "+axValue(node.Name)))
			}
		}
		for _, child := range node.ChildIDs {
			walk(child)
		}
	}
	walk(tree.Nodes[0].NodeID)
	return list
}

// axValue is what a value of the accessibility tree says.
func axValue(value *accessibility.Value) string {
	if value == nil {
		return ""
	}
	var text string
	_ = json.Unmarshal(value.Value, &text) // what is no string says nothing
	return text
}

// What comes takes the room that was kept for it: nothing jumps.
func TestSectionsDoNotShiftThePage(t *testing.T) {
	t.Parallel()
	tab := openTab(t)
	for _, test := range []struct {
		name         string
		promo, recco string
	}{
		{"both come", cake, cakeBook},
		{"as on the sample site", `{"title":"The Winter Reading Challenge","text":"Finish three books before the days grow longer, send us your reading list, and take home a certificate. Cocoa is on us every Thursday night.","url":"/upload","action":"Send your reading list"}`, `{"items":[` + strings.Repeat(`{"title":"The Time Machine","reason":"Because the nights are long and you like them stormy"},`, 5) + `{"title":"Walden"}]}`},
		{"little comes", `{"title":"Cake"}`, `{"items":[{"title":"A book"}]}`},
		{"both fail", "<html>", "<html>"},
	} {
		for _, screen := range []struct{ width, height int64 }{{360, 800}, {820, 1180}, {1280, 800}} {
			t.Run(fmt.Sprintf("%s at %d", test.name, screen.width), func(t *testing.T) {
				promo, recco := newGate(t, test.promo), newGate(t, test.recco)
				p := start(t, map[string]string{"PROMO_SERVICE_URL": promo.url, "RECCO_SERVICE_URL": recco.url})
				drive(t, tab, chromedp.EmulateViewport(screen.width, screen.height))
				begin(t, tab, p.url)
				await(t, tab, seen(".shelf .waiting"))
				promo.open()
				await(t, tab, seen("#promo-title"))
				recco.open()
				await(t, tab, `document.readyState === "complete"`)
				shift := read(t, tab, chromedp.Evaluate[float64](`new Promise((resolve) => {
					let sum = 0;
					new PerformanceObserver((list) => list.getEntries().forEach((entry) => { sum += entry.value; })).observe({type: "layout-shift", buffered: true});
					requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => resolve(sum))));
				})`, chromedp.EvalAwaitPromise))
				if shift >= 0.1 {
					t.Errorf("the page's layout shifts by %.2f, want less than 0.1", shift)
				}
			})
		}
	}
}

// When the site dies amid a page, the page itself says what has not come.
func TestTheSiteDiesAmidThePage(t *testing.T) {
	t.Parallel()
	promo, recco := newGate(t, cake), newGate(t, cakeBook)
	cmd, p := spawn(t, t.TempDir(), "PROMO_SERVICE_URL="+promo.url, "RECCO_SERVICE_URL="+recco.url)
	tab := openTab(t)
	setScript(t, tab, false)
	begin(t, tab, p.url)
	recco.open()
	await(t, tab, seen("#recco-title"))
	kill(t, cmd)
	if evaluate[bool](t, tab, seen(".hero .late")) {
		t.Error("the page gives up at once")
	}
	// The page's clock, not ours: ten seconds take a tenth of one.
	if _, err := chromedp.Call(tab, animation.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(tab, animation.SetPlaybackRate, animation.SetPlaybackRateParams{PlaybackRate: 100}); err != nil {
		t.Fatal(err)
	}
	await(t, tab, seen(".hero .late"))
	if evaluate[bool](t, tab, seen(".hero .waiting")) || evaluate[bool](t, tab, seen(".shelf .late")) || !evaluate[bool](t, tab, seen("#recco-title")) {
		t.Error("not the missing section, and it alone, says that it has not arrived")
	}
}
