package web_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"homepage/internal/resumable"
	"homepage/internal/upload/disk"
	"homepage/internal/web"
)

const partType = "application/partial-upload"

// post begins an upload in parts with the first of them.
func post(t *testing.T, s *site, body string, headers ...string) answer {
	t.Helper()
	return do(t, visitor(t), http.MethodPost, s.url+"/upload", strings.NewReader(body), headers...)
}

// begin begins an upload and returns its address.
func begin(t *testing.T, s *site, headers ...string) string {
	t.Helper()
	got := post(t, s, "", append([]string{"Upload-Complete", "?0", "Content-Disposition", `inline; filename="a.txt"`}, headers...)...)
	check(t, got, http.StatusCreated, "Upload-Complete", "?0", "Upload-Offset", "0")
	return got.header.Get("Location")
}

// patch sends a part.
func patch(t *testing.T, s *site, address string, offset int, complete, body string, headers ...string) answer {
	t.Helper()
	return do(t, visitor(t), http.MethodPatch, s.url+address, strings.NewReader(body),
		append([]string{"Content-Type", partType, "Upload-Offset", strconv.Itoa(offset), "Upload-Complete", complete}, headers...)...)
}

func head(t *testing.T, s *site, address string) answer {
	t.Helper()
	return do(t, visitor(t), http.MethodHead, s.url+address, nil)
}

// check compares an answer's status and headers, which are given by name and
// value; a field that must not be there has an empty one.
func check(t *testing.T, got answer, status int, headers ...string) {
	t.Helper()
	if got.status != status {
		t.Errorf("status %d, want %d: %s", got.status, status, got.body)
	}
	for i := 0; i < len(headers); i += 2 {
		if value := got.header.Get(headers[i]); value != headers[i+1] {
			t.Errorf("%s: %q, want %q", headers[i], value, headers[i+1])
		}
	}
}

// checkProblemType checks the type of a problem.
func checkProblemType(t *testing.T, got answer, kind string, more map[string]float64) {
	t.Helper()
	var problem map[string]any
	if err := json.Unmarshal([]byte(got.body), &problem); err != nil {
		t.Fatalf("%q: %v", got.body, err)
	}
	if got.header.Get("Content-Type") != "application/problem+json" || problem["type"] != "https://iana.org/assignments/http-problem-types#"+kind {
		t.Errorf("the problem is %v", problem)
	}
	for name, want := range more {
		if problem[name] != want {
			t.Errorf("%s is %v, want %v", name, problem[name], want)
		}
	}
}

// published maps the names in the upload folder that are in sight to the contents
// of the files.
func published(t *testing.T, s *site) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, name := range names(t, s) {
		if strings.HasPrefix(name, ".") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(s.folder, name))
		if err != nil {
			t.Fatal(err)
		}
		found[name] = string(content)
	}
	return found
}

func checkPublished(t *testing.T, s *site, want ...string) {
	t.Helper()
	got := published(t, s)
	if len(got) != len(want)/2 {
		t.Errorf("%d files are in sight, want %d: %v", len(got), len(want)/2, got)
	}
	for i := 0; i < len(want); i += 2 {
		if got[want[i]] != want[i+1] {
			t.Errorf("%s has %q, want %q", want[i], got[want[i]], want[i+1])
		}
	}
}

// interim sends an upload in one request and returns the answers before the last.
func interim(t *testing.T, s *site, headers ...string) (informational map[int]http.Header, final answer) {
	t.Helper()
	informational = map[int]http.Header{}
	trace := &httptrace.ClientTrace{
		Got100Continue: func() { informational[http.StatusContinue] = http.Header{} },
		Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
			informational[code] = http.Header(header)
			return nil
		},
	}
	request, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodPost, s.url+"/upload", strings.NewReader("whole"))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	transport := &http.Transport{ExpectContinueTimeout: time.Minute}
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return informational, answer{response.StatusCode, response.Header, string(body)}
}

// clause is a test of one, on a site of its own.
type clause struct {
	t *testing.T
	s *site
}

