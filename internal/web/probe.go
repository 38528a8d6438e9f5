package web

import (
	"encoding/json"
	"net/http"
)

// showReadiness tells load balancers whether to send visitors here.
func (s *server) showReadiness(w http.ResponseWriter, r *http.Request) {
	reason := s.Unready(r.Context())
	status, state, word := http.StatusOK, "ready", "ready"
	if reason != "" {
		status, state, word = http.StatusServiceUnavailable, "unready", reason
	}
	if !wantsJSON(r) {
		writeProbe(w, status, word)
		return
	}
	body, _ := json.Marshal(struct { // strings can always be written
		Status string `json:"status"`
		Reason string `json:"reason,omitempty"`
	}{state, reason})
	w.Header().Set("Cache-Control", "no-store")
	writeBody(w, status, "application/json", append(body, '\n'))
}

func writeProbe(w http.ResponseWriter, status int, word string) {
	w.Header().Set("Cache-Control", "no-store")
	writeBody(w, status, "text/plain; charset=utf-8", []byte(word+"\n"))
}
