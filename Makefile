# fhirfacade. `make help` lists the targets.

VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
LDFLAGS    = -s -w -X main.version=$(VERSION)
CACHE     ?= $(or $(FHIRFACADE_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/fhirfacade)
GOLANGCI   = v2.15.0
GOVULN     = v1.1.4
FUZZTIME  ?= 20s
BENCH     ?= .
KILLS     ?= 200
SEED      ?=

.PHONY: help
help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/fhirfacade.
	go build -ldflags '$(LDFLAGS)' -o bin/fhirfacade ./cmd/fhirfacade

.PHONY: run
run: build ## Build and start a sandbox server on 127.0.0.1:8080, data in ./data.
	./bin/fhirfacade serve --sandbox

.PHONY: demo
demo: build ## Play the main job from end to end, in under a minute.
	./bin/fhirfacade demo

.PHONY: test
test: ## Run all tests, those on MongoDB included where one can be had.
	@scripts/test

.PHONY: race
race: ## Run the tests of our own packages under the race detector.
	@scripts/test -race -short

.PHONY: conformance
conformance: ## Check what docs/conformance.md claims, and print in figures what was checked.
	@scripts/conformance

.PHONY: crash
crash: ## Kill the real program KILLS (200) times on both engines and check that nothing is lost; SEED repeats a run.
	@scripts/crash $(KILLS) $(SEED)

.PHONY: lint
lint: $(CACHE)/bin/golangci-lint-$(GOLANGCI) ## Check formatting, vet, import directions and the module graph.
	go mod verify
	go vet ./...
	$(CACHE)/bin/golangci-lint-$(GOLANGCI) run

$(CACHE)/bin/golangci-lint-$(GOLANGCI):
	@echo "installing golangci-lint $(GOLANGCI) into $(CACHE)/bin"
	@mkdir -p $(CACHE)/bin
	GOBIN=$(CACHE)/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI)
	mv $(CACHE)/bin/golangci-lint $@

.PHONY: bench
bench: ## Run the benchmarks, one after the other (BENCH=pattern narrows them down).
	@scripts/bench '$(BENCH)'

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (20s).
	@scripts/fuzz $(FUZZTIME)

.PHONY: vuln
vuln: ## Check dependencies against the vulnerability database, where it can be reached.
	@mkdir -p $(CACHE)/bin
	@test -x $(CACHE)/bin/govulncheck || GOBIN=$(CACHE)/bin go install golang.org/x/vuln/cmd/govulncheck@$(GOVULN)
	@$(CACHE)/bin/govulncheck ./... || { code=$$?; \
		if [ $$code -eq 3 ]; then exit 3; fi; \
		echo "govulncheck could not run: its database is not reachable from this machine. Nothing was checked."; }

.PHONY: generate
generate: ## Compile HL7's definitions and the Redox catalogue into tables.
	go generate ./...

.PHONY: clean
clean: ## Remove what was built; data and caches stay.
	rm -rf bin
