package service_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"homepage/internal/home"
	"homepage/internal/service"
)

func TestPromo(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		body   string
		want   home.Promo
		err    string // what the error says; empty for none
	}{
		{"every key", 200, `{"title":"T","text":"X","url":"/u","action":"A","image":"/i"}`, home.Promo{Title: "T", Text: "X", URL: "/u", Action: "A", Image: "/i"}, ""},
		{"missing keys are empty", 200, `{"title":"T"}`, home.Promo{Title: "T"}, ""},
		{"so are those that are null", 200, `{"title":"T","text":null}`, home.Promo{Title: "T"}, ""},
		{"unknown keys are ignored", 200, `{"title":"T","price":3,"x":{"title":7}}`, home.Promo{Title: "T"}, ""},
		{"keys in any case", 200, `{"Title":"T","TEXT":"X"}`, home.Promo{Title: "T", Text: "X"}, ""},
		{"white space around it", 200, " \r\n\t{\"title\":\"T\"}\n", home.Promo{Title: "T"}, ""},
		{"a byte order mark", 200, "\uFEFF" + `{"title":"T"}`, home.Promo{Title: "T"}, ""},
		{"the largest answer", 200, `{"title":"T"}` + strings.Repeat(" ", service.MaxBody-13), home.Promo{Title: "T"}, ""},

		{"nothing today: 204", 204, ``, home.Promo{}, ""},
		{"nothing today: null", 200, ` null `, home.Promo{}, ""},
		{"nothing today: no keys", 200, `{ }`, home.Promo{}, ""},
		{"nothing today: neither title nor text", 200, `{"url":"/u","image":"/i"}`, home.Promo{}, ""},
		{"nothing today: both are empty", 200, `{"title":"","text":" ","url":"/u"}`, home.Promo{}, ""},
		{"nothing today: both are null", 200, `{"title":null,"text":null}`, home.Promo{}, ""},

		{"another status", 500, `{"title":"T"}`, home.Promo{}, "got status 500 Internal Server Error"},
		{"a status that should have no body", 205, ``, home.Promo{}, "got status 205 Reset Content"},
		{"half an answer", 206, `{"title":"T"}`, home.Promo{}, "got status 206 Partial Content"},
		{"other keys", 200, `{"error":"x"}`, home.Promo{}, "none of its keys is one of these"},
		{"its keys a level down", 200, `{"data":{"title":"T"}}`, home.Promo{}, "none of its keys is one of these"},
		{"the other service's", 200, `{"items":[]}`, home.Promo{}, "none of its keys is one of these"},
		{"not JSON", 200, `<html>`, home.Promo{}, "not JSON (invalid character '<'"},
		{"cut short", 200, `{"title":"T`, home.Promo{}, "not JSON (unexpected end"},
		{"more than one value", 200, `{"title":"T"}{}`, home.Promo{}, "after top-level value"},
		{"a trailing comma", 200, `{"title":"T",}`, home.Promo{}, "not JSON"},
		{"deeper than a stack", 200, strings.Repeat(`[`, 1<<18), home.Promo{}, "not JSON"},
		{"a wrong type", 200, `{"title":["T"]}`, home.Promo{}, "title is an array, not a string"},
		{"another wrong type", 200, `{"title":"T","text":7}`, home.Promo{}, "text is a number, not a string"},
		{"a list", 200, `[{"title":"T"}]`, home.Promo{}, "an array, not an object"},
		{"a string", 200, `"T"`, home.Promo{}, "a string, not an object"},
		{"a number", 200, `7`, home.Promo{}, "a number, not an object"},
		{"a boolean", 200, `false`, home.Promo{}, "a boolean, not an object"},
		{"nothing", 200, ``, home.Promo{}, "an empty body"},
		{"white space", 200, ` `, home.Promo{}, "an empty body"},
		{"no UTF-8", 200, "{\"title\":\"caf\xE9\"}", home.Promo{}, "not valid UTF-8"},
		{"UTF-16, little end first", 200, "\xFF\xFE{\x00}\x00", home.Promo{}, "UTF-16 or UTF-32"},
		{"UTF-16, big end first", 200, "\xFE\xFF\x00{\x00}", home.Promo{}, "UTF-16 or UTF-32"},
		{"UTF-16 without a mark", 200, "{\x00}\x00", home.Promo{}, "UTF-16 or UTF-32"},
		{"UTF-32", 200, "\x00\x00\x00{\x00\x00\x00}", home.Promo{}, "UTF-16 or UTF-32"},
		{"a byte more", 200, `{"title":"T"}` + strings.Repeat(" ", service.MaxBody-12), home.Promo{}, "larger than 1048576 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			client, s := serve(t, time.Minute, answer(test.status, test.body))
			got, err := client.Promo(s)(t.Context(), visit)
			if diff := cmp.Diff(test.want, got.Content); diff != "" {
				t.Error(diff)
			}
			if test.err == "" {
				checkError(t, err)
				return
			}
			checkError(t, err, "GET "+s.URL.String()+": ", test.err, "got status ", "; expected 200 with a JSON object with title, text, url, action or image")
		})
	}
}

