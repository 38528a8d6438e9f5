package web_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"homepage/internal/upload"
)

// recording is what a real client sent for files with certain names, byte for
// byte, as kept in testdata/clients.
type recording struct {
	Client, Version string
	Forms           []struct{ Name, ContentType, Body string }
}

// Names that not every client can send unmistakably.
const (
	percentName  = "50%22 wide%41.txt"
	escapedName  = `a\"b.txt`
	newlinesName = "one\ntwo\r\n.txt"
	twoNames     = `a"; filename="b.txt`
	refused      = "(refused)"
)

// misread returns the names from this client that can't be read as meant, and
// what they are taken for. The client sends the very bytes that others send for
// a different name, or bytes that break the part's header.
func misread(client string) map[string]string {
	names := map[string]string{percentName: `50" wide%41.txt`} // as any browser would send that
	switch client {
	case "faraday", "rest-client": // escape nothing
		names[escapedName] = `a"b.txt`
		names[newlinesName] = refused
		names[twoNames] = refused
	case "curl-form-escape", "lwp", "mojo", "net-http", "email-compat32", "apache-browser", "apache-rfc6532", "apache-strict":
		names[newlinesName] = refused // line breaks as they are
	}
	return names
}

// The file that a client sends is stored under the name that was meant.
func TestClients(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "clients", "*.json"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d clients, %v", len(files), err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var client recording
		if err := json.Unmarshal(content, &client); err != nil {
			t.Fatal(err)
		}
		t.Run(client.Client, func(t *testing.T) {
			t.Parallel() // most of the time goes into waiting for the disk
			s := newSite(t)
			for _, form := range client.Forms {
				meant := form.Name
				if name, ok := misread(client.Client)[meant]; ok {
					meant = name
				}
				switch client.Client {
				case "aiohttp": // percent-encodes all, with nothing to tell that it did
					_, rest, _ := strings.Cut(form.Body, `; filename="`)
					meant, _, _ = strings.Cut(rest, `"`)
					meant = strings.NewReplacer("%22", `"`, "%0A", "\n", "%0D", "\r").Replace(meant)
				case "apache-strict": // writes ASCII alone
					meant = strings.Map(func(r rune) rune {
						if r >= 0x80 {
							return '?'
						}
						return r
					}, meant)
				}
				got := do(t, visitor(t), http.MethodPost, s.url+"/upload", strings.NewReader(form.Body), "Content-Type", form.ContentType, "Accept", "application/json")
				if meant == refused {
					if got.status != http.StatusBadRequest {
						t.Errorf("%q: status %d, want 400", form.Name, got.status)
					}
				} else {
					checkReceipts(t, got, meant)
				}
				want := map[string]string{}
				if meant != refused {
					want[upload.CleanName(meant)] = "content"
				}
				if diff := cmp.Diff(want, stored(t, s)); diff != "" {
					t.Errorf("%q: %s", form.Name, diff)
				}
				for _, name := range names(t, s) {
					if err := os.Remove(filepath.Join(s.folder, name)); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}
