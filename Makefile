# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test types compiled tests docs results lint clean

# What it imports is compiled on the way and kept for the commands after it, also where Python is told to keep nothing,
# as in many containers: else each command would take a quarter of a minute longer.
demo: $(VENV)/.installed
	@PYTHONDONTWRITEBYTECODE= $(BIN)/configural demo
	@echo "The command is $(BIN)/configural; to have it as configural: source $(BIN)/activate"

test: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(MAKE) --jobs 3 types docs tests

# Told which Python it is about, since it would rather take that of an environment that is active.
PYREFLY := $(BIN)/pyrefly check --python-interpreter-path $(BIN)/python --summary=none

types: $(VENV)/.installed-dev
	$(PYREFLY)

# What the tests import, imported by one process, so that it is compiled once and not by each that needs it.
compiled: $(VENV)/.installed-dev
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --collect-only >/dev/null 2>&1 || true  # the tests say what fails

# Processes of one thread each, one more than cores, since some tests wait; a file to each, whose tests share fixtures.
tests: compiled
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

# The site in site/, from docs/ and the code; a warning is an error.
docs: $(VENV)/.installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --clean

# The pages of findings and of the grid from their tables; with FASSEG=FOLDER that of findings, too, from networks trained and audited: hours.
results: $(VENV)/.installed-dev
	$(BIN)/python docs/make_grid.py
	$(BIN)/python docs/make_results.py $(if $(FASSEG),--fasseg "$(FASSEG)" --work "$(or $(WORK),runs/results)")

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(PYREFLY)

clean:
	rm -rf $(VENV) runs site build dist

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "configural needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)

# The constraints pin every package, so that everybody runs the same versions. uv installs them in a fraction of pip's
# time; where it finds no way, as with an index that only pip was told of, pip does. Nothing is compiled beforehand: what
# is used is compiled when it is first imported, and most never is.
PIP := $(BIN)/python -m pip install --disable-pip-version-check --no-compile --constraint constraints.txt
UV := $(BIN)/uv pip install --python $(BIN)/python --constraint constraints.txt

# On Linux, PyPI's torch brings gigabytes of CUDA. Where there is no NVIDIA GPU, the build for CPUs is asked for first;
# where its index cannot be reached, pip goes on with what it finds. TORCH_INDEX= (empty) leaves it out.
CPU_INDEX := https://download.pytorch.org/whl/cpu
TORCH_INDEX ?= $(shell [ "$$(uname -s)" = Linux ] && ! command -v nvidia-smi >/dev/null && echo $(CPU_INDEX))

define install
@echo "Installing configural and what it needs into $(VENV): $(2) to download, unless it is here already."
@$(PIP) --quiet uv & if [ -n "$(TORCH_INDEX)" ]; then \
	echo "First PyTorch for CPUs, from $(TORCH_INDEX) (about 200 MB; with CUDA it would be gigabytes)."; \
	$(PIP) --no-deps --retries 1 --timeout 15 --extra-index-url $(TORCH_INDEX) torch \
	|| echo "Not to be had from there; going on with the torch that is found."; fi; wait
$(UV) --editable '.[$(1)]' || $(PIP) --editable '.[$(1)]'
@touch $@
endef

$(VENV)/.installed: $(BIN)/python pyproject.toml constraints.txt
	$(call install,explore,about 400 MB)

$(VENV)/.installed-dev: $(BIN)/python pyproject.toml constraints.txt
	$(call install,dev,about 800 MB)
	@touch $(VENV)/.installed
