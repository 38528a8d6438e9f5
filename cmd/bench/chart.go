package main

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"
)

// chart is a row of bars, one below the other.
type chart struct {
	file        string // charts/FILE-light.svg and -dark.svg
	title, desc string
	bars        []bar
}

type bar struct {
	name  string
	value float64
	part  float64 // of value, from its begin; drawn stronger
	text  string
}

// add draws what was measured; what was not has no bar.
func (c *chart) add(name string, value, part float64, text string) {
	if !math.IsNaN(value) && !math.IsNaN(part) {
		c.bars = append(c.bars, bar{name, value, part, text})
	}
}

// scheme is colours of the site, by their names in style.css.
type scheme struct{ raised, ink, quiet, line, accent string }

func light() scheme { return scheme{"#fffdf8", "#1b2a3d", "#56606d", "#e3dac8", "#9a4a06"} }
func dark() scheme  { return scheme{"#1b212b", "#ece5d8", "#a9aeb6", "#303845", "#f0b35a"} }

// Sizes in pixels, at the width that a README is shown in.
const (
	chartWidth = 880
	margin     = 24
	nameWidth  = 262
	barWidth   = 290 // of the longest
	barHeight  = 20
	rowHeight  = 34
	headHeight = 76
)

// svg draws the chart. The homepage's own bars have the site's accent.
func (c *chart) svg(s scheme) string {
	most := 0.0
	for _, b := range c.bars {
		most = max(most, b.value)
	}
	height := headHeight + rowHeight*len(c.bars) + margin - (rowHeight-barHeight)/2
	var out strings.Builder
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" width="%[1]d" height="%[2]d" viewBox="0 0 %[1]d %[2]d" role="img" aria-labelledby="title desc" font-family="system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', sans-serif" font-size="14">
<title id="title">%[3]s</title>
<desc id="desc">%[4]s</desc>
<rect x=".5" y=".5" width="%[5]d" height="%[6]d" rx="12" fill="%[7]s" stroke="%[8]s"/>
<text x="%[9]d" y="36" font-size="18" font-weight="600" fill="%[10]s">%[3]s</text>
<text x="%[9]d" y="58" fill="%[11]s">%[12]s</text>
`, chartWidth, height, escape(c.title), escape(c.description()), chartWidth-1, height-1, s.raised, s.line, margin, s.ink, s.quiet, escape(c.desc))
	for i, b := range c.bars {
		top := headHeight + i*rowHeight
		length := max(2, barWidth*b.value/most)
		fill, weight := s.quiet, "400"
		if strings.HasPrefix(b.name, "homepage") {
			fill, weight = s.accent, "600"
		}
		left, base := margin+nameWidth, top+barHeight-5
		strength := "1"
		if b.part > 0 {
			strength = ".45"
		}
		fmt.Fprintf(&out, `<text x="%d" y="%d" text-anchor="end" font-weight="%s" fill="%s">%s</text>
<rect x="%d" y="%d" width="%.1f" height="%d" rx="3" fill="%s" fill-opacity="%s"/>
`, left-12, base, weight, s.ink, escape(b.name), left, top, length, barHeight, fill, strength)
		if b.part > 0 {
			fmt.Fprintf(&out, `<rect x="%d" y="%d" width="%.1f" height="%d" rx="3" fill="%s"/>
`, left, top, max(2, min(length, barWidth*b.part/most)), barHeight, fill)
		}
		fmt.Fprintf(&out, `<text x="%.1f" y="%d" fill="%s">%s</text>
`, float64(left)+length+10, base, s.ink, escape(b.text))
	}
	out.WriteString("</svg>\n")
	return out.String()
}

// description says in words what the bars show.
func (c *chart) description() string {
	parts := []string{c.desc}
	for _, b := range c.bars {
		parts = append(parts, b.name+": "+b.text+".")
	}
	return strings.Join(parts, " ")
}

func escape(text string) string {
	var out strings.Builder
	_ = xml.EscapeText(&out, []byte(text)) // a Builder takes all
	return out.String()
}
