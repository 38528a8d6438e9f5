package main

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"golang.org/x/net/html"

	"homepage/internal/web"
	"homepage/static"
)

const (
	offer = `{"title":"Cake on Friday","text":"With cream.","url":"/cake"}`
	books = `{"items":[{"title":"One","url":"/one"},{"title":"Two","url":"/two"}]}`

	styled    = `document.body !== null && getComputedStyle(document.body).display === "flex"` // as soon as the style sheet is there
	bothThere = `document.querySelector("[slot=promo]") !== null && document.querySelector("[slot=recommendations]") !== null`
)

// onBothPages opens a homepage with these sections, once whole and once
// streamed, and checks it.
func onBothPages(t *testing.T, promoSays, reccoSays string, check func(t *testing.T, tab context.Context)) {
	t.Helper()
	tab := openTab(t)
	t.Run("whole", func(t *testing.T) {
		openWhole(t, tab, promoSays, reccoSays)
		check(t, tab)
	})
	t.Run("streamed", func(t *testing.T) {
		openStreamed(t, tab, promoSays, reccoSays)
		check(t, tab)
	})
}

func openWhole(t *testing.T, tab context.Context, promoSays, reccoSays string) {
	t.Helper()
	promo, recco := newGate(t, promoSays), newGate(t, reccoSays)
	promo.open()
	recco.open()
	begin(t, tab, start(t, map[string]string{"PROMO_SERVICE_URL": promo.url, "RECCO_SERVICE_URL": recco.url, "SERVICE_TIMEOUT": "1m", "HOMEPAGE_GRACE": "1m"}).url)
	await(t, tab, styled+` && document.querySelector(".colophon") !== null && document.querySelector("main").shadowRoot === null`)
}

func openStreamed(t *testing.T, tab context.Context, promoSays, reccoSays string) {
	t.Helper()
	promo, recco := openWaiting(t, tab, promoSays, reccoSays)
	recco.open()
	await(t, tab, `document.querySelector("[slot=recommendations]") !== null`)
	promo.open()
	await(t, tab, bothThere+` && document.querySelector(".colophon") !== null`)
}

// openWaiting opens a page that waits for both of its sections.
func openWaiting(t *testing.T, tab context.Context, promoSays, reccoSays string) (promo, recco *gate) {
	t.Helper()
	promo, recco = newGate(t, promoSays), newGate(t, reccoSays)
	p := start(t, map[string]string{"PROMO_SERVICE_URL": promo.url, "RECCO_SERVICE_URL": recco.url, "SERVICE_TIMEOUT": "1m"})
	t.Cleanup(promo.open) // before the program drains, which would wait for the page
	t.Cleanup(recco.open)
	begin(t, tab, p.url)
	for _, expression := range []string{styled, seen(".hero .waiting"), seen(".shelf .waiting"), seen(".desk")} {
		await(t, tab, expression)
	}
	return promo, recco
}

// tabThrough presses the tab key until nothing more has the focus, and lists
// where the links lead that had it.
func tabThrough(t *testing.T, tab context.Context) (links []string) {
	t.Helper()
	for len(links) < 50 { // or the keyboard is in a trap
		drive(t, tab, chromedp.KeyEvent(kb.Tab))
		link := evaluate[string](t, tab, `document.activeElement.getAttribute("href") ?? ""`)
		if link == "" {
			break
		}
		links = append(links, link)
	}
	return links
}

