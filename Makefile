PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO := demo
DIST := dist

.PHONY: demo test bench docs lock build sbom clean

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
	$(BIN)/uv pip compile --upgrade --universal --generate-hashes --extra dev --extra s3 --no-emit-index-url --no-header -q -o requirements.lock pyproject.toml

# Wheel, source archive and bill of materials of a release.
build: $(READY) sbom
	$(BIN)/python -m build --outdir $(DIST)

# What a release depends on, at the locked versions (CycloneDX, JSON).
sbom: $(READY)
	@mkdir -p $(DIST)
	$(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header -q -c requirements.lock -o $(DIST)/requirements.txt pyproject.toml
	PYTHONWARNINGS=ignore $(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --validate -o $(DIST)/loganon-access.cdx.json $(DIST)/requirements.txt

clean:
	rm -rf $(VENV) $(DEMO) build $(DIST) benchmarks/data
