# Two commands on a machine that has python3 (3.11 to 3.13), make and git:
#   make report     sets up .venv and builds the book of one month
#   make test       sets up .venv and runs all tests
# Set-up is remembered by the stamp files .venv/.setup-*; it runs again only when a lock or pyproject.toml has changed.

PYTHON ?= python3
PERIOD ?= 1998-06
# uv or pip: uv is tried first and pip is what remains where uv cannot be had; INSTALLER=pip does not try.
INSTALLER ?= uv

VENV := .venv
BIN := $(VENV)/bin
SAMPLE := data/raw/cdnow/transactions.csv

# Without this the first start of papermill compiles a few thousand files, and so does every later one where Python may not write.
export UV_COMPILE_BYTECODE := 1
# Trust what the machine trusts: companies sign their own network.
export UV_SYSTEM_CERTS := 1
# Our .venv is meant, whatever environment happens to be active.
unexport VIRTUAL_ENV CONDA_PREFIX PYTHONHOME

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup report test engines bayes lab bench lint clean lock messages

help:
	@echo "Usage: make TARGET [PERIOD=$(PERIOD)] [PYTHON=$(PYTHON)]"
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.setup-run ## Create .venv with what a report needs (the other targets do this by themselves)

report: $(VENV)/.setup-run ## Build the book of one month: make report PERIOD=1998-06
	@test -f $(SAMPLE) || $(BIN)/crm-analysis sample
	@$(BIN)/crm-analysis report --period $(PERIOD)

test: $(VENV)/.setup-test ## Run all tests
	@$(BIN)/python -m pytest -n auto --dist loadgroup

# With the variable an engine that is absent fails its tests; without it, as under `make test`, they are skipped.
engines: $(VENV)/.setup-engines ## Run the engine tests on a real PostgreSQL and a local Spark
	@CRM_ANALYSIS_ENGINES=required $(BIN)/python -m pytest tests/engines

bayes: $(VENV)/.setup-test ## Add PyMC-Marketing to .venv and test the way to and from it
	@$(call install,"pymc-marketing>=0.19")
	@$(BIN)/python -m pytest tests/models/test_interop.py

lab: $(VENV)/.setup-lab ## Add JupyterLab to .venv and open the notebooks
	@$(BIN)/jupyter lab notebooks

bench: $(VENV)/.setup-run ## Measure speed beside other packages and growth with size (some hours)
	@$(BIN)/python benchmarks/run.py
	@$(BIN)/python benchmarks/models.py
	@$(BIN)/python benchmarks/base.py
	@$(BIN)/python benchmarks/drivers.py

lint: $(VENV)/.setup-test ## Check style, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy src
	$(BIN)/lint-imports

clean: ## Remove build leftovers and caches (data, reports and .venv stay)
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage htmlcov
	@find . -path ./$(VENV) -prune -o -path ./.git -prune -o \
	  \( -name __pycache__ -o -name .ipynb_checkpoints -o -name '*.egg-info' \) -type d -prune -exec rm -rf {} +
	@echo "Clean. To remove the environment as well: rm -rf $(VENV)"

# ---- set-up -------------------------------------------------------------------------------------------------------------------

# $(call install,ARGUMENTS): into .venv by uv, else by pip.
define install
if [ "$(INSTALLER)" = uv ] && [ -x $(BIN)/uv ] && $(BIN)/uv pip install --quiet --python $(BIN)/python $(1); then :; \
else $(BIN)/python -m pip install --quiet --disable-pip-version-check $(1); fi
endef

$(VENV)/.setup-venv:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "crm_analysis needs Python 3.11, 3.12 or 3.13, and '$(PYTHON)' is: $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "To fix: name another interpreter, for example: make setup PYTHON=python3.12" >&2; exit 1; }
	@echo "Setting up $(VENV) (once; a few minutes at most)" >&2
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "'$(PYTHON) -m venv' failed. To fix: on Debian and Ubuntu, install the package python3-venv." >&2; exit 1; }
	@touch $@

# The tools that install the rest. Where no uv is built for the machine, the lock is taken without it and pip does the work.
$(VENV)/.setup-tools: requirements-setup.lock $(VENV)/.setup-venv
	@pip="$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all:"; \
	if [ "$(INSTALLER)" = uv ] && $$pip -r requirements-setup.lock; then :; else \
	  sed '/^uv==/,/[^\\]$$/d' requirements-setup.lock > $(VENV)/setup-without-uv.lock && \
	  $$pip -r $(VENV)/setup-without-uv.lock; fi
	@touch $@

# pyproject.toml counts because it defines the command and the package data; the package itself is installed in place, without
# its dependencies, which the lock has brought.
$(VENV)/.setup-run: requirements.lock pyproject.toml $(VENV)/.setup-tools
	@$(call install,--require-hashes -r requirements.lock)
	@$(call install,--no-deps --no-build-isolation --editable .)
	@touch $@

$(VENV)/.setup-test: requirements-test.lock $(VENV)/.setup-run
	@$(call install,--require-hashes -r requirements-test.lock)
	@touch $@

# JupyterLab is apart because with it every start of papermill takes several seconds longer (docs/decisions/0001-dependencies.md).
$(VENV)/.setup-lab: requirements-lab.lock $(VENV)/.setup-run
	@$(call install,--require-hashes -r requirements-lab.lock)
	@touch $@

# Apart, because Spark is several hundred megabytes. PyPI has it as source alone, which the installer turns into a wheel first.
$(VENV)/.setup-engines: requirements-engines.lock $(VENV)/.setup-test
	@$(call install,--require-hashes -r requirements-engines.lock)
	@touch $@

# ---- for maintainers ----------------------------------------------------------------------------------------------------------

# One version of each package for Python 3.11 to 3.13 and every platform (fewest), so that a book has the same numbers everywhere.
# The whole set is solved first and then constrains each part: that is what keeps the locks consistent with one another.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-header --no-annotate --no-sources

lock: $(VENV)/.setup-tools ## Solve the dependencies again and rewrite the lock files
	@$(COMPILE) --upgrade --extra test --extra lab --extra postgres --extra spark pyproject.toml -o $(VENV)/all.lock
	@$(COMPILE) -c $(VENV)/all.lock pyproject.toml -o requirements.lock
	@$(COMPILE) -c $(VENV)/all.lock --extra test pyproject.toml -o requirements-test.lock
	@$(COMPILE) -c $(VENV)/all.lock --extra lab pyproject.toml -o requirements-lab.lock
	@$(COMPILE) -c $(VENV)/all.lock --extra postgres --extra spark pyproject.toml -o requirements-engines.lock
	@printf 'uv>=0.5\nhatchling>=1.27\neditables>=0.5\n' | $(COMPILE) --upgrade -c $(VENV)/all.lock - -o requirements-setup.lock
	@echo "Solved again. Look at the difference before you commit it: git diff --stat -- '*.lock'"

messages: $(VENV)/.setup-test ## Collect the sentences for readers into the message catalogue
	@$(BIN)/pybabel --quiet extract --mapping-file babel.cfg --keywords N_ --keywords plural:1,2 --no-location --sort-output --omit-header \
	  --width 120 --output src/crm_analysis/locale/crm_analysis.pot .
