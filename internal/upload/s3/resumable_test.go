package s3_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"homepage/internal/upload"
	"homepage/internal/upload/s3"
	"homepage/internal/upload/s3/s3test"
)

// random returns bytes that can't be mixed up with others.
func random(size int) []byte {
	content := make([]byte, size)
	_, _ = rand.Read(content)
	return content
}

func create(t *testing.T, store *s3.Store, name string) (id string) {
	t.Helper()
	id = rand.Text()
	if err := store.Create(t.Context(), id, upload.About{Name: name, Length: -1}); err != nil {
		t.Fatal(err)
	}
	return id
}

// An upload goes on in any program, in parts of any size, and becomes a form that
// is as any other.
func TestPartsThroughSeveralPrograms(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	programs := []*s3.Store{open(t, server.URL), open(t, server.URL)}
	for name, sizes := range map[string][]int{
		"small":                {3},
		"small parts":          {1, 0, 5, 100_000},
		"just a part":          {6 << 20},
		"a part and a bit":     {6 << 20, 1},
		"a bit and a part":     {1, 6 << 20},
		"parts across":         {5 << 20, 2 << 20, 6 << 20, 77},
		"several parts at one": {2 * severalParts},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id := create(t, programs[0], `C:\`+name+".bin")
			var whole []byte
			for n, size := range sizes {
				part := random(size)
				state, err := programs[n%2].Append(t.Context(), id, int64(len(whole)), -1, bytes.NewReader(part))
				whole = append(whole, part...)
				if err != nil || state.Offset != int64(len(whole)) || state.SHA256 != sha256.Sum256(whole) || state.Receipt != nil {
					t.Fatalf("after part %d: offset %d, %v", n, state.Offset, err)
				}
				if loaded, err := programs[(n+1)%2].Load(t.Context(), id); err != nil || loaded.Offset != state.Offset || loaded.Name != `C:\`+name+".bin" {
					t.Fatalf("elsewhere after part %d: offset %d, %v", n, loaded.Offset, err)
				}
			}
			for _, program := range programs {
				state, err := program.Finish(t.Context(), id)
				if err != nil || state.Receipt == nil {
					t.Fatalf("%+v, %v", state, err)
				}
				key := "the site/TestPartsThroughSeveralPrograms/files/" + state.Receipt.Name
				if objects := server.Objects(t, key); !bytes.Equal(objects[key], whole) {
					t.Errorf("%s is not what was sent", key)
				}
				form, _, _ := strings.Cut(state.Receipt.Name, "/")
				if records := server.Keys(t, "the site/TestPartsThroughSeveralPrograms/forms/"+form); len(records) != 1 {
					t.Errorf("%d records, want 1", len(records))
				}
				if strings.Contains(state.Receipt.Name, id) {
					t.Error("the name tells the secret")
				}
			}
			if _, err := programs[0].Append(t.Context(), id, 0, -1, strings.NewReader("x")); !isOffset(err, int64(len(whole))) {
				t.Errorf("a part more: %v", err)
			}
		})
	}
}

func isOffset(err error, want int64) bool {
	offset, ok := errors.AsType[*upload.OffsetError](err)
	return ok && offset.Want == want
}

// What came of a part that was cut off is kept.
func TestPartThatIsCutOff(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	store := open(t, server.URL)
	id, whole, cut := create(t, store, "a"), random(10<<20), errors.New("cut")
	for offset, most := 0, 8<<20; offset < len(whole); {
		rest := whole[offset:min(offset+most, len(whole))]
		state, err := store.Append(t.Context(), id, int64(offset), int64(len(whole)), io.MultiReader(bytes.NewReader(rest), iotest.ErrReader(cut)))
		offset += len(rest)
		if !errors.Is(err, cut) || state.Offset != int64(offset) || state.Length != int64(len(whole)) {
			t.Fatalf("%+v, %v; want %d bytes and the cut", state, err, offset)
		}
	}
	if _, err := store.Finish(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for _, content := range visible(t, server) {
		if !bytes.Equal(content, whole) {
			t.Error("it is not what was sent")
		}
	}
}

// Of two programs that add to an upload at once, at the same offset, one goes on,
// and nothing of the other's is in the file.
func TestTwoProgramsAtOneOffset(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	first, second := open(t, server.URL), open(t, server.URL)
	id, lost, won := create(t, first, "a"), random(7<<20), random(severalParts)
	began, end := make(chan struct{}), make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		state, err := first.Append(t.Context(), id, 0, -1, io.MultiReader(
			calling(func() { close(began); <-end }), bytes.NewReader(lost)))
		if !isOffset(err, int64(len(won))) || state.Offset != int64(len(won)) {
			t.Errorf("the first is at %d with %v, want it to learn of %d", state.Offset, err, len(won))
		}
	})
	<-began
	if state, err := second.Append(t.Context(), id, 0, -1, bytes.NewReader(won)); err != nil || state.Offset != int64(len(won)) {
		t.Errorf("the second is at %d, %v", state.Offset, err)
	}
	close(end)
	group.Wait()
	state, err := second.Finish(t.Context(), id)
	if err != nil || state.Receipt.SHA256 != sha256.Sum256(won) {
		t.Errorf("%+v, %v", state, err)
	}
	for _, content := range visible(t, server) {
		if !bytes.Equal(content, won) {
			t.Error("the file is not the second's")
		}
	}
}

// Many programs that add at one offset leave one whole part.
func TestManyProgramsAtOneOffset(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	store := open(t, server.URL)
	id := create(t, store, "a")
	var group sync.WaitGroup
	won := make(chan []byte, 8)
	for range cap(won) {
		group.Go(func() {
			part := random(severalParts)
			state, err := store.Append(t.Context(), id, 0, -1, bytes.NewReader(part))
			if _, moved := errors.AsType[*upload.OffsetError](err); err == nil && state.Offset == int64(len(part)) {
				won <- part
			} else if _, busy := errors.AsType[*upload.UnavailableError](err); !moved && !busy {
				t.Errorf("offset %d, %v", state.Offset, err)
			}
		})
	}
	group.Wait()
	close(won)
	if len(won) != 1 {
		t.Fatalf("%d programs added their part, want 1", len(won))
	}
	state, err := store.Finish(t.Context(), id)
	if err != nil || state.SHA256 != sha256.Sum256(<-won) {
		t.Errorf("%+v, %v", state, err)
	}
	visible(t, server)
}

// Whatever call fails, the upload goes on afterwards, from where it says it is.
func TestPartsAndFaults(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	state := func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/unfinished/") }
	for _, fault := range []struct {
		name  string
		make  s3test.Fault
		count int64
	}{{"cut once", s3test.Cut, 1}, {"lost answers on and on", s3test.Lost, 9}} {
		for call, is := range map[string]func(*http.Request) bool{
			"state": state, "part": s3test.IsPart, "complete": s3test.IsComplete, "record": s3test.IsRecord,
		} {
			t.Run(fault.name+": "+call, func(t *testing.T) {
				t.Parallel()
				proxy := server.Before(t)
				store := open(t, proxy.URL)
				id, whole := create(t, store, "a"), random(severalParts)
				proxy.Set(fault.make.Times(fault.count).Only(is))
				state, err := store.Append(t.Context(), id, 0, -1, bytes.NewReader(whole))
				if err == nil {
					_, err = store.Finish(t.Context(), id)
				}
				if _, ok := errors.AsType[*upload.UnavailableError](err); fault.count == 1 && err != nil || err != nil && !ok {
					t.Errorf("%+v, %v", state, err)
				}
				proxy.Set(nil)
				elsewhere := open(t, server.URL)
				if state, err = elsewhere.Load(t.Context(), id); err != nil {
					t.Fatal(err)
				}
				if state.Receipt == nil {
					if _, err := elsewhere.Append(t.Context(), id, state.Offset, -1, bytes.NewReader(whole[state.Offset:])); err != nil {
						t.Fatal(err)
					}
				}
				if state, err = elsewhere.Finish(t.Context(), id); err != nil || state.Receipt.SHA256 != sha256.Sum256(whole) {
					t.Errorf("%+v, %v", state, err)
				}
				if there := visible(t, server); len(there) != 1 {
					t.Errorf("%d files are visible, want 1", len(there))
				}
			})
		}
	}
}

// An upload that nobody goes on with is swept, and what is swept or removed can't
// be gone on with, not even by a program that has begun to.
func TestPartsAreSwept(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	store, other := open(t, server.URL), open(t, server.URL)
	ids := []string{create(t, store, "small"), create(t, store, "large"), create(t, store, "finished")}
	for n, size := range []int{5, severalParts, severalParts} {
		if _, err := store.Append(t.Context(), ids[n], 0, -1, bytes.NewReader(random(size))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := store.Finish(t.Context(), ids[2]); err != nil {
		t.Fatal(err)
	}
	if err := other.Sweep(t.Context(), time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if state, err := other.Load(t.Context(), ids[1]); err != nil || state.Offset != severalParts {
		t.Errorf("a young one after a sweep: %+v, %v", state, err)
	}
	_, err := store.Append(t.Context(), ids[0], 5, -1, io.MultiReader(calling(func() {
		if err := other.Sweep(t.Context(), time.Now().Add(time.Minute)); err != nil {
			t.Error(err)
		}
	}), strings.NewReader("late")))
	if !errors.Is(err, upload.ErrUnknown) {
		t.Errorf("a part that was late: %v", err)
	}
	for _, id := range append(ids, rand.Text()) {
		if state, err := store.Load(t.Context(), id); !errors.Is(err, upload.ErrUnknown) {
			t.Errorf("after a sweep there is %+v, %v", state, err)
		}
	}
	removed := create(t, store, "removed")
	if _, err := store.Append(t.Context(), removed, 0, -1, bytes.NewReader(random(severalParts))); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(store.Remove(t.Context(), removed), store.Remove(t.Context(), removed)); err != nil {
		t.Error(err)
	}
	if _, err := store.Append(t.Context(), removed, severalParts, -1, strings.NewReader("x")); !errors.Is(err, upload.ErrUnknown) {
		t.Errorf("after its removal: %v", err)
	}
	for range 3 {
		if err := other.Sweep(t.Context(), time.Now().Add(time.Minute)); err != nil {
			t.Error(err)
		}
	}
	if there, left := visible(t, server), leftovers(t, server); len(there) != 1 || left != nil {
		t.Errorf("%d of 1 files are visible, and there are %q", len(there), left)
	}
	if left := server.Keys(t, "the site/TestPartsAreSwept/unfinished/"); len(left) > 0 {
		t.Errorf("%d objects of unfinished uploads are left", len(left))
	}
}
