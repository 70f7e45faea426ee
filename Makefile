# One door: every job in this repository is one of these words, and CI uses the same ones.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

BOX ?= ./box
ARGS ?=

# Tests wait more than they work, so that there are more of them at a time than processors (ARGS=-n0: one by one).
TESTERS ?= $(shell echo $$((2 * $$(nproc))))

# Every process of the tests would compile everything again.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check
DENO := $(VENV)/bin/deno

# A stamp's name carries what was installed, so that an installation is repeated only when one of these changed.
KEY := $(shell { echo "$(CURDIR)"; cat pyproject.toml requirements*.lock; } | cksum | cut -d' ' -f1)
INSTALLED := $(VENV)/.installed-$(KEY)
INSTALLED_DEV := $(VENV)/.installed-dev-$(KEY)

SCRIPT_FOLDERS := $(wildcard src/v8box examples benchmarks)
SCRIPTS = $(shell find $(SCRIPT_FOLDERS) -name .cache -prune -o -name node_modules -prune -o \
	-type f \( -name '*.ts' -o -name '*.tsx' -o -name '*.js' \) -print | sort)

# The dashboard is built into the package. A stamp's name carries the lock, as above.
DASHBOARD := src/v8box/api/dashboard/built/index.html
DASHBOARD_KEY := $(shell cat dashboard/deno.lock dashboard/package.json | cksum | cut -d' ' -f1)
DASHBOARD_INSTALLED := dashboard/node_modules/.installed-$(DASHBOARD_KEY)
DASHBOARD_SOURCES = $(shell find dashboard/src dashboard/public dashboard/scripts dashboard/*.* docs/*.md docs/bindings -type f)
IN_DASHBOARD = cd dashboard && $(CURDIR)/$(DENO)

.PHONY: help install run dashboard test test-python test-typescript check check-python check-typescript check-dashboard format gen bench lock clean

help: ## list these words
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' Makefile

install: $(INSTALLED) ## put the box and all it needs into .venv

run: $(INSTALLED) $(DASHBOARD) ## start the box on ./box (BOX=folder for another one)
	@exec $(VENV)/bin/v8box up $(BOX)

dashboard: $(DASHBOARD) ## build the dashboard into the package, if something in it has changed

test: test-typescript $(DASHBOARD) test-python ## run every test

test-typescript: $(INSTALLED_DEV) ## run the tests of the runtime (ARGS for deno test)
	$(DENO) test --quiet --allow-all --permit-no-files $(ARGS) src/v8box
	$(DENO) test --quiet --no-config --permit-no-files $(ARGS) dashboard/tests

test-python: $(INSTALLED_DEV) $(if $(wildcard $(DASHBOARD)),,$(DASHBOARD)) ## run pytest (ARGS for pytest; AGAIN=1: what failed once more)
	$(PY) -m pytest -n $(TESTERS) --durations=20 --durations-min=10 $(ARGS) $(if $(AGAIN),|| { $(once_more); })

# What fails again is broken; what does not had to wait too long in the crowd. No other end than failed tests is tried.
define once_more
test $$? = 1; \
echo 'These failed. Once more, one by one:'; \
$(PY) -m pytest --last-failed --last-failed-no-failures none -rA --show-capture no
endef

check: $(INSTALLED_DEV) ## formatting, lint, types, layers
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target check-python check-typescript check-dashboard

check-python: $(INSTALLED_DEV)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

check-typescript: $(INSTALLED_DEV)
	@echo '$(DENO) fmt --check'; $(DENO) fmt --quiet --check $(SCRIPTS)
	@echo '$(DENO) lint'; $(DENO) lint --quiet $(SCRIPTS)
	@echo '$(DENO) check'; $(DENO) check --quiet $(filter-out examples/%,$(SCRIPTS))
	@$(check_examples)

check-dashboard: $(INSTALLED_DEV) $(DASHBOARD_INSTALLED) ## the same, of the dashboard alone
	@echo 'deno fmt --check'; $(IN_DASHBOARD) fmt --quiet --check
	@echo 'deno lint'; $(IN_DASHBOARD) lint --quiet
	@echo 'layers'; $(IN_DASHBOARD) run --quiet --allow-read scripts/check_imports.ts
	@echo 'tsc'; $(IN_DASHBOARD) run --quiet --cached-only --allow-all node_modules/typescript/bin/tsc

# The examples as a newcomer has them: in a folder of their own, with their own deno.json and the box's types.
define check_examples
echo '$(DENO) check examples'; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
cp -r examples/. src/v8box/runtime/types/v8box.d.ts "$$folder"; deno=$$PWD/$(DENO); \
cd "$$folder"; find . -name '*.ts' -exec "$$deno" check --quiet --no-lock {} +
endef

format: $(INSTALLED_DEV) ## format everything and repair what lint can repair
	$(VENV)/bin/ruff check --fix --exit-zero .
	$(VENV)/bin/ruff format .
	$(DENO) fmt --quiet $(SCRIPTS)
	$(IN_DASHBOARD) fmt --quiet

gen: $(INSTALLED_DEV) ## write what is made of the code: the references of commands and API, the dashboard's types, the manifest's schema
	$(PY) -m v8box.cli.reference > docs/cli-reference.md
	$(PY) -m v8box.cli.api_reference docs/api-reference.md
	$(PY) -m v8box.cli.api_types dashboard/src/api/generated/api.ts
	$(PY) -m v8box.catalog.manifest_schema > docs/v8box.schema.json

bench: $(INSTALLED_DEV) $(DASHBOARD) ## measure the box against its baselines (ARGS='--quick', '--only NAME', '--write')
	@$(call needs,wrk,wrk)
	@PATH=$$PATH:/usr/sbin; $(call needs,nginx,nginx-light)
	@$(PY) -m benchmarks $(ARGS)

lock: $(VENV)/bin/pip ## resolve the dependencies again (ARGS=--upgrade for newer versions)
	@scratch=$$(mktemp -d); trap 'rm -rf "$$scratch"' EXIT; \
	$(PIP) install --quiet --target "$$scratch" uv; \
	$(PY) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
		> "$$scratch/build.in"; \
	echo editables >> "$$scratch/build.in"; \
	compile() { "$$scratch/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' $(ARGS) "$$@" < "$$scratch/build.in"; }; \
	compile pyproject.toml - -o requirements.lock; \
	compile pyproject.toml - --group dev -c requirements.lock -o requirements-dev.lock

clean: ## remove what was installed and built
	rm -rf $(VENV) dist build benchmarks/.cache .cache dashboard/node_modules $(dir $(DASHBOARD))

$(DASHBOARD_INSTALLED): | $(INSTALLED)
	$(IN_DASHBOARD) install --quiet --frozen
	@rm -f dashboard/node_modules/.installed-*; touch $@

$(DASHBOARD): $(DASHBOARD_SOURCES) | $(DASHBOARD_INSTALLED)
	$(IN_DASHBOARD) run --quiet --cached-only --allow-all scripts/build.ts

$(INSTALLED): | $(VENV)/bin/pip
	$(PIP) install --quiet --require-hashes -r requirements.lock
	@$(finish_installation)
	@touch $@

$(INSTALLED_DEV): | $(VENV)/bin/pip
	$(PIP) install --quiet --require-hashes -r requirements-dev.lock
	@$(finish_installation)
	@touch $(INSTALLED) $@

# The package itself, built by the hatchling of the lock; afterwards the stamps of earlier locks mean nothing.
define finish_installation
$(PIP) install --quiet --no-deps --no-index --no-build-isolation --editable .; \
rm -f $(VENV)/.installed-*
endef

# Debian ships Python without ensurepip: take its package as root, or build on the pip of python3-pip.
$(VENV)/bin/pip:
	@$(find_python); \
	if ! "$$python" -c 'import ensurepip' 2>/dev/null; then \
		package=$$("$$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then $(call apt_install,$$package); \
		elif ! "$$python" -m pip --version >/dev/null 2>&1; then \
			echo "make: $$python cannot make a virtual environment with pip: sudo apt-get install $$package" >&2; exit 1; \
		fi; \
	fi; \
	if "$$python" -c 'import ensurepip' 2>/dev/null; then "$$python" -m venv $(VENV); \
	else "$$python" -m venv --without-pip $(VENV); "$$python" -m pip --quiet --python $(PY) install pip; fi

define find_python
python=; for candidate in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$candidate; break; fi; \
done; \
if [ -z "$$python" ]; then echo "make: Python 3.11 or newer is needed: sudo apt-get install python3" >&2; exit 1; fi
endef

apt_install = DEBIAN_FRONTEND=noninteractive bash -c "apt-get -qq update && apt-get -qq install -y --no-install-recommends $(1) >/dev/null"

# $(call needs,command,package): a command from Debian, installed when missing and allowed.
define needs
if ! command -v $(1) >/dev/null; then \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then $(call apt_install,$(2)); \
	else echo "make: $(1) is needed: sudo apt-get install $(2)" >&2; exit 1; fi; \
fi
endef
