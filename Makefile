# Everything runs in .venv, made on first use and again when the metadata or the lock changes.
.DEFAULT_GOAL := help
.PHONY: help serve test test-long test-newest lint lock bench screenshots
PYTHON ?= python3
BIN := .venv/bin
# Each worker and each server of the tests imports everything: what is compiled is kept, whatever the shell says.
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(BIN)/pytest
# Also for what builds: until 25.3 pip takes the first name for that, and the second one ever since.
LOCKED := PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt
PIP := $(LOCKED) $(BIN)/pip --disable-pip-version-check -q
# One more than the two cores that most have: a part of what a test takes is waiting. Who is done helps the others.
JOBS ?= 3
SPREAD = -n $(JOBS) --dist worksteal
# What leans on other people's code most, in less than two minutes.
NEWEST := tests/adapters/test_adapters.py tests/background/test_scheduler.py tests/server/test_connections.py \
  tests/http/test_framework_errors.py tests/api/test_openapi.py tests/server/test_serve.py tests/intake/test_store.py
# `make lock UPGRADE=` keeps what is pinned already and adds what is missing.
UPGRADE ?= --upgrade

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 13

.venv/base: setup.cfg pyproject.toml constraints.txt
	@echo "Making .venv and installing what setup.cfg asks for; this takes a minute or two and needs a package index."
	$(PYTHON) -m venv .venv
	$(PIP) install -e .
	@echo "Installed."
	@touch $@

.venv/test: .venv/base
	$(PIP) install -e '.[test]'
	@touch $@

.venv/lint: .venv/test
	$(PIP) install -e '.[test,lint]'
	@touch $@

serve: .venv/base ## Install, prepare the embedded database (prints a key, once) and serve on 127.0.0.1:8000
	@$(BIN)/feedback-gateway init
	@exec $(BIN)/feedback-gateway serve

test: .venv/test ## Run the tests
	$(PYTEST) $(SPREAD)

test-long: .venv/test ## Run the tests that take minutes
	$(PYTEST) $(SPREAD) -m long

test-newest: ## Try the newest releases that setup.cfg allows, without the lock
	$(PYTHON) -m venv .venv-newest
	env -u PIP_CONSTRAINT -u PIP_BUILD_CONSTRAINT \
	.venv-newest/bin/pip --disable-pip-version-check -q install --upgrade --upgrade-strategy eager -e '.[test]'
	.venv-newest/bin/pytest --noconftest tests/test_borrowed_names.py
	.venv-newest/bin/pytest $(SPREAD) $(NEWEST)

lint: .venv/lint ## Check style, types and import directions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --config setup.cfg

# Alone: the rest cannot be installed while setup.cfg asks for what the lock does not have.
$(BIN)/uv:
	$(PYTHON) -m venv .venv
	$(PIP) install uv

lock: $(BIN)/uv ## Write constraints.txt: the newest releases that setup.cfg allows
	UV_DEFAULT_INDEX="$${PIP_INDEX_URL-$$($(BIN)/pip config get global.index-url 2>/dev/null)}" \
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras $(UPGRADE) \
	  --custom-compile-command 'make lock' --output-file constraints.txt setup.cfg

bench: .venv/test ## Measure and write benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks

screenshots: .venv/test ## Take the pictures in docs/images with a real browser
	$(BIN)/python -m tests.inbox.screenshots
