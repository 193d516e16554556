# Every command of the project. On a bare Debian or Ubuntu with Python 3.11 or newer they install what they need.
#   make demo    from transistors to a classified digit: build/demo/report.json and four figures
#   make test    the test suite; make test-slow: what takes longer than a minute, too
#   make check   lint, types and the direction of imports, as CI runs them
#   make netlists  render the committed decks again
#   make bench-env  the environment that benchmarks/behavioral.py compares in

VENV ?= .venv
OUT ?= build/demo
# Processes that run tests at the same time.
JOBS ?= 2
# Optional parts of the package that development needs; dev,train adds PyTorch for the tests of the training.
EXTRAS ?= dev

PYTHON_HERE := $(VENV)/bin/python
CREATED := $(VENV)/.created
FOR_DEMO := $(VENV)/.installed-digits
FOR_WORK := $(VENV)/.installed-$(EXTRAS)

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test test-slow lint types imports check netlists install ngspice bench-env clean distclean

help:
	@sed -n 's/^#   //p' Makefile

demo: $(FOR_DEMO) ngspice
	$(PYTHON_HERE) -m pyspice_cim.reproduce --out $(OUT)

test: $(FOR_WORK) ngspice
	$(PYTHON_HERE) -m pytest -n $(JOBS) --dist loadfile -ra

# A later -m overrides the one of pyproject.toml, which leaves the slow tests out.
test-slow: $(FOR_WORK) ngspice
	$(PYTHON_HERE) -m pytest -n $(JOBS) --dist loadfile -ra -m 'slow or not slow'

check: lint types imports

lint: $(FOR_WORK)
	$(PYTHON_HERE) -m ruff check
	$(PYTHON_HERE) -m ruff format --check

types: $(FOR_WORK)
	$(PYTHON_HERE) -m mypy

imports: $(FOR_WORK)
	$(VENV)/bin/lint-imports --no-logo

netlists: $(FOR_WORK)
	$(PYTHON_HERE) netlists/render.py

install: $(FOR_WORK) ngspice

ngspice:
	@scripts/ensure_ngspice.sh

$(CREATED): scripts/make_venv.sh
	PYTHON="$(PYTHON)" scripts/make_venv.sh $(VENV)
	@touch $@

# Installed in place: an edit of the source needs no new installation, an edit of pyproject.toml does.
$(VENV)/.installed-%: $(CREATED) pyproject.toml
	@echo "installing pyspice-cim with the extras $* into $(VENV); the first time takes a few minutes"
	$(PYTHON_HERE) -m pip install --quiet --editable '.[$*]'
	@touch $@

# The simulators that benchmarks/behavioral.py compares with, apart from our own environment.
bench-env:
	PYTHON="$(PYTHON)" scripts/make_venv.sh .venv-bench
	.venv-bench/bin/python -m pip install --quiet -c benchmarks/constraints.txt -r benchmarks/requirements.txt
	.venv-bench/bin/python -m pip install --quiet --editable .

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find pyspice_cim tests behavioral characterization netlists benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV) .venv-bench
