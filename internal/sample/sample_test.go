package sample_test

import (
	"errors"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"homepage/internal/home"
	"homepage/internal/sample"
	"homepage/internal/service"
)

func picture(name string) (string, error) { return "/pictures/" + name, nil }

// The samples keep the contract as our own client reads it, and leave nothing empty.
func TestTheClientUnderstandsTheSamples(t *testing.T) {
	handler, err := sample.New(0, picture)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	defer server.Close()
	base, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := service.NewClient(service.Options{Timeout: time.Minute, Log: slog.New(slog.DiscardHandler)})
	defer client.Close()

	answer, err := client.Promo(service.Service{URL: base.JoinPath(sample.PromoPath)})(t.Context(), home.Visit{})
	if err != nil {
		t.Fatal(err)
	}
	promo := answer.Content
	if promo.Title == "" || promo.Text == "" || promo.URL == "" || promo.Action == "" || !strings.HasPrefix(promo.Image, "/pictures/") {
		t.Errorf("promo %+v has gaps", promo)
	}
	recommended, err := client.Recommendations(service.Service{URL: base.JoinPath(sample.ReccoPath)})(t.Context(), home.Visit{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range recommended.Content {
		if r.Title == "" || r.URL == "" || r.Reason == "" || !strings.HasPrefix(r.Image, "/pictures/") {
			t.Errorf("recommendation %+v has gaps", r)
		}
	}
}

func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handler, err := sample.New(3*time.Second, picture)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{sample.PromoPath, sample.ReccoPath} {
			start := time.Now()
			handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", path, nil))
			if got := time.Since(start); got != 3*time.Second {
				t.Errorf("%s answered after %v, want 3s", path, got)
			}
		}
	})
}

func TestAMissingPictureStopsTheStart(t *testing.T) {
	errMissing := errors.New("no picture")
	if _, err := sample.New(0, func(string) (string, error) { return "", errMissing }); !errors.Is(err, errMissing) {
		t.Errorf("error %v, want the picture's", err)
	}
}
