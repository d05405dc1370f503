# Everything a person does with this repository. `make help` prints this list.
SHELL := /bin/bash
PY := .venv/bin/python
.DEFAULT_GOAL := help
.PHONY: help setup setup-tests demo test lint types floors check lock vectors journeys bench-launch bench-reset bench-peers bench-scale bench-terminal bench-door bench-board crumbs refusals matrix schema down

help: ## print this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 16

setup: ## install what is missing: Debian packages by name, the Python environment from requirements.lock
	@infra/deploy/setup.sh

setup-tests: ## setup, and what only the tests need: Chromium
	@infra/deploy/setup.sh --tests

demo: setup ## the main job: set up, start labctl here, open a class of 3, show its board, print ssh commands and links (DEMO=--no-browser)
	@.venv/bin/labctl demo $(DEMO)

test: setup-tests ## set everything up and pass the tests
	@$(PY) -m labctl.sandbox image --cache "$${LABCTL_CACHE:-/var/cache/labctl}"
	@$(PY) -m pytest

check: setup lint types floors ## lint, types and floors

lint: ## ruff, every rule that has no reason to be off
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

types: ## mypy --strict, and tsc --strict where there is npm
	@.venv/bin/mypy
	@if [ -d web/node_modules ]; then npm --prefix web run --silent types; fi

floors: ## import-linter: who may import whom
	@.venv/bin/lint-imports

lock: ## write requirements.lock anew from pyproject.toml
	@.venv/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml --group dev -o requirements.lock

schema: ## write blueprints/schema.json anew from the models
	@$(PY) -m labctl.model.schema > blueprints/schema.json

vectors: setup ## replay the answers recorded from Proxmox's own code against the sandbox node
	@$(PY) -m tests.vectors.replay

journeys: setup-tests ## people's ways through labctl in Chromium against real guests, axe on every kind of page; pictures in build/journeys
	@$(PY) -m tests.journeys

bench-launch: setup ## seconds from open to all seats proven for 1, 5 and 10 learners, over the floor
	@$(PY) -m tests.bench.launch

bench-reset: setup ## seconds from a reset to the seat proven again, over a bare rollback, boot and login
	@$(PY) -m tests.bench.reset

bench-peers: setup ## a class of ten seats by the ways people use today, over ours
	@$(PY) -m tests.bench.peers

bench-scale: setup ## 1,000 seats of three machines on 16 paper nodes: makespan over list scheduling, CPU an environment over that of 100
	@$(PY) -m tests.bench.scale

bench-terminal: setup ## echo added to plain SSH at 1, 50, 200 and 1,000 terminals, memory of each, a flood of 200 MB
	@$(PY) -m tests.bench.terminal

bench-door: setup ## logins and CPU a login, scp 200 MB both ways, memory a session, beside OpenSSH as jump host
	@$(PY) -m tests.bench.door

bench-board: setup ## a board of 1,000 seats that changes 50 times a second: p99 of a page load and of an update
	@$(PY) -m tests.bench.board

matrix: setup ## every step failed at every call to Proxmox with every kind of error and killed after every call (half an hour)
	@$(PY) -m tests.matrix.play $(MATRIX)

ROUNDS ?= 20
crumbs: setup ## ROUNDS (20) classes under kill -9 of any part and random faults, each followed by a search for anything left
	@$(PY) -m tests.bench.crumbs --rounds $(ROUNDS)

refusals: setup-tests ## every row of the table of threats tried from a hostile guest, account or client, each wall's control beside it (five minutes)
	@$(PY) -m tests.attacks $(REFUSALS)

down: ## stop labctl
	@.venv/bin/labctl down
