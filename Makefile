# make lab    set up and open your copies of the notebooks     make quick  one-minute checks
# make env    only set up               make help   all targets     make test   those before a merge

VENV   ?= .venv
PYTHON ?=
# processes that test at the same time; empty: as many as this process may use, at most 4
JOBS   ?=
# the second Python of `make full`, and the folder of tools that only maintainers need
SECOND_PYTHON ?= python3.13
TOOLS  := .make/tools

BIN    := $(VENV)/bin
# a named PYTHON has a stamp of its own, so that naming another one is noticed
STAMP  := $(VENV)/.ready$(if $(PYTHON),-$(subst /,_,$(PYTHON)))
PYTEST  = $(BIN)/python -m pytest
CPUS   := from annlab._support.threads import available_cpus; print(min(4, available_cpus()))
SPREAD  = -n $(or $(JOBS),$$($(BIN)/python -c '$(CPUS)'))
NBVAL   = $(PYTEST) --nbval --nbval-current-env --nbval-cell-timeout=300 \
          --nbval-sanitize-with tests/nbval.cfg $(SPREAD) --dist loadscope
UNIT    = $(PYTEST) $(SPREAD) --doctest-modules --ignore=tests/browser --ignore=tests/newcomer
# the tests that reach most lines for their time, beside the examples of all docstrings
QUICK  := $(addprefix tests/test_,$(addsuffix .py,layers house laws distances initialization \
          searches result validation metrics robust))

.PHONY: help env lab quick test lint types unit nbval browser newcomer screenshots \
        notebooks pins clean full full-python full-nbval full-lowest full-newest full-newcomer \
        full-slow full-browser full-laws full-rounding tools site coverage mutation bench bench-long

help:
	@echo "make lab          set up (first time: a minute or two) and open the notebooks in JupyterLab:"
	@echo "                  your copies in annlab-notebooks/ are updated, never overwritten"
	@echo "                  LAB_ARGS=\"--port 8890 --no-browser\" is passed on to JupyterLab"
	@echo "make env          only set up, into $(VENV); PYTHON=python3.12 chooses the interpreter"
	@echo "make quick        lint, types, docstring examples and the quickest tests: a minute"
	@echo "make test         what must pass before a merge: lint, types, unit, nbval, browser; at most"
	@echo "                  ten minutes on two idle cores"
	@echo "make newcomer     install the wheel into an empty environment and try it"
	@echo "make full         the long checks: a second Python, nbval three times, oldest and newest packages,"
	@echo "                  the course in a browser, many examples for each law, a newcomer two ways"
	@echo "make notebooks    execute every notebook and store the outputs"
	@echo "make screenshots  take the pictures of notebooks/images again"
	@echo "make site         build the site into build/site, offline, from the stored outputs"
	@echo "make bench        the figures of data/benchmarks: at most 90 minutes on 2 idle cores; resumes after"
	@echo "                  an interruption. BENCH_ARGS=--again starts over if older figures are rejected"
	@echo "make bench-long   the same with every cell, peer, rung and seed (hours)"
	@echo "make tools        programs for maintainers, in a separate environment"
	@echo "make pins         resolve binder/requirements.txt from pyproject.toml"
	@echo "make clean        remove environments, caches and build products"

env: $(STAMP)

