PYTHON ?= python3
BIN := .venv/bin
# uv with the package indexes that pip is configured for
UV := $(BIN)/python -P infra/package_index.py
# Arguments for the command of a target: make test ARGS="-k usage"
ARGS ?=
# Test processes, each with a local system of its own. A process often waits, and four keep two cores busy
WORKERS ?= 4
# A test that takes ten minutes hangs. The run fails with its name and the stack of each thread.
HANGS := -o faulthandler_timeout=600 -o faulthandler_exit_on_timeout=true --max-worker-restart 0
# A CSV or NDJSON file of your own usage for the demo
EVENTS ?=
SOAK := tests/system/test_faults.py tests/system/test_load.py tests/workflows/faults tests/workflows/second_engine tests/fuzz tests/histories tests/model tests/mutants tests/infra/test_linters.py tests/infra/sbt
# Run again with moto in place of the emulator's Step Functions
MOTO := tests/workflows/test_executions.py tests/workflows/test_tenants.py

# Each process would compile every module that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo up down test coverage test-unit bench soak compile lint format pictures screenshot gallery openapi wheel synth deploy sbt-bindings attach lock audit clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.ready ## Create the virtual environment from the lock file

demo: setup ## Run the main job step by step: meters, usage, totals, a cancellation
	@$(BIN)/metering demo $(if $(EVENTS),--events "$(EVENTS)") $(ARGS)

up: setup ## Start the local system in the background
	@$(BIN)/metering up $(ARGS)

down: setup ## Stop the local system
	@$(BIN)/metering down

test: setup ## Run every test
	@$(MAKE) --no-print-directory -j2 lint $(if $(ARGS),,compile)
	@$(BIN)/python -m tools.chromium
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(HANGS) $(ARGS)

coverage: setup ## Run every test and measure what the tests cover; takes 1.5 times as long
	@$(MAKE) --no-print-directory test ARGS="$(ARGS) --cov"

test-unit: setup ## Run the tests that need no emulator
	@$(BIN)/python -m pytest -m "not emulator and not system" $(ARGS)

bench: setup ## Measure speed and cost; print tables and write build/bench.json
	@$(BIN)/python -m tests.bench $(ARGS)

soak: setup ## Run the long forms of the fault, load, matrix, fuzz, history, model, template and SBT tests, and the mutants; takes hours
	@METERING_SOAK=1 $(BIN)/python -m pytest -q -s $(or $(ARGS),$(SOAK))
	@$(if $(ARGS),,STEP_FUNCTIONS_ENDPOINT=moto $(BIN)/python -m pytest -q $(MOTO))

# Compile all tests and what they import once, instead of in each test process. It runs next to mypy, which uses one core.
compile: setup
	@mkdir -p build; $(BIN)/python -m pytest --collect-only -q >build/tests.log || { tail build/tests.log; exit 1; }

lint: setup ## Check style, types, import layers and vocabulary
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy --no-error-summary
	@mkdir -p build; $(BIN)/lint-imports --no-logo --no-cache >build/imports.log || { cat build/imports.log; exit 1; }
	@$(BIN)/python -m tools.vocabulary

format: setup ## Format the code
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format --quiet .

pictures: setup ## Draw docs/workflows.md and the README's picture from the ASL files
	@$(BIN)/python -m tools.workflow_pictures
	@$(BIN)/python -m tools.room_picture

screenshot: setup ## Make docs/console.png and docs/overview.png from the live console
	@$(BIN)/python -m tools.console_screenshot

gallery: setup ## Take pictures of every page of the console, empty, full and failing, and report problems; takes half an hour
	@$(BIN)/python -m tests.gallery $(ARGS)

openapi: setup ## Generate entrypoints/openapi.json from the API's types
	@$(BIN)/python -m tools.openapi

wheel: setup ## Build the wheel that users install, and its sdist, in dist
	@rm -rf dist
	@$(UV) build --no-build-isolation --python $(BIN)/python

synth: setup ## Write the CloudFormation template to build/cdk.out; needs no AWS account
	@$(BIN)/python -m amberflo_workflows.infra.app $(ARGS)

deploy: setup ## Deploy to the AWS account of your credentials
	@$(BIN)/python -m amberflo_workflows.infra.deploy $(ARGS)

sbt-bindings: setup ## Generate Python bindings for the SaaS Builder Toolkit, as a wheel in build/sbt
	@$(BIN)/python -m amberflo_workflows.infra.sbt.bindings $(ARGS)

attach: setup ## Add metering to a deployed control plane: make attach ARGS="ControlPlaneStack"
	@$(BIN)/python -m amberflo_workflows.infra.attach $(ARGS)

lock: ## Update the locked dependencies
	$(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" pyproject.toml --extra lambda $(foreach p,boto3 botocore s3transfer python-dateutil six urllib3,--no-emit-package $(p)) -o requirements/lambda.txt
	$(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" pyproject.toml --all-extras --group build --group test --group lint -c requirements/lambda.txt -o requirements/dev.txt
	printf 'setuptools~=75.3.2\nbuild~=1.5.0\n' | $(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header - -o infra/sbt/build.txt
	awk '/^uv==/ {take=1; print; next} take && /^ +--hash/ {print; next} take {exit}' requirements/dev.txt > requirements/bootstrap.txt

audit: setup ## Check the locks for known vulnerabilities; needs the advisory databases of PyPI and npm
	@$(BIN)/python -m tests.audit $(ARGS)

clean: ## Remove build results, the virtual environment and the local system's state
	rm -rf build dist .metering .venv

# The lock decides what is installed, by hash. uv, which installs it, comes from a lock of its own. Only wheels are
# installed, since they run no code during the installation. Which index serves a wheel does not matter, because of the hash.
.venv/.ready: requirements/bootstrap.txt requirements/dev.txt pyproject.toml
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed and '$(PYTHON)' is older; try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -L src/amberflo_workflows/tasks || { echo "This checkout has no symbolic links. Run: git config core.symlinks true && git checkout -- src"; exit 1; }
	@echo "Installing the locked packages into .venv, which takes about a minute." >&2
	@test -x $(BIN)/python || "$(PYTHON)" -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/bootstrap.txt
	@$(UV) pip sync --quiet --python $(BIN)/python --index-strategy unsafe-best-match --require-hashes --only-binary :all: requirements/dev.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@
