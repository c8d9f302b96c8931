# Every target depends on .venv/.stamp: the first `make` of a fresh clone sets itself up, later ones skip it.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
PY := .venv/bin/python
# Large temporaries in huge pages: +19% training speed on CPU; must be set before Python starts (glibc reads it once).
export GLIBC_TUNABLES ?= glibc.malloc.hugetlb=1

.PHONY: experiment experiments test test-slow test-install test-minimum lint format bench clean
.DEFAULT_GOAL := experiments

.venv/.stamp: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

experiment: .venv/.stamp  ## run one: make experiment EXP=prune80 [ARGS="--seed 2"] [SMOKE=1]
	@test -n "$(EXP)" || { echo 'Which one? make experiment EXP=name; `make experiments` lists them.'; exit 2; }
	$(PY) -m seq2slim run $(EXP) $(if $(filter-out 0,$(SMOKE)),--smoke) $(ARGS)

experiments: .venv/.stamp  ## list the experiments with their claims
	@$(PY) -m seq2slim experiments

test: .venv/.stamp  ## all but the slow tests
	$(PY) -m pytest -n 2 --dist loadfile $(ARGS)

test-slow: .venv/.stamp  ## the tests that take minutes, those of the installation among them
	$(PY) -m pytest -m slow $(ARGS)

test-install: .venv/.stamp  ## a wheel in empty environments: plain, [nmt], [all]; prints their sizes
	$(PY) -m pytest -m slow -s tests/install/test_wheel.py $(ARGS)

test-minimum: .venv/.stamp  ## tests of pruning and models at the oldest versions that pyproject.toml allows
	$(PY) -m pytest -m slow -s tests/install/test_minimum.py $(ARGS)

lint: .venv/.stamp  ## style, formatting, and which way imports point
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m pytest tests/test_imports.py

format: .venv/.stamp
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

bench: .venv/.stamp  ## speed; PEERS=DIR runs the PyTorch peers found there in turn with ours
	$(PY) -m experiments.bench.bench $(if $(PEERS),--peers $(PEERS)) $(ARGS)

clean:
	rm -rf .venv build src/*.egg-info .pytest_cache .ruff_cache .hypothesis