// The keyboard goes through a page in the order in which it stands there,
// whatever came first, and before all of it has come.
func TestTheKeyboardGoesInThePagesOrder(t *testing.T) {
	t.Parallel()
	var (
		header = []string{"#content", "/", "/", "/upload", "/certificate"}
		desk   = []string{"/upload", "/certificate"}
	)
	pages := []struct {
		name string
		open func(t *testing.T, tab context.Context)
		main []string
	}{
		{"whole", func(t *testing.T, tab context.Context) {
			t.Helper()
			openWhole(t, tab, offer, books)
		}, []string{"/cake", "/one", "/two"}},
		{"recommendations first", func(t *testing.T, tab context.Context) {
			t.Helper()
			openStreamed(t, tab, offer, books)
		}, []string{"/cake", "/one", "/two"}},
		{"offer first", func(t *testing.T, tab context.Context) {
			t.Helper()
			promo, recco := openWaiting(t, tab, offer, books)
			promo.open()
			await(t, tab, seen("#promo-title"))
			recco.open()
			await(t, tab, seen("#recco-title"))
		}, []string{"/cake", "/one", "/two"}},
		{"without the offer so far", func(t *testing.T, tab context.Context) {
			t.Helper()
			_, recco := openWaiting(t, tab, offer, books)
			recco.open()
			await(t, tab, seen("#recco-title"))
		}, []string{"/one", "/two"}},
		{"with neither so far", func(t *testing.T, tab context.Context) {
			t.Helper()
			openWaiting(t, tab, offer, books)
		}, nil},
	}
	for _, page := range pages {
		t.Run(page.name, func(t *testing.T) {
			tab := openTab(t)
			page.open(t, tab)
			if got, want := tabThrough(t, tab), slices.Concat(header, page.main, desk); !slices.Equal(got, want) {
				t.Errorf("the keyboard reaches %q, want %q", got, want)
			}
			// From the end it starts again, with the skip link.
			drive(t, tab, chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter))
			await(t, tab, `location.hash === "#content"`)
			if got, want := tabThrough(t, tab), slices.Concat(page.main, desk); !slices.Equal(got, want) {
				t.Errorf("from the skip link the keyboard reaches %q, want %q", got, want)
			}
		})
	}
	p, tab := start(t, nil), openTab(t)
	for _, path := range []string{"/upload", "/nothing"} {
		t.Run(path, func(t *testing.T) {
			drive(t, tab, chromedp.Navigate(p.url+path), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter), chromedp.KeyEvent(kb.Tab))
			if !evaluate[bool](t, tab, `document.activeElement.closest("main") !== null`) {
				t.Error("the skip link does not lead into the page")
			}
		})
	}
}

// A browser that knows no templates shows their words like any others. So a
// streamed page has the words of a whole one, and no others.
func TestTheStreamedPageSaysNoMoreThanTheWhole(t *testing.T) {
	p, promo, recco := slowly(t)
	page := func() string {
		response, err := client(t).Get(p.url)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		promo.open() // once the page has begun
		recco.open()
		content, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	streamed, whole := page(), page()
	if !strings.Contains(streamed, "<template") || strings.Contains(whole, "<template") {
		t.Fatal("not a streamed page, and a whole one")
	}
	got, want := words(t, streamed), words(t, whole)
	if !slices.Equal(got, want) {
		t.Errorf("the streamed page says\n%q, the whole one\n%q", got, want)
	}
}

// words lists the texts of a page as a browser shows them that knows neither
// styles nor templates, in no particular order.
func words(t *testing.T, page string) (list []string) {
	t.Helper()
	document, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for node := range document.Descendants() {
		if text := strings.TrimSpace(node.Data); node.Type == html.TextNode && text != "" && node.Parent.Data != "style" {
			list = append(list, text)
		}
	}
	slices.Sort(list)
	return list
}

// Screen readers hear of each section once, when it comes.
func TestArrivalsAreAnnouncedOnce(t *testing.T) {
	t.Parallel()
	tab := openTab(t)
	promo, recco := openWaiting(t, tab, offer, `{"items":7}`)
	if got := announced(t, tab); len(got) > 0 {
		t.Errorf("before anything comes, %q is announced", got)
	}
	promo.open()
	await(t, tab, seen("#promo-title"))
	if got, want := announced(t, tab), []string{"This season’s offer has arrived."}; !slices.Equal(got, want) {
		t.Errorf("%q is announced, want %q", got, want)
	}
	recco.open()
	await(t, tab, seen("#recco-title"))
	if got, want := announced(t, tab), []string{"This season’s offer has arrived.", "Your recommendations could not be fetched."}; !slices.Equal(got, want) {
		t.Errorf("%q is announced, want %q", got, want)
	}
	openWhole(t, tab, offer, books)
	if got := announced(t, tab); len(got) > 0 {
		t.Errorf("on a whole page, %q is announced", got)
	}
}

// announced lists the texts of the page's log: a live region that is polite
// and announces what is added to it, not all of itself.
func announced(t *testing.T, tab context.Context) (texts []string) {
	t.Helper()
	tree, err := chromedp.Call(tab, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	if err != nil {
		t.Fatal(err)
	}
	nodes := map[accessibility.NodeID]*accessibility.Node{}
	for _, node := range tree.Nodes {
		nodes[node.NodeID] = node
	}
	property := func(node *accessibility.Node, name accessibility.PropertyName) string {
		for _, property := range node.Properties {
			if property.Name == name {
				return strings.Trim(string(property.Value.Value), `"`)
			}
		}
		return ""
	}
	var walk func(id accessibility.NodeID, live bool)
	walk = func(id accessibility.NodeID, live bool) {
		node := nodes[id]
		if node == nil {
			return
		}
		if axValue(node.Role) == "StaticText" && live {
			texts = append(texts, axValue(node.Name))
		}
		if root := property(node, accessibility.PropertyNameLive); root != "" {
			live = root == "polite" && property(node, accessibility.PropertyNameAtomic) != "true"
		}
		for _, child := range node.ChildIDs {
			walk(child, live)
		}
	}
	walk(tree.Nodes[0].NodeID, false)
	return texts
}

const longWord = "Donaudampfschifffahrtselektrizitaetenhauptbetriebswerkbauunterbeamtengesellschaft"

// cutOff is an expression for the texts that can't be read as a whole, since
// they stand out of the window or of a box that hides what stands out of it.
const cutOff = `(() => {
	const found = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (texts.nextNode()) {
		const range = document.createRange();
		range.selectNodeContents(texts.currentNode);
		const parent = texts.currentNode.parentElement;
		if (!texts.currentNode.data.trim() || !parent.checkVisibility() || parent.closest(".spoken, .skip")) continue;
		for (const line of range.getClientRects()) {
			let left = 0, right = document.documentElement.clientWidth;
			for (let box = parent; box; box = box.parentElement) {
				if (getComputedStyle(box).overflowX !== "visible") {
					const edges = box.getBoundingClientRect();
					left = Math.max(left, edges.left);
					right = Math.min(right, edges.right);
				}
			}
			if (line.left < left - 0.5 || line.right > right + 0.5) found.push(texts.currentNode.data.trim());
		}
	}
	if (document.documentElement.scrollWidth > document.documentElement.clientWidth) found.push("the page scrolls sideways");
	return found;
})()`

// checkNothingIsCutOff looks at the page at many widths, as it is and with text
// of twice the size.
func checkNothingIsCutOff(t *testing.T, tab context.Context) {
	t.Helper()
	for _, width := range []int64{320, 360, 600, 768, 1100} {
		for _, size := range []string{"100%", "200%"} {
			drive(t, tab, chromedp.EmulateViewport(width, 800), chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`void (document.documentElement.style.fontSize = %q)`, size)))
			if got := evaluate[[]string](t, tab, cutOff); len(got) > 0 {
				t.Errorf("at %d px with text of %s, these are cut off: %q", width, size, got)
			}
		}
	}
}

