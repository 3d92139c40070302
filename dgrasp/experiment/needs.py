"""What the profile `paper` needs of a GPU, estimated: it has never run, and one real step of each stage has, on a CPU.

Memory and operations of the steps are measured (`benchmarks/walk_paper.py`, `walked_paper.json`); what a GPU makes of
them is assumed: `Card`. Numbers of steps, trials and attempts are the profile's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from dgrasp.experiment.profiles import Profile

WALKED = "walked_paper.json"
GIB, MIB = 2**30, 2**20
TRAININGS = ("Phi", "Psi")
ASSUMED = (
    "assumed: a quarter of 26.7 TFLOP/s in float32 (the peak of a card with 20 GB), 0.6 GiB of CUDA and a fifth more "
    "than is in use in each process, a plan's chunk at once, all workers on one card, as many processors as workers"
)


@dataclass(frozen=True)
class Card:
    """What is assumed of a GPU. flops: floating-point operations a second that steps like ours reach; bytes."""

    memory: float = 20e9
    flops: float = 0.25 * 26.7e12  # of an RTX 4000 Ada in float32; small matrices and gathers reach a part of it
    context: float = 0.6 * GIB  # CUDA's own, in each process
    slack: float = 1.2  # what torch's allocator takes over what is in use


@dataclass(frozen=True)
class Need:
    """Of one stage: bytes on the card, and hours; `hours` of the card, `simulation` of the processors beside it."""

    stage: str
    memory: float
    hours: float
    simulation: float = 0.0


def walked() -> dict[str, Any]:
    """What was measured: `pieces` (cpu_seconds, resident_mib, peak_mib, flop), and `made_by`."""
    stated: dict[str, Any] = json.loads(files("dgrasp.experiment").joinpath(WALKED).read_text(encoding="utf-8"))
    return stated


def needs(profile: Profile, pieces: Mapping[str, Mapping[str, float]], card: Card = Card()) -> list[Need]:
    """What each stage needs; `profile` with the sizes of `paper`, whose pieces were walked."""
    workers, attempts = profile.runtime.workers, planned(profile)
    plan = profile.optimizer.steps * pieces["plans"]["flop"] + profile.evaluation.views * pieces["encoding"]["flop"]
    scene = profile.data.objects_per_scene * pieces["demonstrations"]["cpu_seconds"]
    scenes = profile.data.train_scenes + profile.data.validation_scenes
    at_once = workers * (_process(pieces["plans"], card) + card.slack * _chunk(profile))
    steps = {"Phi": profile.nerf.training.steps, "Psi": profile.value.steps}
    memory = {"Phi": _process(pieces["Phi"], card), "Psi": _process(pieces["Psi"], card) + caches(profile)}
    trained = [Need(n, memory[n], pieces[n]["flop"] * steps[n] / card.flops / 3600) for n in TRAININGS]
    physics = pieces["attempts"]["cpu_seconds"] / workers / 3600
    return [
        Need("demonstrations", 0.0, 0.0, scenes * scene / workers / 3600),
        *trained,
        *(Need(name, at_once, n * plan / card.flops / 3600, n * physics) for name, n in attempts.items()),
    ]


def caches(profile: Profile) -> float:
    """Bytes of encoded views that Psi's training keeps, at most: of the training, and of the validation."""
    data, value = profile.data, profile.value
    budget, held = value.cache_gib * GIB, _maps(profile, data.policy_views)
    trained = data.train_scenes * data.objects_per_scene
    return min(budget, trained * held) + min(budget, value.validation_scenes * held)


def _maps(profile: Profile, views: int) -> float:
    """Bytes of encoded views as they are kept: a map at half resolution for the fine network, and the image."""
    pixels, half = profile.data.width * profile.data.height, profile.value.maps == "fp16"
    return views * (2 if half else 4) * (pixels / 4 * profile.nerf.field.hidden + 3 * pixels)


def _chunk(profile: Profile) -> float:
    """Bytes of the activations of one chunk of a plan, all layers' at once; the processor's path has small blocks."""
    field, rows = profile.nerf.field, profile.optimizer.chunk * profile.value.queries.n_queries
    layers = 2 * (field.blocks_per_view + field.blocks_shared) + 4
    return 4.0 * rows * profile.evaluation.views * field.hidden * layers


def _process(piece: Mapping[str, float], card: Card) -> float:
    return card.context + MIB * (piece["resident_mib"] + card.slack * piece["peak_mib"])


def planned(profile: Profile) -> dict[str, int]:
    """How many plans are made and executed, stage by stage."""
    evaluation, validation, tuning, twin = profile.evaluation, profile.validation, profile.tuning, profile.twin
    policies, errors = len(evaluation.policies), len(twin.sweep.millimetres) + len(twin.sweep.degrees)
    study = tuning.trials * validation.scenes * validation.attempts * len(validation.tasks)
    table = evaluation.repetitions * sum(budget.scenes * budget.attempts for budget in evaluation.tasks.values())
    presented = len(twin.trials.objects) * twin.trials.presentations
    swept = errors * len(twin.sweep.objects) * twin.sweep.presentations * len(twin.sweep.policies)
    return {"studies": policies * study, "attempts": policies * table, "twin": policies * presented + swept}
