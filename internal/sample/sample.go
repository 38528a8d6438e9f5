// Package sample is a promo and a recommendation service with believable
// content, so that the program shows a whole homepage without anything else
// being started. The programme of the library that it speaks of is invented;
// the books are real and their links lead to Project Gutenberg.
package sample

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Paths of the two services.
const (
	PromoPath = "/promo"
	ReccoPath = "/recommendations"
)

type promo struct {
	Title  string `json:"title"`
	Text   string `json:"text"`
	URL    string `json:"url"`
	Action string `json:"action"`
	Image  string `json:"image"`
}

type recommendations struct {
	Items []recommendation `json:"items"`
}

type recommendation struct {
	Title  string `json:"title"`
	URL    string `json:"url"`
	Reason string `json:"reason"`
	Image  string `json:"image"`
}

// New returns both services as one handler. Every answer waits for delay.
// picture gives the URL of a picture that the site serves, by its file name.
func New(delay time.Duration, picture func(name string) (string, error)) (http.Handler, error) {
	offer := promo{
		Title:  "The Winter Reading Challenge",
		Text:   "Finish three books before the days grow longer, send us your reading list, and take home a certificate. Cocoa is on us every Thursday night.",
		URL:    "/upload",
		Action: "Send your reading list",
		Image:  "challenge.svg",
	}
	picks := recommendations{Items: []recommendation{
		{"Frankenstein", "https://www.gutenberg.org/ebooks/84", "Because the nights are long and you like them stormy", "frankenstein.svg"},
		{"The Time Machine", "https://www.gutenberg.org/ebooks/35", "Short enough for one evening", "time-machine.svg"},
		{"Moby-Dick", "https://www.gutenberg.org/ebooks/2701", "You asked for something that lasts until spring", "moby-dick.svg"},
		{"The Secret Garden", "https://www.gutenberg.org/ebooks/113", "Most borrowed by readers of the challenge", "secret-garden.svg"},
		{"Walden", "https://www.gutenberg.org/ebooks/205", "A quiet one, for after the holidays", "walden.svg"},
		{"Treasure Island", "https://www.gutenberg.org/ebooks/120", "Good to read aloud, ages nine to ninety", "treasure-island.svg"},
	}}

	images := []*string{&offer.Image}
	for i := range picks.Items {
		images = append(images, &picks.Items[i].Image)
	}
	for _, image := range images {
		u, err := picture(*image)
		if err != nil {
			return nil, fmt.Errorf("sample: %w", err)
		}
		*image = u
	}

	mux := http.NewServeMux()
	mux.HandleFunc("GET "+PromoPath, answer(delay, offer))
	mux.HandleFunc("GET "+ReccoPath, answer(delay, picks))
	return mux, nil
}

func answer(delay time.Duration, value any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(delay):
		case <-r.Context().Done():
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(value) // the caller has gone if this fails
	}
}
