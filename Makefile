# coremlc. `make run` and `make test` set up all that they need.
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
STAMP := $(VENV)/.installed
JOBS ?= 2
GO := $(shell command -v go 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help run test test-all fmt lint types golden fixtures proto docs bench bench-graphs bench-compile bench-first-run bench-memory bench-peers silero fuzz-bundles fuzz-ops harvest test-harvest go zoo test-zoo test-xla current ci clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | awk -F'|' '{printf "  %-14s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

run: $(STAMP) ## set up, compile the digits network and run it on 100 real images
	$(BIN)/python examples/digits.py

test: $(STAMP) ## set up, run the fast tests
	$(BIN)/python -m pytest -n $(JOBS)

test-all: $(STAMP) ## every test, the slow ones and those that need Go too
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[xla,report]'
	$(BIN)/python -m pytest -n $(JOBS) -m 'not coreml and not zoo'

fmt: $(STAMP) ## format Python and Go
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(if $(GO),gofmt -w go)

lint: $(STAMP) ## ruff, and the format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP) ## mypy --strict
	$(BIN)/mypy

golden: $(STAMP) ## write the golden files anew
	COREMLC_GOLDEN=write $(BIN)/python -m pytest -n $(JOBS) -q

fixtures: $(STAMP) ## make fixtures/ anew (needs Go)
	cd go && go run ./cmd/fixtures -out ../fixtures

proto: $(STAMP) ## generate coremlc/frontend/*_pb2.py from schemas/
	PYTHON=$(BIN)/python scripts/proto.sh

docs: $(STAMP) ## generate docs/cli.md and docs/ops.md
	$(BIN)/python scripts/docs.py

bench: $(STAMP) ## time all models that are made, against XLA and experts, into benchmarks/RESULTS.md
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[xla,report]'
	$(BIN)/python -m benchmarks.table $(if $(ONLY),--only $(ONLY)) --duration $(or $(DURATION),1)

bench-graphs: $(STAMP) ## make what make bench times besides fixtures and zoo, in out/ (needs Go; after make zoo)
	cd go && go run ./cmd/bench -out ../out/bench
	$(BIN)/python -m benchmarks.tolerances
	$(BIN)/python -m benchmarks.table.zoo_batches

bench-compile: $(STAMP) ## compile time per node, on graphs of 1k to 50k nodes
	$(BIN)/python -m benchmarks.compile_time

bench-first-run: $(STAMP) ## from a graph.pb to its first outputs, against XLA; and how long commands take (after make bench-graphs)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[xla]'
	$(BIN)/python -m benchmarks.first_run

bench-memory: $(STAMP) ## anonymous memory of compiling and running 1 GB of weights
	$(BIN)/python -m benchmarks.memory

bench-peers: $(STAMP) ## compile time beside coremltools', MIL ops beside stablehlo-coreml's, of all models that are made
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[xla]' 'stablehlo-coreml==0.1.6'
	$(BIN)/python -m benchmarks.peers

silero: $(STAMP) ## fetch the Silero VAD and make a minute of speech, for tests/bundle/test_silero.py
	PYTHON=$(BIN)/python scripts/silero.sh

fuzz-bundles: $(STAMP) ## 10,000 damaged bundles: no traceback, no hang, little memory
	$(BIN)/python benchmarks/fuzz_bundles.py --jobs $(JOBS) --json benchmarks/fuzz_bundles.json

fuzz-ops: $(STAMP) ## N random op cases in all, going on from the record: the oracle against both engines
	$(BIN)/python -m benchmarks.fuzz -N $(or $(N),100000) --jobs $(JOBS) --json $(or $(JSON),benchmarks/FUZZ.json)

harvest: $(STAMP) ## collect the graphs of GoMLX's own tests in out/harvest (needs Go; QUICK=1 leaves out slow ones)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[xla]'
	$(BIN)/python scripts/harvest.py --jobs $(JOBS) $(if $(QUICK),--quick)

test-harvest: $(STAMP) ## compile and run all that make harvest collected, into benchmarks/HARVEST.md (RESUME=1: go on after a stop)
	$(BIN)/python -m benchmarks.harvest --jobs $(JOBS) $(if $(RESUME),--resume)

go: ## gofmt, vet and test the Go module
	@test -z "$$(gofmt -l go)" || { echo "not formatted:"; gofmt -l go; exit 1; }
	cd go && go vet ./... && go test ./...
	go/onnx/patch.sh && cd go/onnx && go vet ./... && go test ./...

zoo: $(STAMP) ## fetch, convert and compile real models into out/zoo (needs Go; LARGE=1: those of over 50 MB too)
	$(BIN)/python -m zoo $(if $(LARGE),--large)

test-xla: $(STAMP) ## install jax, and compare XLA with what the ops mean
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[xla,report]'
	$(BIN)/python -m pytest -n $(JOBS) -m xla

test-zoo: $(STAMP) ## run the models that are in out/zoo on both engines
	$(BIN)/python -m pytest -m zoo tests/zoo

current: $(STAMP) ## check that generated files are current
	PYTHON=$(BIN)/python scripts/current.sh

ci: lint types current ## lint, types, generated files, tests, Go: what .ci/run runs
	$(MAKE) test
	$(if $(GO),$(MAKE) go)

clean: ## remove what make made
	rm -rf $(VENV) build dist out .mypy_cache .ruff_cache .pytest_cache .hypothesis .stamps *.egg-info
