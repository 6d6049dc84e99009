# Everything runs in .venv, made on first use and again when the metadata changes.
.DEFAULT_GOAL := help
.PHONY: help serve test test-long lint bench screenshots
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip --disable-pip-version-check -q
JOBS ?= 2

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

.venv/base: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(PIP) install -e .
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
	$(BIN)/pytest -n $(JOBS)

test-long: .venv/test ## Run the tests that take minutes
	$(BIN)/pytest -n $(JOBS) -m long

lint: .venv/lint ## Check style, types and import directions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --config setup.cfg

bench: .venv/base ## Measure and write benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks

screenshots: .venv/test ## Take the pictures in docs/images with a real browser
	$(BIN)/python -m tests.inbox.screenshots