func TestRecommendations(t *testing.T) {
	const good = `{"title":"A","url":"/a","reason":"R","image":"/i"}`
	a, b := home.Recommendation{Title: "A", URL: "/a", Reason: "R", Image: "/i"}, home.Recommendation{Title: "B"}
	for _, test := range []struct {
		name, body string
		want       home.Recommendations
		err        string
		log        string // one line, or none
	}{
		{"two", `{"items":[` + good + `,{"title":"B"}]}`, home.Recommendations{a, b}, "", ""},
		{"nothing today: an empty list", `{"items":[]}`, nil, "", ""},
		{"nothing today: null for a list", `{"items":null}`, nil, "", ""},
		{"nothing today: null", `null`, nil, "", ""},
		{"nothing today: no keys", `{}`, nil, "", ""},
		{"odd ones are left out", `{"items":[` + good + `,7,{"title":{}},` + good + `]}`, home.Recommendations{a, a}, "", `left_out=2 of=4 first="item 2: it is a number, not an object"`},
		{
			"every kind of odd", `{"items":[{"title":[]},null,"x",[],true,{},{"title":"","url":null},{"name":"x"},{"title":"\u200b"},{"title":"B","url":1},{"title":"B"}]}`,
			home.Recommendations{b},
			"", `left_out=10 of=11 first="item 1: title is an array, not a string"`,
		},
		{"a list that comes twice", `{"items":[7],"items":[{"title":"B"}]}`, home.Recommendations{b}, "", ""},

		{"only odd ones", `{"items":[7,{}]}`, nil, "none of 2 items can be understood: item 1: it is a number, not an object", ""},
		{"other keys", `{"error":"x"}`, nil, "none of its keys is one of these", ""},
		{"the other service's", `{"title":"T"}`, nil, "none of its keys is one of these", ""},
		{"an object for a list", `{"items":{}}`, nil, "items is an object, not an array", ""},
		{"a string for a list", `{"items":"A"}`, nil, "items is a string, not an array", ""},
		{"a list", `[` + good + `]`, nil, "an array, not an object", ""},
		{"cut short", `{"items":[` + good, nil, "not JSON", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(answer(200, test.body))
			defer server.Close()
			client, log := newClient(t, service.Options{})
			got, err := client.Recommendations(at(t, server.URL+"/?key=secret"))(t.Context(), visit)
			checkError(t, err, test.err)
			if diff := cmp.Diff(test.want, got.Content); diff != "" {
				t.Error(diff)
			}
			text := log.String()
			if lines := strings.Count(text, "\n"); (lines != 0) != (test.log != "") || lines > 1 || !strings.Contains(text, test.log) || strings.Contains(text, "secret") {
				t.Errorf("log %q, want one line with %q", text, test.log)
			}
		})
	}
}

// Neither memory nor the page grows with what a service sends.
func TestMostItems(t *testing.T) {
	item := func(i int) string { return fmt.Sprintf(`{"title":"%d"}`, i) }
	for name, test := range map[string]struct {
		items func(yield func(string))
		want  int // items kept
		log   string
	}{
		"sixty are kept": {func(yield func(string)) {
			for i := range 60 {
				yield(item(i))
			}
		}, 60, ""},
		"what follows is not read": {func(yield func(string)) {
			for i := range 10_000 {
				yield(item(i))
			}
		}, 60, "level=DEBUG"},
		"odd ones don't count": {func(yield func(string)) {
			for i := range 60 {
				yield(`{}`)
				yield(item(i))
			}
		}, 60, "left_out=60 of=120"},
		"many odd ones": {func(yield func(string)) {
			for range 999 {
				yield(`{}`)
			}
			yield(item(0))
		}, 1, "left_out=999 of=1000"},
		"a flood of them": {func(yield func(string)) {
			yield(item(0))
			for range 340_000 {
				yield(`{}`)
			}
		}, 1, "left_out=999 of=1000"},
	} {
		t.Run(name, func(t *testing.T) {
			var items []string
			test.items(func(item string) { items = append(items, item) })
			server := httptest.NewServer(answer(200, `{"items":[`+strings.Join(items, ",")+`]}`))
			defer server.Close()
			client, log := newClient(t, service.Options{})
			got, err := client.Recommendations(at(t, server.URL))(t.Context(), visit)
			checkError(t, err)
			if len(got.Content) != test.want || got.Content[test.want-1].Title != strconv.Itoa(test.want-1) {
				t.Errorf("%d items, want %d", len(got.Content), test.want)
			}
			if !strings.Contains(log.String(), test.log) || len(log.String()) > 600 {
				t.Errorf("log %q, want %q", log, test.log)
			}
		})
	}
}

