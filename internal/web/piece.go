package web

import (
	"io"
	"net/http"
	"time"
)

// Each piece of a long answer has its own deadline, so that the answer may take
// its time while the visitor gets on, at about the pace that uploads must keep.
// The server's own deadline is for the whole.
const (
	pieceTime = time.Minute
	pieceSize = 64 << 10 // bytes, at most
)

// pieceWriter writes an answer in pieces.
type pieceWriter struct {
	w    io.Writer
	conn *http.ResponseController
}

func newPieceWriter(w http.ResponseWriter) *pieceWriter {
	return &pieceWriter{w, http.NewResponseController(w)}
}

func (p *pieceWriter) Write(b []byte) (int, error) {
	written := 0
	for written < len(b) {
		_ = p.conn.SetWriteDeadline(time.Now().Add(pieceTime)) // the next write tells if the connection is gone
		n, err := p.w.Write(b[written:min(len(b), written+pieceSize)])
		written += n
		if err != nil {
			return written, err
		}
	}
	return written, nil
}