$(STAMP): binder/requirements.txt pyproject.toml binder/setup.sh binder/hnswlib.sh \
          setup.py $(wildcard annlab/_kernels/*.?pp)
	@sh binder/setup.sh "$(VENV)" "$(PYTHON)"
	@touch "$(VENV)/.ready" "$@"

lab: env
	@$(BIN)/annlab lab -- $(LAB_ARGS)

quick: lint types
	$(UNIT) annlab $(QUICK)

# with `make -k test` one failing check does not hide the next
test: lint types unit nbval browser

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python tests/prose.py

# settings are in pyproject.toml
types: env
	$(BIN)/mypy

unit: env
	$(UNIT) annlab tests

nbval: env
	$(NBVAL) notebooks

# a file stays on one worker, because its tests share an open notebook
browser: env $(VENV)/.site
	$(PYTEST) -n $(or $(JOBS),2) --dist loadscope tests/browser

# the wheel in an empty environment (a minute or two)
newcomer: env
	ANNLAB_NEWCOMER=1 $(PYTEST) tests/newcomer

# and also a clone with make lab
full-newcomer: env
	ANNLAB_NEWCOMER=all $(PYTEST) tests/newcomer

screenshots: env
	ANNLAB_SCREENSHOTS=update $(PYTEST) -m full -k 03_ tests/browser

notebooks: env
	$(BIN)/annlab notebooks

full: full-python full-nbval full-rounding full-browser full-laws full-slow full-lowest full-newest full-newcomer

full-python:
	$(MAKE) test VENV=.venv-second PYTHON=$(SECOND_PYTHON)

full-nbval: env
	for run in 1 2 3; do $(NBVAL) notebooks || exit 1; done

# fits and notebooks under other roundings: five seeds, and what one machine can vary
full-rounding: env
	$(BIN)/python tests/rounding/check.py $(NBVAL) -q notebooks

full-browser: env
	$(PYTEST) -n $(or $(JOBS),2) -m full tests/browser

# hundreds of examples for each law, and new ones every time
full-laws: env
	ANNLAB_LAWS=full $(PYTEST) $(SPREAD) tests/test_laws.py

# tests that take minutes, gigabytes or programs that only maintainers need: every step of the Binder
# image, all submissions of all topics, a file larger than the memory that may be used, many faults
full-slow: env tools
	$(UNIT) -m full tests

# lines and branches that the tests reach; compiled loops are tested against their NumPy twins
coverage: env
	$(UNIT) --cov --cov-config=tests/coverage.cfg --cov-report=term --cov-report=html annlab tests

# small changes of the code that the tests should notice (an hour); MUTANTS="annlab.robust*" selects
mutation: env
	$(BIN)/python -m pip install -q --disable-pip-version-check mutmut
	$(BIN)/mutmut run $(MUTANTS)
	$(BIN)/mutmut results

# the oldest versions that pyproject.toml allows, and the newest that exist: unit tests and the
# notebooks in lax mode, because other versions may print other digits
full-lowest full-newest: BIN = .venv-$*/bin
full-lowest full-newest: full-%: $(TOOLS)/bin/uv
	$(TOOLS)/bin/uv pip compile -q --no-header --no-annotate --extra lab --extra test \
	    --resolution $(if $(filter lowest,$*),lowest-direct,highest) \
	    $(if $(filter lowest,$*),--python-version 3.11) pyproject.toml -o .make/$*.txt
	sh binder/setup.sh .venv-$* "$(if $(filter lowest,$*),python3.11,$(PYTHON))" .make/$*.txt
	$(UNIT) annlab tests
	.venv-$*/bin/python -m pytest --nbval-lax --nbval-current-env --nbval-cell-timeout=300 \
	    $(SPREAD) --dist loadscope notebooks

# each resumes where it was interrupted; figures of fits that behave differently are refused
bench bench-long: env
	$(BIN)/python -m pip install -q --disable-pip-version-check -e ".[bench]"
	$(BIN)/annlab bench --memory --untuned --grid --growth --targets --wait-idle 60 \
	    $(if $(filter bench,$@),--budget 90,--full) --out data/benchmarks $(BENCH_ARGS)

site: env $(VENV)/.site
	$(BIN)/python docs/build.py

$(VENV)/.site: docs/requirements.txt $(STAMP)
	$(BIN)/python -m pip install -qq --disable-pip-version-check -r docs/requirements.txt
	@touch $@

tools $(TOOLS)/bin/uv: $(TOOLS)/.ready

$(TOOLS)/.ready:
	python3 -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install -q --disable-pip-version-check \
	    uv check-jsonschema jupyter-repo2docker twine
	@touch $@

# one list for every Python and system: --universal writes markers where they differ, fewest takes
# the newest version that all of them have. hnswlib has no wheel for Windows and is left out there
pins: $(TOOLS)/bin/uv
	$(TOOLS)/bin/uv pip compile -q --universal --python-version 3.11 --fork-strategy fewest \
	    --upgrade --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
	    --extra lab --extra test --extra dev pyproject.toml -o binder/requirements.txt
	$(TOOLS)/bin/uv pip compile -q --universal --python-version 3.11 --fork-strategy fewest \
	    --upgrade --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
	    --no-emit-package hnswlib --extra site -c binder/requirements.txt pyproject.toml \
	    -o docs/requirements.txt

clean:
	rm -rf .venv .venv-second .venv-lowest .venv-newest .make build dist *.egg-info htmlcov mutants \
	    .coverage .pytest_cache .ruff_cache .mypy_cache .hypothesis notebooks/_output
	find annlab notebooks tests binder \( -name __pycache__ -o -name .ipynb_checkpoints \) \
	    -type d -prune -exec rm -rf {} +
