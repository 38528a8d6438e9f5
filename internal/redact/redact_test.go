package redact_test

import (
	"net/url"
	"testing"

	"homepage/internal/redact"
)

func TestURL(t *testing.T) {
	for raw, want := range map[string]string{
		"https://example.com/a/b.pdf":                  "https://example.com/a/b.pdf",
		"http://reader:secret@example.com:8080/":       "http://xxxxx@example.com:8080/",
		"http://secret@example.com/":                   "http://xxxxx@example.com/",
		"https://example.com/?api_key=secret&x=secret": "https://example.com/?api_key=xxxxx&x=xxxxx",
		"https://example.com/?api_key=a=secret":        "https://example.com/?api_key=xxxxx",
		"https://example.com/?secret":                  "https://example.com/?xxxxx",
		"https://example.com/?a=secret;b=secret":       "https://example.com/?a=xxxxx",
		"https://example.com/?":                        "https://example.com/?",
		"https://example.com/#secret":                  "https://example.com/",
		"https:secret@example.com?secret":              "https:xxxxx?xxxxx",
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := redact.URL(u); got != want {
			t.Errorf("%s: %s, want %s", raw, got, want)
		}
		if u.String() != raw {
			t.Errorf("%s was changed to %s", raw, u)
		}
	}
}
