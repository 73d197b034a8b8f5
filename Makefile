# Every command sets itself up: a clean clone needs only Python 3.11+ with venv, and make.
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest -q

.PHONY: help setup demo check test truths soak bench pictures clean

help:
	@echo "make demo    build the Wudadao sketch, flood it, load it with traffic, shade it; pictures in out/demo"
	@echo "make test    the tests (kernels cold: at most 12 CPU minutes)"
	@echo "make check   lint, types, import contracts"
	@echo "make truths  every answer against a truth from outside, in full"
	@echo "make soak    kills, damaged files, large counts"
	@echo "make bench   CPU times and ratios against named peers"
	@echo "make pictures  the pictures of README, and the notebooks run; what looks the same stays"

setup:
	@.ci/setup

demo: setup
	@$(BIN)/cim demo -o out/demo

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

test: setup
	$(PYTEST) -m "not truths and not soak" tests

truths: setup
	$(PYTEST) -s -m truths tests

soak: setup
	$(PYTEST) -s -m soak tests

bench: setup
	$(BIN)/python -m tests.benchmarks

pictures: setup
	@$(BIN)/python -m tests.pictures

clean:
	rm -rf .venv out build *.egg-info .mypy_cache .ruff_cache .import_linter_cache
