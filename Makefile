# Everything from one place: `make help` lists the targets, CONTRIBUTING.md explains the variables.
# Works with GNU make 3.81 and newer; from another folder as `make -C <here>`.

PROFILE ?= smoke
PROFILES := smoke laptop paper beyond panda published
NOTEBOOKS := $(patsubst notebooks/%.py,%,$(sort $(wildcard notebooks/[0-9]*.py)))

# The environment. PYTHON: interpreter to build it with. PIP_ARGS: options for pip, such as another source of packages.
# TORCH_INDEX: where PyTorch's builds without CUDA are. HASHES=1: only files whose digests are in the lock. EXTRAS: see
# pyproject.toml. LOCK=: unlocked, the newest that pyproject.toml allows. ENV=active: no environment of our own, but the
# one that is active (conda, Binder).
PYTHON ?=
PIP_ARGS ?=
TORCH_INDEX ?=
HASHES ?=
EXTRAS := companion,notebooks,dev,browser,export,distributed,robot,site,photos,arms
LOCK := requirements.lock
SCENE_SEED := 11
SEEDS := 0 1 2
ARGS :=
JOBS := auto
QUICK := tests/slopes/test_slopes_losses.py tests/slopes/test_slopes_exact.py tests/slopes/test_slopes_climb.py \
         tests/slopes/test_slopes_guest.py tests/policy tests/claims tests/evaluation/test_statistics.py \
         tests/data/test_captures.py tests/experiment/test_profiles.py \
         $(patsubst %,tests/value/test_value_%.py,queries readout samples bad_input) \
         $(patsubst %,tests/nerf/test_nerf_%.py,field sampling rendering quality) \
         $(patsubst %,tests/report/test_%.py,tables registry findings table_2) \
         $(patsubst %,tests/test_%.py,poses cameras streams cache public_names)
REPLICATION_ARGS := $(ARGS)
VENV := .venv
ENV := own

ifeq ($(filter $(PROFILES) published:% recorded %.yaml %.yml,$(PROFILE)),)
$(error unknown PROFILE '$(PROFILE)'; profiles: $(PROFILES), or the path of a .yaml file)
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

# The command. CI is told all about what fails.
DGRASP := $(RUN) -m dgrasp$(if $(CI), --debug)
EXPERIMENT := --profile '$(PROFILE)'
# Where published results are meant unless a profile is given.
GIVEN := $(if $(filter-out file,$(origin PROFILE)),$(EXPERIMENT))

.PHONY: help env doctor reproduce figures site play-module eval-new-scenes train-seeds ablations publish lab test quick lint bench lock clean distclean
.PHONY: record fresh seeds FORCE

help:  ## show this list
	@echo 'make <target> [PROFILE=$(PROFILE)]   (profiles: $(PROFILES); options of a command: ARGS="...")'
	@sed -n 's/^\([a-z-]*\):.*  ## /  \1|/p' Makefile | awk -F'|' '{ printf "  %-18s %s\n", $$1, $$2 }'

env: $(STAMP)  ## make the environment, or bring it up to date
	@:

doctor:  ## say what of this machine fits what, before or after the environment is made
	@$(if $(or $(wildcard $(RUN)),$(filter active,$(ENV))),$(RUN),$(or $(PYTHON),python3)) -m dgrasp doctor $(ARGS)

reproduce: $(STAMP)  ## run the notebooks that are not up to date; leaves figures and tables under build/<profile>/
	@$(DGRASP) reproduce $(EXPERIMENT) $(ARGS)

test: $(STAMP)  ## run all tests, with the notebooks in smoke among them (JOBS=1 PYTEST_ARGS="-k poses")
	$(RUN) -m pytest --smoke -n $(JOBS) $(PYTEST_ARGS)

quick: lint  ## lint, and unit tests of seconds: no simulator, no notebooks
	$(RUN) -m pytest -n $(JOBS) $(QUICK) $(PYTEST_ARGS)

