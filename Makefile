# LTC: the one door. `make help` lists everything.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PY := .venv/bin/python
PACKAGES := contracts libs/chassis $(wildcard services/*-svc) tools/ltc
STAMP := .venv/.ready

.PHONY: help setup lock
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | column -t -s "$$(printf '\t')"

setup: $(STAMP) ## install everything the project needs into .venv

$(STAMP): requirements.lock $(addsuffix /pyproject.toml,$(PACKAGES))
	@test -x $(PY) || python3 -m venv .venv
	@echo "setup: installing pinned dependencies (once, about a minute)"
	@.venv/bin/pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@.venv/bin/uv pip install -q --python $(PY) --offline --no-deps --no-build-isolation $(addprefix -e ,$(PACKAGES))
	@touch $@

lock: ## refresh requirements.lock from requirements.in
	.venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header requirements.in -o requirements.lock
