# Every target is a thin name for a script or one command; `make help` lists them.

MODULES := . examples bench conformance
SECONDS ?= 30
CLIENTS ?= 32
FUZZTIME ?= 30s
MINUTES ?= 5
xmin: MINUTES = 30
ONLY ?=
ROWS ?= 10000000

.DEFAULT_GOAL := help
.PHONY: help test race lint bench benchmarks fuzz verify tidy services shop load chaos watermill plans xmin

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

test: ## bring up what the tests need, then vet and test every module with the race detector
	./test.sh

race: ## the tests of one package, with the race detector: make race PKG=./session
	go test -race -count=1 $(or $(PKG),./...)

lint: ## gofmt and golangci-lint over every module
	scripts/lint.sh

bench: ## urutu against its peers: prints the tables and puts them into docs/performance.md; ONLY=rows, messages or queries does one part
	@exports=$$(scripts/services.sh) && eval "$$exports" && cd bench && \
		go run . -only "$(ONLY)" -page ../docs/performance.md -out ../docs/performance.svg

xmin: ## messages for MINUTES (30) while an idle transaction holds its snapshot: the last table of docs/performance.md
	@exports=$$(scripts/services.sh) && eval "$$exports" && cd bench && \
		go run . -only xmin -hold $(MINUTES)m -page ../docs/performance.md

benchmarks: ## the Go benchmarks of every module, with their allocations
	@for m in $(MODULES); do (cd $$m && go test -run '^$$' -bench . -benchmem ./...) || exit 1; done

fuzz: ## every fuzz target, FUZZTIME each (default 30s)
	scripts/fuzz.sh $(FUZZTIME)

verify: ## is everything formatted, tidy, and in step with the docs that describe it?
	scripts/verify.sh

tidy: ## go mod tidy in every module, then sync the workspace
	@for m in $(MODULES); do (cd $$m && go mod tidy) || exit 1; done
	go work sync

services: ## start what the tests need and print the exports
	@scripts/services.sh

shop: ## run the example shop on an SQLite file
	go run ./examples/shop

load: ## SECONDS (30) of CLIENTS (32) placing orders, on every database
	scripts/load.sh $(SECONDS) $(CLIENTS)

chaos: ## MINUTES (5) of killing, stopping and cutting off what handles messages, on DATABASE (postgres or sqlite; default both)
	@exports=$$(scripts/services.sh) && eval "$$exports" && cd conformance && \
		URUTU_CHAOS=$(MINUTES)m go test -count=1 -v -timeout $$((2 * $(MINUTES) + 15))m \
		-run '^Test($(if $(DATABASE),$(patsubst sqlite,SQLite,$(patsubst postgres,Postgres,$(DATABASE))),Postgres|SQLite))$$' ./chaos

watermill: ## Watermill's Pub/Sub suite at its full size, on every database
	@exports=$$(scripts/services.sh) && eval "$$exports" && cd conformance && \
		URUTU_WATERMILL=full go test -count=1 -v -timeout 20m -run '^TestPubSub$$' ./watermill

plans: ## how PostgreSQL answers what is sent about messages, on a table of ROWS (10000000)
	@exports=$$(scripts/services.sh) && eval "$$exports" && \
		URUTU_PLAN_ROWS=$(ROWS) go test -count=1 -v -timeout 60m -run '^TestPlansOfEveryStatement$$' ./outbox
