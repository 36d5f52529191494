# LTC: the one door. `make help` lists everything.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PY := .venv/bin/python
PACKAGES := contracts libs/rules libs/chassis $(wildcard services/*-svc) tools/ltc
SOURCES := contracts/ltc_contracts libs/rules/ltc_rules libs/chassis/ltc_chassis $(foreach s,$(wildcard services/*-svc),$(s)/$(subst -,_,$(notdir $(s)))) \
	tools/ltc/ltc_cli tests bench conftest.py
STAMP := .venv/.ready
# Three workers for two cores: a test waits for its database half of the time. Each test has a database of its own.
WORKERS ?= 3

.PHONY: help setup lock lint schemas problems test attack histories e2e fault chaos demo up mes down bench clean
help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | sort | column -t -s "$$(printf '\t')"

setup: $(STAMP) ## install everything the project needs into .venv

$(STAMP): requirements.lock $(addsuffix /pyproject.toml,$(PACKAGES))
	@test -x $(PY) || python3 -m venv .venv
	@echo "setup: installing pinned dependencies (once, about a minute)"
	@.venv/bin/pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@.venv/bin/uv pip install -q --python $(PY) --offline --no-deps --no-build-isolation $(addprefix -e ,$(PACKAGES))
	@touch $@

lock: ## refresh requirements.lock from requirements.in
	.venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header requirements.in -o requirements.lock

lint: $(STAMP) ## style, types, import rules, schemas
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy $(SOURCES)
	.venv/bin/lint-imports
	$(PY) -m ltc_contracts.schema check

schemas: $(STAMP) ## export the JSON Schemas from the models, then check them
	$(PY) -m ltc_contracts.schema export
	$(PY) -m ltc_contracts.schema check

problems: $(STAMP) ## write docs/problems.md: every refusal that a caller may be answered
	$(PY) -m tests.house.problems

test: $(STAMP) ## unit and service tests on real PostgreSQL and Kafka (no set-up needed)
	PYTHONDONTWRITEBYTECODE= .venv/bin/pytest -n $(WORKERS) --dist loadgroup $(ARGS)

attack: $(STAMP) ## every attack of tests/house/attack on every route of the six services (minutes); LTC_ATTACK_SEED=<number> mixes them anew
	LTC_ATTACK_ALL=1 .venv/bin/pytest -n $(WORKERS) tests/house/test_bad_input.py $(ARGS)

histories: $(STAMP) ## 2,000 random histories of orders, and of what is owed through billing-svc and metrics-svc (minutes); LTC_HISTORIES=<number>
	LTC_HISTORIES=$${LTC_HISTORIES:-2000} .venv/bin/pytest -n $(WORKERS) services/order-svc/order_svc/tests/test_histories.py tests/histories $(ARGS)

e2e: $(STAMP) ## whole deals through the running stack, over HTTP and Kafka only
	.venv/bin/pytest -n0 tests/e2e -m "not fault" $(ARGS)

fault: $(STAMP) ## end to end while processes are killed and infrastructure is stopped, and with poison on the topics
	.venv/bin/pytest -n0 tests/e2e -m fault $(ARGS)

chaos: $(STAMP) ## kill order-svc and delivery-svc at random moments while a shop sells, three minutes; LTC_CHAOS_S, LTC_CHAOS_RATE, LTC_CHAOS_SEED
	LTC_CHAOS_S=$${LTC_CHAOS_S:-180} .venv/bin/pytest -n0 -s tests/e2e/test_order_chaos.py $(ARGS)

demo: $(STAMP) ## play a company at a day per second; DATA=<folder> imports real leads, KEEP=1 leaves it running, SHORT=1
	.venv/bin/ltc demo $(if $(DATA),--data "$(DATA)") $(if $(KEEP),--keep) $(if $(SHORT),--short)

up: $(STAMP) ## start PostgreSQL, Kafka and the six services
	.venv/bin/ltc up

mes: $(STAMP) ## make what is ordered: the reference MES on the running stack (docs/mes.md), until Ctrl-C
	.venv/bin/ltc mes

down: $(STAMP) ## stop them and remove their data (`ltc down --keep` keeps it)
	.venv/bin/ltc down

bench: $(STAMP) ## measure, side by side in one run (about twelve minutes); SHORT=1 less of it, ARGS="leads checkout" only these
	$(PY) -m bench $(if $(SHORT),--short) $(ARGS)

clean: ## remove everything that was made here
	@test ! -x .venv/bin/ltc || .venv/bin/ltc down
	rm -rf .venv .ltc .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
