package service

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"homepage/internal/home"
)

// Neither memory, time nor the page grows with what a service sends.
const (
	maxItems     = 60   // recommendations kept; what follows them is not read
	maxItemsRead = 1000 // recommendations looked at, however few of them can be kept
)

// leftOut tells of items that can't be understood, and of those not read.
type leftOut struct {
	out, of int
	first   string // why the first was left out
	more    bool   // there are more than were read
}

var errOtherKeys = errors.New("none of its keys is one of these")

// decodePromo reads an offer. One without title and text says that there is
// none today.
func decodePromo(body []byte) (home.Promo, leftOut, error) {
	var o struct {
		Title  text `json:"title"`
		Text   text `json:"text"`
		URL    text `json:"url"`
		Action text `json:"action"`
		Image  text `json:"image"`
	}
	empty, err := decodeObject(body, &o)
	if err != nil {
		return home.Promo{}, leftOut{}, err
	}
	if !empty && !o.Title.present && !o.Text.present && !o.URL.present && !o.Action.present && !o.Image.present {
		return home.Promo{}, leftOut{}, errOtherKeys
	}
	if o.Title.value == "" && o.Text.value == "" {
		return home.Promo{}, leftOut{}, nil
	}
	return home.Promo{Title: o.Title.value, Text: o.Text.value, URL: o.URL.value, Action: o.Action.value, Image: o.Image.value}, leftOut{}, nil
}

// decodeRecommendations reads a list of recommendations. An empty one says that
// there are none today.
func decodeRecommendations(body []byte) (home.Recommendations, leftOut, error) {
	var o struct {
		Items items `json:"items"`
	}
	empty, err := decodeObject(body, &o)
	switch {
	case err != nil:
		return nil, leftOut{}, err
	case !empty && !o.Items.present:
		return nil, leftOut{}, errOtherKeys
	case len(o.Items.kept) == 0 && o.Items.left.out > 0:
		// What can't be understood at all is no "none today".
		return nil, leftOut{}, fmt.Errorf("none of %d items can be understood: %s", o.Items.left.of, o.Items.left.first)
	}
	return o.Items.kept, o.Items.left, nil
}

// decodeObject reads a JSON object. empty tells of one without keys, and of
// null.
func decodeObject(body []byte, object any) (empty bool, err error) {
	body = bytes.Trim(body, " \t\r\n")
	if len(body) == 0 {
		return false, errors.New("an empty body")
	}
	err = json.Unmarshal(body, object)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return false, fmt.Errorf("not JSON (%s)", ascii(syntax.Error())) // which says a character that came
	}
	if body[0] != '{' && body[0] != 'n' {
		return false, fmt.Errorf("%s, not an object", kind(body))
	}
	return body[0] == 'n' || len(bytes.TrimSpace(body[1:len(body)-1])) == 0, explainType(err)
}

// explainType says which value is of the wrong type, in words that don't speak
// of Go.
func explainType(err error) error {
	wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case !ok:
		return err
	case wrong.Type == nil: // by wrongType
		return fmt.Errorf("%s is %s", wrong.Field, wrong.Value)
	case wrong.Field == "":
		return fmt.Errorf("it is %s, not an object", withArticle(wrong.Value))
	}
	return fmt.Errorf("%s is %s, not a string", wrong.Field, withArticle(wrong.Value))
}

// text is a string, cleaned. Null is as good as an empty one.
type text struct {
	present bool
	value   string
}

func (t *text) UnmarshalJSON(value []byte) error {
	t.present = true
	switch value[0] {
	case 'n':
		return nil
	case '"':
		var s string
		err := json.Unmarshal(value, &s)
		t.value = clean(s)
		return err
	}
	return wrongType(value, "a string")
}

// items are recommendations, as far as they can be understood.
type items struct {
	present bool
	kept    home.Recommendations
	left    leftOut
}