func TestLongWordsWrap(t *testing.T) {
	t.Parallel()
	address := "https://books.example/" + strings.Repeat("a/very/long/path/", 6)
	long := fmt.Sprintf(`{"title":%q,"text":%q,"action":%q,"url":"/"}`, longWord, "See "+address, longWord)
	longBooks := fmt.Sprintf(`{"items":[{"title":%q,"url":"/","reason":%q},{"title":%q},{"title":"Short","reason":%[2]q}]}`, longWord, longWord, address)
	onBothPages(t, long, longBooks, checkNothingIsCutOff)

	p, tab := start(t, nil), openTab(t)
	drive(t, tab, chromedp.Navigate(p.url+"/nothing"))
	checkNothingIsCutOff(t, tab)
	drive(t, tab,
		chromedp.Navigate(p.url+"/upload"),
		chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{write(t, "ספרים"+longWord, []byte("a")), write(t, longWord, nil)}))
	checkNothingIsCutOff(t, tab)
	drive(t, tab, chromedp.Click(chromedp.CSS("#queue li:last-child .remove")), chromedp.Click(chromedp.CSS("#send")), chromedp.WaitVisible(chromedp.CSS("#upload.done")))
	checkNothingIsCutOff(t, tab)
	setScript(t, tab, false)
	drive(t, tab,
		chromedp.Navigate(p.url+"/upload"),
		chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{write(t, "ספרים"+longWord, []byte("a"))}),
		chromedp.Click(chromedp.CSS("#send")),
		chromedp.WaitVisible(chromedp.CSS(".notice")))
	checkNothingIsCutOff(t, tab)
	if got := evaluate[string](t, tab, `getComputedStyle(document.querySelector(".notice strong")).direction`); got != "rtl" {
		t.Errorf("a Hebrew file name runs %s", got)
	}
}