// Each clause of draft-ietf-httpbis-resumable-upload that a server must keep, by
// its section.
func TestResumableUploadProtocol(t *testing.T) {
	for _, test := range []struct {
		section, says string
		run           func(clause)
	}{
		{"4.1.1", "an upload that lost a part of its state is gone", func(c clause) {
			t, s := c.t, c.s
			address := begin(t, s)
			patch(t, s, address, 0, "?0", "hello")
			if err := os.Truncate(filepath.Join(s.folder, ".resumable", filepath.Base(address)), 2); err != nil {
				t.Fatal(err)
			}
			check(t, patch(t, s, address, 5, "?1", ""), http.StatusNotFound)
			checkPublished(t, s)
		}},
		{"4.1.1", "an Upload-Offset of another type is none", func(c clause) {
			t, s := c.t, c.s
			address := begin(t, s)
			for _, offset := range []string{`"0"`, "0.0", "-1", "0, 0", "?0", "x", "", "0 0", "1000000000000000"} {
				check(t, patch(t, s, address, 0, "?0", "x", "Upload-Offset", offset), http.StatusBadRequest)
			}
			check(t, patch(t, s, address, 0, "?0", "x", "Upload-Offset", "0;a=b"), http.StatusNoContent, "Upload-Offset", "1")
		}},
		{"4.1.2", "an Upload-Complete of another type is none", func(c clause) {
			t, s := c.t, c.s
			address := begin(t, s)
			for _, complete := range []string{"yes", "1", "?2", `"?1"`, "?1, ?1", ""} {
				check(t, post(t, s, "x", "Upload-Complete", complete), http.StatusUnsupportedMediaType, "Location", "")
				check(t, patch(t, s, address, 0, complete, "x"), http.StatusBadRequest)
			}
			check(t, patch(t, s, address, 0, "?1;a=b", "x"), http.StatusCreated, "Upload-Complete", "?1")
		}},
		{"4.1.3", "an Upload-Length of another type is none", func(c clause) {
			t, s := c.t, c.s
			for _, length := range []string{"five", "5.0", "-5", `"5"`, "5, 5"} {
				check(t, head(t, s, begin(t, s, "Upload-Length", length)), http.StatusNoContent, "Upload-Length", "")
			}
		}},
		{"4.1.3", "lengths in one request match", func(c clause) {
			t, s := c.t, c.s
			got := post(t, s, "hello", "Upload-Complete", "?1", "Upload-Length", "6")
			check(t, got, http.StatusBadRequest, "Upload-Complete", "?0")
			checkProblemType(t, got, "inconsistent-upload-length", nil)
			checkPublished(t, s)
		}},
		{"4.1.3", "lengths of two requests match", func(c clause) {
			t, s := c.t, c.s
			address := begin(t, s, "Upload-Length", "5")
			for _, got := range []answer{
				patch(t, s, address, 0, "?0", "he", "Upload-Length", "6"),
				patch(t, s, address, 0, "?1", "hell"),
			} {
				check(t, got, http.StatusBadRequest, "Upload-Complete", "?0", "Upload-Offset", "0")
				checkProblemType(t, got, "inconsistent-upload-length", nil)
			}
			check(t, patch(t, s, address, 0, "?1", "hello"), http.StatusCreated)
		}},
		{"4.1.3", "all bytes are there, but the upload is not complete until that is said", func(c clause) {
			t, s := c.t, c.s
			address := begin(t, s, "Upload-Length", "5")
			check(t, patch(t, s, address, 0, "?0", "hello"), http.StatusNoContent, "Upload-Complete", "?0")
			checkPublished(t, s)
			check(t, patch(t, s, address, 5, "?1", ""), http.StatusCreated, "Upload-Complete", "?1")
			checkPublished(t, s, "a.txt", "hello")
		}},
		{"4.1.4", "OPTIONS tells the limits", func(c clause) {
			t, s := c.t, c.s
			check(t, do(t, visitor(t), http.MethodOptions, s.url+"/upload", nil), http.StatusNoContent, "Upload-Limit", "max-size=1048576")
		}},
		{"4.1.4", "what is over the limit is refused as soon as it is known, with the limit", func(c clause) {
			t, s := c.t, c.s
			const limit = 1 << 20
			address, large := begin(t, s), strings.Repeat("x", limit)
			for _, got := range []answer{
				post(t, s, "", "Upload-Complete", "?0", "Upload-Length", strconv.Itoa(limit+1)),
				post(t, s, large+"x", "Upload-Complete", "?1"),
				patch(t, s, address, 0, "?0", large+"x"),
				do(t, visitor(t), http.MethodPatch, s.url+address, io.MultiReader(strings.NewReader(large+"x")), // without a length
					"Content-Type", partType, "Upload-Offset", "0", "Upload-Complete", "?0"),
			} {
				check(t, got, http.StatusRequestEntityTooLarge, "Upload-Limit", "max-size=1048576")
			}
			check(t, head(t, s, address), http.StatusNotFound) // nothing it could become is allowed
			check(t, post(t, s, large, "Upload-Complete", "?1"), http.StatusCreated)
		}},
		{"4.2.2", "the interim answer has the address and the limits, for versions that are known", func(c clause) {
			t, s := c.t, c.s
			for version, want := range map[string]bool{"8": true, "9": true, "9;a=b": true, "7": false, "10": false, "nine": false, "": false} {
				informational, final := interim(t, s, "Upload-Complete", "?0", "Upload-Draft-Interop-Version", version)
				header, got := informational[104]
				if got != want {
					t.Errorf("version %q: 104 is %v, want %v", version, got, want)
				}
				address := final.header.Get("Location")
				if got && (header.Get("Location") != address || header.Get("Upload-Limit") != "max-size=1048576, max-age=3599" || header.Get("Upload-Draft-Interop-Version") != version[:1]) {
					t.Errorf("104 with %v, 201 with the Location %q", header, address)
				}
				check(t, final, http.StatusCreated, "Upload-Complete", "?0", "Upload-Draft-Interop-Version", "")
				check(t, head(t, s, address), http.StatusNoContent, "Upload-Offset", "5")
			}
		}},
		{"4.2.2", "an upload in one request is answered as the form is", func(c clause) {
			t, s := c.t, c.s
			got := post(t, s, "whole", "Upload-Complete", "?1", "Content-Type", "text/plain", "Content-Disposition", `attachment; filename="x.txt"; filename*=UTF-8''%C3%A4.txt`)
			check(t, got, http.StatusCreated, "Upload-Complete", "?1", "Location", "", "Content-Type", "application/json")
			checkReceipts(t, got, "ä.txt")
			checkPublished(t, s, "ä.txt", "whole")
			if cookie := got.header.Get("Set-Cookie"); cookie != "" {
				t.Errorf("the receipt comes with the cookie %q", cookie)
			}
		}},
		{"4.2.2", "a part is answered with the address and the limits", func(c clause) {
			t, s := c.t, c.s
			got := post(t, s, "who", "Upload-Complete", "?0")
			check(t, got, http.StatusCreated, "Upload-Complete", "?0", "Upload-Offset", "3", "Upload-Limit", "max-size=1048576, max-age=3599")
			check(t, patch(t, s, got.header.Get("Location"), 3, "?1", "le"), http.StatusCreated)
			checkPublished(t, s, "file", "whole")
		}},
		{"4.2.2", "the length is recorded", func(c clause) {
			t, s := c.t, c.s
			check(t, head(t, s, begin(t, s, "Upload-Length", "7")), http.StatusNoContent, "Upload-Length", "7")
		}},
		{"4.2.2, 4.4.2", "a request that is cut off completes nothing, and what came is kept", func(c clause) {
			t, s := c.t, c.s
			address := begin(t, s)
			conn := cutOff(t, s, address, 10, "hello")
			if line := statusLine(t, conn); !strings.Contains(line, " 400 ") {
				t.Errorf("the answer is %s", line)
			}
			check(t, head(t, s, address), http.StatusNoContent, "Upload-Offset", "5", "Upload-Complete", "?0", "Upload-Length", "10")
			checkPublished(t, s)
		}},
		{"4.3.2", "HEAD tells offset, completeness, length and limits, and is not kept", func(c clause) {
			t, s := c.t, c.s
			address := begin(t, s, "Upload-Length", "5")
			patch(t, s, address, 0, "?0", "he")
			check(t, head(t, s, address), http.StatusNoContent, "Upload-Offset", "2", "Upload-Complete", "?0", "Upload-Length", "5",
				"Upload-Limit", "max-size=1048576, max-age=3599", "Cache-Control", "no-store")
			patch(t, s, address, 2, "?1", "llo")
			check(t, head(t, s, address), http.StatusNoContent, "Upload-Offset", "5", "Upload-Complete", "?1", "Upload-Length", "5", "Cache-Control", "no-store")
		}},
		{"4.4.2", "a part at another offset is refused with the right one", func(c clause) {
			t, s := c.t, c.s
			address := begin(t, s)
			patch(t, s, address, 0, "?0", "hello")
			for _, offset := range []int{0, 4, 6} {
				got := patch(t, s, address, offset, "?0", "x")
				check(t, got, http.StatusConflict, "Upload-Offset", "5", "Upload-Complete", "?0")
				checkProblemType(t, got, "mismatching-upload-offset", map[string]float64{"expected-offset": 5, "provided-offset": float64(offset)})
			}
		}},
		{"4.4.2", "the last part is answered as the form is, and again if the answer was lost", func(c clause) {
			t, s := c.t, c.s
			address := begin(t, s)
			first := patch(t, s, address, 0, "?1", "hello")
			check(t, first, http.StatusCreated, "Upload-Complete", "?1", "Repr-Digest", reprDigest("hello"))
			checkReceipts(t, first, "a.txt")
			if again := patch(t, s, address, 5, "?1", ""); again.status != first.status || again.body != first.body {
				t.Errorf("then %d %s", again.status, again.body)
			}
			for _, other := range []answer{patch(t, s, address, 5, "?0", ""), patch(t, s, address, 5, "?1", "x"), patch(t, s, address, 0, "?1", "hello")} {
				check(t, other, http.StatusConflict, "Upload-Complete", "?0", "Upload-Offset", "5")
			}
			checkPublished(t, s, "a.txt", "hello")
		}},
		{"4.4.2", "the length that a part tells is recorded", func(c clause) {
			t, s := c.t, c.s
			address := begin(t, s)
			patch(t, s, address, 0, "?0", "he", "Upload-Length", "5")
			check(t, head(t, s, address), http.StatusNoContent, "Upload-Length", "5")
		}},
		{"4.4.2", "an upload that goes beyond its length is refused and gone", func(c clause) {
			t, s := c.t, c.s
			for _, body := range []io.Reader{strings.NewReader("hello!"), io.MultiReader(strings.NewReader("hello!"))} { // with a length and without
				address := begin(t, s, "Upload-Length", "5")
				got := do(t, visitor(t), http.MethodPatch, s.url+address, body, "Content-Type", partType, "Upload-Offset", "0", "Upload-Complete", "?0")
				check(t, got, http.StatusBadRequest)
				check(t, head(t, s, address), http.StatusNotFound)
			}
			checkPublished(t, s)
		}},
		{"4.5", "an upload that is cancelled is gone", func(c clause) {
			t, s := c.t, c.s
			address := begin(t, s)
			check(t, do(t, visitor(t), http.MethodDelete, s.url+address, nil), http.StatusNoContent)
			check(t, head(t, s, address), http.StatusNotFound)
			check(t, patch(t, s, address, 0, "?1", "x"), http.StatusNotFound)
			check(t, do(t, visitor(t), http.MethodDelete, s.url+address, nil), http.StatusNotFound)
		}},
		{"4.6", "a newer request ends the older one, and the offset that it gets holds", func(c clause) {
			t, s := c.t, c.s
			address := begin(t, s)
			for _, method := range []string{http.MethodHead, http.MethodDelete} {
				stalled := stall(t, s, address, 0)
				check(t, do(t, visitor(t), method, s.url+address, nil), http.StatusNoContent)
				if content, _ := io.ReadAll(stalled); len(content) > 0 {
					t.Errorf("the older one is answered %q", content)
				}
			}
		}},
		{"5", "104 does not stand for 100", func(c clause) {
			t, s := c.t, c.s
			informational, _ := interim(t, s, "Upload-Complete", "?1", "Upload-Draft-Interop-Version", "9", "Expect", "100-continue")
			for _, code := range []int{http.StatusContinue, 104} {
				if _, ok := informational[code]; !ok {
					t.Errorf("no %d", code)
				}
			}
		}},
		{"6", "a part of another type is refused", func(c clause) {
			t, s := c.t, c.s
			address := begin(t, s)
			for _, kind := range []string{"text/plain", "", "multipart/form-data; boundary=b"} {
				check(t, patch(t, s, address, 0, "?0", "x", "Content-Type", kind), http.StatusUnsupportedMediaType, "Accept-Patch", partType)
			}
		}},
		{"8", "a body with a content coding is refused", func(c clause) {
			t, s := c.t, c.s
			check(t, post(t, s, "x", "Upload-Complete", "?1", "Content-Encoding", "gzip"), http.StatusUnsupportedMediaType)
			check(t, patch(t, s, begin(t, s), 0, "?1", "x", "Content-Encoding", "gzip"), http.StatusUnsupportedMediaType)
		}},
		{"10.1", "what has not the digest that was announced is not published", func(c clause) {
			t, s := c.t, c.s
			for _, got := range []answer{
				post(t, s, "hello", "Upload-Complete", "?1", "Repr-Digest", reprDigest("hullo")),
				patch(t, s, begin(t, s, "Repr-Digest", reprDigest("hullo")), 0, "?1", "hello"),
				patch(t, s, begin(t, s), 0, "?1", "hello", "Repr-Digest", reprDigest("hullo")),
			} {
				check(t, got, http.StatusUnprocessableEntity, "Upload-Complete", "?1")
			}
			for _, digest := range []string{"x", "sha-256=x", "sha-256=:eA==:", "sha-512=:eA==:", "sha-256"} {
				check(t, post(t, s, "x", "Upload-Complete", "?1", "Repr-Digest", digest), http.StatusBadRequest)
			}
			checkPublished(t, s)
			check(t, patch(t, s, begin(t, s, "Repr-Digest", reprDigest("hello")), 0, "?1", "hello"), http.StatusCreated)
		}},
		{"13", "names are cleaned, and one that can't be read is refused", func(c clause) {
			t, s := c.t, c.s
			check(t, post(t, s, "x", "Upload-Complete", "?1", "Content-Disposition", `inline; filename="../../etc/passwd"`), http.StatusCreated)
			check(t, post(t, s, "x", "Upload-Complete", "?1", "Content-Disposition", `inline; filename="a"; filename="b"`), http.StatusBadRequest)
			checkPublished(t, s, "passwd", "x")
		}},
		{"13", "what is not an id is nothing, and nobody is told more", func(c clause) {
			t, s := c.t, c.s
			known := begin(t, s)
			for _, id := range []string{"..%2f..%2fetc%2fpasswd", "..", "%2e%2e", "a%00b", ".json", strings.Repeat("A", 5000), strings.Repeat("A", 26), strings.ToLower(filepath.Base(known)), filepath.Base(known) + ".json", filepath.Base(known) + "%00"} {
				for _, method := range []string{http.MethodHead, http.MethodDelete} {
					check(t, do(t, visitor(t), method, s.url+"/upload/"+id, nil), http.StatusNotFound)
				}
				check(t, patch(t, s, "/upload/"+id, 0, "?1", "x"), http.StatusNotFound)
			}
			for _, address := range []string{known, "/upload/" + strings.Repeat("A", 26)} {
				check(t, get(t, s, address), http.StatusMethodNotAllowed, "Allow", "HEAD, PATCH, DELETE", "Referrer-Policy", "no-referrer")
			}
		}},
	} {
		t.Run(test.section+" "+test.says, func(t *testing.T) { test.run(clause{t, newSite(t)}) })
	}
}