// UnmarshalJSON reads one item after the other, and holds none that is left out.
func (i *items) UnmarshalJSON(value []byte) error {
	*i = items{present: true} // a key that comes twice starts again
	switch value[0] {
	case 'n':
		return nil
	case '[':
	default:
		return wrongType(value, "an array")
	}
	decoder := json.NewDecoder(bytes.NewReader(value))
	if _, err := decoder.Token(); err != nil { // the bracket
		return err
	}
	for decoder.More() {
		if len(i.kept) == maxItems || i.left.of == maxItemsRead {
			i.left.more = true
			break
		}
		i.left.of++
		item, err := decodeItem(decoder)
		if err == nil {
			i.kept = append(i.kept, item)
			continue
		}
		if i.left.out == 0 {
			i.left.first = fmt.Sprintf("item %d: %v", i.left.of, err)
		}
		i.left.out++
	}
	return nil
}

// decodeItem reads the next item. What is wrong with it leaves the decoder
// behind it, since all of the body is known to be JSON.
func decodeItem(decoder *json.Decoder) (home.Recommendation, error) {
	var o struct {
		Title  string `json:"title"`
		URL    string `json:"url"`
		Reason string `json:"reason"`
		Image  string `json:"image"`
	}
	if err := decoder.Decode(&o); err != nil {
		return home.Recommendation{}, explainType(err)
	}
	item := home.Recommendation{Title: clean(o.Title), URL: clean(o.URL), Reason: clean(o.Reason), Image: clean(o.Image)}
	if item == (home.Recommendation{}) {
		return item, errors.New("it has no title, url, reason or image")
	}
	return item, nil
}

// wrongType is the error to which encoding/json adds the key.
func wrongType(value []byte, want string) error {
	return &json.UnmarshalTypeError{Value: kind(value) + ", not " + want}
}

// withArticle makes words for a kind as encoding/json names it.
func withArticle(kind string) string {
	switch kind {
	case "object", "array":
		return "an " + kind
	case "bool":
		return "a boolean"
	}
	return "a " + kind
}

// kind tells what a JSON value is by how it begins.
func kind(value []byte) string {
	switch value[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

// decodeCharset returns a body in UTF-8. A byte order mark tells more than
// Content-Type, which tells more than nothing, which is UTF-8 (RFC 8259, 8.1).
func decodeCharset(body []byte, header http.Header) ([]byte, error) {
	if coding := header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return nil, errors.New("compressed in another way than was asked for")
	}
	if rest, ok := bytes.CutPrefix(body, []byte("\xEF\xBB\xBF")); ok {
		return validUTF8(rest)
	}
	// What JSON begins with is ASCII, which has a NUL beside it only in UTF-16
	// and UTF-32.
	beginning := string(body[:min(len(body), 4)])
	if strings.HasPrefix(beginning, "\xFE\xFF") || strings.HasPrefix(beginning, "\xFF\xFE") || strings.Contains(beginning, "\x00") {
		return nil, errors.New("UTF-16 or UTF-32, not UTF-8")
	}
	contentType := header.Get("Content-Type")
	mediaType, parameters, err := mime.ParseMediaType(contentType)
	switch {
	case err != nil && strings.Contains(strings.ToLower(contentType), "charset"):
		return nil, errors.New("a charset that can't be understood")
	case mediaType == "application/problem+json": // (RFC 9457)
		return nil, errors.New("the description of a problem")
	}
	switch strings.ToLower(parameters["charset"]) {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
		return validUTF8(body)
	case "iso-8859-1", "latin1", "windows-1252", "cp1252":
		// The former is read as the latter, as browsers do: they differ in
		// controls, which no text has.
		return charmap.Windows1252.NewDecoder().Bytes(body)
	}
	return nil, errors.New("another charset than UTF-8, ISO-8859-1 or Windows-1252")
}

func validUTF8(body []byte) ([]byte, error) {
	if !utf8.Valid(body) {
		return nil, errors.New("not valid UTF-8")
	}
	return body, nil
}
