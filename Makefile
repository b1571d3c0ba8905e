# Every target that needs the environment makes it first, in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.terrashot-installed
# Test files are dealt out to processes of one thread each (tests/conftest.py). A file stays whole,
# and in the order of collection: those that train come last.
WORKERS ?= logical
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 8 --dist loadfile --no-loadscope-reorder
unexport PYTHONDONTWRITEBYTECODE  # started processes need the bytecode of src/ too

.DEFAULT_GOAL := help
.PHONY: help setup demo build test test-slow test-cluster lint format typecheck docs clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(STAMP) ## make .venv and install terrashot with everything for development

# uv resolves and installs the rest in seconds; torch and torchvision then come from one build.
# Bytecode is compiled now, since every process of a test would compile what it imports otherwise.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraint constraints.txt --editable '.[dev,docs,sweeps,export,stac,annotate,cluster]'
	@touch $@

demo: setup ## both stages and a map on a synthetic set that makes itself; about 8 minutes on 2 cores
	$(BIN)/python run.py experiment=stage1
	$(BIN)/python run.py experiment=stage2
	$(BIN)/python run.py experiment=adapt adapt.evaluate=false
	$(BIN)/python scripts/make_scene.py --size 2048 data/scenes/demo.tif
	$(BIN)/python run.py experiment=predict ckpt=logs/adapt/latest input=data/scenes/demo.tif output=logs/demo_map

build: setup ## wheel and sdist in dist/
	$(BIN)/uv build --out-dir dist

test: setup ## the tests; WORKERS=N processes, one a core without it
	$(PYTEST) -m "not slow"

test-slow: setup ## the tests that start processes, kill them, or build the largest network
	$(PYTEST) -m "slow and not cluster"

test-cluster: setup ## a cluster of Ray, and one of SLURM where slurm-wlm and munge are installed (root); minutes
	$(PYTEST) -m cluster

lint: setup ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: setup ## let ruff mend and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

typecheck: setup ## mypy
	$(BIN)/mypy

docs: setup ## the documentation site, in site/; anything doubtful in it is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "open site/index.html"

clean: ## remove the environment and caches; data and logs stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache site
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
