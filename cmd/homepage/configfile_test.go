package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// config writes a file for CONFIG.
func config(t *testing.T, lines ...string) (path string) {
	t.Helper()
	return write(t, "homepage.conf", []byte(strings.Join(lines, "\n")))
}

func TestSettingsFromAFile(t *testing.T) {
	file := config(t,
		"\ufeff# of the night shift\r",
		"\r",
		"ADDR=:3\r",
		"  UPLOAD_MAX_FILES = 7  ",
		`UPLOADS="/srv/our uploads"`,
		`CERTIFICATE_TEMPLATE='/srv/"#1".pdf' # the new one`,
		"PROMO_SERVICE_URL=https://promo.example/?a=b#c",
		"RECCO_SERVICE_HEADERS=X-Key: night",
		"SERVICE_TIMEOUT=",
		"LOG_LEVEL=warn")
	got, err := parseSettings([]string{"--log-level=debug"}, env(map[string]string{"CONFIG": file, "ADDR": ":2", "UPLOAD_MAX_FILES": ""}), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if got.Addr != ":2" || got.LogLevel.String() != "DEBUG" {
		t.Errorf("ADDR %q, LOG_LEVEL %v: the file wins over the environment or a flag", got.Addr, got.LogLevel)
	}
	if got.UploadMaxFiles != 7 || got.Uploads != "/srv/our uploads" || got.CertificateTemplate != `/srv/"#1".pdf` || got.PromoServiceURL.String() != "https://promo.example/?a=b#c" || got.ServiceTimeout.String() != "2s" {
		t.Errorf("settings %+v", got)
	}
	if got.ReccoServiceHeaders.Get("X-Key") != "night" {
		t.Errorf("headers %v", got.ReccoServiceHeaders)
	}
	got, err = parseSettings([]string{"-config", config(t, "ADDR=:4")}, env(map[string]string{"CONFIG": file}), io.Discard)
	if err != nil || got.Addr != ":4" || got.UploadMaxFiles != 20 {
		t.Errorf("%v, ADDR %q, %d files: not the file of the flag alone", err, got.Addr, got.UploadMaxFiles)
	}
}

func TestABadConfigFileStopsTheStart(t *testing.T) {
	for _, test := range []struct{ line, want string }{
		{"UPLOAD_MAX_BYTE=1GiB", "homepage.conf:2: UPLOAD_MAX_BYTE is no setting; did you mean UPLOAD_MAX_BYTES?"},
		{"addr=:1", "homepage.conf:2: addr is no setting; did you mean"},
		{"HELP=1", "homepage.conf:2: HELP is no setting"},
		{"CONFIG=other.conf", "homepage.conf:2: CONFIG can't be set in the file that it names"},
		{"LOG_LEVEL=info", "homepage.conf:2: LOG_LEVEL is set in line 1 already"},
		{"hunter2", "homepage.conf:2: a line must be NAME=value"},
		{"export ADDR=:1", "homepage.conf:2: a line must be NAME=value"},
		{"hunter2+hunter2==", "homepage.conf:2: a line must be NAME=value"},
		{"=hunter2", "homepage.conf:2: a line must be NAME=value"},
		{`COOKIE_KEY="hunter2`, "homepage.conf:2: COOKIE_KEY: the quotes are not closed"},
		{`COOKIE_KEY="hunter2" hunter2`, "homepage.conf:2: COOKIE_KEY: only a comment may stand after the quotes"},
		{"COOKIE_KEY=hunter2 # hunter2", "homepage.conf:2: COOKIE_KEY: a value with # after a space must be in quotes"},
		{"COOKIE_KEY=hunter2", "homepage.conf:2: COOKIE_KEY (--cookie-key) takes at least 32 bytes"},
		{"ADDR=8000", `homepage.conf:2: ADDR (--addr) is "8000", but takes host:port`},
		{"PROMO_SERVICE_HEADERS=hunter2", "homepage.conf:2: PROMO_SERVICE_HEADERS (--promo-service-headers) takes one 'Name: value' a line"},
	} {
		var stderr bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // should the file be accepted
		err := run(ctx, new(orders), nil, env(map[string]string{"CONFIG": config(t, "LOG_LEVEL=info", test.line)}), io.Discard, &stderr)
		if got := exitStatus(err, &stderr); got != 2 {
			t.Errorf("%s: exit status %d, want 2", test.line, got)
		}
		if !strings.Contains(stderr.String(), test.want) {
			t.Errorf("%q does not say %q", stderr.String(), test.want)
		}
		if strings.Contains(stderr.String(), "hunter2") {
			t.Errorf("%q tells a secret", stderr.String())
		}
	}
	_, err := parseSettings(nil, env(map[string]string{"CONFIG": "/no/such/file"}), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "CONFIG (--config) can't be read: open /no/such/file") {
		t.Errorf("without the file: %v", err)
	}
	_, err = parseSettings(nil, env(map[string]string{"CONFIG": config(t, "ADDR=:1"), "ADDR": "8000"}), io.Discard)
	if err == nil || strings.Contains(err.Error(), "homepage.conf") {
		t.Errorf("the environment's mistake is put down to the file: %v", err)
	}
}

// What homepage config prints says where each value comes from, keeps the
// secrets, and can be read again to the same effect.
func TestConfigShowsWhatIsInForce(t *testing.T) {
	show := func(args []string, variables map[string]string) string {
		t.Helper()
		var stdout, stderr bytes.Buffer
		if got := exitStatus(run(t.Context(), new(orders), append([]string{"config"}, args...), env(variables), &stdout, &stderr), &stderr); got != 0 || stderr.Len() > 0 {
			t.Fatalf("exit status %d and %q", got, stderr.String())
		}
		return stdout.String()
	}
	file := config(t, "", "UPLOAD_MAX_BYTES=1536MiB", "UPLOADS='/srv/the \"best\"'")
	shown := show([]string{"--service-timeout=90s"}, map[string]string{
		"CONFIG": file, "LOG_LEVEL": "warn",
		"CERTIFICATE_TEMPLATE":  "https://hunter2:hunter2@example.com/template.pdf?key=hunter2",
		"PROMO_SERVICE_URL":     "https://promo.example/today?key=hunter2",
		"RECCO_SERVICE_URL":     "https://recco.example/",
		"PROMO_SERVICE_HEADERS": "X-Key: hunter2", "COOKIE_KEY": strings.Repeat("hunter2", 5),
	})
	for _, want := range []string{
		`ADDR="127.0.0.1:8000"  # default`,
		`SERVICE_TIMEOUT="1m30s"  # flag`,
		`LOG_LEVEL="WARN"  # environment`,
		`UPLOAD_MAX_BYTES="1536MiB"  # file ` + file + `, line 2`,
		`UPLOADS='/srv/the "best"'  # file ` + file + `, line 3`,
		`UPLOAD_RESERVE="256MiB"  # default`,
		`CERTIFICATE_TIMEZONE="UTC"  # default`,
		`RECCO_SERVICE_URL="https://recco.example/"  # environment`,
		`# PROMO_SERVICE_URL="https://promo.example/today?key=xxxxx" with secrets that are not shown  # environment`,
		`# CERTIFICATE_TEMPLATE="https://xxxxx@example.com/template.pdf?key=xxxxx" with secrets that are not shown  # environment`,
		`# PROMO_SERVICE_HEADERS is set, and not shown  # environment`,
		`# COOKIE_KEY is set, and not shown  # environment`,
		`# RECCO_SERVICE_HEADERS is not set`,
		`# CONFIG="` + file + `"  # environment`,
	} {
		if !strings.Contains("\n"+shown, "\n"+want+"\n") {
			t.Errorf("it does not say %s", want)
		}
	}
	if strings.Contains(shown, "hunter2") {
		t.Error("it tells a secret")
	}
	if t.Failed() {
		t.Log(shown)
	}

	values := func(shown string) (list []string) {
		for line := range strings.Lines(shown) {
			if value, _, _ := strings.Cut(line, "  # "); value[0] != '#' {
				list = append(list, value)
			}
		}
		return list
	}
	again := show(nil, map[string]string{"CONFIG": config(t, shown)})
	if diff := cmp.Diff(values(shown), values(again)); diff != "" {
		t.Errorf("read again, other settings are in force:\n%s", diff)
	}
}

func TestASlipInTheEnvironmentIsWarnedOf(t *testing.T) {
	for variable, setting := range map[string]string{
		"UPLOAD_MAX_BYTE":         "UPLOAD_MAX_BYTES",
		"UPLOADS_MAX_BYTES":       "UPLOAD_MAX_BYTES",
		"UPLOAD_MAX_BYTES_MB":     "UPLOAD_MAX_BYTES",
		"SERVICE_TIMEOUT_SECONDS": "SERVICE_TIMEOUT",
		"CERTIFICATE_TEMPLAET":    "CERTIFICATE_TEMPLATE",
		"HOMEPAGE_ADDR":           "ADDR",
		"HOMEPAGE_UPLOAD":         "UPLOADS",
		"UPLOAD":                  "UPLOADS",
		"LOGLEVEL":                "LOG_LEVEL",
		"cookie_key":              "COOKIE_KEY",
	} {
		var stderr bytes.Buffer
		err := run(t.Context(), new(orders), []string{"config"}, env(map[string]string{variable: "hunter2"}), io.Discard, &stderr)
		if err != nil || !strings.Contains(stderr.String(), `"variable":"`+variable+`","closest":"`+setting+`"`) {
			t.Errorf("%v, %s=1 is answered with %q", err, variable, stderr.String())
		}
		if strings.Contains(stderr.String(), "hunter2") {
			t.Errorf("%s: its value is shown", variable)
		}
	}
}

// Variables that machines, shells, containers and other programs have.
func TestUsualVariablesAreNoSlips(t *testing.T) {
	usual := strings.Fields(`
		HOME PATH PWD OLDPWD SHELL SHLVL TERM USER LOGNAME HOSTNAME HOST MAIL EDITOR VISUAL PAGER LESS LANG LANGUAGE
		LC_ALL LC_CTYPE LC_TIME TZ TMPDIR TEMP TMP DISPLAY COLORTERM COLUMNS LINES PS1 IFS _ UID EUID GROUP NAME FILE_NAME
		XDG_CONFIG_HOME XDG_CONFIG_DIRS XDG_RUNTIME_DIR XDG_DATA_HOME XDG_SESSION_ID DBUS_SESSION_BUS_ADDRESS
		SSH_AUTH_SOCK SSH_CONNECTION SSH_CLIENT SSH_TTY SUDO_USER SUDO_UID INVOCATION_ID JOURNAL_STREAM NOTIFY_SOCKET
		LISTEN_FDS LISTEN_PID LISTEN_FDNAMES MAINPID WATCHDOG_USEC CREDENTIALS_DIRECTORY STATE_DIRECTORY RUNTIME_DIRECTORY
		LOGS_DIRECTORY CONFIGURATION_DIRECTORY CACHE_DIRECTORY SYSTEMD_EXEC_PID MEMORY_PRESSURE_WATCH
		GOGC GOMEMLIMIT GOMAXPROCS GODEBUG GOPATH GOROOT GOFLAGS GOPROXY GOTRACEBACK GOCOVERDIR CGO_ENABLED
		HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy all_proxy SSL_CERT_FILE SSL_CERT_DIR
		AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_REGION AWS_CONFIG_FILE AWS_PROFILE AWS_ENDPOINT_URL
		KUBECONFIG KUBERNETES_SERVICE_HOST KUBERNETES_SERVICE_PORT KUBERNETES_SERVICE_PORT_HTTPS KUBERNETES_PORT KUBERNETES_PORT_443_TCP_ADDR
		HOMEPAGE_SERVICE_HOST HOMEPAGE_SERVICE_PORT HOMEPAGE_PORT HOMEPAGE_PORT_8000_TCP HOMEPAGE_PORT_8000_TCP_ADDR HOMEPAGE_PORT_8000_TCP_PROTO
		POD_NAME POD_NAMESPACE POD_IP NODE_NAME NODE_ENV PORT BIND BIND_ADDR VAULT_ADDR NOMAD_ADDR DATABASE_URL REDIS_URL SITE_URL
		DOCKER_HOST DOCKER_CONFIG container CI GITHUB_ACTIONS GITHUB_TOKEN GIT_CONFIG GIT_DIR PIP_CONFIG_FILE npm_config_cache PKG_CONFIG_PATH
		PYTHONPATH JAVA_HOME NVM_DIR RUST_LOG LOG_FORMAT LOG_FILE SECRET_KEY API_KEY DEBUG VERSION HELP SENTRY_DSN
		OTEL_SERVICE_NAME OTEL_EXPORTER_OTLP_ENDPOINT OTEL_EXPORTER_OTLP_HEADERS OTEL_EXPORTER_OTLP_TIMEOUT OTEL_LOG_LEVEL
		ComSpec SystemRoot windir ProgramFiles USERPROFILE APPDATA COMPUTERNAME PROCESSOR_ARCHITECTURE NUMBER_OF_PROCESSORS`)
	environ := os.Environ()
	for _, name := range usual {
		environ = append(environ, name+"=1")
	}
	got, err := parseSettings(nil, environ, io.Discard)
	if err != nil || len(usual) < 100 || len(got.slips) > 0 {
		t.Errorf("%v, of %d variables these are taken for slips: %v", err, len(usual), got.slips)
	}
}
