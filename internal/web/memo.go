package web

import "sync"

// memo makes values of keys and remembers the last of those that many want.
// Whoever wants the same one while it is made waits for it. It is safe for
// concurrent use.
type memo[K, V any] struct {
	personal func(K) bool // whether few want the value: it is made each time
	same     func(a, b K) bool
	make     func(K) V

	mu    sync.Mutex
	full  bool
	key   K
	value V
}

func newMemo[K, V any](personal func(K) bool, same func(a, b K) bool, make func(K) V) *memo[K, V] {
	return &memo[K, V]{personal: personal, same: same, make: make}
}

func (m *memo[K, V]) get(key K) V {
	if m.personal(key) {
		return m.make(key)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.full || !m.same(m.key, key) {
		m.value = m.make(key)
	}
	m.full, m.key = true, key // the newest, which the next is likely to be
	return m.value
}
