PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv

.PHONY: setup lock
setup: .venv/.ready

# The lock decides what is installed, by hash; uv comes from its own one-line lock.
.venv/.ready: requirements/bootstrap.txt requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; '$(PYTHON)' is older. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements/dev.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

lock:
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" pyproject.toml --extra lambda $(foreach p,boto3 botocore s3transfer python-dateutil six,--no-emit-package $(p)) -o requirements/lambda.txt
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" pyproject.toml --all-extras --group build --group test --group lint -c requirements/lambda.txt -o requirements/dev.txt
	grep -A1000 '^uv==' requirements/dev.txt | awk 'NR==1 || /^ +--hash/ {print; next} {exit}' > requirements/bootstrap.txt