func reprDigest(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

// stall begins a part and returns its connection once the server reads the body,
// which never comes.
func stall(t *testing.T, s *site, address string, offset int) net.Conn {
	t.Helper()
	conn := dial(t, s)
	fmt.Fprintf(conn, "PATCH %s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nUpload-Offset: %d\r\nUpload-Complete: ?0\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n", address, partType, offset)
	for _, want := range []string{"HTTP/1.1 100 Continue\r\n", "\r\n"} {
		got := make([]byte, len(want))
		if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
			t.Fatalf("%q, %v", got, err)
		}
	}
	return conn
}

// cutOff sends less of a last part than it announces, and no more.
func cutOff(t *testing.T, s *site, address string, announced int, body string) net.Conn {
	t.Helper()
	conn := dial(t, s)
	fmt.Fprintf(conn, "PATCH %s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nUpload-Offset: 0\r\nUpload-Complete: ?1\r\nContent-Length: %d\r\n\r\n%s", address, partType, announced, body)
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	return conn
}

// The rules of forms hold for parts: where they come from, and how many at once.
func TestPartsKeepTheRulesOfForms(t *testing.T) {
	s := newSite(t)
	address := begin(t, s)
	for _, method := range []string{http.MethodPost, http.MethodPatch, http.MethodDelete} {
		path := map[bool]string{true: "/upload", false: address}[method == http.MethodPost]
		got := do(t, visitor(t), method, s.url+path, strings.NewReader("x"), "Sec-Fetch-Site", "cross-site", "Upload-Complete", "?1", "Upload-Offset", "0", "Content-Type", partType)
		check(t, got, http.StatusForbidden)
	}
	check(t, post(t, s, "", "Upload-Complete", "?1"), http.StatusUnprocessableEntity, "Upload-Complete", "?1")
	// A form is one whatever the field says.
	body, contentType := form(t, file{"form.txt", "x"})
	check(t, do(t, visitor(t), http.MethodPost, s.url+"/upload", body, "Content-Type", contentType, "Upload-Complete", "?1"), http.StatusSeeOther, "Upload-Complete", "")

	for range 3 { // Limits.PerClient
		stall(t, s, begin(t, s), 0)
	}
	check(t, patch(t, s, address, 0, "?1", "x"), http.StatusTooManyRequests, "Retry-After", "5")
	check(t, head(t, s, address), http.StatusNoContent, "Upload-Offset", "0") // which takes no place

	draining := newSite(t, func(d *web.Deps) { d.Draining = func() bool { return true } })
	check(t, post(t, draining, "x", "Upload-Complete", "?1"), http.StatusServiceUnavailable, "Retry-After", "5")
}

