package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"homepage/internal/certificate/keypair"
	"homepage/internal/certificate/signature"
	"homepage/internal/certificate/source"
)

// signing returns what reads the signer of certificates, or nil if the settings
// name none.
func signing(s settings, log *slog.Logger) (source.Sign, error) {
	switch {
	case s.CertificateSigningKey == "" && s.CertificateSigningChain == "":
		return nil, nil
	case s.CertificateSigningKey == "":
		return nil, usageError{"CERTIFICATE_SIGNING_CHAIN is set and CERTIFICATE_SIGNING_KEY is not; set both, or neither to have certificates without a signature"}
	case s.CertificateSigningChain == "":
		return nil, usageError{"CERTIFICATE_SIGNING_KEY is set and CERTIFICATE_SIGNING_CHAIN is not; set both, or neither to have certificates without a signature"}
	}
	return func(ctx context.Context) (*signature.Signer, error) { return readSigner(ctx, s, log) }, nil
}

// readSigner reads the key and the chain. An error names the setting that it is
// about.
func readSigner(ctx context.Context, s settings, log *slog.Logger) (*signature.Signer, error) {
	key, warning, err := keypair.ReadKey(s.CertificateSigningKey)
	if err != nil {
		return nil, fmt.Errorf("CERTIFICATE_SIGNING_KEY can't be used: %w", err)
	}
	if warning != "" {
		log.WarnContext(ctx, "CERTIFICATE_SIGNING_KEY", "warning", warning)
	}
	chain, err := keypair.ReadChain(s.CertificateSigningChain)
	if err == nil {
		err = keypair.CheckValidity(chain, time.Now())
	}
	if err != nil {
		return nil, fmt.Errorf("CERTIFICATE_SIGNING_CHAIN can't be used: %w", err)
	}
	signer, err := signature.NewSigner(key, chain)
	if err != nil {
		return nil, fmt.Errorf("CERTIFICATE_SIGNING_KEY and CERTIFICATE_SIGNING_CHAIN can't be used together: %w", err)
	}
	return signer, nil
}
