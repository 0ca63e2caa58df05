# What is built goes to bin/, the pinned programs that are run but not linked
# to .tools/bin/. Both can be thrown away at any time (make clean).
TOOLS := .tools/bin
GO ?= go
GOOS := $(shell $(GO) env GOOS)
CC := $(shell CGO_ENABLED=1 $(GO) env CC)
MODULES := $(patsubst %/,%,$(dir $(wildcard go.mod tools/*/go.mod)))
BUILDKIT = $(shell sed -n 's|.*github.com/moby/buildkit \(v[^ ]*\).*|\1|p' tools/engine/go.mod)
MOBY = $(shell sed -n 's|.*github.com/moby/moby/v2 v\([^ ]*\).*|\1|p' tools/docker/go.mod)

# The CNI plugins of the network that build steps get, under the names that
# BuildKit's releases give them.
CNI := $(addprefix buildkit-cni-,bridge host-local loopback)

# buildkitd runs on Linux only; elsewhere the tests that need it are left out.
ENGINE := $(if $(filter linux,$(GOOS)),$(addprefix $(TOOLS)/,buildkitd runc buildkit-runc $(CNI)))
BUILDCTL := $(if $(filter linux,$(GOOS)),$(TOOLS)/buildctl)
# Docker engines are for root on Linux.
DOCKER := $(if $(filter linux:0,$(GOOS):$(shell id -u)),docker-engines)
# So are bridges and packet filters, and the network that root gives to tests of
# an ordinary user's engine.
FILTER_PACKAGES := iptables iproute2 slirp4netns passt
FILTER := $(if $(filter linux:0,$(GOOS):$(shell id -u)),packet-filter)
LINT := $(addprefix $(TOOLS)/,staticcheck depguard govulncheck)

# No C but for runc and the race detector, and the same flags everywhere: what
# one command compiles, the next finds in Go's cache.
export CGO_ENABLED := 0

# What disturbs, and for how long; see cmd/chaos_test.go for the flags.
CHAOS ?= -chaos.runs 300
FUZZTIME ?= 1m

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help build tools docker-engines packet-filter demo test race check chaos fuzz bench docs clean \
	fmt vet staticcheck imports tidy docs-unchanged vulnerabilities race-without-engine

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "  make %-8s %s\n", $$1, $$2}'

build: ## build slipway and slipway-sandbox into bin/
	$(GO) build -o bin/ ./cmd/slipway ./cmd/slipway-sandbox

tools: $(ENGINE) ## build the pinned BuildKit daemon, runc and CNI plugins into .tools/bin/

# The programs come from the distribution. The tests of the network need them.
packet-filter:
	@export PATH="$$PATH:/usr/sbin:/sbin"; \
	for p in iptables ip slirp4netns pasta; do command -v $$p >/dev/null || missing=$$p; done; [ -z "$$missing" ] || \
	{ apt-get install -y --no-install-recommends $(FILTER_PACKAGES) || \
	{ apt-get update && apt-get install -y --no-install-recommends $(FILTER_PACKAGES); }; }

# Tests alone need them. .tools/docker comes from Go modules, .tools/docker-classic
# from the packages of Debian and its like.
docker-engines: $(addprefix .tools/docker/,dockerd containerd containerd-shim-runc-v2 runc) .tools/docker-classic/unpacked

demo: build tools ## build examples/ against a sandbox: no AWS account, no Docker
	./examples/demo.sh

# Whatever the outcome, what could not run is said last, where it is read. That
# goes for Docker engines that cannot be had, too: -k gets what can.
test: tools $(BUILDCTL) ## run all tests, those against real BuildKit daemons and Docker engines included
	@$(if $(DOCKER),$(MAKE) --no-print-directory -k $(DOCKER) $(FILTER) || echo "make test: going on without")
	@status=0; set -x; \
	$(GO) test -timeout 30m ./... || status=1; \
	(cd tools/engine && $(GO) test ./buildkit-runc) || status=1; \
	$(GO) run ./internal/enginetest/cmd/leftout || status=1; \
	exit $$status

race: tools $(BUILDCTL) ## run all tests under the race detector (slow)
	CGO_ENABLED=1 $(GO) test -race -timeout 60m ./...

check: fmt vet staticcheck imports tidy docs-unchanged vulnerabilities race-without-engine ## check format, lint, imports, docs, modules, races
	@echo "check: all good"

chaos: tools ## disturb builds, rollouts and rollbacks at random (CHAOS='-chaos.runs 300')
	$(GO) test ./cmd -run '^TestChaos' -count 1 -timeout 6h -v $(CHAOS)

fuzz: ## fuzz every parser in turn, FUZZTIME (1m) each
	tools/fuzz.sh $(FUZZTIME)

bench: build tools $(TOOLS)/buildx ## measure the speed budgets, as ratios in one run
	$(GO) run ./bench

docs: ## write docs/cli anew from the commands
	$(GO) run ./cmd/slipway-docs docs/cli

clean: ## remove bin/ and .tools/
	rm -rf bin .tools .depguard.toml

# The parts of check.

fmt:
	@out=$$(gofmt -l .); [ -z "$$out" ] || { printf 'gofmt -w is needed for:\n%s\n' "$$out"; exit 1; }

vet:
	$(GO) vet ./...
	cd tools/engine && $(GO) vet ./buildkit-runc
	cd tools/lint && $(GO) vet .

staticcheck: $(TOOLS)/staticcheck
	$(TOOLS)/staticcheck ./...

# depguard reads its rules from the working directory and compares absolute
# paths. Its own tests come first: rules that cannot fail would prove nothing.
# They read files outside their module, which Go's test cache does not notice.
imports: $(TOOLS)/depguard
	cd tools/lint && $(GO) test -count=1 .
	sed 's|ROOT|$(CURDIR)|g' tools/lint/imports.toml >.depguard.toml
	$(TOOLS)/depguard ./...

tidy:
	@for m in $(MODULES); do echo "go mod tidy -diff in $$m"; (cd $$m && $(GO) mod tidy -diff) || exit 1; done

docs-unchanged:
	@new=$$(mktemp -d); trap 'rm -rf "$$new"' EXIT; $(GO) run ./cmd/slipway-docs "$$new" && diff -ru docs/cli "$$new" || \
	{ echo "docs/cli is not what the commands say: commit what 'make docs' writes"; exit 1; }

vulnerabilities: $(TOOLS)/govulncheck
	tools/lint/vulnerabilities.sh $(TOOLS)/govulncheck

# make test has run everything once. Here the race detector goes over all that
# needs no daemon: with it the two would take longer than CI has; make race
# does that.
race-without-engine:
	CGO_ENABLED=1 SLIPWAY_REQUIRE_ENGINE=0 SLIPWAY_TEST_BUILDKITD=/nowhere/buildkitd SLIPWAY_TEST_DOCKER=/nowhere $(GO) test -race -timeout 60m ./...

# The pinned programs, built anew only when their module changes. go build may
# leave an unchanged file alone, so touch tells make that it is current.

$(TOOLS)/buildkitd $(TOOLS)/buildctl: tools/engine/go.mod tools/engine/go.sum
	cd tools/engine && $(GO) build -ldflags '-s -w -X github.com/moby/buildkit/version.Version=$(BUILDKIT)' \
		-o $(CURDIR)/$@ github.com/moby/buildkit/cmd/$(@F)
	@touch $@

$(TOOLS)/buildkit-cni-bridge: PACKAGE := main/bridge
$(TOOLS)/buildkit-cni-loopback: PACKAGE := main/loopback
$(TOOLS)/buildkit-cni-host-local: PACKAGE := ipam/host-local
$(TOOLS)/buildkit-cni-%: tools/engine/go.mod tools/engine/go.sum
	cd tools/engine && $(GO) build -ldflags '-s -w' -o $(CURDIR)/$@ github.com/containernetworking/plugins/plugins/$(PACKAGE)
	@touch $@

$(TOOLS)/runc: tools/engine/go.mod tools/engine/go.sum
	@command -v $(firstword $(CC)) >/dev/null || { echo "make tools: no C compiler ($(CC)); runc needs one: install gcc or clang, or set CC"; exit 1; }
	cd tools/engine && CGO_ENABLED=1 $(GO) build -ldflags '-s -w' -o $(CURDIR)/$@ github.com/opencontainers/runc
	@touch $@

$(TOOLS)/buildkit-runc: tools/engine/buildkit-runc/main.go tools/engine/go.mod
	cd tools/engine && $(GO) build -ldflags '-s -w' -o $(CURDIR)/$@ ./buildkit-runc
	@touch $@

# dockerd wants the very BuildKit it was made for: with v0.33.1 in place of
# v0.33.0 the overlay2 store unpacks no base image. Of containerd, what Docker
# has no use for is left out.
.tools/docker/dockerd: PACKAGE := github.com/moby/moby/v2/cmd/dockerd
.tools/docker/containerd: PACKAGE := -tags 'no_cri no_devmapper no_zfs' github.com/containerd/containerd/v2/cmd/containerd
.tools/docker/containerd-shim-runc-v2: PACKAGE := github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2
.tools/docker/%: tools/docker/go.mod tools/docker/go.sum
	cd tools/docker && $(GO) build -ldflags '-s -w -X github.com/moby/moby/v2/dockerversion.Version=$(MOBY)' \
		-o $(CURDIR)/$@ $(PACKAGE)
	@touch $@

# Debian 12's runc is too old for the containers of a current dockerd.
.tools/docker/runc: | $(TOOLS)/buildkit-runc $(TOOLS)/runc
	@mkdir -p $(@D)
	ln -sf ../bin/buildkit-runc $@

.tools/docker-classic/unpacked: tools/docker/unpack.sh
	tools/docker/unpack.sh $(CURDIR)/$(@D)
	@touch $@

$(TOOLS)/staticcheck: PACKAGE := honnef.co/go/tools/cmd/staticcheck
$(TOOLS)/depguard: PACKAGE := github.com/OpenPeeDeeP/depguard/v2/cmd/depguard
$(TOOLS)/govulncheck: PACKAGE := golang.org/x/vuln/cmd/govulncheck
$(LINT): tools/lint/go.mod tools/lint/go.sum
	cd tools/lint && $(GO) build -o $(CURDIR)/$@ $(PACKAGE)
	@touch $@

$(TOOLS)/buildx: tools/bench/go.mod tools/bench/go.sum
	cd tools/bench && $(GO) build -ldflags '-s -w' -o $(CURDIR)/$@ github.com/docker/buildx/cmd/buildx
	@touch $@
