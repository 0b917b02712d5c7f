PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO := demo

.PHONY: demo test bench docs lock clean

# Set-up: the locked dependencies with their hashes, and the project itself in place.
$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "loganon needs Python 3.11 or later")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# The main job on the sample logs: preview, ingest, read back.
demo: $(READY)
	@rm -rf $(DEMO)
	@$(BIN)/python sample_logs/demo.py $(DEMO)

# Everything that CI runs.
test: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n auto

# One timed end-to-end run on generated lines: lines/s, MB/s, peak memory.
bench: $(READY)
	$(BIN)/python benchmarks/run.py

# The generated parts of the documentation.
docs: $(READY)
	$(BIN)/python docs/generate.py

# Renew the locked dependencies from pyproject.toml.
lock: $(READY)
	$(BIN)/uv pip compile --upgrade --universal --generate-hashes --extra dev --no-emit-index-url --no-header -q -o requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) $(DEMO) build dist benchmarks/data
