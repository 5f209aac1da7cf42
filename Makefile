# make            install into .venv, run every chapter, render the book: _build/html/index.html
# make pdf        the same as one file: _build/mpcl-book.pdf (chromium prints it)
# make slides     slides of every chapter that has some: _build/html/slides/; of one: make slides CHAPTER=05_multiscale_fusion
# make test       install into .venv, run the tests, the notebooks against their committed outputs among them: 15 minutes
# make test-all   the same, then what is heavy: other data, every page in a browser, kills, fuzzing: an hour
# make test-slow  what is heavy alone
# make check      style and types: ruff and pyrefly
# make test-cpu   the notebooks against their outputs once more, computing as an older processor would
# make refresh    run the chapters whose committed outputs are stale, and write the new outputs into book/
# make lab        notebooks with the exercises of every chapter, in lab/, and JupyterLab to write in; of one: make lab CHAPTER=04
# make lock       renew requirements.lock from pyproject.toml
# make bench      how fast it is beside what one would use instead: data/benchmarks; BENCH=training for one of them
# make clean      delete what was built and run (not .venv)
#
# Buttons for Binder and Colab (untested):   make REPOSITORY=https://github.com/<you>/<copy of this repository>
# Another Python:   make PYTHON=python3.12
# Torch without CUDA on Linux (several GB less), where pip would take the other:   make TORCH_INDEX=<index of CPU builds>

PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2
CHAPTER ?=
BENCH ?=
TORCH_INDEX ?=
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed

export BOOK_REPOSITORY ?= $(REPOSITORY)
export OMP_NUM_THREADS ?= 1
export PYTHONHASHSEED ?= 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# notebooks run in this environment, whatever the user's own Jupyter is told to do
export IPYTHONDIR := $(abspath $(VENV))/ipython
export JUPYTER_PREFER_ENV_PATH := 1
unexport MPLBACKEND PYTHONPATH PYTHONHOME

.PHONY: book pdf slides test test-slow test-all test-cpu check refresh lab lock clean
.DEFAULT_GOAL := book

book: $(STAMP)
	@$(PY) -m book._make.chapters build -j $(JOBS)

pdf: $(STAMP)
	@$(PY) -m book._make.editions pdf -j $(JOBS)

slides: $(STAMP)
	@$(PY) -m book._make.editions slides -j $(JOBS) $(CHAPTER)

test: $(STAMP)
	@$(PY) -m pytest

test-slow: $(STAMP)
	@$(PY) -m pytest -m slow

test-all: test test-slow

check: $(STAMP)
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check
	@$(PY) -m pyrefly check

test-cpu: $(STAMP)
	@ATEN_CPU_CAPABILITY=default MKL_CBWR=COMPATIBLE ONEDNN_MAX_CPU_ISA=SSE41 $(PY) -m pytest book

refresh: $(STAMP)
	@$(PY) -m book._make.chapters refresh -j $(JOBS)

lab: $(STAMP)
	@$(PY) -m mpcl lab $(or $(CHAPTER),all) --to lab --open

bench: $(STAMP)
	@env -u OMP_NUM_THREADS $(PY) -m data.make.bench $(BENCH)

$(STAMP): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON) here; install Python 3.11 or name one: make PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; name another: make PYTHON=python3.11")'
	@test -x $(PY) || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "Python cannot make a virtual environment; install its venv module (Debian: apt-get install python3-venv)"; exit 1; }
	@echo "Installing the locked packages into $(VENV) (minutes, and about 2 GB, the first time)"
	@$(if $(TORCH_INDEX),$(PY) -m pip install -qq --index-url $(TORCH_INDEX) --no-deps $$(grep '^torch==' requirements.lock))
	@$(PY) -m pip install -qq -r requirements.lock
	@$(PY) -m pip install -qq --no-deps -e .
	@touch $@

# pip-compile writes the local suffix of a CPU build, which no other machine could install
lock: $(STAMP)
	$(PY) -m pip install -qq pip-tools
	$(PY) -m piptools compile -q --upgrade --extra book --extra test --extra teaching --extra cluster --strip-extras --no-emit-find-links --no-emit-index-url \
	  --no-emit-trusted-host --no-header -o requirements.lock pyproject.toml
	sed 's/^\(torch==[0-9.]*\)+cpu/\1/' requirements.lock > requirements.lock.part && mv requirements.lock.part requirements.lock

clean:
	rm -rf _build
