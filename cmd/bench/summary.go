package main

import (
	"fmt"
	"strconv"
	"strings"
)

// summary is what the README of the repository says of the figures: a sentence
// on each of these.
type summary struct{ page, load, certificates, upload string }

func (s summary) String() string {
	var out strings.Builder
	for _, sentence := range []string{s.page, s.load, s.certificates, s.upload} {
		if sentence != "" {
			out.WriteString("- " + sentence + "\n")
		}
	}
	return out.String()
}

// rival is a side and how many times its figure the homepage reaches, more
// being better.
type rival struct {
	name  string
	ratio figure
}

// against compares the homepage with its rivals, in what can follow a comma.
// Verb and measure are such as "is" and "fast", or "sends" and "many". What the
// homepage loses is said as plainly as what it wins.
func against(verb, measure string, rivals ...rival) string {
	var won, lost []string
	before := ""
	for _, r := range rivals {
		ratio := r.ratio.median()
		var phrase string
		switch {
		case len(r.ratio) == 0:
			lost = append(lost, r.name+" was not measured")
			continue
		case factor(ratio) == "1.0" || factor(1/ratio) == "1.0":
			phrase = "about as " + measure + " as "
		case ratio > 1:
			phrase = factor(ratio) + " times as " + measure + " as "
		default:
			lost = append(lost, r.name+" "+verb+" "+factor(1/ratio)+" times as "+measure)
			continue
		}
		if phrase == before {
			phrase = ""
		} else {
			before = phrase
		}
		won = append(won, phrase+r.name)
	}
	text := strings.Join(won, " and ")
	switch {
	case len(lost) == 0:
		return text
	case len(won) > 0:
		text += ", "
	}
	return text + "while " + strings.Join(lost, " and ")
}

// factor writes a ratio as it is read in a sentence.
func factor(ratio float64) string {
	switch {
	case ratio < 10:
		return strconv.FormatFloat(ratio, 'f', 1, 64)
	case ratio < 100:
		return strconv.FormatFloat(ratio, 'f', 0, 64)
	}
	return number(ratio)
}

// summarizePage tells when one visitor's page begins and when it is whole.
func summarizePage(first, whole map[pageKey]figure) string {
	at := func(name string) pageKey { return pageKey{name, claimPace(), 1} }
	home := at(homepage)
	if len(whole[home]) == 0 {
		return "The page for one visitor was not measured."
	}
	beside := func(figures map[pageKey]figure) string {
		return against("is", "fast",
			rival{"nginx SSI", ratio(figures[at(nginxSSI)], figures[home])},
			rival{"Django gather with one client", ratio(figures[at(djangoPooled)], figures[home])})
	}
	return fmt.Sprintf("Over two services that take %d ms each, a page begins after %s ms, %s; it is whole after %s ms, %s.",
		claimPace().wait.Milliseconds(), number(first[home].median()), beside(first), number(whole[home].median()), beside(whole))
}

// summarizeLoad tells how many homepages are sent a second.
func summarizeLoad(all map[pageKey]*loads) string {
	perSecond := func(name string) figure {
		if got := all[pageKey{name, pace{}, 32}]; got != nil {
			return got.perSecond
		}
		return nil
	}
	gzip, plain := perSecond(homepage), perSecond(homepagePlain)
	if len(gzip) == 0 || len(plain) == 0 {
		return "Homepages a second were not measured."
	}
	return fmt.Sprintf("With 32 connections and services that answer at once, homepage sends %s pages a second with gzip, %s, and %s without, %s.",
		number(gzip.median()), against("sends", "many", rival{"nginx SSI", ratio(gzip, perSecond(nginxSSI))}),
		number(plain.median()), against("sends", "many", rival{"nginx SSI", ratio(plain, perSecond(nginxPlain))}))
}

// summarizeCertificates tells how many are sent a second, and whether they are
// valid.
func summarizeCertificates(home, nginx figure, homeVerdict, nginxVerdict string) string {
	if len(home) == 0 {
		return "Certificates a second were not measured."
	}
	text := fmt.Sprintf("With 32 connections, homepage sends %s certificates a second, %s", number(home.median()),
		against("sends", "many", rival{"nginx sub_filter", ratio(home, nginx)}))
	if homeVerdict != "" && nginxVerdict != "" {
		text += fmt.Sprintf("; `qpdf --check` finds those of homepage %s and those of nginx %s", homeVerdict, nginxVerdict)
	}
	return text + "."
}

// summarizeUpload tells how long an upload takes to be on the disk.
func summarizeUpload(size string, home, nginx figure) string {
	if len(home) == 0 {
		return "The upload of " + size + " was not measured."
	}
	return fmt.Sprintf("An upload of %s is on the disk after %s s, %s.", size, number(home.median()),
		against("is", "fast", rival{"nginx PUT with a sync after it", ratio(nginx, home)}))
}
