package logging

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"time"
)

// output is a log as its reader sees it: whole lines, and a word where some are
// missing.
type output struct {
	w       io.Writer
	torn    bool         // the last line is there in part
	missing int64        // lines, at its end
	direct  slog.Handler // writes to the output
}

// put writes lines and returns how many of them failed.
func (o *output) put(lines []byte) (failed int64) {
	written := 0
	if o.report() == nil {
		written, _ = o.Write(lines)
	}
	return int64(bytes.Count(lines[written:], []byte{'\n'}))
}

// report says how many lines are missing, if any are.
func (o *output) report() error {
	ctx := context.Background()
	if o.missing > 0 && o.direct.Enabled(ctx, slog.LevelWarn) {
		record := slog.NewRecord(time.Now(), slog.LevelWarn, "log lines dropped, as they could not be written", 0)
		record.AddAttrs(slog.Int64("lines", o.missing))
		if err := o.direct.Handle(ctx, record); err != nil {
			return err
		}
	}
	o.missing = 0
	return nil
}

// Write ends a line that an error tore, as on a full disk, before it writes more.
func (o *output) Write(lines []byte) (int, error) {
	if o.torn {
		if _, err := o.w.Write([]byte{'\n'}); err != nil {
			return 0, err
		}
	}
	n, err := o.w.Write(lines)
	o.torn = n > 0 && lines[n-1] != '\n'
	return n, err
}
