# What people type. Each command first installs what is missing (scripts/setup), then does its work.

BIN := .venv/bin
# Two at a time, a file by one of them from end to end: sound in real time must not wait for a processor,
# and a broker or a recogniser is started once a file.
WORKERS ?= 2
# Where the tests leave their counts, for .ci/run
JUNIT ?= .pytest_cache/junit.xml
JUNIT_HA ?= .pytest_cache/junit-ha.xml
JUNIT_BOX ?= .pytest_cache/junit-box.xml
# A Home Assistant that scripts/home-assistant root made, in place of .venv-ha. Such a new one calls out,
# so it gets no network but loopback.
HA_ROOT ?=
ALONE = $(if $(HA_ROOT),unshare --net sh -c 'ip link set lo up && exec "$$0" "$$@"')

.DEFAULT_GOAL := help
.PHONY: help demo test test-ha test-box checklist witness check format lint types imports fix clean ready

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

demo: ## a real conversation on this machine alone: make demo, or make demo ARGS=--mic
	@scripts/setup demo
	@$(BIN)/satellite demo $(ARGS)

test: ready ## the whole suite: make test, or make test ARGS="tests/unit -k gate"
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile --junit-xml=$(JUNIT) $(ARGS)

test-ha: ready ## a real Home Assistant, which is installed first (2 minutes); docs/home-assistant
	@$(if $(HA_ROOT),scripts/home-assistant root $(HA_ROOT),$(BIN)/python scripts/home-assistant setup)
	@HA_ROOT=$(HA_ROOT) $(ALONE) $(BIN)/pytest tests_ha --junit-xml=$(JUNIT_HA) $(ARGS)

test-box: ready ## the service under a real systemd in a box; root, 260 MB; docs/service.md
	@$(BIN)/pytest tests_box --junit-xml=$(JUNIT_BOX) $(ARGS)

checklist: ready ## the tests of docs/realtime-checklist.md alone, and how many of its lines hold
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile -m checklist $(ARGS)

witness: ready ## the daemon against a server that is not ours; 2 GB or more, see docs/witnesses.md
	@$(BIN)/python scripts/witness $(ARGS)

check: format lint types imports test ## everything that must hold before a commit

format: ready ## is every file laid out as ruff does it?
	@$(BIN)/ruff format --check .

lint: ready ## ruff's rules
	@$(BIN)/ruff check .

types: ready ## mypy --strict
	@$(BIN)/mypy

imports: ready ## do arrows point down only?
	@$(BIN)/lint-imports

fix: ready ## lay out files and correct what ruff can correct
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean: ## remove all that was made here, .venv too
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find satellite tests -name __pycache__ -type d -prune -exec rm -rf {} +

ready:
	@scripts/setup test
