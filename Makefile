# Everything is built and tested with the toolchain that go.mod demands. An older Go
# fetches it from the module proxy; without this line one with GOTOOLCHAIN=local stops.
export GOTOOLCHAIN := go$(shell awk '$$1 == "go" { print $$2 }' go.mod)

VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
CADDY       := github.com/caddyserver/caddy/v2/cmd/caddy@v2.11.9
SHELL_FILES := .ci/run $(wildcard scripts/*.sh)

# The race detector needs a C compiler; without one the tests still run, except in CI.
RACE := $(shell test -n "$$CI" || command -v gcc >/dev/null || echo no)

.NOTPARALLEL:
.DEFAULT_GOAL := help

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: need-go ## build the static binary bin/bluegreen
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/bluegreen ./cmd/bluegreen

.PHONY: demo
demo: build ## watch a deploy, a switch and a rollback on loopback; needs no root and no Docker
	bin/bluegreen demo

.PHONY: test
test: need-go prepare ## install and start what the tests need, then vet, lint and test everything
	@$(MAKE) --no-print-directory lint go-test

# Without the suites and attacks of `make conformance`, which take minutes and
# want a quiet machine.
.PHONY: go-test
go-test: need-go ## only the Go tests, with what is there
ifeq ($(RACE),no)
	@echo 'make: no C compiler, so the tests run without the race detector'
	packages=$$(go list ./...) && CGO_ENABLED=0 go test -p 2 -timeout 20m $$(echo "$$packages" | grep -v "/conformance$$")
else
	packages=$$(go list ./...) && CGO_ENABLED=1 go test -race -p 2 -timeout 20m $$(echo "$$packages" | grep -v "/conformance$$")
	CGO_ENABLED=0 go test -run Alloca ./proxy # the race detector allocates too
endif

.PHONY: conformance
conformance: need-go prepare ## h2spec, slowhttptest, testssl and floods against the real program (4 min)
	CGO_ENABLED=0 go test -count 1 -timeout 8m -parallel 8 -v ./conformance

.PHONY: soak
soak: need-go prepare ## a thousand switches and rollbacks under load
	BLUEGREEN_SOAK=1000 CGO_ENABLED=1 go test -race -timeout 4h -count 1 -v -run UnderLoad ./cmd/bluegreen

# How long and what `make bench` measures: rounds of each case, seconds of each
# proxy in a round, and cases by the beginning of their names (all if empty).
ROUNDS  ?= 20
SECONDS ?= 1.2
CASES   ?=

.PHONY: bench
bench: build bin/tools/caddy ## measure beside nginx, HAProxy and Caddy (ROUNDS=20 SECONDS=1.2 CASES=https1-12b,h2)
	@scripts/bench.sh
	CGO_ENABLED=0 go build -trimpath -o bin/bench ./bench
	PATH=$$PATH:/usr/sbin bin/bench -rounds $(ROUNDS) -seconds $(SECONDS) -cases '$(CASES)' $(BENCH_FLAGS)

# bluegreen beside a build of it that records nothing, laid over by bench/unmetered.
.PHONY: bench-metrics
bench-metrics: build bin/tools/caddy ## measure what metrics cost (ROUNDS=20 CASES='https1-12b h2-12b')
	@scripts/bench.sh
	CGO_ENABLED=0 go build -trimpath -o bin/bench ./bench
	CGO_ENABLED=0 go build -trimpath -overlay bench/unmetered/overlay.json -ldflags '-s -w -X main.version=$(VERSION)-without-metrics' -o bin/unmetered/bluegreen ./cmd/bluegreen
	PATH=$$PATH:/usr/sbin bin/bench -contenders bluegreen,bluegreen-other -other bin/unmetered/bluegreen -out bin/unmetered -rounds $(ROUNDS) -seconds $(SECONDS) -cases '$(or $(CASES),https1-12b h2-12b)' $(BENCH_FLAGS)

.PHONY: profile
profile: need-go ## take CPU profiles of bluegreen under small requests, into bin/profile
	@scripts/bench.sh
	CGO_ENABLED=0 go build -trimpath -o bin/bench ./bench
	CGO_ENABLED=0 go build -overlay bench/profile/overlay.json -ldflags '-X main.version=$(VERSION)' -o bin/profile/bluegreen ./cmd/bluegreen
	PATH=$$PATH:/usr/sbin bin/bench -profile -bluegreen bin/profile/bluegreen -out bin/profile -seconds 20 -cases '$(or $(CASES),https1-12b h2-12b)'

# Built with the Go that builds bluegreen. The link tells which version it is.
bin/tools/caddy: Makefile | need-go
	GOBIN=$(CURDIR)/bin/tools go install $(CADDY)
	touch $@

# Wants Chromium and, to look like the committed ones, the Debian packages
# fonts-inter and fonts-jetbrains-mono.
.PHONY: screenshots
screenshots: need-go ## take the pictures of the dashboard in docs/screenshots (5 min)
	CGO_ENABLED=0 BLUEGREEN_SCREENSHOTS=$(CURDIR)/docs/screenshots go test -count 1 -timeout 15m -v -run TestScreenshots ./cmd/bluegreen

.PHONY: lint
lint: vet ## go vet, gofmt, staticcheck and shellcheck
	@unformatted=$$($$(go env GOROOT)/bin/gofmt -l $$(git ls-files '*.go' 2>/dev/null || echo .)) && \
		test -z "$$unformatted" || { echo "gofmt is needed on: $$unformatted" >&2; exit 1; }
	go run $(STATICCHECK) ./...
	@if command -v shellcheck >/dev/null; then echo shellcheck $(SHELL_FILES); shellcheck $(SHELL_FILES); \
		elif test -n "$$CI"; then echo 'shellcheck is not installed' >&2; exit 1; \
		else echo 'make: shellcheck is not installed, so the scripts are not checked'; fi

.PHONY: vet
vet: need-go ## go vet only
	go vet ./...

.PHONY: prepare
prepare: ## install the Debian packages the tests use and start a Docker engine
	@scripts/prepare.sh

.PHONY: engine
engine: ## start a Docker engine if none answers
	@scripts/engine.sh

.PHONY: clean
clean: ## remove what was built
	rm -rf bin dist

.PHONY: need-go
need-go:
	@command -v go >/dev/null || { echo 'Go is not installed: get 1.21 or newer from https://go.dev/dl (it fetches $(GOTOOLCHAIN) by itself)' >&2; exit 1; }
