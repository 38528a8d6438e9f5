package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/klauspost/compress/gzhttp"

	"homepage/internal/certificate"
)

// verifyMore is how many bytes larger a file may be than the certificates in
// service and still be looked at: others were made of other templates, or had
// something added to them.
const verifyMore = 4 << 20

// verifyView is what verify.html shows.
type verifyView struct {
	Mistake *validationError // nil until a form was refused
	Most    int64            // bytes of a file
	Verdict *certificate.Verdict
}

// signed tells whether certificates are signed.
func (s *server) signed() bool { return s.Certificate().Leaf() != nil }

func (s *server) showVerifyForm(w http.ResponseWriter, r *http.Request) error {
	return s.verifyPage.write(w, r, http.StatusOK, verifyView{Most: mostVerified(s.Certificate())})
}

func mostVerified(template *certificate.Template) int64 { return int64(template.Size()) + verifyMore }

// verifyCertificate tells what a certificate's signature says. It judges the file
// as it streams in, and keeps nothing of it.
func (s *server) verifyCertificate(w http.ResponseWriter, r *http.Request) error {
	template := s.Certificate()
	most := mostVerified(template)
	form, release, err := s.admitForm(w, r, most+formOverhead)
	if err != nil {
		return tooLargeToVerify(err, most)
	}
	defer release()
	verdict, err := verifyFirst(form, most, template)
	// The server's own deadline counts from the headers, which may be long ago.
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTimeout)); err != nil {
		return err
	}
	invalid, isInvalid := errors.AsType[*validationError](err)
	switch {
	case isInvalid && wantsJSON(r):
		return &statusError{status: http.StatusUnprocessableEntity, detail: invalid.Error()}
	case isInvalid:
		w.Header().Set(gzhttp.HeaderNoCompression, "1") // sent whole at once, see linger
		return s.verifyPage.write(w, r, http.StatusUnprocessableEntity, verifyView{Mistake: invalid, Most: most})
	case err != nil:
		return tooLargeToVerify(err, most)
	case wantsJSON(r):
		return writeVerdict(w, verdict)
	}
	return s.verifyPage.write(w, r, http.StatusOK, verifyView{Most: most, Verdict: &verdict})
}

// verifyFirst judges the form's file, which must be its only one.
func verifyFirst(f *form, most int64, template *certificate.Template) (verdict certificate.Verdict, err error) {
	for file, err := range f.files(Limits{Bytes: most, Files: 1, Concurrent: 0, PerClient: 0}) {
		if err != nil {
			return verdict, err
		}
		if verdict, err = template.Verify(file.Body); err != nil {
			return verdict, err
		}
	}
	return verdict, nil
}

// tooLargeToVerify says of a file that is too large what that means.
func tooLargeToVerify(err error, most int64) error {
	if marked, ok := errors.AsType[*statusError](err); ok && marked.status == http.StatusRequestEntityTooLarge {
		return failWith(marked.status, fmt.Sprintf("Our certificates have at most %s, so this file was not looked at.", formatBytes(most)), err)
	}
	return err
}

func writeVerdict(w http.ResponseWriter, verdict certificate.Verdict) error {
	body, err := json.Marshal(struct {
		Genuine bool   `json:"genuine"`
		Stamp   string `json:"stamp,omitempty"`
		Problem string `json:"problem,omitempty"`
	}(verdict))
	if err != nil {
		return err
	}
	writeBody(w, http.StatusOK, "application/json", append(body, '\n'))
	return nil
}
