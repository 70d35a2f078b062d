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
NODE := tests/clients/javascript tests/clients/retries tests/clients/jest tests/clients/vitest clients/typescript tests/examples/typescript tests/examples/testcontainers/node
NODE_MODULES := $(NODE:%=%/node_modules/.package-lock.json) clients/typescript/dist/index.js
JAVA := $(patsubst %,%/target/.fetched,tests/examples/java clients/java tests/examples/testcontainers/java tests/clients/langchain4j tests/clients/anthropic_java)
# LOCKED=1 installs the versions and hashes in .ci/locks, as CI does. `make lock` writes them anew.
LOCKED ?=
PIP = -m pip install --quiet --disable-pip-version-check
# install(python, extra, lock)
install = $(if $(LOCKED),$(1) $(PIP) --require-hashes -r .ci/locks/build.txt -r .ci/locks/$(3).txt && $(1) $(PIP) --no-deps --no-build-isolation -e .,$(1) $(PIP) -e '.$(2)')
PYTEST_ARGS ?= -n auto
# Containers often set it. Without bytecode, each of the processes that the tests start compiles all source again, and
# pytest rewrites all tests in each run.
unexport PYTHONDONTWRITEBYTECODE
# The tests that need Python alone. `make test` leaves out those that are marked as slow, and four fifths of Hypothesis'
# examples; `make test-rest` runs them.
PYTHON_TESTS := tests/cassettes tests/replayer tests/wire tests/clients/test_boto3.py

.PHONY: demo prepare test test-all test-rest test-matrix test-compiled check fix docs bench fuzz compiled lock clean
.DELETE_ON_ERROR:

demo: $(BASE)
	$(BIN)/bedtape demo

test: $(TEST)
	$(BIN)/pytest $(PYTEST_ARGS) -m "not slow" $(PYTHON_TESTS)

# With `make check`, everything: the tests above, slow tests, recorders, other languages, the browser, every page, and the
# matrix of frameworks.
test-all: test test-rest test-matrix

test-rest: export THOROUGH = 1
test-rest: $(CHECK) $(RECORD) $(RECORD_NEWER) examples
	$(BIN)/pytest $(PYTEST_ARGS) -m "slow or hypothesis" $(PYTHON_TESTS)
	$(BIN)/pytest $(PYTEST_ARGS) --ignore=tests/cassettes --ignore=tests/replayer --ignore=tests/wire \
	  --ignore=tests/project --ignore=tests/typing --deselect=tests/clients/test_boto3.py

# What the compiled build may change: the wire, and the modules that are compiled.
test-compiled: .venv-compiled/.installed
	.venv-compiled/bin/bedtape --version | grep compiled
	.venv-compiled/bin/pytest $(PYTEST_ARGS) -m "not slow and not corpus" tests/wire/test_server.py tests/wire/test_samples.py \
	  tests/replayer/engine tests/replayer/wire tests/replayer/answering tests/replayer/overlay tests/replayer/history

# All that the targets below need from outside; `make -j4 prepare` fetches it side by side.
prepare: $(CHECK) $(RECORD) $(RECORD_NEWER) examples

# Frameworks' own code against the server, each in an environment of its own: writes docs/reference/compatibility.md.
test-matrix: $(BASE)
	$(BIN)/python tests/matrix/run.py

check: $(CHECK)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest $(PYTEST_ARGS) tests/project tests/typing

fix: $(CHECK)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python docs/generate
	$(BIN)/python clients/generate

# The site, to be opened as docs/_build/index.html: it needs no server and asks none.
docs: $(CHECK)
	$(BIN)/python docs/generate
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --fresh-env docs docs/_build

# Topics can be chosen: make bench TOPICS="http1 h2". Only a run of all writes the page.
bench: $(TEST) .venv-bench/.installed
	$(BIN)/python tests/bench/run.py $(TOPICS)

# Damaged inputs for every reader of what others write.
SECONDS ?= 60
fuzz: $(TEST)
	$(BIN)/python tests/fuzz/run.py $(SECONDS)

# bedtape with compiled modules, in an environment of its own: needs a C compiler. `make bench` measures it if it exists.
compiled: .venv-compiled/.installed

.venv-compiled/.installed: pyproject.toml hatch_build.py $(shell find cassettes replayer -name '*.py')
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(call install,$(@D)/bin/python,[check],check)
	HATCH_BUILD_HOOK_ENABLE_CUSTOM=1 $(@D)/bin/python $(PIP) --no-deps --no-build-isolation --force-reinstall .
	touch $@

# Versions and hashes of all that is installed, for every Python and platform: needs uv.
lock:
	printf 'hatchling\neditables\n' | uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate - -o .ci/locks/build.txt
	for extra in base server test check record; do \
	  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --constraint .ci/locks/build.txt \
	    $$(case $$extra in base) ;; server) echo --extra state --extra otel --extra tls;; *) echo --extra $$extra;; esac) -o .ci/locks/$$extra.txt pyproject.toml; \
	done
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  tests/examples/testcontainers/python/requirements.txt -o .ci/locks/containers.txt

