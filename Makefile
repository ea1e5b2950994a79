# berth: `make run` to try it out, `make test` to check it.
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
GO      ?= go

# RETRY=1 is for machines that do much else at once: a test that failed is tried once more, by itself, and named.
RETRY   ?=
ifeq ($(RETRY),)
gotest = $(GO) test $(1) ./...
else
gotest = $(GO) tool gotestsum --format standard-quiet --rerun-fails=1 --rerun-fails-max-failures=8 --packages=./... -- $(1)
endif

.PHONY: run build image test check bench soak fuzz generate

# The binary is static: the container of a site is made from it.
build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/berth ./cmd/berth

# For deploy/compose.yaml. BERTH_IMAGE there names another tag.
image: build
	docker build --file deploy/Dockerfile --tag berth bin

run: build
	./bin/berth dev

test:
	$(call gotest,-timeout 20m)

# -short leaves out the tests that repeat faults many times; make test has them.
check:
	@$(GO) tool templ generate -path templates >/dev/null 2>&1 && test -z "$$(git status --porcelain -- '*_templ.go')" || { echo 'generated files are not current: run make generate and commit'; exit 1; }
	@out=$$($(GO) tool gofumpt -l $$(git ls-files '*.go' ':!*_templ.go')); test -z "$$out" || { echo "gofumpt would change: $$out"; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(call gotest,-race -short -timeout 20m)

bench:
	$(GO) test -run '^$$' -bench . -benchtime 1x ./cmd/berth

# The long tests: faults repeated for many minutes.
soak:
	BERTH_SOAK=1 $(GO) test -timeout 60m ./...

# What strangers send: each target for a while, from its seeds.
FUZZTIME ?= 30s
fuzz:
	$(GO) test -run '^$$' -fuzz '^FuzzRespond$$' -fuzztime $(FUZZTIME) ./dnsserver
	$(GO) test -run '^$$' -fuzz '^FuzzRequests$$' -fuzztime $(FUZZTIME) ./dnsserver/transfer
	$(GO) test -run '^$$' -fuzz '^FuzzRedirects$$' -fuzztime $(FUZZTIME) ./sites/static/rules
	$(GO) test -run '^$$' -fuzz '^FuzzHeaders$$' -fuzztime $(FUZZTIME) ./sites/static/rules

generate:
	$(GO) tool templ generate -path templates
