# The two commands a newcomer needs: `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BUILT_FROM := pyproject.toml hatch_build.py $(wildcard src/zounds/_native/*.[ch])

.PHONY: demo test check bench clean

demo: $(VENV)/installed ## synthesise sounds, index them, search, and say how to see them
	$(BIN)/zounds demo demo

test: $(VENV)/installed-dev check ## everything that has to hold
	$(BIN)/pytest -n auto --dist loadgroup

check: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/installed-dev ## measure, and write bench/RESULTS.md; DATA=folder of real sounds
	$(BIN)/python bench/run.py $(if $(DATA),--data $(DATA))

clean:
	rm -rf $(VENV) demo dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "zounds needs Python 3.11 or newer"'
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(BUILT_FROM) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/installed-dev: $(BUILT_FROM) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@ $(VENV)/installed