// Of eight parts at one offset one takes effect at most, and the rest changes
// nothing.
func TestManyPartsAtOneOffset(t *testing.T) {
	s := newSite(t)
	address := begin(t, s)
	const size = 100 << 10
	var group sync.WaitGroup
	for n := range 8 {
		group.Go(func() {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, s.url+address, strings.NewReader(strings.Repeat(strconv.Itoa(n), size)))
			if err != nil {
				t.Error(err)
				return
			}
			request.Header = http.Header{"Content-Type": {partType}, "Upload-Offset": {"0"}, "Upload-Complete": {"?0"}}
			response, err := http.DefaultTransport.RoundTrip(request)
			if err == nil {
				_ = response.Body.Close()
			}
		})
	}
	group.Wait()
	offset, err := strconv.Atoi(head(t, s, address).header.Get("Upload-Offset"))
	if err != nil || offset > size {
		t.Fatalf("the offset is %d: %v", offset, err)
	}
	check(t, patch(t, s, address, offset, "?1", "end"), http.StatusCreated)
	content, ok := strings.CutSuffix(published(t, s)["a.txt"], "end")
	if !ok || len(content) != offset || offset > 0 && strings.Trim(content, content[:1]) != "" {
		t.Errorf("the file has parts of several: %d bytes", len(content))
	}
}

