# What people type. Each command first installs what is missing (scripts/setup), then does its work.

BIN := .venv/bin
# Two at a time, a file by one of them from end to end: sound in real time must not wait for a processor,
# and a broker or a recogniser is started once a file.
WORKERS ?= 2
# Where the tests leave their counts, for .ci/run
JUNIT ?= .pytest_cache/junit.xml

.DEFAULT_GOAL := help
.PHONY: help demo test checklist witness check format lint types imports fix clean ready

help: ## show this
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

demo: ## a real conversation on this machine alone: make demo, or make demo ARGS=--mic
	@scripts/setup demo
	@$(BIN)/satellite demo $(ARGS)

test: ready ## the whole suite: make test, or make test ARGS="tests/unit -k gate"
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile --junit-xml=$(JUNIT) $(ARGS)

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
