# The environment lives in .venv/ and is made from requirements.lock: missing or changed, it is
# made anew; otherwise nothing is fetched. Works with GNU make 3.81 and later.

# What `make run` reads, and as which release. Only the command line sets them: a RELEASE that
# happens to be in the environment is somebody else's.
MANIFESTS = data/sample
RELEASE =
# By way of the environment, so that a path may hold blanks and quotes.
export MANIFESTS RELEASE
# The Python that makes .venv/; by default the first of these that is 3.11 or later.
PYTHON =
PYTHONS = python3.13 python3.12 python3.11 python3.14 python3 python

# A process for each core. A file stays in one: the cells of a notebook follow each other, and what
# a file sets up is set up once. In the files' own order, or the longest would come last.
PROCESSES = -n auto --maxprocesses=8 --dist loadfile --no-loadscope-reorder
# These processes, kernels and commands of the package share what one of them has compiled.
test test-slow: export PYTHONDONTWRITEBYTECODE =

BIN = .venv/bin/python
.DEFAULT_GOAL = help
.PHONY: help run test test-slow lab notebooks docs lock clean venv

help: ## this list
	@echo 'make TARGET, where TARGET is one of'
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{printf "%-13s %s\n", $$1, $$2}'

run: venv ## coverage of MANIFESTS=path (default data/sample) at RELEASE=v1.8.3; HTML to build/report/
	@$(BIN) -m protocol_analysis.report --manifests "$$MANIFESTS" $${RELEASE:+--release "$$RELEASE"} --to build/report

test: venv ## lint, types, tests, and the notebooks compared with what they show
	$(BIN) -m ruff check .
	$(BIN) -m ruff format --check .
	$(BIN) -m mypy
	$(BIN) -m pytest $(PROCESSES)

test-slow: venv ## what takes minutes
	@$(BIN) -m pytest -m slow; status=$$?; \
	if [ $$status -eq 5 ]; then echo 'No test is marked slow yet: nothing to run.'; exit 0; fi; \
	exit $$status

lab: venv ## JupyterLab; it says which notebook to open
	@echo 'Open notebooks/00_start.ipynb; Ctrl-C here ends JupyterLab.'
	@$(BIN) -m jupyter lab notebooks/00_start.ipynb

notebooks: venv ## execute in place the notebooks whose code, package or data changed since
	@$(BIN) tests/refresh_notebooks.py

docs: venv ## write the pages of docs/rules/ from the catalogue of findings
	@$(BIN) -m tests.refresh_docs

# Versions that still fit are kept; remove the file first to have the newest of all.
lock: ## requirements.lock from pyproject.toml, with hashes (fetches uv into build/)
	@rm -rf build/uv
	@$(find_python); "$$found" -m venv build/uv
	@build/uv/bin/python -m pip install --quiet uv
	@build/uv/bin/python -m uv pip compile --quiet --universal --generate-hashes \
		--python-version 3.11 --all-extras --no-emit-index-url --no-annotate \
		--custom-compile-command 'make lock' --output-file requirements.lock pyproject.toml
	@echo 'requirements.lock is up to date; the next make target makes .venv/ from it.'

clean: ## remove .venv/, build/ and caches
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find protocol_analysis tests notebooks -name __pycache__ -prune -exec rm -rf {} +
	find notebooks -name .ipynb_checkpoints -prune -exec rm -rf {} +

# The lock file is compared by content, since a checkout changes its date; its copy is written
# last, so an interrupted start begins anew.
venv: ## .venv/ alone, where it is missing or requirements.lock changed
	@if cmp -s requirements.lock .venv/requirements.lock && $(BIN) -c '' 2>/dev/null; then exit 0; fi; \
	$(find_python); \
	echo "Making .venv/ with $$found from requirements.lock: once, for a minute or more."; \
	"$$found" -m venv --clear .venv && \
	{ $(BIN) -m pip install --disable-pip-version-check --progress-bar off \
		--require-hashes -r requirements.lock && : > .venv/complete; } | $(progress); \
	[ -f .venv/complete ] || { echo 'The packages could not be installed; see above.' >&2; exit 1; }; \
	$(BIN) -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e . && \
	cp requirements.lock .venv/requirements.lock

# Of pip's thousand lines, one for each twenty packages.
progress = awk '/^Collecting/ { if (++n % 20 == 0) { print "  " n " packages …"; fflush() } } \
	/^Installing collected/ { print "  " n " packages fetched; installing …"; fflush() }'

# Sets $$found. A shim may exist for a Python that is not there, and Debian parts venv from Python.
find_python = found=; for python in $(or $(PYTHON),$(PYTHONS)); do \
	if "$$python" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	then found=$$python; break; fi; done; \
	[ -n "$$found" ] || { echo 'Python 3.11 or later with its venv module is needed, and none of these is:' \
	'$(or $(PYTHON),$(PYTHONS)). Install it (Debian, Ubuntu: apt install python3 python3-venv; macOS:' \
	'brew install python), or name it: make PYTHON=/path/to/python3.' >&2; exit 1; }