bench: $(STAMP)  ## measure; writes build/bench.json (ONLY=<name> for one)
	$(RUN) benchmarks/run.py $(if $(ONLY),--only $(ONLY))

play-module: $(STAMP)  ## build the pages' modules from dgrasp/report/play/source (needs ziglang, see the tool)
	$(RUN) tools/play_module.py

figures: $(STAMP)  ## make figures/ again from the published results in figures/runs/
	@$(DGRASP) figures $(GIVEN) $(ARGS)

site: $(STAMP)  ## build the static site in build/site (PROFILE=smoke: of build/smoke; ARGS="--pictures")
	@$(DGRASP) site $(GIVEN) $(ARGS)

publish: $(STAMP)  ## put the finished build of PROFILE in figures/runs/
	@$(DGRASP) publish $(EXPERIMENT) $(ARGS)

eval-new-scenes: $(STAMP)  ## test the published policies on scenes of another seed (SCENE_SEED=11)
	@$(DGRASP) eval-new-scenes --scene-seed $(SCENE_SEED) $(GIVEN) $(REPLICATION_ARGS)

train-seeds: $(STAMP)  ## train the main contrast from three seeds (SEEDS="0 1 2")
	@$(DGRASP) train-seeds --seeds $(SEEDS) $(GIVEN) $(REPLICATION_ARGS)

ablations: $(STAMP)  ## test the paper's explanations and choices, arm by arm (ARGS="--question poses --minutes 60")
	@$(DGRASP) ablations $(EXPERIMENT) $(ARGS)

# Their old names.
record: NEW := publish
fresh: NEW := eval-new-scenes
seeds: NEW := train-seeds
record fresh seeds:
	@echo '`make $@` is called `make $(NEW)` now' >&2
	@$(MAKE) --no-print-directory $(NEW)

lab: $(STAMP)  ## open the notebooks in JupyterLab (LAB_ARGS="--no-browser")
	@$(RUN) -m jupytext --quiet --to ipynb --update $(NOTEBOOKS:%=notebooks/%.py)
	@for name in $(NOTEBOOKS); do touch -r notebooks/$$name.py notebooks/$$name.ipynb; done
	$(RUN) -m jupyterlab $(if $(filter 0,$(shell id -u)),--allow-root) $(LAB_ARGS) --notebook-dir=notebooks

lint: $(STAMP)  ## ruff, mypy, the order of imports, and notebooks that survive the way to .ipynb and back
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(RUN) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'
	$(RUN) -m jupytext --quiet --to ipynb --test $(NOTEBOOKS:%=notebooks/%.py)

lock: $(STAMP)  ## upgrade all packages but torch, and write requirements.lock
	$(RUN) tools/lock.py --upgrade $(PIP_ARGS)

clean:  ## remove what PROFILE built (runs included)
	$(if $(filter $(PROFILES),$(PROFILE)),rm -rf build/$(PROFILE),$(error clean: PROFILE is one of $(PROFILES)))

distclean:  ## remove everything built, and the environment
	rm -rf build $(VENV)

# The stamp says what the environment was made of: the place, the parts, and the content of the files that say which
# packages. Made of something else, it is made again.
# Through the environment, not in quotes: folders may have any name, "O'Neil" among them.
FILES := pyproject.toml $(LOCK) tools/environment.sh
export MADE_OF := $(CURDIR) [$(EXTRAS)] $(LOCK) $(shell cat $(FILES) | cksum)
export PYTHON PIP_ARGS TORCH_INDEX HASHES
ifneq ($(STAMP),)
ifneq ($(shell cat $(STAMP) 2>/dev/null),$(MADE_OF))
$(STAMP): FORCE
endif
$(STAMP):
	@VENV='$(VENV)' EXTRAS='$(EXTRAS)' LOCK='$(LOCK)' sh tools/environment.sh
	@printf '%s\n' "$$MADE_OF" > $@
endif
