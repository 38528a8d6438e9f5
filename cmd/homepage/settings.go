package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/alecthomas/kong"

	"homepage/internal/service"
	"homepage/internal/upload/s3"
	"homepage/internal/web"
)

// settings are all that can be set. Each field but Version is a flag, --service-timeout,
// an environment variable, SERVICE_TIMEOUT, and a line of the file that Config
// names; the first of these wins. Its type tag names one of the kinds that
// parseSettings lists.
type settings struct {
	Config                  string         `placeholder:"FILE" help:"File to read settings from, one NAME=value a line."`
	Addr                    string         `type:"address" default:"127.0.0.1:8000" help:"Address to listen on: host:port, or unix:PATH for a Unix socket. A socket that systemd passes comes first."`
	TrustedProxies          web.Proxies    `type:"proxies" placeholder:"LIST" help:"Proxies whose X-Forwarded-For names the client: addresses, CIDRs and the word unix, with commas or spaces between them. Without it, the header is ignored."`
	PromoServiceURL         *url.URL       `type:"url" placeholder:"URL" help:"Promo service. Without it, a built-in sample is used."`
	ReccoServiceURL         *url.URL       `type:"url" placeholder:"URL" help:"Recommendation service. Without it, a built-in sample is used."`
	PromoServiceHeaders     http.Header    `type:"headers" placeholder:"LINES" help:"Headers for the promo service, one 'Name: value' a line; @FILE reads the lines from a file."`
	ReccoServiceHeaders     http.Header    `type:"headers" placeholder:"LINES" help:"Headers for the recommendation service, likewise."`
	PromoServiceForward     forward        `type:"forward" placeholder:"LIST" help:"Headers of the visitor that the promo service is told, and single cookies as Cookie:NAME, with commas or spaces between them. Without it, it is told nothing of visitors."`
	ReccoServiceForward     forward        `type:"forward" placeholder:"LIST" help:"Headers and cookies for the recommendation service, likewise."`
	ServiceMaxCalls         int            `type:"number above zero" default:"256" help:"How many calls of one service may run at once. Further ones wait within their time limit."`
	ServiceTimeout          time.Duration  `type:"duration above zero" default:"2s" help:"Time limit for a call to a service, from connecting to decoding its answer."`
	StaleIfError            time.Duration  `type:"duration" default:"5m" help:"How long a service's last good answer may stand in when the service fails, if the answer sets no limit itself."`
	HomepageGrace           time.Duration  `type:"duration" default:"50ms" help:"How long a page waits for its sections before it begins without the missing ones."`
	HomepageCache           int64          `type:"size above zero" default:"32MiB" help:"Memory for the sections of visitors whom services can tell apart."`
	HomepageConcurrency     int            `type:"number" default:"0" help:"How many services a page calls at once: 0 for all, 1 for one after the other."`
	SampleDelay             time.Duration  `type:"duration" default:"0s" help:"How long the built-in samples take to answer."`
	CertificateTemplate     string         `placeholder:"FILE" help:"Path or URL of a PDF with the text %timestamp% or a form field named timestamp. Without it, a built-in one is used. SIGHUP reloads it."`
	CertificateTimezone     *time.Location `type:"time zone" default:"UTC" help:"IANA time zone of the stamp."`
	CertificateSigningKey   string         `placeholder:"FILE" help:"Private key to sign certificates with, as PEM without a password: P-256, P-384, or RSA of 2048 bits or more, with which fewer certificates a second can be signed. Needs CERTIFICATE_SIGNING_CHAIN. SIGHUP reloads both."`
	CertificateSigningChain string         `placeholder:"FILE" help:"Certificates of that key, as PEM: the signer's own first, then the one that issued it, and so on."`
	SiteName                string         `type:"name" default:"Lamplight Library" help:"Name of the site, in its titles, header and footer."`
	SiteFolder              string         `placeholder:"FOLDER" help:"Folder with your own templates and static files, which are laid over the built-in ones. 'homepage site export FOLDER' writes those to begin from."`
	Uploads                 string         `type:"uploads" default:"uploads" help:"Folder to store uploads in, which is created if it is missing, or s3://BUCKET/PREFIX in an object store that the usual AWS_ variables lead to."`
	UploadMaxBytes          int64          `type:"size above zero" default:"1GiB" help:"Largest upload, all files together."`
	UploadMaxFiles          int            `type:"number above zero" default:"20" help:"Largest number of files in one upload."`
	UploadMaxConcurrent     int            `type:"number above zero" default:"64" help:"How many uploads may run at once. Further ones are asked to come back later."`
	UploadMaxPerClient      int            `type:"number above zero" default:"16" help:"How many uploads one client may run at once, a client being an IPv4 address or the /64 of an IPv6 address."`
	UploadReserve           int64          `type:"size" default:"256MiB" help:"Disk space that uploads leave free."`
	UploadResumeFor         time.Duration  `type:"duration above zero" default:"24h" help:"How long an upload that was cut off can be resumed, counted from its last byte."`
	CookieKey               secret         `type:"key" placeholder:"KEY" help:"Signs the cookie that carries the message after an upload: at least 32 bytes of any text, the same for all replicas. Without it, each start makes a random one."`
	MetricsAddr             string         `type:"tcp address" placeholder:"HOST:PORT" help:"Address to serve metrics on, for Prometheus, as GET /metrics. Without it, nothing is counted."`
	IdleTimeout             time.Duration  `type:"duration above zero" default:"5m" help:"How long a connection is kept open for its next request. A proxy must close its idle ones sooner."`
	ShutdownDelay           time.Duration  `type:"duration" default:"0s" help:"How long /readyz says 503 after SIGTERM while everything is served as before, so that load balancers see it before the drain."`
	ShutdownTimeout         time.Duration  `type:"duration above zero" default:"30s" help:"How long running requests may take to finish after SIGTERM."`
	LogLevel                slog.Level     `type:"level" default:"info" help:"Lowest level to log: debug, info, warn or error."`

	Version kong.VersionFlag `help:"Show the version."`

	build   *debug.BuildInfo
	inForce []string // what homepage config prints; it holds no secret
	slips   []slip
	getenv  func(string) string
}

