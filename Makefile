# What one can do here; `make` alone lists it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MADE := $(VENV)/.made-from-constraints
# One more than two cores: tests wait for servers, workers and locks.
PYTEST := $(BIN)/python -m pytest -n 3 --dist worksteal
SERVERS := openssl ceph-common ceph-mon ceph-osd radosgw curl sqlite3 zstd chromium postgresql postgresql-contrib pgbouncer mariadb-server mariadb-client
APT := DEBIAN_FRONTEND=noninteractive apt-get -y -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300

.DEFAULT_GOAL := help
.PHONY: help venv demo serve test test-slow test-all test-exhaustive lint bench pictures servers clean

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(MADE) ## the virtual environment .venv, made anew only when the packages wanted have changed

demo: $(MADE) ## the whole chain on the example clinic
	$(BIN)/upkeep demo

serve: $(MADE) ## Prefect's server, the deployments, the schedule and a worker
	$(BIN)/upkeep serve

test: $(MADE) ## the tests that take no more than seconds
	$(PYTEST) -m 'not slow and not exhaustive' $(ARGS)

test-slow: $(MADE) ## the other tests
	$(PYTEST) -m 'slow and not exhaustive' $(ARGS)

test-all: $(MADE) ## both, as CI runs them
	$(PYTEST) -m 'not exhaustive' $(ARGS)

test-exhaustive: $(MADE) ## what says the same once more: hundreds of kills, the largest plans, a second PostgreSQL
	$(PYTEST) -m exhaustive $(ARGS)

lint: $(MADE) ## format, rules and types, as CI checks them
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(MADE) ## the figures, as ratios, with the machine that they were measured on
	$(BIN)/python -m tests.bench

pictures: $(MADE) ## the pictures in docs, photographed anew
	$(BIN)/python -m tests.pictures

servers: ## Debian's packages for the tests that need a real S3 server, PostgreSQL, MariaDB, sqlite3, zstd or a browser (as root)
	@missing=; for package in $(SERVERS); do \
		dpkg-query -W -f '$${db:Status-Status}' $$package 2>/dev/null | grep -qx installed || missing="$$missing $$package"; \
	done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
		echo "these are missing here, and tests that need them will be skipped; as root: apt-get install$$missing"; exit 1; \
	fi; \
	echo "installing$$missing"; \
	for try in 1 2 3; do \
		if $(APT) -q update && $(APT) -q install --no-install-recommends $$missing; then exit 0; fi; \
		echo "apt-get failed, try $$try of 3"; sleep 10; \
	done; exit 1

clean: ## remove what tools and the demo left here; .venv, the settings and any store stay
	rm -rf build dist *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache upkeep-demo
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

$(MADE): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Upkeep needs Python 3.11 or newer; name one: make venv PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || if [ "$$(id -u)" = 0 ]; then \
		$(APT) -q update && $(APT) -q install --no-install-recommends python3-venv; \
	else echo "this Python cannot make a virtual environment; as root: apt-get install python3-venv"; exit 1; fi
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@
