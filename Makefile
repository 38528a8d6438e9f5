# make alone lists the targets.
.DEFAULT_GOAL := help
.PHONY: help run build test s3-test lint fuzz bench microbench golden certificate fixtures audit setup

GOLANGCI_LINT := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
FUZZTIME ?= 30s

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## /\1	/p' $(MAKEFILE_LIST) | while IFS='	' read -r target text; do printf '  make %-11s %s\n' "$$target" "$$text"; done

run: build ## build and serve on http://127.0.0.1:8000, with sample services inside
	@.bin/homepage

build: ## build the program as .bin/homepage
	@CGO_ENABLED=0 go build -buildvcs=auto -trimpath -ldflags='-s -w' -o .bin/homepage ./cmd/homepage

test: setup ## install what is missing and run every test with the race detector
	@[ "$$(id -u)" = 0 ] || echo "Not root: tests that mount a small disk (a full one, a read-only one) will be skipped."
	go test -race -count=1 -vet=off -p 4 ./...

# Neither store lists open multipart uploads by a prefix, and rclone wants parts
# numbered without a gap; the README tells what that means. So these are left out.
SKIP_minio := SweepOpenUploads|SweepSparesSlowForms
SKIP_rclone := $(SKIP_minio)|AtOneOffset|TestPartsAndFaults/lost_answers_on_and_on:_part

s3-test: setup .bin/minio .bin/rclone ## test uploads on MinIO and rclone too, which take half an hour to build
	.ci/s3-store.sh minio go test -count=1 -vet=off -skip '$(SKIP_minio)' ./internal/upload/s3
	.ci/s3-store.sh rclone go test -count=1 -vet=off -skip '$(SKIP_rclone)' ./internal/upload/s3

# The bench is a module of its own, so it is checked on its own.
lint: ## check the code: vet, formats, arrows, tidiness, and that it builds elsewhere
	for os in darwin windows freebsd openbsd; do GOOS=$$os CGO_ENABLED=0 go build -o /dev/null ./cmd/homepage || exit 1; done
	go vet -tags audit ./...
	$(GOLANGCI_LINT) run ./...
	go mod tidy -diff
	if [ -f cmd/bench/go.mod ]; then cd cmd/bench && go vet ./... && $(GOLANGCI_LINT) run ./... && go mod tidy -diff; fi

.PHONY: kill-test
kill-test: setup ## kill the program, and replicas of a fleet, 45 times amid uploads of each kind, with the race detector
	KILLS=45 go test -race -count=1 -vet=off -v -run 'Killed' ./cmd/homepage

.PHONY: fleet-test
fleet-test: setup ## restart each of three replicas behind a balancer five times under load, with the race detector
	FLEET_ROUNDS=5 go test -race -count=1 -vet=off -v -run 'TestARollingRestart|TestAKilledReplica' ./cmd/homepage

fuzz: ## run every fuzz target for FUZZTIME (30s)
	@grep -rlE --include='*_test.go' '^func Fuzz' . | while read -r file; do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z]*\).*/\1/p' $$file); do \
			echo "$$(dirname $$file) $$target"; \
			go test -run='^$$' -fuzz="^$$target$$" -fuzztime=$(FUZZTIME) -fuzzminimizetime=10x "$$(dirname $$file)" || exit 1; \
		done; \
	done

bench: .bin/versitygw ## compare it with nginx and Django, and write the figures into cmd/bench/README.md (under 5 minutes)
	@go build -C cmd/bench -o ../../.bin/bench .
	@.bin/bench

.PHONY: bench-test
bench-test: .bin/versitygw ## test the bench itself, which is a module of its own
	go vet -C cmd/bench ./...
	go test -C cmd/bench -race -count=1 ./...

microbench: ## run the Go benchmarks, which stand beside their packages
	go test -run='^$$' -bench=. -benchmem ./...

golden: ## write the expected pages anew, to be read in the diff
	go test ./internal/web -update

certificate: ## print the certificate template from its source (needs chromium and Debian's fonts-ebgaramond-extra)
	chromium --headless --no-sandbox --disable-gpu --no-pdf-header-footer --print-to-pdf=pdfs/certificate-template.pdf \
		"file://$(CURDIR)/pdfs/certificate-template.html"

fixtures: ## make the PDFs that the tests of certificates use anew (needs LibreOffice and more)
	internal/certificate/testdata/make.sh

audit: setup ## let Lighthouse and axe judge the pages (needs npm)
	go test -tags audit -run Audit -count=1 -v ./cmd/homepage

# What the tests need: a C compiler for the race detector, a browser, four
# readers of PDF, what makes certificates trusted and checks signatures, three
# proxies, and what checks units of systemd. Each is a command and the package of
# Debian that has it.
TOOLS := cc:gcc chromium-headless-shell:chromium-headless-shell qpdf:qpdf pdftotext:poppler-utils certutil:libnss3-tools openssl:openssl mutool:mupdf-tools gs:ghostscript nginx:nginx haproxy:haproxy caddy:caddy systemd-analyze:systemd

VERSITYGW := .bin/versitygw
$(VERSITYGW): # the object store that tests use; its modules are none of this program's
	GOBIN=$(CURDIR)/.bin CGO_ENABLED=0 go install -ldflags='-s -w' github.com/versity/versitygw/cmd/versitygw@v1.8.0

.bin/minio:
	GOBIN=$(CURDIR)/.bin CGO_ENABLED=0 go install -ldflags='-s -w' github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c

.bin/rclone:
	GOBIN=$(CURDIR)/.bin CGO_ENABLED=0 go install -ldflags='-s -w' github.com/rclone/rclone@v1.76.0

# Downloads leave the processor idle, so the tests are compiled meanwhile. What
# that has to complain of, the tests will say.
setup: $(VERSITYGW)
	@PATH="$$PATH:/usr/sbin"; commands=; packages=; \
	for tool in $(TOOLS); do \
		command -v "$${tool%%:*}" >/dev/null || { commands="$$commands $${tool%%:*}"; packages="$$packages $${tool##*:}"; }; \
	done; \
	[ -n "$$packages" ] || exit 0; \
	command -v apt-get >/dev/null || { echo "The tests need these commands, please install them:$$commands" >&2; exit 1; }; \
	[ "$$(id -u)" = 0 ] || { echo "The tests need more programs. This installs them: sudo apt-get install --no-install-recommends$$packages" >&2; exit 1; }; \
	echo "Installing$$packages"; \
	go list -race -test -deps -export ./... >/dev/null 2>&1 & \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$packages >/dev/null; \
	status=$$?; wait; exit $$status