// secret is a value that nothing prints.
type secret []byte

func (secret) String() string               { return "(secret)" }
func (secret) GoString() string             { return "(secret)" }
func (secret) MarshalText() ([]byte, error) { return []byte("(secret)"), nil } //nolint:unparam // encoding.TextMarshaler

// usageError is a command line or a setting that can't be understood.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

// badValueError is a value of the named setting that can't be understood.
type badValueError struct{ name, text string }

func (e badValueError) Error() string { return e.text }

// errShown says that help or the version was asked for and shown.
var errShown = errors.New("shown")

// parseSettings reads the settings from the command line, the environment and
// the file that CONFIG names. It returns errShown after writing help or the
// version to stdout.
func parseSettings(args, environ []string, stdout io.Writer) (settings, error) {
	var s settings
	from := newSources(environ)
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return s, errors.New("the program was built without modules")
	}
	s.build = build
	shown := false
	parser, err := kong.New(&s,
		kong.Name("homepage"),
		kong.Description("Serves a homepage made of two services, a stamped certificate, and an upload form. Run 'homepage check FILE' to see whether a PDF can be the certificate's template, 'homepage verify FILE' to see whether a certificate is genuine, 'homepage config' to see the settings in force, and 'homepage site export FOLDER' to begin your own look."),
		kong.Writers(stdout, io.Discard),
		kong.Vars{"version": version(build)},
		kong.Exit(func(int) { shown = true }), // called by -h and --version alone
		kong.Bind(from),
		kong.Resolvers(from),
		kong.ValueFormatter(withVariable),
		kong.ConfigureHelp(kong.HelpOptions{WrapUpperBound: 80}),

		kind("address", "host:port, such as 127.0.0.1:8000 or :8000, or unix:PATH", parseAddress),
		kind("tcp address", "host:port, such as 127.0.0.1:9090", parseTCPAddress),
		kind("proxies", "addresses, CIDRs and the word unix, with commas or spaces between them, such as 127.0.0.1, 10.0.0.0/8", web.ParseProxies),
		kind("url", "an http or https URL", parseURL),
		kong.NamedMapper("headers", kong.MapperFunc(readHeaders)),
		kong.NamedMapper("forward", kong.MapperFunc(readForward)),
		kind("duration", "a duration of zero or more, such as 500ms or 2s", atLeast(0, time.ParseDuration)),
		kind("duration above zero", "a duration above zero, such as 500ms or 2s", atLeast(1, time.ParseDuration)),
		kind("number", "a whole number of zero or more", atLeast(0, strconv.Atoi)),
		kind("number above zero", "a whole number above zero", atLeast(1, strconv.Atoi)),
		kind("size", "a size of zero or more, in bytes or in KiB, MiB, GiB or TiB, such as 256MiB or 0", atLeast(0, parseBytes)),
		kind("size above zero", "a size above zero, in bytes or in KiB, MiB, GiB or TiB, such as 1GiB or 1048576", atLeast(1, parseBytes)),
		kind("time zone", "an IANA time zone, such as Europe/Berlin or UTC", parseZone),
		kind("name", "a name of one line", parseName),
		kind("uploads", "the path of a folder, or s3://BUCKET/PREFIX", parseUploads),
		kind("key", "at least 32 bytes of any text", parseKey),
		kind("level", "debug, info, warn or error", parseLevel),
	)
	if err != nil {
		return settings{}, err
	}
	ctx, err := parser.Parse(twoDashes(args))
	if shown {
		return settings{}, errShown
	}
	if err != nil {
		if bad, ok := errors.AsType[badValueError](err); ok {
			return settings{}, usageError{from.place(bad.name) + bad.text}
		}
		if bad, ok := errors.AsType[usageError](err); ok {
			return settings{}, bad // without kong's own words around it
		}
		return settings{}, usageError{err.Error()}
	}
	s.getenv = func(name string) string { return from.environment[name] }
	if err := s.checkForwards(); err != nil {
		return settings{}, err
	}
	s.inForce, s.slips = from.inForce(ctx), from.slips(variables(ctx.Model))
	return s, nil
}

