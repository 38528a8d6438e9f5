package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// env is an environment of the given variables alone.
func env(variables map[string]string) (environ []string) {
	for name, value := range variables {
		environ = append(environ, name+"="+value)
	}
	return environ
}

func TestABadSettingSaysItsNameAndWhatItTakes(t *testing.T) {
	for _, test := range []struct {
		args  []string
		env   map[string]string
		wants []string
	}{
		{nil, map[string]string{"ADDR": "8000"}, []string{`ADDR (--addr) is "8000"`, "host:port"}},
		{nil, map[string]string{"ADDR": ":99999"}, []string{"ADDR", "host:port"}},
		{nil, map[string]string{"PROMO_SERVICE_URL": "promo:80"}, []string{"PROMO_SERVICE_URL", "http or https URL"}},
		{nil, map[string]string{"RECCO_SERVICE_URL": "ftp://x/"}, []string{"RECCO_SERVICE_URL", "http or https URL"}},
		{nil, map[string]string{"PROMO_SERVICE_URL": "ftp://reader:hunter2@x/?api_key=hunter2"}, []string{"PROMO_SERVICE_URL (--promo-service-url) takes an http or https URL"}},
		{nil, map[string]string{"PROMO_SERVICE_URL": "http://reader:hun ter2@x/?api_key=hunter2"}, []string{"PROMO_SERVICE_URL (--promo-service-url) takes an http or https URL"}},
		{[]string{"--recco-service-url=reader:hunter2@x/?api_key=hunter2"}, nil, []string{"RECCO_SERVICE_URL (--recco-service-url) takes an http or https URL"}},
		{nil, map[string]string{"PROMO_SERVICE_HEADERS": "X-Key: hunter2\nHost: hunter2"}, []string{"PROMO_SERVICE_HEADERS (--promo-service-headers) takes one 'Name: value' a line, or @FILE: line 2: Host can't be set"}},
		{nil, map[string]string{"RECCO_SERVICE_HEADERS": "hunter2"}, []string{"RECCO_SERVICE_HEADERS", "line 1", "Name: value"}},
		{nil, map[string]string{"RECCO_SERVICE_HEADERS": "@/no/such/file"}, []string{"RECCO_SERVICE_HEADERS", "/no/such/file", "no such file"}},
		{nil, map[string]string{"SERVICE_TIMEOUT": "x"}, []string{`SERVICE_TIMEOUT (--service-timeout) is "x", but takes a duration above zero, such as 500ms or 2s`}},
		{nil, map[string]string{"SERVICE_TIMEOUT": "2"}, []string{"SERVICE_TIMEOUT", "duration above zero"}},
		{nil, map[string]string{"SERVICE_TIMEOUT": "0s"}, []string{"SERVICE_TIMEOUT", "duration above zero"}},
		{nil, map[string]string{"SAMPLE_DELAY": "-1s"}, []string{"SAMPLE_DELAY", "zero or more"}},
		{nil, map[string]string{"STALE_IF_ERROR": "-5m"}, []string{"STALE_IF_ERROR", "zero or more"}},
		{nil, map[string]string{"HOMEPAGE_GRACE": "short"}, []string{"HOMEPAGE_GRACE", "zero or more"}},
		{nil, map[string]string{"HOMEPAGE_CONCURRENCY": "-1"}, []string{"HOMEPAGE_CONCURRENCY", "zero or more"}},
		{nil, map[string]string{"CERTIFICATE_TIMEZONE": "Mars/Olympus"}, []string{"CERTIFICATE_TIMEZONE", "IANA time zone"}},
		{nil, map[string]string{"UPLOAD_MAX_BYTES": "1GB"}, []string{"UPLOAD_MAX_BYTES", "KiB, MiB, GiB or TiB"}},
		{nil, map[string]string{"UPLOAD_MAX_BYTES": "9999999TiB"}, []string{"UPLOAD_MAX_BYTES", "size above zero"}},
		{nil, map[string]string{"UPLOAD_MAX_BYTES": "-9999999TiB"}, []string{"UPLOAD_MAX_BYTES", "size above zero"}},
		{nil, map[string]string{"UPLOAD_MAX_BYTES": "4194304TiB"}, []string{"UPLOAD_MAX_BYTES", "size above zero"}},
		{nil, map[string]string{"UPLOAD_MAX_BYTES": "9223372036854775807"}, []string{"UPLOAD_MAX_BYTES", "size above zero"}},
		{nil, map[string]string{"UPLOAD_MAX_BYTES": "-1GiB"}, []string{"UPLOAD_MAX_BYTES", "size above zero"}},
		{nil, map[string]string{"UPLOAD_MAX_BYTES": "0"}, []string{"UPLOAD_MAX_BYTES", "size above zero"}},
		{nil, map[string]string{"UPLOAD_RESERVE": "-1"}, []string{"UPLOAD_RESERVE", "size of zero or more"}},
		{nil, map[string]string{"UPLOAD_RESERVE": "-9999999TiB"}, []string{"UPLOAD_RESERVE", "size of zero or more"}},
		{nil, map[string]string{"UPLOAD_MAX_FILES": "0"}, []string{"UPLOAD_MAX_FILES", "above zero"}},
		{nil, map[string]string{"UPLOAD_MAX_CONCURRENT": "many"}, []string{"UPLOAD_MAX_CONCURRENT", "above zero"}},
		{nil, map[string]string{"UPLOAD_MAX_BYTES": "-18014398509481983KiB"}, []string{"UPLOAD_MAX_BYTES", "size above zero"}},
		{nil, map[string]string{"UPLOAD_MAX_PER_CLIENT": "0"}, []string{"UPLOAD_MAX_PER_CLIENT", "above zero"}},
		{nil, map[string]string{"COOKIE_KEY": "hunter2hunter2hunter2hunter2hun"}, []string{"COOKIE_KEY (--cookie-key) takes at least 32 bytes of any text; its value is not shown"}},
		{[]string{"--cookie-key=hunter2"}, nil, []string{"COOKIE_KEY (--cookie-key) takes at least 32 bytes"}},
		{nil, map[string]string{"SITE_NAME": " "}, []string{"SITE_NAME (--site-name)", "a name of one line"}},
		{nil, map[string]string{"SITE_NAME": "two\nlines"}, []string{"SITE_NAME", "a name of one line"}},
		{nil, map[string]string{"METRICS_ADDR": "9100"}, []string{`METRICS_ADDR (--metrics-addr) is "9100"`, "host:port"}},
		{nil, map[string]string{"SHUTDOWN_TIMEOUT": "soon"}, []string{"SHUTDOWN_TIMEOUT", "duration above zero"}},
		{nil, map[string]string{"LOG_LEVEL": "loud"}, []string{"LOG_LEVEL", "debug, info, warn or error"}},
		{[]string{"--uploads="}, nil, []string{"UPLOADS (--uploads)", "path of a folder"}},
		{[]string{"--service-timeout", "soon"}, nil, []string{`SERVICE_TIMEOUT (--service-timeout) is "soon"`}},
		{[]string{"-service-timeout=soon"}, nil, []string{`SERVICE_TIMEOUT (--service-timeout) is "soon"`}},
		{[]string{"--service-timeout"}, nil, []string{"--service-timeout has no value, but takes a duration above zero"}},
		{[]string{"--nope"}, nil, []string{"--nope"}},
		{[]string{"word"}, nil, []string{"word"}},
	} {
		t.Run(strings.Join(append(test.args, test.wants[0]), " "), func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			ctx, cancel := context.WithCancel(t.Context())
			cancel() // should the setting be accepted
			err := run(ctx, new(orders), test.args, env(test.env), &stdout, &stderr)
			if got := exitStatus(err, &stderr); got != 2 {
				t.Errorf("exit status %d, want 2", got)
			}
			for _, want := range test.wants {
				if !strings.Contains(stderr.String(), want) {
					t.Errorf("%q does not say %q", stderr.String(), want)
				}
			}
			if strings.Contains(stderr.String(), "hun") {
				t.Errorf("%q tells a secret", stderr.String())
			}
			if stdout.Len() > 0 {
				t.Errorf("on stdout: %q", stdout.String())
			}
		})
	}
}

