package redirect_test

import (
	"net/url"
	"testing"

	"homepage/internal/redirect"
)

func TestCheck(t *testing.T) {
	for _, test := range []struct {
		from, to string
		want     string // of the error, or empty
	}{
		{"http://a.example/x", "http://a.example/y?z", ""},
		{"http://a.example/x", "http://A.EXAMPLE:80/y", ""},
		{"http://a.example/x", "https://a.example/x", ""},
		{"https://a.example/x", "http://a.example/x", "redirected from https to http"},
		{"http://a.example/x", "http://b.example/x", "redirected to another host"},
		{"http://a.example/x", "http://a.example:8080/x", "redirected to another host"},
		{"http://a.example/x", "ftp://a.example/x", "redirected to what is not an http or https URL"},
		{"http://a.example/x", "http:///x", "redirected to what is not an http or https URL"},
	} {
		from, err := url.Parse(test.from)
		if err != nil {
			t.Fatal(err)
		}
		to, err := url.Parse(test.to)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := redirect.Check(from, to); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("from %s to %s: %q, want %q", test.from, test.to, got, test.want)
		}
	}
}