// kind makes kong parse the fields with a type tag, and say what they take if
// it can't.
func kind[T any](name, takes string, parse func(string) (T, error)) kong.Option {
	return kong.NamedMapper(name, kong.MapperFunc(func(ctx *kong.DecodeContext, target reflect.Value) error {
		var text string
		if err := ctx.Scan.PopValueInto(ctx.Value.Name, &text); err != nil {
			return usageError{fmt.Sprintf("--%s has no value, but takes %s", ctx.Value.Name, takes)}
		}
		value, err := parse(text)
		switch {
		case errors.Is(err, errSecret):
			return bad(ctx.Value, "takes "+takes+"; its value is not shown, as it may hold a secret")
		case err != nil:
			return bad(ctx.Value, fmt.Sprintf("is %q, but takes %s", text, takes))
		}
		target.Set(reflect.ValueOf(value))
		return nil
	}))
}

// bad says what is wrong with the value of a setting.
func bad(v *kong.Value, wrong string) error {
	name := variable(v)
	return badValueError{name, fmt.Sprintf("%s (--%s) %s", name, v.Name, wrong)}
}

// readHeaders reads the headers for a service. A flag that is repeated adds to
// them. What it is given is not shown, as it may hold a key.
func readHeaders(ctx *kong.DecodeContext, target reflect.Value) error {
	var text string
	if err := ctx.Scan.PopValueInto(ctx.Value.Name, &text); err != nil {
		return usageError{fmt.Sprintf("--%s has no value, but takes one 'Name: value' a line, or @FILE", ctx.Value.Name)}
	}
	header, err := service.ParseHeaders(text)
	if err != nil {
		return bad(ctx.Value, fmt.Sprintf("takes one 'Name: value' a line, or @FILE: %v", err))
	}
	all, _ := reflect.TypeAssert[http.Header](target) // nil at first
	for name, values := range all {
		header[name] = append(values, header[name]...)
	}
	target.Set(reflect.ValueOf(header))
	return nil
}

