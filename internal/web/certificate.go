package web

import (
	"bufio"
	"net/http"
	"strconv"

	"homepage/internal/certificate"
)

// sendCertificate issues a certificate of this moment. Two answers never hold
// the same bytes, so they must not be stored, and ranges of two of them must
// not be put together.
func (s *server) sendCertificate(w http.ResponseWriter, r *http.Request) error {
	template := s.Certificate() // another may come into service meanwhile
	var issued certificate.Certificate
	if r.Method != http.MethodHead {
		var err error
		if issued, err = template.Stamp(s.Now()); err != nil { // a signer may fail
			return err
		}
	}
	h := w.Header()
	h.Set("Content-Type", "application/pdf")
	h.Set("Content-Disposition", `attachment; filename="certificate.pdf"`)
	h.Set("Content-Length", strconv.Itoa(template.Size()))
	h.Set("Cache-Control", "no-store")
	h.Set("Accept-Ranges", "none")
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	out := s.outgoing.Get().(*bufio.Writer)
	if template.Size() <= out.Size() {
		out.Reset(w) // one piece, for which the server's own deadline will do
	} else {
		out.Reset(newPieceWriter(w))
	}
	_, err := issued.WriteTo(out)
	if err == nil {
		err = out.Flush()
	}
	out.Reset(nil) // let go of w
	s.outgoing.Put(out)
	if err != nil {
		// Half a certificate must not look whole. Most likely the visitor has
		// gone, so it is worth no more than a line for who looks for one.
		s.logFor(w).DebugContext(r.Context(), "certificate aborted", "err", err)
		panic(http.ErrAbortHandler)
	}
	if s.Meter != nil {
		s.Meter.CertificateIssued()
	}
	return nil
}
