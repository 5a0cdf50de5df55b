# Everything that a person or CI does with this checkout, one target each. `make` alone says what there is.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# The newest way to say Python 3.11 or later on this machine; `make PYTHON=/path/to/python3.12 ...` overrules it.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)
BIN := .venv/bin
RUNTIME := .venv/.runtime-installed
DEV := .venv/.dev-installed
# uv installs in seconds; where it cannot be had or cannot get through (certificates, proxies), pip does the same.
INSTALL = install() { { [ -x $(BIN)/uv ] && $(BIN)/uv pip install --quiet --python $(BIN)/python "$$@"; } || \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$@"; }; install
# Universal: a lock made on one Python must install on the others (redis needs async-timeout before 3.11.3 only).
LOCK := --quiet --no-header --universal --python-version 3.11
ARGS ?=

.PHONY: help
help:  ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: venv
venv: $(RUNTIME)  ## Make .venv and install what Tidegate needs to run

.PHONY: demo
demo: $(RUNTIME)  ## Start everything on this machine, with a shop to migrate; Ctrl-C ends it
	$(BIN)/python manage.py demo

.PHONY: demo-once
demo-once: $(RUNTIME)  ## Run the demo's story from end to end without a browser, and exit
	$(BIN)/python manage.py demo --once

.PHONY: test
test: $(DEV)  ## Run the tests on servers of their own; ARGS="-k word" are passed to pytest
	scripts/ensure-chromium
	$(BIN)/python -m pytest -n 2 -m "not score" $(ARGS)

.PHONY: score
score: $(DEV)  ## Check the risk engine's labelled set, and hold the engine to its goals on it, some minutes
	$(BIN)/python -m pytest -m score -p no:randomly tests/risk_cases

.PHONY: bench-risk
bench-risk: $(DEV)  ## Measure how fast the risk engine judges, against squawk in the same run
	$(BIN)/python bench/risk_speed.py

.PHONY: check
check: lint  ## Lint, types, layers, migrations, deployment settings: what CI asks besides the tests
	scripts/throwaway-settings $(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	scripts/throwaway-settings $(BIN)/python manage.py makemigrations --check --dry-run
	scripts/throwaway-settings $(BIN)/python manage.py check --deploy --fail-level WARNING

.PHONY: lint
lint: $(DEV)  ## Only ruff: rules and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

.PHONY: lock
lock: $(DEV)  ## Pin requirements*.in, with all they pull in, into requirements*.txt
	$(BIN)/uv pip compile $(LOCK) --output-file requirements.txt requirements.in
	$(BIN)/uv pip compile $(LOCK) --output-file requirements-dev.txt requirements-dev.in

.PHONY: clean
clean:  ## Remove .venv and every cache; the demo's data stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis staticfiles
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then echo "Python 3.11 or later is needed: apt-get install python3 python3-venv" >&2; exit 1; fi
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
		echo "Python's venv module is needed: apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv 2> /dev/null || true

# A stamp is newer than its requirements when they are installed: then nothing is done.
$(RUNTIME): requirements.txt | $(BIN)/python
	@echo "Installing requirements.txt into .venv ..."
	@$(INSTALL) -r requirements.txt
	@touch $@

$(DEV): requirements-dev.txt $(RUNTIME)
	@echo "Installing requirements-dev.txt into .venv ..."
	@$(INSTALL) -r requirements-dev.txt
	@touch $@
