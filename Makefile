# `make demo` and `make test` need Python 3.10 to 3.12 and pip.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Test files are distributed over at most four processes of one thread each. A process that dies ends the run as a
# failure. `-rs` lists what was skipped, and why.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadscope --max-worker-restart 0 -rfEs

.PHONY: demo test slow lint notebooks docs clean

demo: $(VENV)/installed
	$(BIN)/mer demo

test: $(VENV)/installed
	$(PYTEST) -m "not slow"

slow: $(VENV)/installed
	$(PYTEST) -m slow

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

$(VENV)/installed: pyproject.toml constraints.txt requirements-lock.txt
	@echo "installing mer and its dependencies into $(VENV): a few minutes, about 3.5 GB on disk"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch torchvision
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps --requirement requirements-lock.txt
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

notebooks: $(VENV)/installed
	$(BIN)/python notebooks/run.py

docs: $(VENV)/installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	@echo "site/index.html"

clean:
	rm -rf $(VENV) demo build site *.egg-info
