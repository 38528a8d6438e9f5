package service

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"homepage/internal/home"
)

// MostForwarded is how many bytes of values a service is told of a visitor. One
// who sends more is nobody in particular to it.
const MostForwarded = 4 << 10

// Forward names what a service is told of a visitor: headers, and single
// cookies. Nothing else of a visitor's request goes out. The zero value names
// nothing.
type Forward struct{ things []thing }

// thing is a header, or one cookie.
type thing struct{ header, cookie string }

func (t thing) String() string {
	if t.cookie != "" {
		return cookiePrefix + t.cookie
	}
	return t.header
}

const cookiePrefix = "Cookie:"

// ParseForward reads names of headers and, as Cookie:NAME, of cookies, with
// commas or spaces between them.
func ParseForward(text string) (Forward, error) {
	const most = 32 // more are no list that someone has thought about
	var f Forward
	for _, name := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' }) {
		t, err := parseThing(name)
		switch {
		case err != nil:
			return Forward{}, err
		case slices.Contains(f.things, t):
			return Forward{}, fmt.Errorf("%s is named twice", t)
		case len(f.things) == most:
			return Forward{}, fmt.Errorf("no more than %d can be forwarded", most)
		}
		f.things = append(f.things, t)
	}
	return f, nil
}

func parseThing(name string) (thing, error) {
	header, cookie, ok := strings.Cut(name, ":")
	header = http.CanonicalHeaderKey(header)
	switch {
	case !httpguts.ValidHeaderFieldName(header) || ok && (header != "Cookie" || !httpguts.ValidHeaderFieldName(cookie)): // both names are tokens
		return thing{}, fmt.Errorf("%q is neither the name of a header nor Cookie: and the name of a cookie", name)
	case ok:
		return thing{header, cookie}, nil
	case header == "Cookie":
		return thing{}, fmt.Errorf("%s can't be forwarded whole, as it holds whatever the site has set; name single cookies, such as Cookie:visitor", header)
	case header == "Authorization":
		// A shared cache would not be allowed to keep the answers either (RFC 9111, 3.5).
		return thing{}, fmt.Errorf("%s can't be forwarded, as it holds a password or token that the visitor gave to this site and not to the service; have the proxy that checks it set a header of its own, and forward that", header)
	case header == "Accept" || header == "Cache-Control" || header == "Pragma" || reserved(header) || strings.HasPrefix(header, "Content-"):
		return thing{}, fmt.Errorf("%s can't be forwarded, as it is about the connection or the message and not about the visitor", header)
	}
	return thing{header, ""}, nil
}

// String returns the names as ParseForward reads them.
func (f Forward) String() string {
	var names []string
	for _, t := range f.things {
		names = append(names, t.String())
	}
	return strings.Join(names, ", ")
}

// Headers returns the headers of a request that are forwarded, wholly or in
// part.
func (f Forward) Headers() []string {
	var names []string
	for _, t := range f.things {
		if !slices.Contains(names, t.header) {
			names = append(names, t.header)
		}
	}
	return names
}

// Check finds headers that the service would be told by the operator and by
// the visitor.
func (f Forward) Check(set http.Header) error {
	for _, name := range f.Headers() {
		if set.Values(name) != nil {
			return fmt.Errorf("%s can't be forwarded, as the service is told another one already", name)
		}
	}
	return nil
}

// VisitorOf returns what the service of a section is told of who sent a request
// with these headers. If that is more than MostForwarded it is nobody, and ok is
// false.
func VisitorOf[T any](f Forward, header http.Header) (visitor home.Visitor[T], ok bool) {
	if len(f.things) == 0 {
		return visitor, true
	}
	values, size := make([][]string, len(f.things)), 0
	for i, t := range f.things {
		values[i] = header[t.header]
		if t.cookie != "" {
			values[i] = cookies(header["Cookie"], t.cookie)
		}
		for _, value := range values[i] {
			size += len(value)
		}
	}
	if size > MostForwarded {
		return visitor, false
	}
	return home.NewVisitor[T](values), true
}

// cookies returns the values of the cookies with the name, as they were sent.
// There are several if the site has set it for several paths.
func cookies(lines []string, name string) (values []string) {
	for _, line := range lines {
		for cookie := range strings.SplitSeq(line, ";") {
			if value, ok := strings.CutPrefix(strings.Trim(cookie, " \t"), name); ok && strings.HasPrefix(value, "=") {
				values = append(values, value[1:])
			}
		}
	}
	return values
}

// tell adds what the service is told of a visitor to the header of a call.
func (f Forward) tell(header http.Header, values [][]string) {
	var cookies []string
	for i, lines := range values {
		switch t := f.things[i]; {
		case t.cookie == "" && lines != nil:
			header[t.header] = lines
		case t.cookie != "":
			for _, value := range lines {
				cookies = append(cookies, t.cookie+"="+value)
			}
		}
	}
	if cookies != nil {
		header["Cookie"] = []string{strings.Join(cookies, "; ")}
	}
}

// ignored returns by which things an answer does not differ, as its Vary has it
// (RFC 9111, 4.1). An answer without Vary may differ by all of them: most
// services that look at a cookie don't say so. Accept-Encoding alone is no better,
// as it comes from what compresses answers, whatever they are.
func (f Forward) ignored(answer http.Header) (ignored home.Things) {
	var names []string
	for name := range elements(answer["Vary"]) {
		if name = http.CanonicalHeaderKey(name); name != "Accept-Encoding" {
			names = append(names, name)
		}
	}
	if names == nil {
		return 0
	}
	for i, t := range f.things {
		if !slices.Contains(names, t.header) {
			ignored |= 1 << i
		}
	}
	return ignored
}
