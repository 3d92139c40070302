# Everything from one place: `make help` lists the targets, CONTRIBUTING.md explains the variables.
# Works with GNU make 3.81 and newer; from another folder as `make -C <here>`.

PROFILE ?= smoke
PROFILES := smoke laptop paper recorded
NOTEBOOKS := 00_start_here 01_data_generation 02_nerf_transfer 03_training 04_pose_optimization \
             05_simulated_grasping 06_real_robot_trials

# The environment. PYTHON: interpreter to build it with. PIP_ARGS: options for pip, such as another source of packages.
# TORCH_INDEX: where PyTorch's builds without CUDA are. HASHES=1: only files whose digests are in the lock. EXTRAS: see
# pyproject.toml. LOCK=: unlocked, the newest that pyproject.toml allows. ENV=active: no environment of our own, but the
# one that is active (conda, Binder).
PYTHON ?=
PIP_ARGS ?=
TORCH_INDEX ?=
HASHES ?=
EXTRAS := companion,notebooks,dev,export,distributed,robot
LOCK := requirements.lock
SCENE_SEED := 11
SEEDS := 0 1 2
REPLICATION_ARGS :=
VENV := .venv
ENV := own

ifeq ($(filter $(PROFILE),$(PROFILES)),)
$(error unknown PROFILE '$(PROFILE)'; profiles: $(PROFILES))
endif
ifeq ($(wildcard dgrasp/__init__.py),)
$(error not in the repository; use `make -C <folder of this Makefile>`)
endif

ifeq ($(ENV),active)
RUN := python
STAMP :=
else
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed
endif

# Settings of other Python worlds (ROS, user site) must not leak in. Tests read which lock was asked for.
unexport PYTHONPATH PYTHONHOME
export PYTHONNOUSERSITE := 1
export DGRASP_LOCK := $(LOCK)

BUILD := build/$(PROFILE)
BUILT := $(NOTEBOOKS:%=$(BUILD)/notebooks/%.ipynb)
PACKAGE := $(shell find dgrasp -type f '(' -name '*.py' -o -name '*.yaml' -o -name '*.json' -o -name '*.mplstyle' ')')

.PHONY: help env reproduce test bench figures record fresh seeds lab lint lock clean distclean FORCE

help:  ## show this list
	@echo 'make <target> [PROFILE=$(PROFILE)]   (profiles: $(PROFILES))'
	@sed -n 's/^\([a-z]*\):.*  ## /  \1|/p' Makefile | awk -F'|' '{ printf "  %-12s %s\n", $$1, $$2 }'

env: $(STAMP)  ## make the environment, or bring it up to date
	@:

reproduce: $(BUILT)  ## run every notebook in order; leaves figures and tables under build/<profile>/
	@echo '$(BUILD) is up to date: notebooks/, figures/'

test: $(STAMP)  ## run the notebooks in smoke, then all tests (PYTEST_ARGS="-k poses")
	@$(MAKE) --no-print-directory reproduce PROFILE=smoke
	$(RUN) -m pytest $(PYTEST_ARGS)

bench: $(STAMP)  ## measure; writes build/bench.json (ONLY=<name> for one)
	$(RUN) benchmarks/run.py $(if $(ONLY),--only $(ONLY))

figures: $(STAMP)  ## make figures/ again from the runs on record in figures/runs/
	@$(MAKE) --no-print-directory reproduce PROFILE=recorded
	$(RUN) -m dgrasp.report figures --build build/recorded

record: $(STAMP)  ## put the finished build of PROFILE on record in figures/runs/
	$(RUN) -m dgrasp.records save --profile $(PROFILE) --build $(BUILD)

fresh: $(STAMP)  ## test the recorded policies on scenes of another seed (SCENE_SEED=11)
	$(RUN) -m dgrasp.replication scenes --scene-seed $(SCENE_SEED) $(REPLICATION_ARGS)

seeds: $(STAMP)  ## train the main contrast from three seeds (SEEDS="0 1 2")
	$(RUN) -m dgrasp.replication seeds --seeds $(SEEDS) $(REPLICATION_ARGS)

lab: $(STAMP)  ## open the notebooks in JupyterLab (LAB_ARGS="--no-browser")
	@# not --sync, which would touch the sources and so make every built notebook stale
	@$(RUN) -m jupytext --quiet --to ipynb --update $(NOTEBOOKS:%=notebooks/%.py)
	@for name in $(NOTEBOOKS); do touch -r notebooks/$$name.py notebooks/$$name.ipynb; done
	$(RUN) -m jupyterlab $(if $(filter 0,$(shell id -u)),--allow-root) $(LAB_ARGS) --notebook-dir=notebooks

lint: $(STAMP)  ## ruff, mypy, and notebooks that survive the way to .ipynb and back
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(RUN) -m jupytext --quiet --to ipynb --test $(NOTEBOOKS:%=notebooks/%.py)

lock: $(STAMP)  ## upgrade all packages but torch, and write requirements.lock
	$(RUN) tools/lock.py --upgrade $(PIP_ARGS)

clean:  ## remove what PROFILE built (runs included)
	rm -rf $(BUILD)

distclean:  ## remove everything built, and the environment
	rm -rf build $(VENV)

# --- what depends on what -------------------------------------------------------------------------------------------

# Each notebook needs its source, the package, the locked versions and the notebook before it: the chain holds with -j.
# Notebooks of the record are made again when another experiment is put on record.
RECORD := $(if $(filter recorded,$(PROFILE)),$(wildcard figures/runs/profile.json))
previous :=
define notebook
$(BUILD)/notebooks/$(1).ipynb: notebooks/$(1).py $(previous) $(PACKAGE) $(LOCK) $(RECORD) | $(STAMP)
	@$$(RUN) -m dgrasp.notebooks run $$< $$@ --profile $$(PROFILE)
previous := $(BUILD)/notebooks/$(1).ipynb
endef
$(foreach name,$(NOTEBOOKS),$(eval $(call notebook,$(name))))

# The stamp says what the environment was made of; made of something else, it is made again.
# Through the environment, not in quotes: folders may have any name, "O'Neil" among them.
export MADE_OF := $(CURDIR) [$(EXTRAS)] $(LOCK)
export PYTHON PIP_ARGS TORCH_INDEX HASHES
ifneq ($(STAMP),)
ifneq ($(shell cat $(STAMP) 2>/dev/null),$(MADE_OF))
$(STAMP): FORCE
endif
$(STAMP): pyproject.toml $(LOCK) tools/environment.sh
	@VENV='$(VENV)' EXTRAS='$(EXTRAS)' LOCK='$(LOCK)' sh tools/environment.sh
	@printf '%s\n' "$$MADE_OF" > $@
endif
