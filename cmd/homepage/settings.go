package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// settings are all that can be set. Each field is a flag, --service-timeout,
// and an environment variable, SERVICE_TIMEOUT; the flag wins.
type settings struct {
	Addr                address        `default:"127.0.0.1:8000" help:"Address to listen on."`
	PromoServiceURL     *url.URL       `placeholder:"URL" help:"Promo service. Without it a sample runs inside the program."`
	ReccoServiceURL     *url.URL       `placeholder:"URL" help:"Recommendation service. Without it a sample runs inside the program."`
	ServiceTimeout      positive       `default:"2s" help:"How long a service may take to connect, answer and be decoded, together."`
	StaleIfError        duration       `default:"5m" help:"How long a service's last good answer stands in when it fails, if the answer does not say."`
	HomepageGrace       duration       `default:"50ms" help:"How long a page waits for sections that are nearly there before it begins without them."`
	HomepageConcurrency count          `default:"0" help:"How many services a page calls at once; 0 is all, 1 is one after the other."`
	SampleDelay         duration       `default:"0s" help:"How long the sample services wait before they answer."`
	CertificateTemplate string         `placeholder:"FILE" help:"PDF with the text %timestamp% or a form field timestamp, as a path or URL. Without it the one inside the program is used. SIGHUP reads it again."`
	CertificateTimezone *time.Location `default:"UTC" help:"IANA time zone of the stamp."`
	Uploads             folder         `default:"uploads" help:"Folder that uploads are stored in. It is made if it is missing."`
	UploadMaxBytes      size           `default:"1GiB" help:"Most bytes in one upload."`
	UploadMaxFiles      atLeastOne     `default:"20" help:"Most files in one upload."`
	UploadMaxConcurrent atLeastOne     `default:"64" help:"Most uploads at once; more are asked to come back."`
	UploadReserve       room           `default:"256MiB" help:"Bytes of the disk that uploads leave free."`
	ShutdownTimeout     positive       `default:"30s" help:"How long running requests may take to finish after SIGTERM."`
	LogLevel            slog.Level     `default:"info" help:"Least level that is logged."`
}

// The kinds of settings that Go's own types don't tell apart.
type (
	positive   time.Duration
	duration   time.Duration // zero or more
	count      int           // zero or more
	atLeastOne int
	size       int64 // bytes, at least one
	room       int64 // bytes, zero or more
	address    string
	folder     string // not empty
)

// What each kind takes, as a bad value is told.
const (
	takesAddr       = "host:port, such as 127.0.0.1:8000 or :8000"
	takesURL        = "an http or https URL"
	takesPositive   = "a duration above zero, such as 500ms or 2s"
	takesDuration   = "a duration of zero or more, such as 500ms or 2s"
	takesCount      = "a whole number of zero or more"
	takesAtLeastOne = "a whole number above zero"
	takesSize       = "a size above zero in bytes or with a unit KiB, MiB, GiB or TiB, such as 1GiB or 1048576"
	takesRoom       = "a size of zero or more in bytes or with a unit KiB, MiB, GiB or TiB, such as 256MiB or 0"
	takesZone       = "an IANA time zone, such as Europe/Berlin or UTC"
	takesLevel      = "debug, info, warn or error"
	takesFolder     = "the path of a folder"
)

// usageError is a setting that can't be understood.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

// errHelp says that help was asked for and given.
var errHelp = errors.New("help")