// What services send runs in its own direction, and what stands beside it in
// the page's.
func TestTextRunsInItsOwnDirection(t *testing.T) {
	t.Parallel()
	const hebrew, arabic = "ספרים לחורף (2)!", "كتاب الشتاء"
	onBothPages(t,
		fmt.Sprintf(`{"title":%q,"text":%q,"action":%q,"url":"/"}`, hebrew, hebrew, arabic),
		fmt.Sprintf(`{"items":[{"title":%q,"reason":%q,"url":"/"},{"title":%q},{"title":"English"}]}`, arabic, hebrew, arabic),
		func(t *testing.T, tab context.Context) {
			t.Helper()
			for selector, want := range map[string]string{
				"#promo-title": "rtl", ".hero .lead": "rtl", ".hero .button": "rtl", ".hero .eyebrow": "ltr",
				".book:nth-child(1) h3": "rtl", ".book:nth-child(1) a": "rtl", ".book:nth-child(1) .reason": "rtl",
				".book:nth-child(2) h3": "rtl", ".book:nth-child(3) h3": "ltr", ".desk": "ltr",
			} {
				if got := evaluate[string](t, tab, fmt.Sprintf(`getComputedStyle(document.querySelector(%q)).direction`, selector)); got != want {
					t.Errorf("%s runs %s, want %s", selector, got, want)
				}
			}
		})
}

// A picture that can't be loaded, or not yet, looks like none at all.
func TestPicturesThatFailLookLikeNone(t *testing.T) {
	t.Parallel()
	never := newGate(t, "")
	const promo, recco = `{"title":"Cake on Friday","text":"With cream.","url":"/","image":%q}`, `{"items":[{"title":"“Émile”","image":%q},{"title":"Two"}]}`
	look := func(t *testing.T, tab context.Context, open func(t *testing.T, tab context.Context, promoSays, reccoSays string), picture string) []byte {
		t.Helper()
		open(t, tab, fmt.Sprintf(promo, picture), fmt.Sprintf(recco, picture))
		if picture != never.url {
			await(t, tab, `[...document.images].every((image) => image.complete)`)
		}
		return read(t, tab, chromedp.CaptureScreenshot())
	}
	for name, open := range map[string]func(t *testing.T, tab context.Context, promoSays, reccoSays string){"whole": openWhole, "streamed": openStreamed} {
		tab := openTab(t)
		drive(t, tab, chromedp.EmulateViewport(1000, 1600))
		want := look(t, tab, open, "")
		for kind, picture := range map[string]string{"missing": "/nothing.png", "not a picture": "/upload", "refused": "http://127.0.0.1:1/a.png", "never there": never.url} {
			t.Run(name+" "+kind, func(t *testing.T) {
				for got := look(t, tab, open, picture); !bytes.Equal(got, want); got = read(t, tab, chromedp.CaptureScreenshot()) {
					if tab.Err() != nil { // a frame may be late, but not for ever
						t.Fatal("it looks different from a page without pictures")
					}
				}
			})
		}
		if bytes.Equal(look(t, tab, open, favicon(t)), want) {
			t.Errorf("%s: a picture that is there does not show", name)
		}
	}
}

// favicon is the path under which the site serves it.
func favicon(t *testing.T) string {
	t.Helper()
	assets, err := web.NewAssets(static.FS)
	if err != nil {
		t.Fatal(err)
	}
	name, err := assets.URL("favicon.svg")
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// What stands in for a picture is the title's first letter as readers see it.
func TestCoverLetters(t *testing.T) {
	t.Parallel()
	onBothPages(t, offer, `{"items":[{"title":"“Émile”"},{"title":"E\u0301mile"},{"title":"👩🏽‍🚀 in space"},{"title":"\u2067 ספר"},{"title":"🇫🇷"},{"title":"1984"},{"title":"…"},{"reason":"Because."}]}`, func(t *testing.T, tab context.Context) {
		t.Helper()
		want := []string{"É", "E\u0301", "👩🏽‍🚀", "ס", "🇫🇷", "1", "", "U"}
		if got := evaluate[[]string](t, tab, `[...document.querySelectorAll(".cover")].map((cover) => cover.dataset.letter)`); !slices.Equal(got, want) {
			t.Errorf("the covers show %q, want %q", got, want)
		}
	})
}

// emulate sets what the visitor's system prefers.
func emulate(t *testing.T, tab context.Context, name, value string) {
	t.Helper()
	if _, err := chromedp.Call(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: name, Value: value}},
	}); err != nil {
		t.Fatal(err)
	}
}

