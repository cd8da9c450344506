# `make play` and `make test` need nothing but Python 3.11 or newer. The first makes .venv; the second call sets nothing up again.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && command -v $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
TORCH := $(shell sed -n 's/^ *"\(torch[<>=].*\)",.*/\1/p' pyproject.toml)
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
SONG ?=

.PHONY: help play test check docs clean

help:
	@echo "make play    play the bundled song with the bundled voice into out/antiphon.wav (SONG=my.mid plays another)"
	@echo "make test    style, types and tests"
	@echo "make docs    write docs/api.md from the docstrings and draw docs/morph.png with the bundled voice"
	@echo "make clean   remove .venv and what the tools left behind"

play: $(VENV)/.plays
	@mkdir -p out
	@$(BIN)/antiphon play $(SONG) -o out/$(if $(SONG),$(basename $(notdir $(SONG))),antiphon).wav --force

test: check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

check: $(VENV)/.tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer, with venv, is needed: install it (Debian: apt install python3-venv)"; exit 2; }
	$(PYTHON) -m venv --clear $(VENV)

# Without an NVIDIA card the CPU build of torch is enough, and gigabytes smaller.
$(VENV)/.plays: pyproject.toml | $(BIN)/python
	@if [ "$$(uname)" = Linux ] && ! command -v nvidia-smi >/dev/null; then \
		$(PIP) install -q --no-deps --retries 1 --timeout 20 --extra-index-url $(TORCH_INDEX) '$(TORCH)'; \
	else $(PIP) install -q '$(TORCH)'; fi || $(PIP) install -q '$(TORCH)'
	$(PIP) install -q -e .
	@touch $@

$(VENV)/.tests: $(VENV)/.plays
	$(PIP) install -q -e '.[dev,eval,pitch]'
	@touch $@

docs: $(VENV)/.plays
	$(PIP) install -q -e '.[plots]'
	$(BIN)/python docs/make_api.py
	@mkdir -p out
	$(BIN)/antiphon morph gm --from flute --to cello -o out/morph.wav --picture --force
	mv out/morph.png docs/morph.png

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
