# One virtual environment for everything. `make demo` and `make test` set it up on a fresh clone.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
EXTRAS := cpu,tensorflow,transformers,keras-hub,torch,benchmark,openvino,zoo,clients,dev
comma := ,

.PHONY: setup demo check quick test messages figures lock zoo attack fuzz bench clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	# PyTorch first and by its exact version: a wider range pulls gigabytes of CUDA packages.
	$(BIN)/pip install --quiet --constraint constraints.txt torch==2.13.0
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[$(EXTRAS)]"
	touch $(STAMP)

demo: setup
	$(BIN)/python -m examples.demo

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The fast tier: three minutes on two cores. `make test` runs every test.
quick: setup
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow" --durations 10

test: check
	$(BIN)/python -m pytest -n 2 --dist worksteal

# Every message of the exception tree, for reviewers: tests/messages.txt.
messages: setup
	$(BIN)/python -m tests.messages

# The figures of README.md and docs/, from the recorded results.
figures: setup
	$(BIN)/python -m benchmarks.figures

# requirements.lock: the versions of constraints.txt with their hashes. PyTorch is not in it: its builds differ by index.
lock:
	test -x .venv-lock/bin/pip-compile || { $(PYTHON) -m venv .venv-lock && .venv-lock/bin/pip install --quiet pip-tools==7.6.2; }
	CUSTOM_COMPILE_COMMAND="make lock" .venv-lock/bin/pip-compile --quiet --generate-hashes --strip-extras --no-annotate \
		--unsafe-package torch --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options \
		$(foreach extra,$(subst $(comma), ,$(EXTRAS)),--extra $(extra)) --constraint constraints.txt --output-file requirements.lock pyproject.toml

# Every declared model type, feature and framework; goes on where it stopped. CLUSTER=tcp://host:8786 for a Dask cluster.
zoo: setup
	$(BIN)/python -m conformance.zoo.run $(if $(CLUSTER),--cluster $(CLUSTER))

# Hostile inputs and faults: one line per case, and a total. ATTACK="--only hdf5", "--quick", "--failed", "--list", "--record".
attack: setup
	$(BIN)/python -m conformance.attack $(ATTACK)

# New hostile inputs each time; those that a reader fails on are kept in tests/fuzz/corpus. SECONDS=600 for all targets together.
fuzz: setup
	$(BIN)/python -m tests.fuzz --seconds $(or $(SECONDS),600)

# An hour and a half, on a machine that does nothing else.
bench: setup
	$(BIN)/python -m benchmarks.export_memory
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.latency cpu text throughput
	$(BIN)/python -m benchmarks.against_onnxruntime

clean:
	rm -rf $(VENV) .venv-lock .cache demo-output .pytest_cache .mypy_cache .ruff_cache
