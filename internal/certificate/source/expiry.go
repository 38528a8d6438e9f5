package source

import (
	"context"
	"time"

	"homepage/internal/certificate/signature"
)

const (
	expiryNotice = 30 * 24 * time.Hour // before the end, from when on the log warns
	expiryPace   = 24 * time.Hour      // of the warnings
)

// tellSigner logs who signs from now on.
func (s *Source) tellSigner(ctx context.Context, signer *signature.Signer) {
	leaf := signer.Leaf()
	s.log.InfoContext(ctx, "certificates are signed", "signer", leaf.Subject.String(), "serial", leaf.SerialNumber.String(), "expires", signer.Expires())
	s.warnOfExpiry(ctx)
}

// warnOfExpiry says that the chain of the signer in service expires soon, or has.
func (s *Source) warnOfExpiry(ctx context.Context) {
	expires := s.Template().SigningExpires()
	switch left := time.Until(expires); {
	case expires.IsZero() || left > expiryNotice:
	case left > 0:
		s.log.WarnContext(ctx, "what signs certificates expires soon; renew it and send SIGHUP", "expires", expires, "days", int(left.Hours()/24))
	default:
		s.log.ErrorContext(ctx, "what signs certificates has expired, and readers call new ones invalid; renew it and send SIGHUP", "expires", expires)
	}
}
