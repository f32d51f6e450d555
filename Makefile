# `make demo` and `make test` do everything on a fresh machine; the second time they are quick.
# Windows has no make: README.md gives the plain commands.

# The first of these that runs and is new enough; a version manager's shim may exist and not run.
CANDIDATES := python3.13 python3.12 python3.11 python3 python
IN_RANGE := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
FOUND = $(shell for name in $(CANDIDATES); do \
	$$name -c '$(IN_RANGE)' 2>/dev/null && { echo $$name; break; }; done)
PYTHON ?= $(FOUND)
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed.stamp
# `make bench BENCH_FLAGS=--quick` takes under a minute a benchmark.
BENCH_FLAGS ?=

.PHONY: help demo test lint bench format notebook clean

help:
	@echo "make demo    install, then render the demonstration film"
	@echo "make test    install, then check style, types, import rules and run every test"
	@echo "make lint    style, types and import rules only"
	@echo "make bench   the benchmarks (BENCH_FLAGS=--quick for short runs)"
	@echo "make format  put the code into the house style"
	@echo "make notebook  write notebooks/SadTalker_Colab.ipynb anew, from its source and the program"
	@echo "make clean   remove the environment and everything built"

demo: $(INSTALLED)
	$(BIN)/avatar demo -o out/demo.mp4

test: lint
	$(BIN)/python -m pytest -n auto

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive backends

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

notebook: $(INSTALLED)
	$(BIN)/avatar notebook -o notebooks/SadTalker_Colab.ipynb

bench: $(INSTALLED)
	@failed=""; for file in benchmarks/[a-z]*.py; do \
		echo "== $$file"; $(BIN)/python $$file $(BENCH_FLAGS) || failed="$$failed $$file"; \
	done; test -z "$$failed" || { echo "missed their goals:$$failed"; exit 1; }

# An editable install notices changed code by itself; only new dependencies need another one.
$(INSTALLED): pyproject.toml
	@"$(or $(PYTHON),none)" -c '$(IN_RANGE)' 2>/dev/null || { \
		echo "Python 3.11, 3.12 or 3.13 is needed and was not found$(if $(PYTHON), as $(PYTHON))."; \
		echo "Install one of them, or name it: make demo PYTHON=/path/to/python3.12"; exit 1; }
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV) || { \
		echo "The environment could not be created. On Debian and Ubuntu: apt install python3-venv"; \
		rm -rf $(VENV); exit 1; }
	@echo "Installing avatar-core and its tools into $(VENV) (a minute or two the first time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	@touch $@

clean:
	rm -rf $(VENV) build dist out .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
