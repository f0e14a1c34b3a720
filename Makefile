# `make demo` and `make test` need Python 3.11 or newer with venv, and a package index; nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := runs/demo
MARKS := not slow and not nightly
# A sample that takes minutes on two cores, and so many hours at most: what a slow machine does not reach by then is named in
# the verdict. The whole task: make demo DEMO_OPTIONS=--yes
ifeq ($(origin DEMO_OPTIONS),undefined)
DEMO_OPTIONS := --effort quick --examples 80 --heldout 60 --no-second-seed --cases selection --yes
DEMO_FIRST := --max-hours 0.11
DEMO_AGAIN := --max-hours 0.06
endif
SOURCES := $(shell find advisor strategies benchmarks -type f -not -path '*/__pycache__/*' -not -name '.*')

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test test-slow test-nightly lint audit docs constraints lock clean

help:
	@echo "make demo   run the bundled support-intents task with the default models and show the verdict"
	@echo "make test   run every test that is not marked slow"
	@echo "make lint   ruff and mypy"
	@echo "make audit  whether the pinned versions have known vulnerabilities"
	@echo "make docs   the documentation as a site in site/"
	@echo "make clean  remove what these commands made, stored runs apart"

# The stamps are written last, so their existence means that the installation was completed.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "This needs Python 3.11 or newer; $(PYTHON) is older. Write: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv $(VENV)

# Every file is held to its hash but those of torch and what it needs of CUDA: which build of it there is differs by machine, and
# whoever wants the one for processors names another index.
$(VENV)/installed: pyproject.toml constraints.txt locked.txt $(SOURCES) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r locked.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt --no-build-isolation .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet -c constraints.txt '.[dev]'
	@touch $@

# 0: the target is met. 100: it is not. 101: not decided yet. Each of them is a verdict.
# A second demo of the same options takes over what the first one searched and trained. One that was stopped goes on; where it
# cannot, since the options or the program are others by now, it is put aside.
demo: $(VENV)/installed
	$(BIN)/advisor models fetch smollm2-135m minilm-l6
	@[ ! -e $(DEMO)/options ] || { rm -rf $(DEMO).before; mv $(DEMO) $(DEMO).before; }
	@more="$(DEMO_FIRST)"; [ "$$(cat $(DEMO).before/options 2>/dev/null)" != "$(DEMO_OPTIONS)" ] || \
			more="$(DEMO_AGAIN) --reuse $(DEMO).before"; \
		run="$(BIN)/advisor run support-intents --out $(DEMO) $(DEMO_OPTIONS) $$more"; code=2; \
		[ ! -e $(DEMO)/run.sqlite ] || { code=0; $$run --resume || code=$$?; }; \
		[ $$code -ne 2 ] || { [ ! -e $(DEMO) ] || { rm -rf $(DEMO).stopped; mv $(DEMO) $(DEMO).stopped; \
			echo "The run that was stopped lies in $(DEMO).stopped; a new one begins."; }; code=0; $$run || code=$$?; }; \
		case $$code in 0|100|101) echo "$(DEMO_OPTIONS)" > $(DEMO)/options ;; *) exit $$code ;; esac

# Two at a time: tiny models are quickest on one thread each. A file stays together, since its tests share what they made; in
# the order of their names, since the files of few tests are the long ones and would all come last.
test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m "$(MARKS)" -n 2 --dist loadfile --no-loadscope-reorder

test-slow: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m "slow and not nightly" -n 2 --dist loadfile --no-loadscope-reorder

test-nightly: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m nightly

lint: $(VENV)/installed-dev
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy

# Takes its tool from a package index for this once, where the advisory service can be reached; elsewhere it says so.
audit:
	@$(PYTHON) .ci/audit.py constraints.txt locked.txt

$(VENV)/installed-docs: $(VENV)/installed
	$(BIN)/python -m pip install --quiet -c constraints.txt '.[docs]'
	@touch $@

docs: $(VENV)/installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet
	@echo "The documentation: site/index.html"

# The exact versions of the environment in which the tests just passed.
constraints: $(VENV)/installed-dev
	{ echo "# Exact versions with which the tests pass; written by \`make constraints\`. pyproject.toml holds the ranges."; \
		$(BIN)/python -m pip freeze --all --exclude pip --exclude finetune-advisor | sed 's/+cpu$$//'; } > $@.tmp
	mv $@.tmp $@.txt

# The same versions with the hashes of all their files, for every platform and Python; hatchling builds the package itself.
lock: constraints.txt $(VENV)/installed-dev
	{ echo "# Hashes of what constraints.txt pins, torch apart, for the installation; written by \`make lock\`."; \
		echo hatchling | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
			--no-header -c constraints.txt pyproject.toml - | \
		awk '/^[a-z]/ { own = !/^(torch|triton|nvidia-[a-z0-9-]+|cuda-[a-z0-9-]+)==/ } own'; } > locked.tmp
	mv locked.tmp locked.txt

clean:
	rm -rf $(VENV) build dist site .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
