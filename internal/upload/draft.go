package upload

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
)

// drafts make files that nobody sees until they are linked to a name.
type drafts interface {
	// create opens a new draft for writing, without execute bits.
	create() (*os.File, error)
	// link gives the draft a name in the folder; fs.ErrExist says it is taken.
	link(file *os.File, name string) error
	// discard closes the draft. A name that it was linked to stays.
	discard(file *os.File) error
}

const draftMode = 0o640

// draftPrefix begins the names of drafts that can't do without. CleanName never
// returns a name with a leading dot, so that none can clash.
const draftPrefix = ".part-"

func randomName() string { return draftPrefix + rand.Text() }

// namedDrafts have hidden names. They work on every system, but a killed
// program leaves them behind.
type namedDrafts struct{ root *os.Root }

func (d namedDrafts) create() (*os.File, error) {
	return d.root.OpenFile(randomName(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, draftMode)
}

func (d namedDrafts) link(file *os.File, name string) error {
	return d.root.Link(filepath.Base(file.Name()), name)
}

func (d namedDrafts) discard(file *os.File) error {
	return errors.Join(file.Close(), d.root.Remove(filepath.Base(file.Name())))
}
