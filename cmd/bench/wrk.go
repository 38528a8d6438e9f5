package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// browsersEncoding is what a browser accepts over plain HTTP.
const browsersEncoding = "gzip, deflate"

// loaded is what a load gave.
type loaded struct {
	perSecond float64
	p50, p99  float64 // milliseconds
	bytes     float64 // of an answer with its header, on average
}

// wrk loads a URL with so many connections, each of which asks again as soon
// as it has its answer, unless the options say otherwise.
func (b *bench) wrk(ctx context.Context, url string, connections int, d time.Duration, options ...string) (loaded, error) {
	seconds := int(math.Ceil(d.Seconds()))
	options = append(options, "-t1", "-c"+strconv.Itoa(connections), fmt.Sprintf("-d%ds", seconds), "--timeout=30s", "--latency", url)
	cmd := exec.CommandContext(ctx, b.tools.wrk, options...)
	out, err := cmd.Output()
	if err != nil {
		return loaded{}, fmt.Errorf("wrk: %w", err)
	}
	return parseWrk(string(out))
}

var errNotMeasured = errors.New("no answer came in time")

// parseWrk reads what wrk prints. Answers other than 2xx and 3xx and broken
// connections are an error: they would be counted as fast ones.
func parseWrk(out string) (loaded, error) {
	if bad := firstMatch(`Non-2xx or 3xx responses: (\d+)`, out); bad != "" {
		return loaded{}, fmt.Errorf("%s answers were errors", bad)
	}
	if broken := firstMatch(`Socket errors: (.*)`, out); broken != "" {
		return loaded{}, fmt.Errorf("connections broke: %s", broken)
	}
	total := regexp.MustCompile(`(\d+) requests in \S+, ([\d.]+)([KMGT]?B) read`).FindStringSubmatch(out)
	rate := firstMatch(`Requests/sec:\s+([\d.]+)`, out)
	p50, err50 := millis(firstMatch(`(?m)^\s*50%\s+(\S+)`, out))
	p99, err99 := millis(firstMatch(`(?m)^\s*99%\s+(\S+)`, out))
	perSecond, errRate := strconv.ParseFloat(rate, 64)
	if err := errors.Join(err50, err99, errRate); err != nil || total == nil {
		return loaded{}, fmt.Errorf("wrk said what bench does not understand: %q", out)
	}
	count, _ := strconv.ParseFloat(total[1], 64) // digits, by the pattern
	if count == 0 {
		return loaded{}, errNotMeasured
	}
	size, err := strconv.ParseFloat(total[2], 64)
	unit := map[string]float64{"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}[total[3]]
	return loaded{perSecond, p50, p99, size * unit / count}, err
}

// millis reads a time as wrk writes it, such as 612.00us, 1.05ms, 2.31s or
// 1.20m, in milliseconds.
func millis(text string) (float64, error) {
	found := regexp.MustCompile(`^([\d.]+)(us|ms|s|m|h)$`).FindStringSubmatch(text)
	if found == nil {
		return 0, fmt.Errorf("%q is no time", text)
	}
	n, err := strconv.ParseFloat(found[1], 64)
	return n * map[string]float64{"us": 0.001, "ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}[found[2]], err
}
