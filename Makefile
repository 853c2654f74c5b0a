# `make train`, `make test` and `make lecture` work on a fresh machine: the first one creates .venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: train test test-slow lint lecture docs bench clean

train: .venv/installed
	$(BIN)/nnmnist train --config configs/mnist.yaml

test: lint
	$(BIN)/pytest --numprocesses auto --dist worksteal $(PYTEST_OPTIONS)

# The long versions of some tests, and a comparison with PyTorch: 44 tests, of which 36 took 28
# minutes on two cores that other programs used as well.
test-slow: .venv/installed-dev .venv/installed-bench
	$(BIN)/pytest -m slow --numprocesses auto --dist worksteal

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell nnmnist configs tests examples benchmarks docs *.md

# Executes the pages of the lecture, and names each command before it runs; less than 3 minutes.
lecture: .venv/installed-docs
	$(BIN)/sphinx-build --fail-on-warning docs docs/_build/html
	@echo "The lecture: open docs/_build/html/lecture/index.html in a browser"

# Builds the documentation; open docs/_build/html/index.html.
docs: .venv/installed-docs
	$(BIN)/sphinx-build --quiet --nitpicky --fail-on-warning --keep-going docs docs/_build/html

# Compares with PyTorch, JAX and scikit-learn; about 15 minutes. Needs a quiet machine.
bench: .venv/installed-bench
	$(BIN)/python benchmarks/compare.py
	$(BIN)/python benchmarks/growth.py
	$(BIN)/python benchmarks/parts.py

clean:
	rm -rf .venv dist build docs/_build .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache

.venv/installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "nnmnist needs Python 3.10 or later; choose one with: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable .
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@

.venv/installed-docs: .venv/installed
	$(BIN)/pip install --quiet --editable '.[docs]'
	touch $@

# On Linux, PyTorch without CUDA is a much smaller download:
# make PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu test-slow
.venv/installed-bench: .venv/installed
	$(BIN)/pip install --quiet --editable '.[bench]'
	touch $@
