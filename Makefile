# make test     installs what is missing, then checks and tests everything
# make demo     walks an example release and serves its decision
# make build    the binary, bin/signalbox
SHELL := /bin/bash
.DEFAULT_GOAL := build
.PHONY: build build-sigstore sigstore build-hsm hsm demo test lint unit race generate check-generated prove mutate fuzz bench bench-peers bench-unit install tools clean

TOOLS := bin/staticcheck bin/gofumpt bin/templ bin/govulncheck
# Where goroutines meet: these run under the race detector as well, but for the test that
# waits a minute for a standby.
RACE := $(wildcard internal/journal internal/control internal/watch internal/server internal/publish internal/witness)
# One heavy thing at a time keeps two cores responsive.
PARALLEL ?= 2
FUZZTIME ?= 30s
TEMPLATES := $(shell find internal -name '*.templ' 2>/dev/null)

build:
	CGO_ENABLED=0 go build -trimpath -o bin/signalbox ./cmd/signalbox

# The product with the verification of Sigstore bundles: a module of its own, for what
# that stands on is none of the product's.
build-sigstore:
	CGO_ENABLED=0 go -C sigstore build -mod=mod -trimpath -o ../bin/signalbox-sigstore ./cmd/signalbox

sigstore:
	@echo "== sigstore"
	go -C sigstore vet -mod=mod ./... && go -C sigstore test -mod=mod ./...

# The product with signing keys in PKCS#11 tokens: a module of its own, for it is C.
build-hsm:
	CGO_ENABLED=1 go -C hsm build -mod=mod -trimpath -o ../bin/signalbox-hsm ./cmd/signalbox

hsm:
	@echo "== hsm"
	go -C hsm vet -mod=mod ./... && go -C hsm test -mod=mod -race ./...

# What the product is measured beside: a module of its own, for the same reason.
bench-peers:
	@echo "== bench"
	go -C bench vet -mod=mod ./... && scripts/with-postgres.sh go -C bench test -mod=mod ./...

demo:
	go run ./cmd/signalbox demo

install:
	@scripts/install.sh

tools: $(TOOLS)

$(TOOLS) &: tools/go.mod tools/go.sum
	GOBIN=$(CURDIR)/bin go -C tools install tool
	@touch $(TOOLS)

lint: tools
	@echo "== gofumpt"
	@unformatted=$$(git ls-files -co --exclude-standard '*.go' | grep -vE '_templ\.go$$|\.gen\.go$$' | xargs -r bin/gofumpt -l); \
		if [ -n "$$unformatted" ]; then echo "not formatted (bin/gofumpt -w FILE):"; echo "$$unformatted"; exit 1; fi
	@echo "== go vet"
	go vet ./...
	@echo "== staticcheck"
	bin/staticcheck ./...
	@scripts/vulnerabilities.sh

# Everything generated: pages from their templates, references from the code.
generate: tools
	$(if $(TEMPLATES),bin/templ generate -path internal)
	go run ./scripts/reference docs/reference

GENERATED = git ls-files -co --exclude-standard -- '*_templ.go' '*.gen.go' docs/reference | xargs -r sha256sum 2>/dev/null

# What is generated must be what is there already.
check-generated: tools
	@echo "== generated files"
	@before=$$($(GENERATED)); $(MAKE) --no-print-directory generate >/dev/null || exit 1; after=$$($(GENERATED)); \
		if [ "$$before" != "$$after" ]; then echo "these were out of date and have been generated anew; look at them and commit:"; \
		diff <(echo "$$before") <(echo "$$after") | sed -n 's/^> [0-9a-f]*  //p'; exit 1; fi

# The whole of it: both stores, the scripts over the built binary, the browser.
test: install lint check-generated sigstore hsm bench-peers
	@echo "== tests"
	scripts/with-postgres.sh go run ./scripts/ci -p $(PARALLEL) -timeout 20m ./... $(if $(RACE),-- -race -timeout 20m -short -skip TestStandbyAway -p 1 $(RACE:%=./%/...))

unit:
	go test ./internal/...

race:
	scripts/with-postgres.sh go run ./scripts/ci -race -p 1 $(RACE:%=./%/...)

# The long proofs: crash loops and races at their full counts.
prove:
	SIGNALBOX_PROVE=full scripts/with-postgres.sh go run ./scripts/ci -p 1 -timeout 4h ./internal/store/... ./internal/state/... ./internal/journal/... ./internal/verify/... ./internal/control/... ./internal/policy/... ./internal/release/... ./internal/connect/... ./internal/server/... ./test/...

# Would the tests notice if the core said something else? SAMPLE mutants of each
# package (0: all, an hour of both cores), for at most MUTATETIME each.
MUTATED := ./internal/verify ./internal/release ./internal/policy ./internal/predicate ./internal/approval ./internal/calendar ./internal/halt
SAMPLE ?= 200
MUTATETIME ?= 10m

mutate:
	go run ./scripts/mutate -n $(SAMPLE) -for $(MUTATETIME) -argued docs/mutation.md $(MUTATED)

# Each fuzz target for FUZZTIME.
fuzz:
	scripts/fuzz.sh $(FUZZTIME)

# Side by side with peers, into docs/performance.md: some 12 minutes on a machine that
# does nothing else. PARTS=policy,append prints some of the tables; ROUNDS and BUDGET
# (a multiple) make it shorter or longer, DIR is where on the disk data is written.
bench:
	scripts/with-postgres.sh go -C bench run -mod=mod ./cmd/bench $(if $(PARTS),-parts $(PARTS),-doc $(CURDIR)/docs/performance.md) \
		$(if $(ROUNDS),-rounds $(ROUNDS)) $(if $(BUDGET),-budget $(BUDGET)) $(if $(DIR),-dir $(DIR))

# The benchmarks of the packages.
bench-unit:
	scripts/with-postgres.sh go test -run '^$$' -bench . -benchmem -p 1 ./...

clean:
	rm -rf bin
