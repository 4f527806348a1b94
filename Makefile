VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# The first of these that runs and is new enough makes .venv; `make env PYTHON=...` picks another.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python; do \
	$$python -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$python && break; done)

# Each core has its own process; a notebook's cells stay together in one.
NBVAL := $(BIN)/pytest --nbval --nbval-cell-timeout=60 --numprocesses=auto --dist=loadfile
UNIT := $(BIN)/pytest tests --ignore=tests/browser --numprocesses=auto

# JupyterLab refuses to run as root, as one is in most containers, without being told so.
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

# From a cell or a terminal of a notebook somebody has open: what is run by a program is not what they did.
unexport JPY_SESSION_NAME

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help env lab test test-all test-unit test-whole test-notebooks test-pythons test-node test-browser notebooks site book lint pins

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: $(STAMP) ## Make .venv with everything in it (again only when the pins change)

$(STAMP): requirements.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "no Python 3.11 or newer with venv and pip was found: install one," \
		"or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python" >&2; exit 1; }
	@echo "making $(VENV), an environment of its own for the course: about 930 MB, a minute or two, and only this once"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.txt uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@

# The project's own configuration folder goes before the learner's, and open tabs are kept apart
# from those of the learner's other work: nothing of theirs is changed.
lab: env ## Open the course in JupyterLab (more options: make lab ARGS=--no-browser)
	JUPYTER_CONFIG_PATH="$(CURDIR)/.jupyter" JUPYTERLAB_WORKSPACES_DIR="$(CURDIR)/$(VENV)/workspaces" \
		$(BIN)/jupyter lab --ServerApp.ip=127.0.0.1 --ServerApp.root_dir="$(CURDIR)" \
		--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb $(AS_ROOT) $(ARGS)

test: test-unit test-notebooks ## Run the tests before a commit: of the many alike, a sample

test-all: test-whole test-notebooks test-pythons test-node test-browser ## Run every test there is

test-unit: env ## Test the package and the set-up, of the many alike a sample
	$(UNIT)

test-whole: env ## The same, without leaving any out
	$(UNIT) --whole

test-notebooks: env ## Run every notebook and compare it with its stored outputs
	$(NBVAL) notebooks

test-pythons: env ## Test the package under the other Pythons that are found
	$(BIN)/python tools/test_other_pythons.py

test-node: env ## Test in Node.js what works in a browser tab, with the Python that the tab has
	$(BIN)/python tools/test_in_node.py

test-browser: env ## Use the notebooks in a real JupyterLab, if there is a Chromium
	$(BIN)/pytest tests/browser

notebooks: env ## Link the chapters, run every notebook again and store its outputs
	$(BIN)/python tools/link_chapters.py
	$(BIN)/python tools/execute_notebooks.py

site: env ## Build the course for a browser tab, in build/site (to publish it: make site LEAN=1)
	$(BIN)/python tools/build_site.py $(if $(LEAN),--lean)

book: env ## Build the course as pages to read without a kernel, in build/book
	$(BIN)/python tools/build_book.py

lint: env ## Check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

pins: env ## Resolve requirements.txt anew
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --all-extras \
		--fork-strategy fewest --custom-compile-command "make pins" -o requirements.txt pyproject.toml
