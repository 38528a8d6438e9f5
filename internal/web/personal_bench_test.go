package web_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"homepage/internal/home"
	"homepage/internal/web"
)

// BenchmarkPersonalHome makes a page that is for one visitor alone.
func BenchmarkPersonalHome(b *testing.B) {
	all, _ := deps(b, io.Discard)
	all.Gather = func(ctx context.Context, visit home.Visit) home.Page {
		promo, recco := *promo, *recco
		promo.Personal, recco.Personal = true, true
		return sections(&promo, &recco)(ctx, visit)
	}
	handler, err := web.New(all)
	if err != nil {
		b.Fatal(err)
	}
	request := httptest.NewRequest(http.MethodGet, "/", nil)
	request.Header.Set("Accept-Encoding", "gzip")
	b.ReportAllocs()
	for b.Loop() {
		got := httptest.NewRecorder()
		if handler.ServeHTTP(got, request); got.Code != http.StatusOK {
			b.Fatal(got.Code)
		}
	}
}