// With forced colours, what was told by a colour is told by a line.
func TestForcedColours(t *testing.T) {
	t.Parallel()
	const framed = `(selector, root = document) => [...root.querySelectorAll(selector)].every((e) => parseFloat(getComputedStyle(e).borderTopWidth) >= 1)`
	onBothPages(t, offer, books, func(t *testing.T, tab context.Context) {
		t.Helper()
		emulate(t, tab, "forced-colors", "active")
		if got := evaluate[[]string](t, tab, `[...document.querySelectorAll("nav a")].filter((a) => getComputedStyle(a).textDecorationLine === "underline").map((a) => a.textContent)`); !slices.Equal(got, []string{"Home"}) {
			t.Errorf("the underlined pages are %q", got)
		}
		for _, selector := range []string{".hero", ".button", ".cover", ".card"} {
			if !evaluate[bool](t, tab, fmt.Sprintf("(%s)(%q)", framed, selector)) {
				t.Errorf("%s has no frame", selector)
			}
		}
	})
	tab := openTab(t)
	emulate(t, tab, "forced-colors", "active")
	openWaiting(t, tab, offer, books)
	if !evaluate[bool](t, tab, fmt.Sprintf(`(%s)(".hero, i", document.querySelector("main").shadowRoot)`, framed)) {
		t.Error("the placeholders have no frames")
	}
}

func TestReducedMotionStillsThePlaceholders(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{"reduce": false, "no-preference": true} {
		t.Run(value, func(t *testing.T) {
			tab := openTab(t)
			emulate(t, tab, "prefers-reduced-motion", value)
			openWaiting(t, tab, offer, books)
			if got := evaluate[bool](t, tab, `[...document.querySelector("main").shadowRoot.querySelectorAll("i")].some((i) => getComputedStyle(i).animationName !== "none")`); got != want {
				t.Errorf("placeholders move: %v, want %v", got, want)
			}
		})
	}
}

// A section that has nothing to show today leaves no gap.
func TestNothingTodayLeavesNoGap(t *testing.T) {
	t.Parallel()
	const nothing, noBooks = `{"title":"","text":""}`, `{"items":[]}`
	gaps := func(promoSays, reccoSays string) map[string][]float64 {
		found := map[string][]float64{}
		tab := openTab(t)
		for name, open := range map[string]func(t *testing.T, tab context.Context, promoSays, reccoSays string){"whole": openWhole, "streamed": openStreamed} {
			open(t, tab, promoSays, reccoSays)
			found[name] = evaluate[[]float64](t, tab, `(() => {
				const boxes = [...document.querySelectorAll(".tagline, .hero, .shelf, .desk")].map((e) => e.getBoundingClientRect()).sort((a, b) => a.top - b.top);
				return boxes.slice(1).map((box, i) => Math.round(box.top - boxes[i].bottom));
			})()`)
		}
		return found
	}
	want := gaps(offer, books)["whole"] // below the heading, and between sections
	for name, page := range map[string]struct {
		promo, recco string
		want         []float64
	}{
		"both":                     {offer, books, want},
		"the offer alone":          {offer, noBooks, want[:2]},
		"the recommendations only": {nothing, books, want[:2]},
		"neither":                  {nothing, noBooks, want[:1]},
	} {
		t.Run(name, func(t *testing.T) {
			for kind, got := range gaps(page.promo, page.recco) {
				if !slices.Equal(got, page.want) {
					t.Errorf("the gaps of the %s page are %v, want %v", kind, got, page.want)
				}
			}
		})
	}
}

// A link to the site has a title, words and a picture in chats.
func TestLinksHaveAPreview(t *testing.T) {
	p := start(t, nil)
	for _, path := range []string{"/", "/upload"} {
		_, page := get(t, p.url+path)
		document, err := html.Parse(strings.NewReader(page))
		if err != nil {
			t.Fatal(err)
		}
		meta := map[string]string{}
		for node := range document.Descendants() {
			attributes := map[string]string{}
			for _, attribute := range node.Attr {
				attributes[attribute.Key] = attribute.Val
			}
			if node.Data == "meta" && attributes["property"] != "" {
				meta[attributes["property"]] = attributes["content"]
			}
		}
		if !strings.HasSuffix(meta["og:title"], "Lamplight Library") || meta["og:description"] == "" || meta["og:type"] != "website" || meta["og:site_name"] != "Lamplight Library" {
			t.Errorf("%s has %v", path, meta)
		}
		base, err := url.Parse(p.url)
		if err != nil {
			t.Fatal(err)
		}
		picture, err := base.Parse(meta["og:image"])
		if err != nil {
			t.Fatal(err)
		}
		response, err := client(t).Get(picture.String())
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		content, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "image/png" || len(content) > 80<<10 {
			t.Errorf("%v, the picture is %d with %d bytes of %s", err, response.StatusCode, len(content), response.Header.Get("Content-Type"))
		}
		if size, err := png.DecodeConfig(bytes.NewReader(content)); err != nil || size.Width != 1200 || size.Height != 630 {
			t.Errorf("%v, the picture is %d by %d", err, size.Width, size.Height)
		}
	}
}
