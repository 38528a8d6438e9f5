package web

import (
	"context"
	"errors"
	"net/http"

	"homepage/internal/home"
	"homepage/internal/upload"
)

// homeView is what home.html asks for. A section whose content is nil failed.
type homeView struct {
	Notice          []upload.Receipt // what the visitor has just stored
	Promo           *home.Promo
	Recommendations *home.Recommendations
}

func exampleHome() homeView {
	return homeView{
		Notice:          []upload.Receipt{{Name: "a-1.txt", Original: "a.txt", Bytes: 1}},
		Promo:           &home.Promo{Title: "T", Text: "X", URL: "/u", Action: "A", Image: "/i"},
		Recommendations: &home.Recommendations{{Title: "T", URL: "/u", Reason: "R", Image: "/i"}, {}},
	}
}

// showHome answers 200 whatever the services do: a section that failed is
// logged here and said kindly on the page.
func (s *server) showHome(w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodHead {
		// Nobody will see the sections, so no service is called for them.
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusOK)
		return nil
	}
	var view homeView
	for _, section := range s.Gather(r.Context()) {
		switch content := section.Content.(type) {
		case home.Promo:
			view.Promo = &content
		case home.Recommendations:
			view.Recommendations = &content
		}
		s.logSection(r, section)
	}
	if r.Context().Err() == nil { // else the visitor has left, and the notice waits for the next visit
		view.Notice = s.notices.take(w, r)
	}
	if view.Notice != nil {
		w.Header().Set("Cache-Control", "no-store") // it is shown once
	}
	return s.homePage.write(w, r, http.StatusOK, view)
}

func (s *server) logSection(r *http.Request, section home.Section) {
	log := s.logFor(r).With("section", section.Name, "ms", millis(section.Took))
	switch {
	case section.Err == nil:
		log.DebugContext(r.Context(), "section loaded")
	case errors.Is(section.Err, context.Canceled):
		// The visitor left, which is no failure of the service's.
	default:
		log.ErrorContext(r.Context(), "section failed", "err", section.Err)
	}
}