func TestCharsets(t *testing.T) {
	const utf8Body, singleByte, umlaut = `{"title":"Café"}`, "{\"title\":\"Caf\xE9\"}", "Café"
	for _, test := range []struct{ contentType, body, want, err string }{
		{"", utf8Body, umlaut, ""},
		{"application/json", utf8Body, umlaut, ""},
		{"text/plain; charset=UTF-8", utf8Body, umlaut, ""},
		{`application/json; charset="utf-8"`, utf8Body, umlaut, ""},
		{"application/json; charset=us-ascii", `{"title":"T"}`, "T", ""},
		{"application/json; charset=us-ascii", singleByte, "", "not valid UTF-8"},
		{"application/json; charset=iso-8859-1", singleByte, umlaut, ""},
		{"application/json; charset=ISO-8859-1", singleByte, umlaut, ""},
		{"application/json; charset=windows-1252", "{\"title\":\"\x93T\x94\"}", "“T”", ""},
		{"application/json; charset=iso-8859-1", "\uFEFF" + utf8Body, umlaut, ""},
		{"application/json; charset=iso-8859-2", singleByte, "", "another charset than"},
		{"application/json; charset=utf-16", "{\x00}\x00", "", "UTF-16"},
		{"application/json; charset=shift_jis", utf8Body, "", "another charset than"},
		{"application/json; charset=utf-8; charset=iso-8859-1", utf8Body, "", "a charset that can't be understood"},
		{"text/html; charset=utf-8", "<html>", "", "not JSON"},
		{"application/problem+json", `{"title":"Not Found","status":404}`, "", "the description of a problem"},
	} {
		t.Run(test.contentType, func(t *testing.T) {
			client, s := serve(t, time.Minute, func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Content-Type"] = []string{test.contentType}
				_, _ = w.Write([]byte(test.body))
			})
			got, err := client.Promo(s)(t.Context(), visit)
			checkError(t, err, test.err)
			if got.Content.Title != test.want {
				t.Errorf("title %q, want %q", got.Content.Title, test.want)
			}
		})
	}
}

func TestCompression(t *testing.T) {
	client, s := serve(t, time.Minute, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "br")
		_, _ = w.Write([]byte("\x0b\x06"))
	})
	_, err := client.Promo(s)(t.Context(), visit)
	checkError(t, err, "compressed in another way than was asked for")
}

func TestTextsAreCleaned(t *testing.T) {
	for sent, want := range map[string]string{
		`T`:                             "T",
		`two\nlines\tand\r\nmore`:       "two lines and  more",
		` around `:                      "around",
		`bell\u0007 nul\u0000 c1\u0085`: "bell nul c1",
		`\u202eevil\u202c`:              "evil",
		`\u2066a\u2069\u202a\u2067\u2068\u202b\u202d`: "a",
		`עברית\u200f!`:                                "עברית\u200f!", // a mark that turns nothing else
		`👩\u200d👩\u200d👧`:                             "👩\u200d👩\u200d👧",
		`e\u0301`:                                     "e\u0301",
		`\u200b\u200c\u200d\ufeff`:                    "",
		`\u3164`:                                      "",
		`\u115f\u1160`:                                "",
		`\uffa0`:                                      "",
		`\u2800`:                                      "",
		`\u00a0\u2003\u3000`:                          "",
		`\u0301\u034f`:                                "",
		`\u00ad\ufe0f`:                                "",
		`\ud83d\ude00`:                                "😀",
		`<b>&amp;`:                                    "<b>&amp;", // all of it is text, the page escapes it
	} {
		client, s := serve(t, time.Minute, answer(200, `{"title":"`+sent+`","text":"X","url":"`+sent+`"}`))
		got, err := client.Promo(s)(t.Context(), visit)
		if diff := cmp.Diff(home.Promo{Title: want, Text: "X", URL: want}, got.Content); err != nil || diff != "" {
			t.Errorf("%s: %v %s", sent, err, diff)
		}
	}
}

