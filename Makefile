# make call   installs into .venv and places a real two-party call on this machine
# make test   installs into .venv (pip only) and runs every test
# make check  format, lint, types (make lint: only these) and the fast tests: what to run before a commit
# make interop / make bench: calls with real peer programs; figures beside other toolkits
# make bench-audio: delay, drift, echo and cost of calls through sound cards (ARGS=--quick: shorter)
# make format / make clean: tidy the code; remove .venv and what was built

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.PHONY: call test lint check interop bench bench-audio format clean
.DEFAULT_GOAL := help

help:
	@sed -n -e '/^$$/q' -e 's/^# //p' $(firstword $(MAKEFILE_LIST))

# A stamp per kind of install: pip runs again only when pyproject.toml changed.
$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "sipmedia needs Python 3.11 or newer; try: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing sipmedia into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml $(VENV)/.installed
	@echo "Installing the test tools into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

call: $(VENV)/.installed
	@$(BIN)/sipmedia demo $(ARGS)

# The many short programs that tests start need not compile everything anew, whatever the caller's environment
# says; what is compiled lies below the virtual environment, not beside the sources.
test check interop: export PYTHONDONTWRITEBYTECODE :=
test check interop: export PYTHONPYCACHEPREFIX := $(abspath $(VENV))/pycache

# Side by side on all cores, and then what calls other programs, two files at a time: its sound is timed by the
# clock, so it shall not wait for cores, but it can wait for other calls.
# No tests in one part (pytest's code 5) is no failure, in both it is. ARGS='-n0 -s' shows prints.
test: $(VENV)/.installed-dev
	@result=5; \
	for part in "--part=together -n auto --dist=worksteal" "--part=alone -n 2 --dist=loadfile"; do \
		$(BIN)/python -m pytest $$part -rs $(ARGS); code=$$?; \
		case $$code-$$result in 5-*) ;; 0-5) result=0 ;; 0-*) ;; *) result=$$code ;; esac; \
		[ $$code -ne 2 ] || break; \
	done; exit $$result

lint: $(VENV)/.installed-dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

check: lint
	@$(BIN)/python -m pytest --part=together -n auto --dist=worksteal -m "not slow" $(ARGS)

format: $(VENV)/.installed-dev
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

interop: $(VENV)/.installed-dev
	@$(BIN)/python -m pytest --part=alone -n 2 --dist=loadfile -rs $(ARGS)

bench: $(VENV)/.installed-dev
	@$(BIN)/python -m benchmarks.run $(ARGS)

bench-audio: $(VENV)/.installed-dev
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	@$(BIN)/python -m benchmarks.audio $(ARGS)

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
