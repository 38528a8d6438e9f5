package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"
)

// side is a program that runs to be measured.
type side struct {
	*process
	kind    *kind
	url     string
	uploads string // its folder
}

// kind is what sides are started from.
type kind struct {
	name    string
	command func(b *bench, folder, addr, uploads string) (command, env []string, err error)
	form    bool // uploads are sent as a form, else by PUT
	synced  bool // an upload is synced before it is answered
	missing bool // it can't run here
}

// kinds are all there are.
type kinds struct {
	home, oneByOne, keeping, stale, telling, tellingKept, patient, nginx, django, floor *kind
	signing
}

func newKinds(t tools) kinds {
	return kinds{
		home:        &kind{name: homepage, form: true, synced: true, command: homepageCommand("")},
		oneByOne:    &kind{name: homepageOneByOne, command: homepageCommand("", "HOMEPAGE_CONCURRENCY=1")},
		keeping:     &kind{name: homepageKeeping, command: homepageCommand("/kept")},
		stale:       &kind{name: homepageStale, command: homepageCommand("/stale")},
		telling:     &kind{name: homepageTelling, command: homepageCommand("", tellsVisitors()...)},
		tellingKept: &kind{name: homepageTellingKept, command: homepageCommand("/kept", append(tellsVisitors(), "HOMEPAGE_CACHE=128MiB")...)},
		patient:     &kind{name: homepage, command: homepageCommand("", "SERVICE_TIMEOUT=30s")},
		nginx:       &kind{name: "nginx", command: nginxCommand, missing: t.nginx == ""},
		django:      &kind{name: "Django", form: true, command: djangoCommand, missing: t.python == ""},
		floor:       &kind{name: "Go, raw body to a file", command: floorCommand},
		signing:     newSigning(t),
	}
}

// tellsVisitors has the services told who the visitor is.
func tellsVisitors() []string {
	return []string{"PROMO_SERVICE_FORWARD=Cookie:visitor", "RECCO_SERVICE_FORWARD=Cookie:visitor"}
}

// all are those that run all the time.
func (k kinds) all() []*kind {
	return k.able(k.home, k.oneByOne, k.keeping, k.stale, k.telling, k.tellingKept, k.nginx, k.django, k.floor)
}

// compared are those whose start and memory are compared.
func (k kinds) compared() []*kind { return k.able(k.home, k.nginx, k.django) }

func (k kinds) able(all ...*kind) []*kind {
	return slices.DeleteFunc(all, func(one *kind) bool { return one.missing })
}

// homepageCommand runs the built program. It logs what is wrong and nothing
// more, as the other sides do.
func homepageCommand(services string, more ...string) func(b *bench, folder, addr, uploads string) (command, env []string, err error) {
	return func(b *bench, _, addr, uploads string) (command, env []string, err error) {
		return []string{filepath.Join(b.folder, "homepage")}, append([]string{
			"ADDR=" + addr,
			"LOG_LEVEL=warn",
			"UPLOADS=" + uploads,
			"CERTIFICATE_TEMPLATE=" + b.template(),
			"PROMO_SERVICE_URL=" + b.services.url(services+"/promo"),
			"RECCO_SERVICE_URL=" + b.services.url(services+"/recommendations"),
		}, more...), nil
	}
}

func nginxCommand(b *bench, folder, addr, uploads string) (command, env []string, err error) {
	me, err := user.Current()
	if err != nil {
		return nil, nil, err
	}
	for from, to := range map[string]string{b.peers("nginx", "index.html"): "index.html", b.template(): "certificate-template.pdf"} {
		if err := os.Link(from, filepath.Join(folder, to)); err != nil {
			return nil, nil, err
		}
	}
	conf, err := template.ParseFiles(b.peers("nginx", "nginx.conf"))
	if err != nil {
		return nil, nil, err
	}
	var text bytes.Buffer
	if err := conf.Execute(&text, map[string]string{
		"User": me.Username, "Addr": addr, "Services": b.services.addr, "Folder": folder, "Uploads": uploads,
	}); err != nil {
		return nil, nil, err
	}
	file := filepath.Join(folder, "nginx.conf")
	return []string{b.tools.nginx, "-p", folder, "-e", "stderr", "-c", file}, nil, os.WriteFile(file, text.Bytes(), 0o600)
}