// A drain ends a part at an offset that it tells, and the next instance goes on
// there.
func TestDrainEndsParts(t *testing.T) {
	var uploads *resumable.Uploads
	s := newSite(t, func(d *web.Deps) { uploads = d.Resumable.(*resumable.Uploads) })
	address := begin(t, s)
	patch(t, s, address, 0, "?0", "hel")
	conn := stall(t, s, address, 3)
	uploads.Drain()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	check(t, answer{response.StatusCode, response.Header, ""}, http.StatusServiceUnavailable, "Upload-Offset", "3", "Upload-Complete", "?0", "Retry-After", "5")
	check(t, patch(t, s, address, 3, "?1", "lo"), http.StatusServiceUnavailable)

	next := newSite(t, func(d *web.Deps) {
		store, err := disk.Open(s.folder, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
		d.Resumable = resumable.New(store, 1<<20, time.Hour)
	})
	check(t, head(t, next, address), http.StatusNoContent, "Upload-Offset", "3")
	check(t, patch(t, next, address, 3, "?1", "lo"), http.StatusCreated)
	checkPublished(t, s, "a.txt", "hello")
}

// The address of an upload is a key, so no log line has it, whatever goes wrong.
func TestTheLogKeepsNoKeys(t *testing.T) {
	s := newSite(t)
	address := begin(t, s)
	patch(t, s, address, 0, "?0", "hello")
	patch(t, s, address, 0, "?0", "hello")
	get(t, s, address)
	data := filepath.Join(s.folder, ".resumable", filepath.Base(address))
	if err := os.Remove(data); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	check(t, patch(t, s, address, 5, "?1", ""), http.StatusInternalServerError) // it can't be opened
	check(t, do(t, visitor(t), http.MethodPut, s.url+address, nil), http.StatusMethodNotAllowed)
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	if bytes.Contains(s.log.buf.Bytes(), []byte(filepath.Base(address))) {
		t.Errorf("the log has the address:\n%s", &s.log.buf)
	}
}

// Whatever the fields say, the server does not fail, and nothing but plain files
// comes of it.
func FuzzPartFields(f *testing.F) {
	for _, seed := range [][6]string{
		{"?1", "0", "5", "inline; filename=a", "sha-256=:x:", "9"},
		{"?0", "00", "-5", "x", "", "8;a"},
		{"?1;a=\"\x00\"", "999999999999999", "999999999999999", `a; filename="\"`, "sha-256=(1 2)", "?1"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], seed[4], seed[5])
	}
	all, folder := deps(f, io.Discard)
	handler, err := web.New(all)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, complete, offset, length, disposition, digest, version string) {
		address := "/upload"
		for _, method := range []string{http.MethodPost, http.MethodPatch} {
			request := newRequest(t, method, address, "hello")
			for name, value := range map[string]string{
				"Upload-Complete": complete, "Upload-Offset": offset, "Upload-Length": length, "Content-Disposition": disposition,
				"Repr-Digest": digest, "Upload-Draft-Interop-Version": version, "Content-Type": partType,
			} {
				request.Header.Set(name, value)
			}
			answer := newRecorder()
			handler.ServeHTTP(answer, request)
			if answer.Code >= http.StatusInternalServerError {
				t.Errorf("%s: status %d: %s", method, answer.Code, answer.Body)
			}
			if address = answer.Header().Get("Location"); address == "" {
				break
			}
		}
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if entry.IsDir() != (entry.Name() == ".resumable") || !entry.IsDir() && strings.HasPrefix(entry.Name(), ".") {
				t.Errorf("%q is in the folder", entry.Name())
			}
		}
	})
}

func newRequest(t *testing.T, method, path, body string) *http.Request {
	t.Helper()
	return httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
}

func newRecorder() recorder { return recorder{httptest.NewRecorder()} }
