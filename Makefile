# scalekit: the commands. `make` alone lists them. Only make and Python 3.11 or later are needed.
PYTHON   ?= python3
CHROMIUM ?= /usr/bin/chromium
VENV     := .venv
PY       := $(VENV)/bin/python
STAMP    := $(VENV)/.scalekit-installed
MUTATOR  := $(VENV)/home/cosmic-ray
# Browser tests read it.
export CHROMIUM

# Whatever a user's home holds, or lacks, changes no result: caches and settings of the tools live in .venv.
export MPLCONFIGDIR            := $(CURDIR)/$(VENV)/home/matplotlib
export JUPYTER_PREFER_ENV_PATH := 1
reproduce record test browser: export IPYTHONDIR         := $(CURDIR)/$(VENV)/home/ipython
reproduce record test browser: export JUPYTER_CONFIG_DIR := $(CURDIR)/$(VENV)/home/jupyter
reproduce record test browser: export JUPYTER_DATA_DIR   := $(CURDIR)/$(VENV)/home/jupyter-data

# One thread for linear algebra where outputs are compared: the order of a sum, and so its last digits, must not
# depend on the number of cores. Little is lost: scalekit works on large batches of very small matrices.
reproduce record test browser: export OMP_NUM_THREADS      := 1
reproduce record test browser: export OPENBLAS_NUM_THREADS := 1

.PHONY: help env reproduce record test lab bench coverage mutants browser lock

help:
	@echo "make reproduce  execute every notebook and print published against reproduced"
	@echo "make test       ruff, pytest, and every notebook's saved outputs compared (nbval)"
	@echo "make lab        open JupyterLab on the first notebook"
	@echo "make env        only create .venv with the pinned packages"
	@echo "make bench      the benchmark table"
	@echo "make coverage   how often intervals hold what they promise, on planted and on held-out runs"
	@echo "make mutants    plant 300 small faults, one at a time, and count those that the tests notice"
	@echo "make browser    the widgets in a real browser (CHROMIUM=$(CHROMIUM))"
	@echo "make record     reproduce, and save notebook outputs and the board (BECAUSE=\"why\" if figures changed)"
	@echo "make lock       resolve requirements.lock anew (needs uv)"

env: $(STAMP)

# The last line builds matplotlib's font cache, which would otherwise announce itself inside a notebook.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "scalekit needs Python 3.11 or later, this is " \
	  + sys.version.split()[0] + "; try: make PYTHON=/path/to/a/later/python3")'
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@echo "Installing the pinned packages into $(VENV) (minutes the first time, seconds afterwards) ..."
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-warn-script-location -r requirements.lock
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@mkdir -p $(VENV)/home/matplotlib $(VENV)/home/ipython $(VENV)/home/jupyter $(VENV)/home/jupyter-data
	@$(PY) -c 'import matplotlib.font_manager' 2>/dev/null
	@touch $@

reproduce: env
	@$(PY) -m scalekit reproduce

record: env
	@$(PY) -m scalekit reproduce --save $(if $(BECAUSE),--because "$(BECAUSE)")

test: env
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m pytest
	$(PY) -m pytest --nbval notebooks

lab: env
	$(PY) -m jupyter lab notebooks/00_start_here.ipynb

bench: env
	@$(PY) tests/bench/bench.py

# Writes data/coverage_simulated.csv and data/coverage_reach.csv, which notebook 06c shows; a quarter of an hour.
coverage: env
	@$(PY) tests/bench/coverage.py
	@$(PY) tests/bench/reach.py

# cosmic-ray makes the mutants. It is installed once, in a folder of its own that nothing else looks into.
$(MUTATOR): $(STAMP)
	@$(PY) -m pip install --quiet --disable-pip-version-check --upgrade --target $@ cosmic-ray==8.7.0
	@touch $@

mutants: $(MUTATOR)
	@PYTHONPATH=$(MUTATOR) $(PY) tests/bench/mutants.py $(ARGS)

# The lock holds the pins of every extra, so env has installed playwright; the browser itself is the system's.
browser: env
	@test -x "$(CHROMIUM)" || { echo "No Chromium at $(CHROMIUM): install it, or make browser CHROMIUM=/path/to/it"; exit 1; }
	$(PY) -m pytest tests/browser -o addopts=

# One file for Python 3.11 and later on every system: pins and markers, no index, host or path.
lock:
	uv pip compile --universal --python-version 3.11 --all-extras --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links --quiet --upgrade --output-file requirements.lock pyproject.toml
