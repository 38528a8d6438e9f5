package main

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// figure is what the rounds of one measurement gave, in their order.
type figure []float64

func (f figure) median() float64 {
	if len(f) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(f))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// percentile is the least value that p percent of all are not above.
func (f figure) percentile(p float64) float64 {
	if len(f) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(f))
	return sorted[max(0, int(math.Ceil(p/100*float64(len(sorted))))-1)]
}

// spread is half the way from the lowest round to the highest, in percent of
// the median.
func (f figure) spread() float64 {
	if len(f) == 0 || f.median() == 0 {
		return 0
	}
	return 100 * (slices.Max(f) - slices.Min(f)) / 2 / f.median()
}

// ratio divides round by round: what the machine did to both sides in a round
// cancels out. Rounds that one of them lacks don't count.
func ratio(a, b figure) figure {
	var out figure
	for i, value := range a {
		if i < len(b) && b[i] != 0 {
			out = append(out, value/b[i])
		}
	}
	return out
}

// none stands for what was not measured.
const none = "–"

// String is the median with its spread.
func (f figure) String() string {
	if len(f) == 0 {
		return none
	}
	if len(f) == 1 {
		return number(f.median())
	}
	return number(f.median()) + " ±" + strconv.FormatFloat(f.spread(), 'f', 0, 64) + " %"
}

// times is a ratio with its lowest and highest round.
func (f figure) times() string {
	if len(f) == 0 {
		return none
	}
	text := number(f.median()) + "×"
	if len(f) > 1 {
		text += " (" + number(slices.Min(f)) + "–" + number(slices.Max(f)) + ")"
	}
	return text
}

// number writes three digits that count, and commas between thousands.
func number(v float64) string {
	switch {
	case math.IsNaN(v):
		return none
	case v == 0:
		return "0"
	case v < 100:
		digits := 2 - int(math.Floor(math.Log10(v)))
		return strconv.FormatFloat(v, 'f', min(max(digits, 0), 3), 64)
	}
	whole := strconv.FormatFloat(v, 'f', 0, 64)
	var parts []string
	for len(whole) > 3 {
		parts = append([]string{whole[len(whole)-3:]}, parts...)
		whole = whole[:len(whole)-3]
	}
	return strings.Join(append([]string{whole}, parts...), ",")
}
