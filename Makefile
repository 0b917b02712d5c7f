PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LARGE := $(VENV)/.large
DEMO := demo
DIST := dist

.PHONY: demo test bench bench-peers bench-growth bench-kernel soak footprint bench-startup scale equality campaign bench-spark large docs lock build sbom deb clean

# Set-up: the locked dependencies with their hashes, and the project itself in place.
$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "loganon needs Python 3.11 or later")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# Parts that only some tests need, and that are too large for every set-up (about 1 GB): PySpark and chdb.
$(LARGE): requirements-large.lock $(READY)
	$(BIN)/python -m pip install --quiet --no-compile --require-hashes -r requirements-large.lock
	touch $@

large: $(LARGE)

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

# The jobs of loganon on generated logs, timed in turn: lines/s, MB/s, peak memory, ratios.
bench: $(READY)
	$(BIN)/python benchmarks/run.py

# The same beside DuckDB, sed, anonip and GoAccess; writes benchmarks/RESULTS.md. About half an hour.
bench-peers: $(READY)
	$(BIN)/python benchmarks/run.py --peers --rounds 5

# Time and memory from 1 M to 50 M lines; writes benchmarks/growth.svg. Needs 20 GB of disk.
bench-growth: $(READY)
	$(BIN)/python benchmarks/growth.py

# What a compiled kernel in the parser's place would bring to `run` and `filter`. A quarter of an hour; needs `cc`.
bench-kernel: $(READY)
	$(BIN)/python benchmarks/kernel.py

# The Spark job on one and on two executors; writes docs/spark-figures.md. A few minutes.
bench-spark: $(LARGE)
	$(BIN)/python benchmarks/spark.py

# `follow` under load and rotation for ten minutes: each line once, memory and open files flat.
soak: $(READY)
	$(BIN)/python benchmarks/soak.py --minutes $(or $(MINUTES),10) --rate $(or $(RATE),1000)

# Memory and processor time of `follow`, size of the installation; writes docs/footprint.md. About 25 minutes.
footprint: $(READY)
	$(BIN)/python benchmarks/footprint.py --minutes $(or $(MINUTES),10)

# Time until the command begins, and of a run with nothing to do; writes docs/startup.md. Two minutes.
bench-startup: $(READY)
	$(BIN)/python benchmarks/startup.py

# Processor time and table size by line, of each way; writes the generated part of docs/scale.md. Half an hour.
scale: $(READY)
	$(BIN)/python benchmarks/scale.py --lines $(or $(COUNT),2000000) --rounds $(or $(ROUNDS),3)

# The same lines through each way of use: are the tables equal? The figure is in docs/scale.md.
equality: $(READY)
	$(BIN)/python benchmarks/equality.py --lines $(or $(COUNT),500000)

# Faults at large counts; the figures go into docs/reliability.md. LEVEL: quick, ci or large; SUITES: "kill=10000 clock".
campaign: $(READY)
	$(BIN)/python tests/faults/campaign.py --level $(or $(LEVEL),large) $(SUITES)

# The generated parts of the documentation.
docs: $(READY)
	$(BIN)/python docs/generate.py

# Renew the locked dependencies from pyproject.toml.
lock: $(READY)
	$(BIN)/uv pip compile --upgrade --universal --generate-hashes --extra dev --extra s3 --extra report --no-emit-index-url --no-header -q -o requirements.lock pyproject.toml
	$(BIN)/uv pip compile --upgrade --universal --generate-hashes --extra spark --group readers -c requirements.lock --no-emit-index-url --no-header -q -o requirements-large.lock pyproject.toml

# Wheel, source archive and bill of materials of a release.
build: $(READY) sbom
	$(BIN)/python -m build --outdir $(DIST)

# What a release depends on, at the locked versions (CycloneDX, JSON).
sbom: $(READY)
	@mkdir -p $(DIST)
	$(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header -q -c requirements.lock -o $(DIST)/requirements.txt pyproject.toml
	PYTHONWARNINGS=ignore $(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --validate -o $(DIST)/loganon-access.cdx.json $(DIST)/requirements.txt

# A Debian package of this tree, for /usr/bin/python3 of this machine.
deb: $(READY)
	packaging/deb/build.sh $(BIN)/python $(DIST)

clean:
	rm -rf $(VENV) $(DEMO) build $(DIST) benchmarks/data