var (
	errNotAllowed = errors.New("value not allowed")
	errSecret     = errors.New("value not allowed, nor to be shown")
)

// atLeast makes parse refuse values below the least one.
func atLeast[T cmp.Ordered](least T, parse func(string) (T, error)) func(string) (T, error) {
	return func(s string) (T, error) {
		value, err := parse(s)
		if err == nil && value < least {
			err = errNotAllowed
		}
		return value, err
	}
}

func parseAddress(s string) (string, error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if path == "" || path[0] == '@' { // an abstract socket has no mode: anyone could connect
			return "", errNotAllowed
		}
		return s, nil
	}
	return parseTCPAddress(s)
}

func parseTCPAddress(s string) (string, error) {
	_, port, err := net.SplitHostPort(s)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	return s, err
}

func parseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, errSecret
	}
	return u, nil
}

// parseBytes reads a number of bytes, with or without a binary unit, below 4 EiB.
func parseBytes(s string) (int64, error) {
	number, shift := s, 0
	for i, unit := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if n, ok := strings.CutSuffix(s, unit); ok {
			number, shift = strings.TrimSpace(n), 10*(i+1)
		}
	}
	n, err := strconv.ParseInt(number, 10, 63-shift) // so that no shift overflows
	return n << shift, err
}

func parseZone(s string) (*time.Location, error) {
	if s == "" || s == "Local" { // which LoadLocation takes for UTC and for the machine's zone
		return nil, errNotAllowed
	}
	return time.LoadLocation(s)
}

func parseName(s string) (string, error) {
	if strings.TrimSpace(s) == "" || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return "", errNotAllowed
	}
	return s, nil
}

// parseUploads takes what looks like a URL for one, so that a slip does not make
// a folder of it.
func parseUploads(s string) (string, error) {
	if s == "" {
		return "", errNotAllowed
	}
	if strings.Contains(s, "://") {
		_, err := s3.ParseLocation(s)
		switch {
		case err != nil && strings.Contains(s, "@"): // as if keys had a place there
			return "", errSecret
		case err != nil:
			return "", errNotAllowed
		}
	}
	return s, nil
}

func parseKey(s string) (secret, error) {
	if len(s) < 32 {
		return nil, errSecret
	}
	return secret(s), nil
}

func parseLevel(s string) (level slog.Level, err error) {
	err = level.UnmarshalText([]byte(s))
	return level, err
}

// variable returns the environment variable of a setting. The switches, help
// and version, have none.
func variable(v *kong.Value) string {
	if v.IsBool() {
		return ""
	}
	return strings.ToUpper(strings.ReplaceAll(v.Name, "-", "_"))
}

// withVariable adds the environment variable to a flag's help.
func withVariable(v *kong.Value) string {
	if name := variable(v); name != "" {
		return strings.TrimSuffix(v.Help, ".") + " (" + name + ")."
	}
	return v.Help
}

// twoDashes lets -addr stand for --addr, as Go's own flag package does. There
// is no other short flag than -h.
func twoDashes(args []string) []string {
	out := make([]string, len(args))
	for i, arg := range args {
		if len(arg) > 2 && arg[0] == '-' && arg[1] != '-' {
			arg = "-" + arg
		}
		out[i] = arg
	}
	return out
}
