package home_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"homepage/internal/home"
)

// A page has what arrives within the grace at once, and the rest when it comes.
func Example() {
	ctx, end := context.WithCancel(context.Background())
	defer end()
	promo := func(context.Context, home.Visit) (home.Answer[home.Promo], error) {
		return home.Answer[home.Promo]{Content: home.Promo{Title: "Cake on Friday"}}, nil
	}
	recommendations := func(context.Context, home.Visit) (home.Answer[home.Recommendations], error) {
		return home.Answer[home.Recommendations]{}, errors.New("connection refused")
	}
	homepage := home.New(ctx, home.Options{Log: slog.New(slog.DiscardHandler), Grace: time.Minute, CacheBytes: 1 << 20}, promo, recommendations)

	page := homepage.Gather(ctx, home.Visit{})
	<-page.Promo.Arrived()
	fmt.Println(page.Promo.Section().State, page.Promo.Section().Content.Title)
	<-page.Recommendations.Arrived()
	fmt.Println(page.Recommendations.Section().State, page.Recommendations.Section().Err)
	// Output:
	// fresh Cake on Friday
	// failed connection refused
}
