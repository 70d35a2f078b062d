# The same commands for people and for CI. PYTHON may name another interpreter, VENV another environment.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# An environment is made anew when what it was made from changes, and otherwise needs no network.
BASE := $(VENV)/.base-installed
TEST := $(VENV)/.test-installed
CHECK := $(VENV)/.check-installed
# mitmproxy pins what others need newer, so recorders have environments of their own: one with this Python, and one with
# a newer Python where there is one, for that gets a newer mitmproxy.
RECORD := .venv-record/.installed
NEWER_PYTHON ?= $(lastword $(sort $(wildcard $(HOME)/.pyenv/versions/3.1[2-9].*/bin/python3)))
RECORD_NEWER := $(if $(NEWER_PYTHON),.venv-record-newer/.installed)
NODE_MODULES := tests/clients/javascript/node_modules/.package-lock.json
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PYTEST_ARGS ?= -n auto

.PHONY: demo test check fix bench clean
.DELETE_ON_ERROR:

demo: $(BASE)
	$(BIN)/bedtape demo

test: $(TEST) $(RECORD) $(RECORD_NEWER) javascript
	$(BIN)/pytest $(PYTEST_ARGS)

check: $(CHECK)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -q tests/project

fix: $(CHECK)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(TEST)
	$(BIN)/python tests/bench/run.py

clean:
	rm -rf $(VENV) .venv-record .venv-record-newer tests/clients/javascript/node_modules

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(BASE): pyproject.toml | $(BIN)/python
	$(PIP) -e .
	touch $@

$(TEST): $(BASE)
	$(PIP) -e '.[test]'
	touch $@

$(CHECK): $(TEST)
	$(PIP) -e '.[check]'
	touch $@

.venv-record/.installed: pyproject.toml
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[record]'
	touch $@

.venv-record-newer/.installed: pyproject.toml
	$(NEWER_PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[record]'
	touch $@

# The JavaScript clients are tested where node is; the tests that need it say so where it is not.
.PHONY: javascript
javascript:
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(NODE_MODULES); else echo "npm is not installed: the JavaScript clients are not tested"; fi

$(NODE_MODULES): tests/clients/javascript/package-lock.json
	npm ci --prefix tests/clients/javascript --no-audit --no-fund --silent
	touch $@
