# Everything that a contributor or CI does. `make demo` and `make test` need Python >= 3.11 and make, nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
OTHER_PYTHONS ?= 3.11 3.12 3.13
# Half as many again as there are processors: much of the suite waits for servers, terminals and time limits.
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) \* 3 / 2)

.DEFAULT_GOAL := help
.PHONY: help demo test test-unit test-pythons check lint types contracts format docs screenshots golden faults faults-page bench lock clean

help: ## list the recipes
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/.demo ## open the console on a PostgreSQL of its own
	$(BIN)/opsconsole demo $(ARGS)

test: $(VENV)/.dev ## install, then run the whole suite, the unit tests under every Python there is
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(ARGS)
	@$(MAKE) --no-print-directory test-pythons

test-unit: $(VENV)/.dev
	$(BIN)/python -m pytest tests/unit $(ARGS)

test-pythons: $(VENV)/.dev
	@PYTHONS="$(OTHER_PYTHONS)" tools/test-pythons.sh $(BIN)/python

check: lint types contracts ## lint, types and import contracts

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

contracts: $(VENV)/.dev
	$(BIN)/lint-imports

format: $(VENV)/.dev ## put the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.dev ## write the generated pages anew
	$(BIN)/python tools/probe_docs.py
	$(BIN)/python tools/hostile_docs.py

screenshots: $(VENV)/.dev ## draw the pictures of the README anew
	$(BIN)/python tools/screenshots.py

golden: $(VENV)/.dev ## accept the present output as golden files and snapshots
	$(BIN)/python -m pytest -q tests/contract --update-golden
	$(BIN)/python -m pytest -q tests/tui --snapshot-update

faults: $(VENV)/.dev ## the fault tests with their full counts, and what they came to (docs/faults.md)
	OPSCONSOLE_FAULTS=full $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -q -m faults \
		--faults-summary build/faults-full.json $(ARGS)

faults-page: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -q -m faults --faults-summary build/faults-few.json
	@$(MAKE) --no-print-directory faults
	$(BIN)/python tools/fault_docs.py build/faults-few.json build/faults-full.json

bench: $(VENV)/.dev ## measure beside the peers and print ratios
	$(BIN)/python benchmarks/run.py $(ARGS)

lock: $(VENV)/.dev ## pin what is installed now
	$(BIN)/python tools/lock.py > constraints.txt

clean: ## remove what the recipes made
	rm -rf $(VENV) .venv-* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "opsconsole needs Python 3.11 or later; name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
		{ echo "this Python cannot make environments; on Debian: apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade pip

$(VENV)/.demo: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) install --constraint constraints.txt --editable '.[demo]'
	$(BIN)/python -m compileall -q src
	@touch $@

$(VENV)/.dev: $(VENV)/.demo
	$(PIP) install --constraint constraints.txt --group dev
	@touch $@
