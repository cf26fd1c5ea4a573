# Both commands work on a fresh clone with Python 3.11 or newer: each makes the virtual environment it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint types clean

demo: $(VENV)/inference
	$(BIN)/veilleur tag seeds/articles --unit bulletin --format table

test: $(VENV)/development
	$(BIN)/python -P -m pytest

lint: $(VENV)/development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# mypy does not see an editable install whose package is the repository itself, so it reads an installed copy.
types: $(VENV)/development
	rm -rf $(VENV)/typed && $(BIN)/pip install --quiet --no-deps --no-build-isolation --target $(VENV)/typed .
	cd $(VENV) && MYPYPATH=typed bin/python -P -m mypy --config-file ../pyproject.toml -p veilleur

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip setuptools

$(VENV)/inference: $(VENV)/bin/python pyproject.toml
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/development: $(VENV)/bin/python pyproject.toml
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@ $(VENV)/inference

clean:
	rm -rf $(VENV) build *.egg-info
