package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"homepage/internal/upload"
)

// flashMessage is what the homepage tells a visitor once, after an upload. A
// signed cookie carries it, so that it takes no memory here, outlives a restart,
// and is shown by any replica that has the same key. Nobody can forge one, but
// a visitor who keeps the cookie can see the message again until it expires.
type flashMessage struct {
	Expires int64 // Unix time in seconds
	Files   []flashFile
	More    int // files that the cookie had no room for
}

// flashFile is a stored file.
type flashFile struct {
	Name    string
	Existed string // see upload.Receipt
	Bytes   int64
	SHA256  []byte
}

// Count is how many files were stored.
func (m *flashMessage) Count() int { return len(m.Files) + m.More }

const (
	flashCookie = "flash"
	flashLife   = time.Hour // unless it is shown before
	flashMost   = 2 << 10   // bytes of a cookie's value; browsers and proxies refuse more than 4 KiB for all
)

// flashMessages reads and writes the cookies.
type flashMessages struct {
	key []byte
	now func() time.Time
}

// leave keeps the receipts for the visitor's next homepage, after those of
// earlier uploads that it has not shown yet.
func (f flashMessages) leave(w http.ResponseWriter, r *http.Request, receipts []upload.Receipt) {
	message := f.read(r)
	if message == nil {
		message = new(flashMessage)
	}
	message.Expires = f.now().Add(flashLife).Unix()
	for _, r := range receipts {
		file := flashFile{r.Name, r.Existed, r.Bytes, r.SHA256[:]}
		if message.More > 0 || !f.fits(message, file) {
			message.More++
			continue
		}
		message.Files = append(message.Files, file)
	}
	setFlashCookie(w, f.sign(message), int(flashLife.Seconds()))
}

// fits tells whether a cookie has room for one file more, and for how many it
// has no room for.
func (f flashMessages) fits(message *flashMessage, file flashFile) bool {
	const most = math.MaxInt32
	larger := &flashMessage{message.Expires, append(slices.Clip(message.Files), file), most}
	return len(f.sign(larger)) <= flashMost
}

// take returns what was left for this visitor, or nil, and has the browser
// forget it.
func (f flashMessages) take(w http.ResponseWriter, r *http.Request) *flashMessage {
	if _, err := r.Cookie(flashCookie); err != nil {
		return nil
	}
	setFlashCookie(w, "", -1)
	return f.read(r)
}

// sign returns the cookie's value: the message and its MAC, both in base64url.
// DER is the shortest of the standard library's encodings.
func (f flashMessages) sign(message *flashMessage) string {
	encoded, err := asn1.Marshal(*message)
	if err != nil {
		return "" // a name that is not UTF-8, which no store returns
	}
	return base64.RawURLEncoding.EncodeToString(encoded) + "." + base64.RawURLEncoding.EncodeToString(f.mac(encoded))
}

// read returns the message in the request's cookie, or nil if there is none
// that is ours and has not expired.
func (f flashMessages) read(r *http.Request) *flashMessage {
	cookie, err := r.Cookie(flashCookie)
	if err != nil || len(cookie.Value) > flashMost {
		return nil
	}
	value, mac, _ := strings.Cut(cookie.Value, ".")
	encoded, err1 := base64.RawURLEncoding.Strict().DecodeString(value)
	signed, err2 := base64.RawURLEncoding.Strict().DecodeString(mac)
	if err1 != nil || err2 != nil || !hmac.Equal(signed, f.mac(encoded)) {
		return nil
	}
	message := new(flashMessage)
	rest, err := asn1.Unmarshal(encoded, message)
	if err != nil || len(rest) > 0 || f.now().Unix() > message.Expires {
		return nil
	}
	return message
}

// mac is for this cookie alone, should the key ever sign another one too.
func (f flashMessages) mac(encoded []byte) []byte {
	hash := hmac.New(sha256.New, f.key)
	_, _ = hash.Write([]byte(flashCookie + "="))
	_, _ = hash.Write(encoded)
	return hash.Sum(nil)
}

// setFlashCookie has no Secure attribute, since the site does not know whether a
// proxy speaks TLS for it.
func setFlashCookie(w http.ResponseWriter, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // no Secure, see above
		Name: flashCookie, Value: value, Path: homePath, MaxAge: maxAge,
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
}