func TestSettings(t *testing.T) {
	got, err := parseSettings(
		[]string{"--upload-max-bytes", "10 MiB", "-sample-delay=1s", "--addr=:1", "-log-level", "DEBUG"},
		env(map[string]string{"ADDR": ":2", "UPLOAD_RESERVE": "4194303TiB", "UPLOAD_MAX_FILES": "7", "HELP": "1", "VERSION": "1.2", "LOG_LEVEL": "loud", "UPLOADS": "", "PROMO_SERVICE_URL": "https://promo.example/x"}),
		new(bytes.Buffer))
	if err != nil {
		t.Fatal(err)
	}
	if got.Addr != ":1" {
		t.Errorf("ADDR %q: the flag does not win over the environment", got.Addr)
	}
	if got.Uploads != "uploads" {
		t.Errorf("UPLOADS %q: an empty variable is not as good as none", got.Uploads)
	}
	if got.UploadMaxBytes != 10<<20 || got.UploadReserve != 4194303<<40 || got.UploadMaxFiles != 7 || got.LogLevel.String() != "DEBUG" || got.PromoServiceURL.String() != "https://promo.example/x" || got.SampleDelay != time.Second {
		t.Errorf("settings %+v", got)
	}
}

// Headers come from lines, from files, and from a flag that is repeated.
func TestHeadersForServices(t *testing.T) {
	file := write(t, "headers", []byte("# of the night shift\nX-Key: from a file\n"))
	got, err := parseSettings(
		[]string{"--recco-service-headers=X-One: 1", "--recco-service-headers", "@" + file, "--recco-service-headers=X-One: 2"},
		env(map[string]string{"PROMO_SERVICE_HEADERS": "X-One: 1\n\n@" + file, "RECCO_SERVICE_HEADERS": "X-Lost: to the flags"}),
		new(bytes.Buffer))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(http.Header{"X-One": {"1"}, "X-Key": {"from a file"}}, got.PromoServiceHeaders); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(http.Header{"X-One": {"1", "2"}, "X-Key": {"from a file"}}, got.ReccoServiceHeaders); diff != "" {
		t.Error(diff)
	}
}

