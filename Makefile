# `make demo` and `make test` need Python 3.10 to 3.12 and pip, and nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test slow lint notebooks docs clean

demo: $(VENV)/installed
	$(BIN)/mer demo

test: $(VENV)/installed
	$(BIN)/python -m pytest -m "not slow"

slow: $(VENV)/installed
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(VENV)/installed: setup.py constraints.txt
	@echo "installing mer and what it needs into $(VENV): some minutes, about 2.5 GB on disk"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev,notebooks,synth,train]"
	@touch $@

clean:
	rm -rf $(VENV) demo build *.egg-info
