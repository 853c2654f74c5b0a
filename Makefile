# `make train` and `make test` do everything on a fresh machine; both use .venv, made by the first of them.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: train test lint clean

train: .venv/installed
	$(BIN)/nnmnist train --config configs/mnist.yaml

test: lint
	$(BIN)/pytest --cov --cov-report=term-missing:skip-covered --cov-fail-under=90

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf .venv dist build .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache

.venv/installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "nnmnist needs Python 3.10 or later; set it by: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable .
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@
