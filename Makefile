# Everything happens in .venv. A stamp in it notes each of its installations, so that nothing is done twice.
PYTHON ?= python3
IMAGES ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt
# One process per core, with one thread each; a test file's cases stay together, so that what they share is made once.
TESTS := UNDERPAINT_THREADS=1 OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile
SETTINGS := pyproject.toml lab/pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test test-lab check slow coverage bench docs clean

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

demo: $(VENV)/.runtime ## hide a message in a photograph, save it as JPEG, reveal it
	@$(BIN)/underpaint demo

test: $(VENV)/.test ## run the tests of the runtime; PyTorch is not needed
	@$(TESTS) -m "not slow" tests

test-lab: $(VENV)/.lab ## run the tests of the lab
	@$(TESTS) -m "not slow" lab/tests

check: $(VENV)/.lab ## lint, format, types, direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

slow: $(VENV)/.lab ## run the tests that take minutes
	@$(BIN)/python -m pytest -m slow tests lab/tests

coverage: $(VENV)/.lab ## report untested lines; fail below 95 %
	@$(BIN)/coverage run -m pytest -m "not slow" tests lab/tests
	@$(BIN)/coverage report

bench: $(VENV)/.lab ## measure every result and rewrite the generated tables; IMAGES=folder, by default the two samples
	@$(BIN)/underpaint-lab bench all $(if $(IMAGES),--images "$(IMAGES)")

docs: $(VENV)/.docs ## build the documentation site in docs/_build/html
	@$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html

clean: ## remove .venv and every cache
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache docs/_build

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo 'underpaint needs Python 3.11 or newer: make PYTHON=python3.12 …' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo 'on Debian and Ubuntu: apt install python3-venv' >&2; exit 1; }

$(VENV)/.runtime: $(SETTINGS) | $(BIN)/python
	@echo 'setting up the runtime in $(VENV) …'
	@$(PIP) -e .
	@touch $@

$(VENV)/.test: $(SETTINGS) | $(BIN)/python
	@echo 'setting up the tests of the runtime in $(VENV) …'
	@$(PIP) -e '.[test]'
	@touch $@ $(VENV)/.runtime

$(VENV)/.lab: $(SETTINGS) | $(BIN)/python
	@echo 'setting up runtime and lab in $(VENV) …'
	@$(PIP) -e '.[dev]' -e ./lab
	@touch $@ $(VENV)/.runtime $(VENV)/.test

$(VENV)/.docs: $(SETTINGS) | $(BIN)/python
	@echo 'setting up the documentation tools in $(VENV) …'
	@$(PIP) -e '.[docs]'
	@touch $@ $(VENV)/.runtime
