package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"sync"

	"github.com/alecthomas/kong"

	"homepage/internal/home"
	"homepage/internal/service"
	"homepage/internal/web"
)

// forward is what a service is told of visitors.
type forward = service.Forward

// readForward reads what a service is told of visitors.
func readForward(ctx *kong.DecodeContext, target reflect.Value) error {
	const takes = "names of headers and, as Cookie:NAME, of cookies, with commas or spaces between them, such as Accept-Language, Cookie:visitor"
	var text string
	if err := ctx.Scan.PopValueInto(ctx.Value.Name, &text); err != nil {
		return usageError{fmt.Sprintf("--%s has no value, but takes %s", ctx.Value.Name, takes)}
	}
	names, err := service.ParseForward(text)
	if err != nil {
		return bad(ctx.Value, fmt.Sprintf("takes %s: %v", takes, err))
	}
	target.Set(reflect.ValueOf(names))
	return nil
}

// checkForwards finds headers that the operator and visitors would both set.
func (s *settings) checkForwards() error {
	for _, one := range []struct {
		name  string
		names forward
		set   http.Header
	}{
		{"PROMO_SERVICE", s.PromoServiceForward, s.PromoServiceHeaders},
		{"RECCO_SERVICE", s.ReccoServiceForward, s.ReccoServiceHeaders},
	} {
		if err := one.names.Check(one.set); err != nil {
			return usageError{fmt.Sprintf("%s_FORWARD: %v by %[1]s_HEADERS", one.name, err)}
		}
	}
	return nil
}

// cacheOfSection is what of HOMEPAGE_CACHE a section has: all of it, if the
// other one is the same for all visitors.
func (s *settings) cacheOfSection() int64 {
	if s.PromoServiceForward.Headers() != nil && s.ReccoServiceForward.Headers() != nil {
		return s.HomepageCache / 2
	}
	return s.HomepageCache
}

// forwarding returns what services are told of visitors.
func forwarding(s settings, log *slog.Logger) web.Forward {
	headers := slices.Concat(s.PromoServiceForward.Headers(), s.ReccoServiceForward.Headers())
	if headers == nil {
		return web.Forward{}
	}
	slices.Sort(headers)
	promo := visitorOf[home.Promo](s.PromoServiceForward, log.With("setting", "PROMO_SERVICE_FORWARD"))
	recco := visitorOf[home.Recommendations](s.ReccoServiceForward, log.With("setting", "RECCO_SERVICE_FORWARD"))
	return web.Forward{Headers: slices.Compact(headers), Visitor: func(header http.Header) (home.Visitor[home.Promo], home.Visitor[home.Recommendations]) {
		return promo(header), recco(header)
	}}
}

// visitorOf returns whom a service is told of. That someone sends too much is
// logged once: whoever it is can do it again and again.
func visitorOf[T any](names forward, log *slog.Logger) func(http.Header) home.Visitor[T] {
	var once sync.Once
	return func(header http.Header) home.Visitor[T] {
		visitor, ok := service.VisitorOf[T](names, header)
		if !ok {
			once.Do(func() {
				log.Warn("a visitor sent more than is forwarded, and gets the section of nobody in particular; this is said once", "most_bytes", service.MostForwarded)
			})
		}
		return visitor
	}
}
