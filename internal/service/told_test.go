package service_test

import (
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"homepage/internal/home"
	"homepage/internal/service"
)

const (
	traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	tracestate  = "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"
)

// told returns what a service is told.
func told(t *testing.T, header http.Header, visit home.Visit) http.Header {
	t.Helper()
	var got http.Header
	client, s := serve(t, time.Minute, func(w http.ResponseWriter, r *http.Request) {
		got = maps.Clone(r.Header)
		answer(204, "")(w, r)
	})
	s.Header = header
	if _, err := client.Promo(s)(t.Context(), visit); err != nil {
		t.Fatal(err)
	}
	delete(got, "Accept-Encoding") // the transport's
	return got
}

func TestWhatServicesAreTold(t *testing.T) {
	for name, test := range map[string]struct {
		header http.Header
		visit  home.Visit
		want   http.Header
	}{
		"nothing of a visit without anything": {
			nil,
			home.Visit{},
			http.Header{"Accept": {"application/json"}, "User-Agent": {"homepage/1.2.3"}},
		},
		"the visit": {
			nil,
			home.Visit{RequestID: "abc-1", Traceparent: traceparent, Tracestate: tracestate},
			http.Header{
				"Accept": {"application/json"}, "User-Agent": {"homepage/1.2.3"},
				"X-Request-Id": {"abc-1"}, "Traceparent": {traceparent}, "Tracestate": {tracestate},
			},
		},
		"a tracestate needs a traceparent": {
			nil,
			home.Visit{Tracestate: tracestate},
			http.Header{"Accept": {"application/json"}, "User-Agent": {"homepage/1.2.3"}},
		},
		"an id that no header can have": {
			nil,
			home.Visit{RequestID: "a\r\nX-Evil: 1"},
			http.Header{"Accept": {"application/json"}, "User-Agent": {"homepage/1.2.3"}},
		},
		"the operator's": {
			http.Header{"Authorization": {"Bearer t"}, "X-Key": {"a", "b"}, "Accept": {"application/vnd.x+json"}, "User-Agent": {"x"}},
			home.Visit{},
			http.Header{"Authorization": {"Bearer t"}, "X-Key": {"a", "b"}, "Accept": {"application/vnd.x+json"}, "User-Agent": {"x"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, told(t, test.header, test.visit)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// W3C Trace Context, 3.2.
func TestTraceparent(t *testing.T) {
	for parent, want := range map[string]bool{
		traceparent: true,
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00":      true,
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff":      true, // flags not known yet
		"01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01":      true,
		"01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x.y":  true,
		"01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x":     false,
		"01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-\x7f": false,
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x":    false,
		"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01":      false,
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01":      false,
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01":      false,
		"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01":      false,
		"00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01":       false,
		"00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01":      false,
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g":      false,
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7":         false,
		"zz-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01":      false,
		"": false,
	} {
		got := told(t, nil, home.Visit{Traceparent: parent, Tracestate: tracestate})
		if got.Get("Traceparent") != map[bool]string{true: parent}[want] || (got.Get("Tracestate") != "") != want {
			t.Errorf("%q: told %v, want %t", parent, got, want)
		}
	}
}

// W3C Trace Context, 3.3.
func TestTracestate(t *testing.T) {
	members := func(n int) string { return strings.Join(numbered(n), ",") }
	for state, want := range map[string]bool{
		tracestate:                      true,
		"a=1":                           true,
		"a=1 , b=2,\tc=3":               true,
		"a=1,,b=2":                      true,
		"a_-*/9=!~ x":                   true,
		"0tenant@system=1":              true,
		members(32):                     true,
		"a=" + strings.Repeat("x", 256): true,
		strings.Repeat("a", 256) + "=1": true,
		members(33):                     false,
		"a=" + strings.Repeat("x", 257): false,
		strings.Repeat("a", 257) + "=1": false,
		"a=" + strings.Repeat("x", 250) + ",b=" + strings.Repeat("x", 250) + ",c=1234567": false, // 513 characters
		"":                                    false,
		",":                                   false,
		"a":                                   false,
		"a=":                                  false,
		"=1":                                  false,
		"A=1":                                 false,
		"9=1":                                 false,
		"a@b@c=1":                             false,
		"t@9s=1":                              false,
		"a=1,a=2":                             false,
		"a=b=c":                               false,
		"a=é":                                 false,
		"a b=1":                               false,
		"t@" + strings.Repeat("s", 15) + "=1": false,
		strings.Repeat("t", 242) + "@s=1":     false,
	} {
		got := told(t, nil, home.Visit{Traceparent: traceparent, Tracestate: state})
		if got.Get("Tracestate") != map[bool]string{true: state}[want] || got.Get("Traceparent") != traceparent {
			t.Errorf("%q: told %q, want %t", state, got.Get("Tracestate"), want)
		}
	}
}

// numbered returns n members of a tracestate.
func numbered(n int) []string {
	var members []string
	for i := range n {
		members = append(members, "k"+strings.Repeat("x", i/26)+string(rune('a'+i%26))+"=1")
	}
	return members
}

func TestParseHeaders(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	write(t, file, "# keys\r\nX-Key: from a file\r\n\r\nX-Other:1\n")
	for text, want := range map[string]http.Header{
		"":                           {},
		"\n  \n# X-Key: no\n":        {},
		"X-Key: secret":              {"X-Key": {"secret"}},
		"x-key:secret\nX-KEY:  two ": {"X-Key": {"secret", "two"}},
		"X-Empty:":                   {"X-Empty": {""}},
		"Authorization: Basic a:b=":  {"Authorization": {"Basic a:b="}},
		"X-Name: Café":               {"X-Name": {"Café"}},
		"@" + file:                   {"X-Key": {"from a file"}, "X-Other": {"1"}},
		"X-Key: 1\n@" + file:         {"X-Key": {"1", "from a file"}, "X-Other": {"1"}},
	} {
		got, err := service.ParseHeaders(text)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%q: %v %s", text, err, diff)
		}
	}
}

func TestHeadersThatAreRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	write(t, file, "X-Key: 1\nHost: secret\n")
	nested := filepath.Join(t.TempDir(), "nested")
	write(t, nested, "@"+file)
	for text, want := range map[string]string{
		"X-Key: 1\n\nsecret":          "line 3: not of the form Name: value",
		"secret key: 1":               "line 1: not of the form Name: value",
		"sécret: 1":                   "line 1: not of the form Name: value",
		": secret":                    "line 1: not of the form Name: value",
		"X-Key : secret":              "line 1: not of the form Name: value",
		"X-Key: secret\x01":           "line 1: the value of X-Key has characters",
		"X-Key: 1\n@" + file:          "line 2: " + file + ": line 2: Host can't be set",
		"@" + nested:                  "line 1: " + nested + ": line 1: not of the form Name: value",
		"@/nowhere/keys":              "line 1: open /nowhere/keys: no such file",
		"host: secret":                "line 1: Host can't be set",
		"Content-Length: secret":      "Content-Length can't be set",
		"Connection: secret":          "Connection can't be set",
		"Keep-Alive: secret":          "Keep-Alive can't be set",
		"Proxy-Connection: secret":    "Proxy-Connection can't be set",
		"proxy-authorization: secret": "Proxy-Authorization can't be set",
		"TE: secret":                  "Te can't be set",
		"Trailer: secret":             "Trailer can't be set",
		"Transfer-Encoding: secret":   "Transfer-Encoding can't be set",
		"Upgrade: secret":             "Upgrade can't be set",
		"Expect: secret":              "Expect can't be set",
		"Accept-Encoding: secret":     "Accept-Encoding can't be set",
		"If-None-Match: secret":       "If-None-Match can't be set",
		"if-modified-since: secret":   "If-Modified-Since can't be set",
		"Range: secret":               "Range can't be set",
		"X-Request-ID: secret":        "X-Request-Id can't be set",
		"traceparent: secret":         "Traceparent can't be set",
		"tracestate: secret":          "Tracestate can't be set",
	} {
		_, err := service.ParseHeaders(text)
		checkError(t, err, want)
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%v says the value", err)
		}
	}
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