// A failure's line says what came, and nothing that is secret.
func TestFailuresSayWhatCame(t *testing.T) {
	const secret = "s3cret value/1"
	header, err := service.ParseHeaders("Authorization: Bearer t0ken\nX-Key: hunter2")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
		want    string
	}{
		{"a page", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte("<html>\n\x1b[31m\u202e" + strings.Repeat("x", 100)))
		}, `got status 503 Service Unavailable, Content-Type "text/html", "<html>\n\x1b[31m\u202e` + strings.Repeat("x", 65) + `"...; expected`},
		{"an empty one", answer(404, ""), `got status 404 Not Found, no Content-Type, an empty body; expected`},
		{"an unknown status", answer(599, ""), `got status 599, `},
		{"an echo", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(strings.Repeat(" ", 60) + r.URL.RawQuery + r.URL.Query().Get("api_key") + "; " + r.Header.Get("Authorization") + r.Header.Get("X-Key")))
		}, `api_key=xxxxx`},
		{"an echo of the token alone", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ") + " " + r.Header.Get("X-Key")))
		}, `"xxxxx xxxxx"`},
		{"a Location that is no URL", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://[s3cret")
			w.WriteHeader(http.StatusFound)
		}, "redirected to what is not an http or https URL; got status 302 Found"},
		{"a Location elsewhere", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://s3cret.example/?x=s3cret")
			w.WriteHeader(http.StatusFound)
		}, "redirected to another host; got status 302 Found"},
		{"a header that can't be read", func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nX-Key s3cret\r\n\r\n"))
				_ = conn.Close()
			}
		}, "malformed MIME header"},
	} {
		t.Run(test.name, func(t *testing.T) {
			client, s := serve(t, time.Minute, test.handler)
			s.URL.RawQuery = "api_key=s3cret+value%2F1&flag"
			s.Header = header
			_, err := client.Promo(s)(t.Context(), visit)
			checkError(t, err, "GET "+strings.Split(s.URL.String(), "?")[0]+"?api_key=xxxxx&xxxxx: ", test.want)
			text := fmt.Sprint(err)
			for _, secret := range []string{secret, "s3cret", "t0ken", "hunter2"} {
				if strings.Contains(text, secret) {
					t.Errorf("%s holds %s", text, secret)
				}
			}
			if strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII || unicode.IsControl(r) }) || len(text) > 800 {
				t.Errorf("an error of %d bytes: %q", len(text), text)
			}
		})
	}
}

func TestURLsWithPasswords(t *testing.T) {
	client, s := serve(t, time.Minute, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		answer(401, user+" "+password+" "+r.Header.Get("Authorization"))(w, r)
	})
	s.URL.User = at(t, "http://reader:hunter2@example.com").URL.User
	_, err := client.Promo(s)(t.Context(), visit)
	checkError(t, err, "GET http://xxxxx@127.0.0.1:", `"xxxxx xxxxx xxxxx"`)
}

// Nothing that a service does makes an error of its own long.
func TestErrorsAreShort(t *testing.T) {
	client, s := serve(t, time.Minute, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", strings.Repeat("x", 10_000))
		_, _ = w.Write([]byte("[" + strings.Repeat("ä", 10_000)))
	})
	_, err := client.Promo(s)(t.Context(), visit)
	if text := fmt.Sprint(err); len(text) > 800 || !utf8.ValidString(text) {
		t.Errorf("an error of %d bytes: %q", len(text), text)
	}
}

// The status is enough of a failure: its body isn't waited for.
func TestARefusalThatGoesOn(t *testing.T) {
	client, s := serve(t, time.Minute, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write([]byte("I am still think"))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_, err := client.Promo(s)(ctx, visit)
	checkError(t, err, `got status 500 Internal Server Error`, `"I am still think"`)
	if ctx.Err() != nil {
		t.Error("waited for the whole body")
	}
}

func TestAVisitorWhoLeavesIsNoDeadline(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	client, s := serve(t, time.Minute, func(_ http.ResponseWriter, r *http.Request) {
		leave()
		<-r.Context().Done()
	})
	if _, err := client.Promo(s)(ctx, visit); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the cancellation", err)
	}
}
