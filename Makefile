# Everything happens in .venv. A stamp in it notes which of the two installations it holds, so that nothing is done twice.
PYTHON ?= python3
IMAGES ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt
SETTINGS := pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test check slow coverage bench clean

help: ## list these targets
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

demo: $(VENV)/.runtime ## hide a message in a photograph, save it as JPEG, read it back
	@$(BIN)/underpaint demo

test: $(VENV)/.dev ## run the tests that take seconds
	@$(BIN)/python -m pytest -m "not slow"

check: $(VENV)/.dev ## lint, format, types, direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

slow: $(VENV)/.dev ## run the tests that take minutes
	@$(BIN)/python -m pytest -m slow

coverage: $(VENV)/.dev ## say which lines the tests that take seconds leave out; fail below 95 %
	@$(BIN)/coverage run -m pytest -m "not slow"
	@$(BIN)/coverage report

bench: $(VENV)/.dev ## measure every result and rewrite the tables of README and docs; IMAGES=folder, by default the two samples
	@$(BIN)/python -m underpaint.bench $(if $(IMAGES),--images "$(IMAGES)")

clean: ## remove .venv and every cache
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo 'underpaint needs Python 3.11 or newer: make PYTHON=python3.12 …' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo 'on Debian and Ubuntu: apt install python3-venv' >&2; exit 1; }

$(VENV)/.runtime: $(SETTINGS) | $(BIN)/python
	@echo 'setting up the runtime in $(VENV) …'
	@$(PIP) -e .
	@touch $@

$(VENV)/.dev: $(SETTINGS) | $(BIN)/python
	@echo 'setting up everything in $(VENV) …'
	@$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.runtime
