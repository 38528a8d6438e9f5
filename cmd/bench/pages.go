package main

import "time"

// Names as readers see them.
const (
	homepage         = "homepage"
	homepageOneByOne = "homepage, one after the other"
	homepageKeeping  = "homepage, services say max-age"
	nginxSSI         = "nginx, SSI"
	djangoPooled     = "Django, gather, one client"
	djangoGather     = "Django, gather"
	djangoSequential = "Django, async, one after the other"
	djangoSync       = "Django, sync"
)

// variants are all ways to make the page.
func (b *bench) variants() []contestant {
	return b.able([]contestant{
		{name: homepage, kind: b.kinds.home, path: "/"},
		{name: homepageOneByOne, kind: b.kinds.oneByOne, path: "/"},
		{name: nginxSSI, kind: b.kinds.nginx, path: "/"},
		{name: djangoPooled, kind: b.kinds.django, path: "/"},
		{name: djangoGather, kind: b.kinds.django, path: "/gather", crowd: true},
		{name: djangoSequential, kind: b.kinds.django, path: "/sequential", crowd: true},
		{name: djangoSync, kind: b.kinds.django, path: "/sync", crowd: true},
	})
}

// able leaves out what can't run here.
func (b *bench) able(all []contestant) []contestant {
	var out []contestant
	for _, c := range all {
		if !c.kind.missing {
			out = append(out, c)
		}
	}
	return out
}

// pageKey names the figures of a contestant over services of one delay.
type pageKey struct {
	name        string
	delay       time.Duration
	connections int
}
