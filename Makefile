# Slipway's programs are built into bin/, releases into dist/, the pinned programs
# that are run but not linked into .tools/. make clean deletes all three.
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
# Python programs from PyPI, pinned by hash, in virtual environments.
PYTHON := .tools/python
# The programs of a release, by platform. Linux has the managed engine's too.
RELEASE := .tools/release
PLATFORMS := $(addprefix $(RELEASE)/,linux-amd64 linux-arm64 darwin-amd64 darwin-arm64)
RELEASE_ENGINE := $(foreach p,$(filter $(RELEASE)/linux-%,$(PLATFORMS)),$(addprefix $(p)/,buildkitd buildkit-runc runc $(CNI)))
RELEASE_SLIPWAY := $(addsuffix /slipway,$(PLATFORMS))
LINT := $(addprefix $(TOOLS)/,staticcheck depguard govulncheck)

# No C but for runc and the race detector, and the same flags everywhere: what
# one command compiles, the next finds in Go's cache.
export CGO_ENABLED := 0

# What disturbs, and for how long; see cmd/chaos_test.go for the flags.
CHAOS ?= -chaos.runs 300
FUZZTIME ?= 1m

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help build tools docker-engines packet-filter test-tools python-venv dist reproducible demo test race lint check chaos fuzz bench docs clean \
	fmt vet staticcheck imports tidy docs-unchanged vulnerabilities race-without-engine

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "  make %-12s %s\n", $$1, $$2}'

build: ## build slipway and slipway-sandbox into bin/
	$(GO) build -o bin/ ./cmd/slipway ./cmd/slipway-sandbox

tools: $(ENGINE) ## build the pinned BuildKit daemon, runc and CNI plugins into .tools/bin/

# install installs packages of the distribution, with new lists if the old ones
# do not have them.
install = { apt-get install -y --no-install-recommends $(1) || \
	{ apt-get update && apt-get install -y --no-install-recommends $(1); }; }

# The programs come from the distribution. The tests of the network need them.
packet-filter:
	@export PATH="$$PATH:/usr/sbin:/sbin"; \
	for p in iptables ip slirp4netns pasta; do command -v $$p >/dev/null || missing=$$p; done; [ -z "$$missing" ] || \
	$(call install,$(FILTER_PACKAGES))

# The tests compare the sandbox with AWS CLIs and with moto, and let cfn-lint check
# task definitions. The distribution has version 2 of the AWS CLI; PyPI has version
# 1, which knows the newest operations.
test-tools: $(PYTHON)/contract/installed
	@for aws in /usr/bin/aws aws; do $$aws --version 2>/dev/null | grep -q '^aws-cli/2' && found=$$aws; done; \
	[ -n "$$found" ] || $(call install,awscli)
	@command -v curl >/dev/null || $(call install,curl)

python-venv:
	@python3 -c 'import ensurepip, venv' 2>/dev/null || $(call install,python3-venv)

$(PYTHON)/%/installed: tools/python/%.txt | python-venv
	rm -rf $(@D)
	python3 -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r $<
	@touch $@

# Tests alone need them. .tools/docker comes from Go modules, .tools/docker-classic
# from the packages of Debian and its like.
docker-engines: $(addprefix .tools/docker/,dockerd containerd containerd-shim-runc-v2 runc) .tools/docker-classic/unpacked

demo: build tools ## build examples/ against a sandbox: no AWS account, no Docker
	./examples/demo.sh

# Whatever the outcome, the tests that could not run are listed last. make goes
# on (-k) without Docker engines and programs that it cannot install.
test: tools $(BUILDCTL) ## run all tests, those against real BuildKit daemons and Docker engines included
	@$(MAKE) --no-print-directory -k $(DOCKER) $(FILTER) test-tools || echo "make test: going on without"
	@status=0; set -x; \
	$(GO) test -timeout 30m ./... || status=1; \
	(cd tools/engine && $(GO) test ./buildkit-runc) || status=1; \
	$(GO) run ./internal/enginetest/cmd/leftout || status=1; \
	exit $$status

race: tools $(BUILDCTL) ## run all tests under the race detector (slow)
	CGO_ENABLED=1 $(GO) test -race -timeout 60m ./...

lint: fmt vet staticcheck imports tidy docs-unchanged ## check format, code, imports, English, modules, command docs (under a minute)
	@echo "lint: all good"

check: lint vulnerabilities race-without-engine ## lint, look for known vulnerabilities, run tests under the race detector
	@echo "check: all good"

chaos: tools ## disturb builds, rollouts and rollbacks at random (CHAOS='-chaos.runs 300')
	$(GO) test ./cmd -run '^TestChaos' -count 1 -timeout 6h -v $(CHAOS)

fuzz: ## fuzz every parser in turn, FUZZTIME (1m) each
	tools/fuzz.sh $(FUZZTIME)

bench: build tools $(TOOLS)/buildx ## measure the speed budgets, as ratios in one run
	$(GO) run ./bench

# TestInstall installs and runs what was packed for this machine.
dist: $(RELEASE_SLIPWAY) $(RELEASE_ENGINE) ## pack releases for Linux and macOS into dist/, with checksums and SBOMs
	rm -rf dist
	$(GO) run ./tools/dist -o dist $(PLATFORMS)
	SLIPWAY_TEST_DIST=$(CURDIR)/dist $(GO) test ./tools/dist -run '^TestInstall$$' -count 1
	@cat dist/SHA256SUMS

