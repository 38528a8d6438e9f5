package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"homepage/internal/certificate"
	"homepage/internal/certificate/keypair"
)

const verifyUsage = `Usage: homepage verify FILE [flags]

Tells in one line whether a file is a certificate that was signed with the key
of CERTIFICATE_SIGNING_CHAIN and is unchanged, and which time it shows. The exit
status is 0 if so, and 1 if not. The private key is not needed.

Flags:
  -h, --help  Show this help.
      --certificate-signing-chain=FILE
              Certificates of the key, as PEM, the signer's own first. This is
              a setting: all of 'homepage -h' may be given, in whatever way.
`

// verify carries out homepage verify.
func verify(args, environ []string, stdout io.Writer) (err error) {
	for _, arg := range args {
		if arg == "-h" || arg == "--help" || arg == "-help" {
			_, err := io.WriteString(stdout, verifyUsage)
			return err
		}
	}
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return usageError{"verify takes the path of one file, and flags after it: homepage verify FILE"}
	}
	path := args[0]
	s, err := parseSettings(args[1:], environ, stdout)
	if err != nil {
		return err
	}
	if s.CertificateSigningChain == "" {
		return usageError{"CERTIFICATE_SIGNING_CHAIN (--certificate-signing-chain) is not set, and says whose certificates are genuine"}
	}
	chain, err := keypair.ReadChain(s.CertificateSigningChain)
	if err != nil {
		return fmt.Errorf("CERTIFICATE_SIGNING_CHAIN can't be used: %w", err)
	}
	file, err := os.Open(path) //nolint:gosec // the operator names it
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	verdict, err := certificate.Verify(file, chain[0])
	if err != nil {
		return err
	}
	if !verdict.Genuine {
		return fmt.Errorf("%s is not genuine. %s", path, verdict.Problem)
	}
	_, err = fmt.Fprintf(stdout, "%s is genuine: signed by %q, unchanged since, and stamped %s\n", path, chain[0].Subject.String(), verdict.Stamp)
	return err
}