clean:
	rm -rf $(VENV) .venv-record .venv-record-newer .venv-bench .venv-compiled .venv-containers .venv-smithy tests/clients/rust/target tests/clients/java/target docs/_build $(NODE:%=%/node_modules) $(NODE:%=%/build) clients/typescript/dist $(JAVA:%/.fetched=%)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(BASE): pyproject.toml | $(BIN)/python
	$(call install,$(BIN)/python,,base)
	touch $@

$(TEST): $(BASE)
	$(call install,$(BIN)/python,[test],test)
	touch $@

$(CHECK): $(TEST)
	$(call install,$(BIN)/python,[check],check)
	touch $@

# What bedtape is measured against. What cannot be had is left out of the page, which says so.
.venv-bench/.installed: tests/bench/opponents.txt pyproject.toml
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check -e . pytest -r tests/bench/opponents.txt || echo "not all of tests/bench/opponents.txt can be had"
	if command -v npm >/dev/null; then npm install --no-save --silent --prefix $(@D) @copilotkit/aimock || echo "aimock cannot be had"; fi
	touch $@

.venv-record/.installed: pyproject.toml
	$(PYTHON) -m venv $(@D)
	$(call install,$(@D)/bin/python,[record],record)
	touch $@

.venv-record-newer/.installed: pyproject.toml
	$(NEWER_PYTHON) -m venv $(@D)
	$(call install,$(@D)/bin/python,[record],record)
	touch $@

# Clients and examples in other languages are tested where their tools are; the tests that need them say so where not.
# What comes from outside is fetched here, so that the tests need no network.
.PHONY: examples javascript go java containers smithy rust
examples: javascript go java rust containers smithy

containers: .venv-containers/.installed

.venv-containers/.installed: tests/examples/testcontainers/python/requirements.txt
	$(PYTHON) -m venv $(@D)
	if $(@D)/bin/python $(PIP) $(if $(LOCKED),--require-hashes -r .ci/locks/containers.txt,-r $<); then touch $@; else echo "Testcontainers for Python cannot be had: it is not tested"; fi

# AWS's SDK for Python with bidirectional streams needs Python 3.12. The newest of pyenv's, if there is one.
smithy: .venv-smithy/.installed

.venv-smithy/.installed: tests/clients/smithy/requirements.txt
	@for python in "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.1[3-9].*/bin/python3 "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.12.*/bin/python3 python3.13 python3.12; do \
	  if command -v "$$python" >/dev/null && "$$python" -m venv $(@D); then break; fi; done; \
	if [ -x $(@D)/bin/python ] && $(@D)/bin/python $(PIP) -r $<; then touch $@; else echo "Python 3.12 or AWS's SDK for it cannot be had: its conversations are not tested"; fi

rust:
	@if ! command -v cargo >/dev/null; then echo "cargo is not installed: the clients for Rust are not tested"; \
	else (cd tests/clients/rust && cargo build --locked --quiet) || echo "the packages of tests/clients/rust cannot be had: they are not tested"; fi

javascript:
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(NODE_MODULES); else echo "npm is not installed: the JavaScript clients are not tested"; fi

go:
	@if ! command -v go >/dev/null; then echo "go is not installed: its example is not tested"; \
	else for folder in tests/examples/go tests/clients/go tests/clients/go/bearer clients/go; do (cd $$folder && GOTOOLCHAIN=local go test -run '^$$' ./... >/dev/null) \
	|| echo "the packages of $$folder cannot be had: it is not tested"; done; \
	(cd tests/examples/testcontainers/go && GOTOOLCHAIN=local go vet ./...) || echo "Testcontainers for Go cannot be had: it is not tested"; fi

java:
	@if command -v mvn >/dev/null; then $(MAKE) --no-print-directory $(JAVA) tests/clients/java/target/classpath.txt; else echo "mvn is not installed: Java is not tested"; fi

%/node_modules/.package-lock.json: %/package-lock.json
	npm ci --prefix $* --no-audit --no-fund --loglevel=error
	touch $@

clients/typescript/dist/index.js: clients/typescript/node_modules/.package-lock.json $(wildcard clients/typescript/*.json clients/typescript/src/*)
	npm run build --prefix clients/typescript --silent

# A program of one file needs no build, but its classpath. As an argument file of java.
tests/clients/java/target/classpath.txt: tests/clients/java/pom.xml | tests/examples/testcontainers/java/target/.fetched
	@if (cd tests/clients/java && mvn -q -B dependency:build-classpath -Dmdep.outputFile=target/packages.txt); \
	then { printf -- '-cp '; cat tests/clients/java/target/packages.txt; } > $@; else echo "the packages of tests/clients/java cannot be had: it is not tested"; fi

# Maven learns only on its way to a test what runs tests, so it is on its way to one that is not there.
# One at a time, because all write to Maven's repository.
clients/java/target/.fetched: | tests/examples/java/target/.fetched
tests/examples/testcontainers/java/target/.fetched: | clients/java/target/.fetched
tests/clients/langchain4j/target/.fetched: | tests/examples/testcontainers/java/target/.fetched
tests/clients/anthropic_java/target/.fetched: | tests/clients/langchain4j/target/.fetched
%/target/.fetched: %/pom.xml
	@if cd $(<D) && mvn -q -B test -Dtest='*Test#none' -Dsurefire.failIfNoSpecifiedTests=false; then touch target/.fetched; \
	else echo "the packages of $(<D) cannot be had: it is not tested"; fi
