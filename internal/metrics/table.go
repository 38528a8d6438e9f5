package metrics

import "sync"

// table finds the counter of a combination of labels, and makes it when it is
// first asked for. The library has the same by name, but putting a name together
// takes longer than all else that is done for a request.
type table[K comparable, V any] struct {
	create func(K) V

	mu  sync.RWMutex
	all map[K]V
}

func newTable[K comparable, V any](create func(K) V) *table[K, V] {
	return &table[K, V]{create: create, all: map[K]V{}}
}

func (t *table[K, V]) at(key K) V {
	t.mu.RLock()
	value, ok := t.all[key]
	t.mu.RUnlock()
	if ok {
		return value
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if value, ok = t.all[key]; !ok { // another may have been quicker
		value = t.create(key)
		t.all[key] = value
	}
	return value
}
