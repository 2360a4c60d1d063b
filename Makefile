# What a newcomer needs: `make demo` and `make test`. Everything else is for developers.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help demo test lint bench bpf host qemu known-software clients judges scanners agree lock clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# The stamps are made again when a lock file or the metadata changes.
$(VENV)/.demo: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("imdsctl needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the locked requirements into $(VENV)"
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.demo requirements-dev.lock
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

demo: $(VENV)/.demo ## the whole story on the embedded simulated AWS
	@$(BIN)/imdsctl demo

test: lint ## lint, types, architecture and the whole test suite
	@$(BIN)/python -m pytest

lint: $(VENV)/.dev ## ruff, mypy --strict, import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

bench: $(VENV)/.dev ## measurements, as ratios side by side
	@$(BIN)/python bench/scan_inventory.py
	@$(BIN)/python bench/emulator.py
	@$(BIN)/python bench/lint_templates.py
	@$(BIN)/python bench/audit_speed.py
	@$(BIN)/python bench/tracing.py
	@$(BIN)/python bench/lint.py

BPF_FLAGS := -target bpfel -mcpu=v2 -O2 -g0 -Wall -Wextra -Werror -fno-ident

bpf: ## rebuild the kernel programs (needs Debian's clang 14)
	@cd src/imdsctl/host/bpf && for source in *.bpf.c; do clang $(BPF_FLAGS) -c $$source -o $${source%.c}.o || exit 1; done

known-software: $(VENV)/.demo ## rewrite what is made from known-software.toml
	@$(BIN)/python -m imdsctl.cli.known_software docs/host-audit.md

host: ## build imdsctl-host.pyz: probe, audit and trace for instances, in one file
	@$(PYTHON) packaging/build_host.py

qemu: $(VENV)/.dev ## the host trace on older kernels, under qemu (needs qemu-system-x86 and apt)
	@$(BIN)/python tests/qemu/boot.py

clients: ## install real IMDS clients, old and new, for the tests that run them
	@$(PYTHON) tests/real_clients/install.py

judges: ## install the independent judges of the guardrail policies
	@test -x .judges/bin/python || $(PYTHON) -m venv .judges
	@.judges/bin/python -m pip install --quiet --disable-pip-version-check parliament==1.6.4 'setuptools<81'
	@npm install --silent --prefix .judges @cloud-copilot/iam-simulate@0.1.173

# The stamps are made again when a lock file changes.
.judges/%/.installed: tests/external/%.lock
	@test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

scanners: .judges/c7n/.installed .judges/prowler/.installed .judges/checkov/.installed ## install Prowler, Cloud Custodian and Checkov, to compare check's and lint's answers with theirs

agree: $(VENV)/.dev scanners ## compare them on the demo's fleet, before and after a migration
	@$(BIN)/python tests/external/agree.py

lock: ## resolve the locks again (needs uv)
	uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header --extra simulator --extra web --extra lint --group build pyproject.toml -o requirements.lock
	uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header --all-extras --group build --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header --no-annotate tests/external/c7n.in -o tests/external/c7n.lock
	uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header --no-annotate tests/external/checkov.in -o tests/external/checkov.lock
	uv pip compile -q --no-deps --universal --generate-hashes --python-version 3.11 --no-header --no-annotate tests/external/prowler.in -o tests/external/prowler.lock

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
