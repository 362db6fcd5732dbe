# Needs Python 3.11 or newer, make and a package registry; everything else is set up here, into .venv and build/.
# `make help` lists the targets.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# The first of these that starts and is new enough (a version manager's shim may exist without its Python).
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo "$$python" && break; done)
BIN := .venv/bin
STAMP := .venv/regulars.stamp
PYTEST_WORKERS ?= 2
PYTEST_ARGS ?=
# Of `make soak`: schedules of the simulation, seconds of the fuzz and of the load, parts (all where none is named).
SEEDS ?= 5000
SOAK_SECONDS ?= 60
PARTS ?=
RECORDINGS ?= ../shared/reference/recordings
# Compiled modules belong in build/, and are worth keeping whatever the environment says.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX := $(CURDIR)/build/pycache
# A schedule of the simulator that failed must be the same when it is run again.
export PYTHONHASHSEED := 0

.PHONY: help setup demo dev test check format lint types contracts template bench soak spark build browser tools data lock reference \
	clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): requirements/uv.txt requirements/dev.txt pyproject.toml infra/bootstrap.py
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed, and none was found" >&2; exit 1; }
	@$(PYTHON) infra/bootstrap.py

setup: $(STAMP) ## Make .venv with the locked packages (the other targets do this by themselves)

demo: $(STAMP) ## A real year of orders, live hits, 45 days ahead: build/demo/report.html and summary.json
	@$(BIN)/python -m infra.demo

dev: $(STAMP) ## The local cloud on http://localhost:8000, with a demo shop
	@$(BIN)/regulars dev

tools: $(STAMP)
	@$(BIN)/python -m infra.artifacts.local
	@$(BIN)/python -m infra.clients

browser: $(STAMP)
	@$(BIN)/python -m infra.chromium || true

data: $(STAMP)
	@$(BIN)/python -m infra.datasets

test: $(STAMP) browser tools data ## All tests, offline, no AWS account, no Docker (PYTEST_ARGS="-k name" for some)
	@$(BIN)/python -m pytest -p tests.browser_guard -n $(PYTEST_WORKERS) --dist loadscope $(PYTEST_ARGS)

check: lint types contracts template test ## What CI runs: format, lint, strict types, import contracts, template checks, tests

lint: $(STAMP)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

types: $(STAMP)
	@$(BIN)/mypy

contracts: $(STAMP)
	@$(BIN)/lint-imports

template: $(STAMP)
	@$(BIN)/cfn-lint --append-rules cfn_lint_serverless.rules --template infra/template.yaml

format: $(STAMP) ## Format the code and mend what the linter can mend
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(STAMP) data ## Benchmarks against their targets: build/bench.json
	@$(BIN)/python -m infra.bench

soak: $(STAMP) ## The long search for faults (45 to 90 minutes on two cores): build/soak.json (SEEDS=5000 for fewer or more)
	@$(BIN)/python -m tests.soak --seeds $(SEEDS) --seconds $(SOAK_SECONDS) $(PARTS)

spark: $(STAMP) ## The same over an export of the table, on local Spark (fetches 400 MB once, and Java where there is none)
	@$(BIN)/python -m infra.spark

build: $(STAMP) ## The deployable artifacts in build/functions, within Lambda's size limits
	@$(BIN)/python -m infra.artifacts

lock: $(STAMP) ## Pin the newest packages that pyproject.toml and infra/artifacts allow
	@$(BIN)/python -m infra.artifacts.lock

reference: $(STAMP) ## Replay recorded HTTP traffic of real clients, where there is a folder of it: RECORDINGS=folder
	@if test -d "$(RECORDINGS)"; then $(BIN)/python -m infra.recordings "$(RECORDINGS)"; else echo "no recordings at $(RECORDINGS)"; fi

clean: ## Remove what was built (not .venv)
	@rm -rf build .mypy_cache .ruff_cache .import_linter_cache .hypothesis