func TestTheCookieKeyIsNeverShown(t *testing.T) {
	const key = "hunter2 hunter2 hunter2 hunter2 hunter2"
	for _, args := range [][]string{nil, {"--cookie-key=" + key}} {
		variables := env(map[string]string{"COOKIE_KEY": key})
		got, err := parseSettings(args, variables, new(bytes.Buffer))
		if err != nil {
			t.Fatal(err)
		}
		if string(got.CookieKey) != key {
			t.Error("the key is not the setting's text")
		}
		var shown bytes.Buffer
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			fmt.Fprintf(&shown, format, got)
		}
		slog.New(logFormat(&shown, slog.LevelInfo)(&shown)).Info("settings", "all", got, "key", got.CookieKey)
		for _, more := range []string{"-h", "--version", "--nope", "--addr=x"} {
			exitStatus(run(t.Context(), new(orders), append(args, more), variables, &shown, &shown), &shown)
		}
		if strings.Contains(shown.String(), "hunter2") || strings.Contains(shown.String(), base64.StdEncoding.EncodeToString([]byte(key))[:30]) {
			t.Errorf("the key is shown:\n%s", &shown)
		}
	}
}

// help is what -h prints.
func help(t *testing.T) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	err := run(t.Context(), new(orders), []string{"-h"}, env(nil), &stdout, &stderr)
	if got := exitStatus(err, &stderr); got != 0 || stderr.Len() > 0 {
		t.Errorf("exit status %d and %q, want 0 and nothing", got, stderr.String())
	}
	return stdout.String()
}

func TestTheReadmeShowsTheHelp(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := "```\n" + help(t) + "```\n"; !strings.Contains(string(readme), want) {
		t.Errorf("README.md does not show what -h prints:\n%s", want)
	}
}

// A terminal is a character device, as /dev/null is.
func TestTheLogIsTextForATerminalAndElseJSON(t *testing.T) {
	terminal, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	if _, ok := logFormat(terminal, slog.LevelInfo)(terminal).(*slog.TextHandler); !ok {
		t.Error("no text for a terminal")
	}
	if _, ok := logFormat(new(bytes.Buffer), slog.LevelInfo)(nil).(*slog.JSONHandler); !ok {
		t.Error("no JSON for a pipe")
	}
}
