# The recipes of the project; each sets up what it needs. Needs Python >= 3.10, gcc and make.
#
#   make demo            quantize the examples, flash three virtual boards, run, report
#   make test            the whole test suite
#   make check           format, lint, types, import layers, C format
#   make agreement       the nightly comparison of simulator and C engine (SEED=, EXECUTIONS=)
#   make peer            our exports against esp-ppq's; makes its environment (PEER_VENV=, PEER_ARGS=)
#   make peer-page       write docs/peer-differences.md again, from the table of differences
#   make fuzz            fuzzing of the board's side, counted (SEED=, FUZZ_EXECUTIONS=)
#   make coverage        lines and branches of the firmware that the fuzzing corpus reaches (clang)
#   make corpus          write the seeds of the fuzzing corpus again
#   make wire-agreement  ESP-DL's integers through the wire, on both kinds of virtual boards
#   make localise        one wrong bit in any node, found by the check (SEED=, TRIALS=)
#   make cycles          a day of operation with faults, compressed (SEED=, CYCLES=)
#   make digest-overhead what digests cost on the board's side (FILES=)
#   make support         write docs/support.md again, from what golden data and random models show
#   make errata          write docs/errata.md again, from the catalogue that the tests hold
#   make firmware        the runner for a chip, with ESP-IDF: TARGET=esp32s3, FLASH=8MB, VARIANT=usb_cdc
#   make firmware-host   the host builds of the firmware, with and without sanitizers (needs g++)
#   make wheel           build the wheel, install it elsewhere, run a model without this checkout
#   make format          format everything, and mend what the linter can
#   make venv            only the virtual environment with everything for development
#   make clean           forget builds and the demo; keeps the virtual environment
#
# VENV= puts the virtual environment elsewhere, PYTHON= makes it with another Python; WORKERS= says how
# many processes run the tests, PYTEST_ARGS= goes to pytest.

VENV ?= .venv
PYTHON ?= python3
PYTEST_ARGS ?=
WORKERS ?= auto
SEED ?= 1
FUZZ_EXECUTIONS ?= 10000000
TRIALS ?= 300
CYCLES ?= 10000
EXECUTIONS ?= 200000

BUILD := build
PEER_VENV ?= $(BUILD)/peer-venv
PEER_ARGS ?=
DEMO := $(BUILD)/demo
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DELETE_ON_ERROR:
.PHONY: fuzz coverage corpus wire-agreement localise cycles digest-overhead
.PHONY: help demo test check agreement peer peer-page support errata firmware firmware-host wheel venv format clean

help:
	@sed -n 's/^#   //p' Makefile

# --- Environment --------------------------------------------------------------------------------
# One stamp per set of extras; the larger one serves for the smaller one too.

define install
	@$(PYTHON) tools/bootstrap.py $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[$(1)]'
	@touch $@
endef

$(VENV)/.quantize: pyproject.toml constraints.txt tools/bootstrap.py
	$(call install,quantize)

$(VENV)/.torch: $(VENV)/.dev
	$(call install,torch)

$(VENV)/.dev: pyproject.toml constraints.txt tools/bootstrap.py
	$(call install,dev)
	@touch $(VENV)/.quantize

venv: $(VENV)/.dev

# --- Recipes ------------------------------------------------------------------------------------
# Everything the demo keeps between two runs (flash images of the virtual boards, quantized models)
# lies in its folder, so that the second run shows what is not done again.

demo: $(VENV)/.quantize
	@mkdir -p $(DEMO)
	ESPDL_HIL_BOARDS= ESPDL_HIL_CACHE=$(DEMO)/cache ESPDL_HIL_STATE=$(DEMO)/state $(BIN)/python -m pytest -v \
	    examples/demo.hil.yaml --board virtual \
	    --hil-report $(DEMO) --junitxml $(DEMO)/junit.xml

# One thread each: there are as many processes as cores already.
test: $(VENV)/.dev
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) $(PYTEST_ARGS)

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	find firmware -regex '.*\.[ch]\(pp\)?' -print0 | xargs -0 $(BIN)/clang-format --dry-run --Werror

agreement: $(VENV)/.dev
	$(BIN)/python -m tests.agreement.twins --seed $(SEED) --executions $(EXECUTIONS)

peer: $(VENV)/.torch
	$(BIN)/python -m tests.peer.environment $(PEER_VENV)
	$(BIN)/python -m tests.peer --python $(PEER_VENV)/bin/python --folder $(BUILD)/peer $(PEER_ARGS)

peer-page: $(VENV)/.dev
	$(BIN)/python -m tests.peer.page

# Long runs; the test suite has a slice of each (tests/endurance).

fuzz: $(VENV)/.dev
	$(BIN)/python -m tests.endurance.fuzz --seed $(SEED) --executions $(FUZZ_EXECUTIONS)

coverage: $(VENV)/.dev
	$(BIN)/python -m tests.endurance.fuzz --coverage

corpus: $(VENV)/.dev
	$(BIN)/python -m tests.endurance.corpus

wire-agreement: $(VENV)/.dev
	$(BIN)/python -m tests.endurance.wire_agreement

localise: $(VENV)/.dev
	$(BIN)/python -m tests.endurance.localise --seed $(SEED) --trials $(TRIALS)

cycles: $(VENV)/.dev
	$(BIN)/python -m tests.endurance.cycles --seed $(SEED) --cycles $(CYCLES)

digest-overhead: $(VENV)/.dev
	$(BIN)/python benchmarks/digest_overhead.py $(FILES)

support: $(VENV)/.dev
	$(BIN)/python -m tools.support_table

errata: $(VENV)/.dev
	$(BIN)/python -m tests.errata.catalogue > docs/errata.md

# Runs in ESP-IDF's environment (its export script), and needs nothing of ours.
firmware:
	@test -n "$(TARGET)" || { echo "which chip? make firmware TARGET=esp32s3" >&2; exit 2; }
	$(PYTHON) tools/firmware_bundle.py --target $(TARGET) $(if $(FLASH),--flash $(FLASH)) \
		$(if $(VARIANT),--variant $(VARIANT)) $(if $(ZIP),--zip)

firmware-host:
	$(MAKE) -C firmware OUT=$(CURDIR)/$(BUILD)/host

wheel: $(VENV)/.dev
	$(BIN)/python -m tests.virtual.test_wheel

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	find firmware -regex '.*\.[ch]\(pp\)?' -print0 | xargs -0 $(BIN)/clang-format -i

clean:
	rm -rf $(BUILD)