func djangoCommand(b *bench, folder, addr, uploads string) (command, env []string, err error) {
	host, port, err := net.SplitHostPort(addr)
	command = []string{
		b.tools.python, "-B", "-m", "uvicorn", "asgi:application", "--app-dir", b.peers("django"),
		"--host", host, "--port", port, "--workers", "2", "--no-access-log", "--log-level", "warning",
	}
	env = []string{
		"UPLOADS=" + uploads,
		"TMPDIR=" + folder, // where Django keeps a body until it is whole: on the same disk
		"CERTIFICATE_TEMPLATE=" + b.template(),
		"PROMO_SERVICE_URL=" + b.services.url("/promo"),
		"RECCO_SERVICE_URL=" + b.services.url("/recommendations"),
	}
	return command, env, err
}

func floorCommand(b *bench, _, addr, uploads string) (command, env []string, err error) {
	return []string{filepath.Join(b.folder, "floor")}, []string{"ADDR=" + addr, "UPLOADS=" + uploads}, nil
}

// bench is what the measures share.
type bench struct {
	plan     plan
	folder   string // holds the binaries and the peers' files; a folder for each side is made in it
	tools    tools
	services *services
	kinds    kinds

	running []*side
	sides   map[*kind]*side    // of those, the ones that are measured
	started map[*kind]figure   // milliseconds to the first page
	rest    map[*kind]float64  // bytes resident before any load
	loads   map[pageKey]*loads // of homepages
	whole   map[pageKey]figure // milliseconds to one visitor's whole page
}

func (b *bench) peers(path ...string) string {
	return filepath.Join(append([]string{b.folder, "peers"}, path...)...)
}

// template is the certificate's, for all sides. Its placeholder lies in plain
// bytes, since nginx and Django would find no other.
func (b *bench) template() string { return b.peers("certificate-template.pdf") }

// launch starts a side on a free port and returns when its homepage answers.
// It tells how long that took.
func (b *bench) launch(ctx context.Context, k *kind) (*side, time.Duration, error) {
	folder, err := os.MkdirTemp(b.folder, "side-")
	if err != nil {
		return nil, 0, err
	}
	s := &side{kind: k, uploads: filepath.Join(folder, "uploads")}
	if err := os.Mkdir(s.uploads, 0o700); err != nil {
		return nil, 0, err
	}
	addr, err := freeAddr(ctx)
	if err != nil {
		return nil, 0, err
	}
	s.url = "http://" + addr
	command, env, err := k.command(b, folder, addr, s.uploads)
	if err != nil {
		return nil, 0, err
	}
	begin := time.Now()
	if s.process, err = start(ctx, folder, env, command...); err != nil {
		return nil, 0, err
	}
	b.running = append(b.running, s)
	if err := s.answers(ctx); err != nil {
		return nil, 0, fmt.Errorf("%s: %w", k.name, err)
	}
	return s, time.Since(begin), nil
}

// answers waits for the first page.
func (s *side) answers(ctx context.Context) error {
	const most = 20 * time.Second
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if body, err := get(ctx, s.url+"/"); err == nil && len(body) > 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-s.ended:
			return s.gone()
		case <-ctx.Done():
			return fmt.Errorf("no page within %v: %s", most, s.lastWords())
		}
	}
}

// stop ends the side and removes what it stored.
func (s *side) stop() {
	s.process.stop()
	_ = os.RemoveAll(filepath.Dir(s.uploads)) // the folder round it goes in the end
}

func (b *bench) stopAll() {
	for _, s := range b.running {
		s.stop()
	}
	b.running = nil
}

func freeAddr(ctx context.Context) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// get returns a body that came with 200, over a connection of its own.
func get(ctx context.Context, url string) ([]byte, error) {
	body, _, err := getEncoded(ctx, http.DefaultClient, url, "identity")
	return body, err
}

// getEncoded tells also how many bytes the body had on its way, compressed as
// it may have been.
func getEncoded(ctx context.Context, client *http.Client, url, encoding string) (body []byte, sent int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, 0, err
	}
	request.Close = true
	request.Header.Set("Accept-Encoding", encoding)
	response, err := client.Do(request)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err = io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s", url, response.Status)
	}
	if err != nil || response.Header.Get("Content-Encoding") != "gzip" {
		return body, len(body), err
	}
	sent = len(body)
	plain, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	body, err = io.ReadAll(plain)
	return body, sent, err
}

// wholePage is what a page shows when it has both sections.
func wholePage(body []byte) bool {
	return strings.Contains(string(body), "The Winter Reading Challenge") && strings.Contains(string(body), "Treasure Island")
}
