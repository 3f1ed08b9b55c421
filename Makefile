# One virtual environment for everything. `make demo` and `make test` set it up on a fresh clone.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: setup demo test check zoo bench clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	# PyTorch first and by its exact version: a wider range pulls gigabytes of CUDA packages.
	$(BIN)/pip install --quiet --constraint constraints.txt torch==2.13.0
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[cpu,tensorflow,keras-hub,torch,benchmark,openvino,zoo,clients,dev]"
	touch $(STAMP)

demo: setup
	$(BIN)/python -m examples.demo

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: check
	$(BIN)/python -m pytest -n 2 --dist worksteal

# Every declared model type, feature and framework; goes on where it stopped. CLUSTER=tcp://host:8786 for a Dask cluster.
zoo: setup
	$(BIN)/python -m conformance.zoo.run $(if $(CLUSTER),--cluster $(CLUSTER))

# An hour and a half, on a machine that does nothing else.
bench: setup
	$(BIN)/python -m benchmarks.export_memory
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.latency cpu text throughput
	$(BIN)/python -m benchmarks.against_onnxruntime

clean:
	rm -rf $(VENV) .cache demo-output .pytest_cache .mypy_cache .ruff_cache