// parseSettings reads the settings from the command line and the environment.
// It returns errHelp after writing help to stdout.
func parseSettings(args []string, getenv func(string) string, stdout io.Writer) (settings, error) {
	var s settings
	helped := false
	parser, err := kong.New(&s,
		kong.Name("homepage"),
		kong.Description("Serves a homepage made of two services, a stamped certificate, and an upload form. 'homepage check FILE' tells whether a PDF can be the certificate's template."),
		kong.Writers(stdout, io.Discard),
		kong.Exit(func(int) { helped = true }), // called by help alone
		kong.Resolvers(fromEnvironment(getenv)),
		kong.ValueFormatter(withVariable),
		kong.ConfigureHelp(kong.HelpOptions{WrapUpperBound: 80}),
		kind(takesAddr, func(s string) (address, error) {
			_, port, err := net.SplitHostPort(s)
			if err == nil {
				_, err = strconv.ParseUint(port, 10, 16)
			}
			return address(s), err
		}),
		kind(takesFolder, func(s string) (folder, error) {
			return folder(s), orOutside(nil, s != "")
		}),
		kind(takesPositive, func(s string) (positive, error) {
			d, err := time.ParseDuration(s)
			return positive(d), orOutside(err, d > 0)
		}),
		kind(takesDuration, func(s string) (duration, error) {
			d, err := time.ParseDuration(s)
			return duration(d), orOutside(err, d >= 0)
		}),
		kind(takesCount, func(s string) (count, error) {
			n, err := strconv.Atoi(s)
			return count(n), orOutside(err, n >= 0)
		}),
		kind(takesAtLeastOne, func(s string) (atLeastOne, error) {
			n, err := strconv.Atoi(s)
			return atLeastOne(n), orOutside(err, n > 0)
		}),
		kind(takesSize, func(s string) (size, error) {
			n, err := parseBytes(s)
			return size(n), orOutside(err, n > 0)
		}),
		kind(takesRoom, func(s string) (room, error) {
			n, err := parseBytes(s)
			return room(n), orOutside(err, n >= 0)
		}),
		kind(takesURL, func(s string) (*url.URL, error) {
			u, err := url.Parse(s)
			return u, orOutside(err, err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "")
		}),
		kind(takesZone, func(s string) (*time.Location, error) {
			zone, err := time.LoadLocation(s)
			return zone, orOutside(err, s != "" && s != "Local")
		}),
		kind(takesLevel, func(s string) (slog.Level, error) {
			var level slog.Level
			return level, level.UnmarshalText([]byte(s))
		}),
	)
	if err != nil {
		return settings{}, err
	}
	_, err = parser.Parse(twoDashes(args))
	if helped {
		return settings{}, errHelp
	}
	if err != nil {
		if bad, ok := errors.AsType[badValueError](err); ok {
			err = bad // without kong's own words round it
		}
		return settings{}, usageError{err.Error()}
	}
	return s, nil
}

// errOutside says that a value is of the right form but not allowed.
var errOutside = errors.New("outside what is allowed")

func orOutside(err error, inside bool) error {
	if err == nil && !inside {
		return errOutside
	}
	return err
}

// kind makes kong parse fields of type T, and say what they take if it can't.
func kind[T any](takes string, parse func(string) (T, error)) kong.Option {
	return kong.TypeMapper(reflect.TypeFor[T](), kong.MapperFunc(func(ctx *kong.DecodeContext, target reflect.Value) error {
		var text string
		if err := ctx.Scan.PopValueInto(ctx.Value.Name, &text); err != nil {
			return err
		}
		value, err := parse(text)
		if err != nil {
			return badValueError{ctx.Value.Name, text, takes}
		}
		target.Set(reflect.ValueOf(value))
		return nil
	}))
}

// badValueError says which setting is wrong and what it takes.
type badValueError struct{ flag, value, takes string }

func (e badValueError) Error() string {
	return fmt.Sprintf("%s (--%s) is %q, but takes %s", variable(e.flag), e.flag, e.value, e.takes)
}

// variable returns the environment variable of a flag.
func variable(flag string) string {
	return strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// fromEnvironment looks a flag up in the environment. An empty variable is as
// good as none. Kong's own look-up would go round getenv.
func fromEnvironment(getenv func(string) string) kong.ResolverFunc {
	return func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		if value := getenv(variable(flag.Name)); value != "" && flag.Name != "help" {
			return value, nil
		}
		return nil, nil
	}
}

// withVariable adds the environment variable to a flag's help.
func withVariable(value *kong.Value) string {
	if value.Name == "help" {
		return value.Help
	}
	return strings.TrimSuffix(value.Help, ".") + " (" + variable(value.Name) + ")."
}

// twoDashes lets -addr stand for --addr, as Go's own programs take it. There
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

// parseBytes reads bytes, with or without a binary unit.
func parseBytes(s string) (int64, error) {
	number, unit := s, int64(1)
	for i, suffix := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if n, ok := strings.CutSuffix(s, suffix); ok {
			number, unit = strings.TrimSpace(n), 1<<(10*(i+1))
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	return n * unit, orOutside(err, n <= math.MaxInt64/2/unit)
}
