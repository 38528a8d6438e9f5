package main

// Names as readers see them.
const (
	homepage            = "homepage"
	homepageOneByOne    = "homepage, one after the other"
	homepageKeeping     = "homepage, services say max-age"
	homepageStale       = "homepage, services say stale-while-revalidate"
	homepageTelling     = "homepage, services are told of visitors"
	homepageTellingKept = homepageTelling + ", kept"
	homepagePlain       = "homepage, not compressed"
	nginxSSI            = "nginx, SSI"
	nginxPlain          = "nginx, SSI, not compressed"
	nginxSubFilter      = "nginx, sub_filter"
	nginxPut            = "nginx, PUT"
	djangoPooled        = "Django, gather, one client"
	djangoGather        = "Django, gather"
	djangoSequential    = "Django, async, one after the other"
	djangoSync          = "Django, sync"
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

// uncompressed are those of them that compress, when nobody accepts it.
func (b *bench) uncompressed() []contestant {
	return b.able([]contestant{
		{name: homepagePlain, kind: b.kinds.home, path: "/", plain: true},
		{name: nginxPlain, kind: b.kinds.nginx, path: "/", plain: true},
	})
}

// encoding is the Accept-Encoding of who loads the page.
func (c contestant) encoding() string {
	if c.plain {
		return "identity"
	}
	return browsersEncoding
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

// pageKey names the figures of a contestant over services of one pace.
type pageKey struct {
	name        string
	pace        pace
	connections int
}
