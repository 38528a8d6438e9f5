package home

// Breakers returns the states of the sections' circuit breakers: closed,
// half-open or open.
func (h *Home) Breakers() (promo, recommendations string) {
	return h.promo.breaker.State().String(), h.recommendations.breaker.State().String()
}
