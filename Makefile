# Three lines for a fresh clone: make run, make test, make check. Needs Python 3.11+, make and git.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
SIDE_BY_SIDE := --numprocesses auto --maxprocesses 4 --dist loadfile

.PHONY: run test test-all check format reference docs setup clean

run: setup
	@$(BIN)/distillery run

test: setup
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not slow"

test-all: setup
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

reference: setup
	$(BIN)/distillery params --markdown > docs/params.md
	$(BIN)/distillery params --schema > docs/params.schema.json

docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict
	@echo "open site/index.html"

setup: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,docs]'
	@touch $@

clean:
	rm -rf .venv .distillery site
