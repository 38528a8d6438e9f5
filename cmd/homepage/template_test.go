package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

func fixture(t *testing.T, name string) []byte {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("..", "..", "internal", "certificate", "testdata", name+".pdf"))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// Requests during reloads are each answered with one template, whole.
func TestReloadsUnderLoad(t *testing.T) {
	const visitors, reloads = 64, 20
	templates := [][]byte{fixture(t, "ghostscript"), fixture(t, "hybrid")}
	file := filepath.Join(t.TempDir(), "template.pdf")
	put := func(content []byte) {
		if err := errors.Join(os.WriteFile(file+".new", content, 0o600), os.Rename(file+".new", file)); err != nil {
			t.Fatal(err)
		}
	}
	put(templates[0])
	p := start(t, map[string]string{"CERTIFICATE_TEMPLATE": file})
	reloaded := make(chan struct{}, reloads)
	go func() { // without a pause, as lines that nobody takes are lost
		for line := range p.lines {
			switch line["msg"] {
			case "certificate template not reloaded; the old one stays in service":
				t.Error(line["err"])
				fallthrough
			case "certificate template reloaded":
				reloaded <- struct{}{}
			}
		}
	}()
	var (
		stop   atomic.Bool
		served [2]atomic.Int64
		group  sync.WaitGroup
	)
	for range visitors {
		client := client(t)
		group.Go(func() {
			for !stop.Load() {
				response, err := client.Get(p.url + "/certificate")
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(response.Body)
				_ = response.Body.Close()
				which := -1
				for i, template := range templates {
					if bytes.HasPrefix(body, template) {
						which = i
					}
				}
				if err != nil || which < 0 || response.Header.Get("Content-Length") != strconv.Itoa(len(body)) || !bytes.HasSuffix(body, []byte("%%EOF\n")) {
					t.Errorf("%d bytes of template %d with Content-Length %s and error %v", len(body), which, response.Header.Get("Content-Length"), err)
					return
				}
				served[which].Add(1)
			}
		})
	}
	for i := range reloads {
		before := served[0].Load() + served[1].Load()
		put(templates[(i+1)%2])
		p.hangups <- syscall.SIGHUP
		<-reloaded
		for served[0].Load()+served[1].Load() < before+visitors && !t.Failed() {
			_, _ = get(t, p.url+"/healthz") // until every visitor had a turn
		}
	}
	stop.Store(true)
	group.Wait()
	if served[0].Load() == 0 || served[1].Load() == 0 {
		t.Errorf("%d and %d certificates of the two templates, want some of each", served[0].Load(), served[1].Load())
	}
}

// once is a log that calls a function when a line says "listening".
type once struct {
	bytes.Buffer
	listening func()
}

func (o *once) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte(`"listening"`)) {
		defer o.listening()
	}
	return o.Buffer.Write(line)
}

func TestTheStartTellsNoSecret(t *testing.T) {
	template := fixture(t, "chromium") // which it warns of
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(template) }))
	defer server.Close()
	secretive := strings.Replace(server.URL, "http://", "http://secret:secret@", 1) + "/?api_key=secret"
	ctx, stop := context.WithCancel(t.Context())
	log := &once{listening: stop}
	err := run(ctx, new(orders), nil, env(map[string]string{
		"ADDR": "127.0.0.1:0", "UPLOADS": t.TempDir(),
		"CERTIFICATE_TEMPLATE": secretive, "PROMO_SERVICE_URL": secretive, "RECCO_SERVICE_URL": secretive,
	}), io.Discard, log)
	if err != nil {
		t.Error(err)
	}
	if got := strings.Count(log.String(), "/?api_key=xxxxx"); got != 4 || strings.Contains(log.String(), "secret") {
		t.Errorf("the log names the URL %d times, want a warning and the three settings, and no secret:\n%s", got, log.String())
	}
}
