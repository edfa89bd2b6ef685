# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test types tests docs lint clean

demo: $(VENV)/.installed
	rm -rf runs/demo
	$(BIN)/configural run --preset quick --out runs/demo
	@echo "To move its parts by hand: $(BIN)/configural explore runs/demo"

test: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(MAKE) --jobs 3 docs types tests

# Beside each other, since the tests often wait, for processes to start or to end.
types: $(VENV)/.installed-dev
	$(BIN)/mypy

# Processes of one thread each; one more than cores, since some tests wait.
tests: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist worksteal

# The site in site/, from docs/ and the code; a warning is an error.
docs: $(VENV)/.installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --clean

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) runs site build dist

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "configural needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)

# The constraints pin every package, so that everybody runs the same versions. Compiled on all cores afterwards, which
# takes half the time; like pip, it does not mind files that are for another Python.
INSTALL := $(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable
COMPILE := $(BIN)/python -m compileall -qq -j 0 $(VENV)/lib

$(VENV)/.installed: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) '.[explore]'
	-$(COMPILE)
	@touch $@

$(VENV)/.installed-dev: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) '.[dev]'
	-$(COMPILE)
	@touch $(VENV)/.installed $@