# GOCACHE=$$(mktemp -d) compiles everything again, too.
reproducible: dist ## make dist again in a clone in another directory, and compare
	@dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; set -e; \
	git clone -q . "$$dir/slipway"; $(MAKE) --no-print-directory -C "$$dir/slipway" dist; \
	diff dist/SHA256SUMS "$$dir/slipway/dist/SHA256SUMS"
	@echo "reproducible: both are equal"

docs: ## write docs/cli anew from the commands
	$(GO) run ./cmd/slipway-docs docs/cli

clean: ## remove bin/, dist/ and .tools/
	rm -rf bin dist .tools .depguard.toml

# The parts of lint and check.

fmt:
	@out=$$(gofmt -l .); [ -z "$$out" ] || { printf 'gofmt -w is needed for:\n%s\n' "$$out"; exit 1; }

vet:
	$(GO) vet ./...
	cd tools/engine && $(GO) vet ./buildkit-runc
	cd tools/lint && $(GO) vet .

staticcheck: $(TOOLS)/staticcheck
	$(TOOLS)/staticcheck ./...

# depguard reads its rules from the working directory and compares absolute
# paths. The tests of tools/lint come first: they show that each rule can fail.
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

# make test runs all tests once. The race detector runs those that need no
# daemon: with the daemons it takes longer than CI has. make race does that.
race-without-engine: $(PYTHON)/contract/installed
	CGO_ENABLED=1 SLIPWAY_REQUIRE_ENGINE=0 SLIPWAY_TEST_BUILDKITD=/nowhere/buildkitd SLIPWAY_TEST_DOCKER=/nowhere $(GO) test -race -timeout 60m ./...

# The pinned programs, built anew only when their module changes. go build may
# leave an unchanged file alone, so touch tells make that it is current.

# -trimpath leaves the directory out of a program: wherever it is built, it has
# the same bytes, and a release finds what was compiled for the tools.
engine_build = cd tools/engine && $(GO) build -trimpath -buildvcs=false -ldflags '-s -w $(LDFLAGS)' -o $(CURDIR)/$@

%/buildkitd %/buildctl: LDFLAGS = -X github.com/moby/buildkit/version.Version=$(BUILDKIT)
%/buildkitd: PACKAGE := github.com/moby/buildkit/cmd/buildkitd
%/buildctl: PACKAGE := github.com/moby/buildkit/cmd/buildctl
%/buildkit-cni-bridge: PACKAGE := github.com/containernetworking/plugins/plugins/main/bridge
%/buildkit-cni-loopback: PACKAGE := github.com/containernetworking/plugins/plugins/main/loopback
%/buildkit-cni-host-local: PACKAGE := github.com/containernetworking/plugins/plugins/ipam/host-local
%/buildkit-runc: PACKAGE := ./buildkit-runc
$(RELEASE)/linux-%: export GOOS := linux
$(RELEASE)/darwin-%: export GOOS := darwin
$(RELEASE)/linux-amd64/% $(RELEASE)/darwin-amd64/%: export GOARCH := amd64
$(RELEASE)/linux-arm64/% $(RELEASE)/darwin-arm64/%: export GOARCH := arm64

$(filter %/buildkit-runc,$(ENGINE) $(RELEASE_ENGINE)): tools/engine/buildkit-runc/main.go
$(filter-out %/runc,$(ENGINE) $(BUILDCTL) $(RELEASE_ENGINE)): tools/engine/go.mod tools/engine/go.sum
	$(engine_build) $(PACKAGE)
	@touch $@

$(TOOLS)/runc: tools/engine/go.mod tools/engine/go.sum
	@command -v $(firstword $(CC)) >/dev/null || { echo "make tools: no C compiler ($(CC)); runc needs one: install gcc or clang, or set CC"; exit 1; }
	CGO_ENABLED=1; export CGO_ENABLED; $(engine_build) github.com/opencontainers/runc
	@touch $@

# zig compiles C for every processor. The program is linked statically with musl.
# Its build ID would have the compiler's path.
ZIG = $(CURDIR)/$(PYTHON)/zig/bin/python -m ziglang cc -target
%/linux-amd64/runc: export CC = $(ZIG) x86_64-linux-musl
%/linux-arm64/runc: export CC = $(ZIG) aarch64-linux-musl
$(filter %/runc,$(RELEASE_ENGINE)): LDFLAGS := -buildid= -linkmode external -extldflags "-static -s"
$(filter %/runc,$(RELEASE_ENGINE)): tools/engine/go.mod tools/engine/go.sum $(PYTHON)/zig/installed
	CGO_ENABLED=1; export CGO_ENABLED; $(engine_build) -tags 'netgo osusergo' github.com/opencontainers/runc
	@touch $@

# go build knows what has changed. It records the commit and its tag, which
# become the version.
.PHONY: $(RELEASE_SLIPWAY)
$(RELEASE_SLIPWAY):
	$(GO) build -trimpath -buildvcs=true -ldflags '-s -w' -o $@ ./cmd/slipway

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
