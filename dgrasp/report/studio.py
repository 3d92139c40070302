"""Draws the registered figures and tables of one experiment, one by one; what several of them need is computed once.

    Studio(Experiment.open("published", "build/published")).make("fig04")

Notebooks, `dgrasp figures --only fig04` and the tests make them this way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TypeVar

import matplotlib.pyplot as plt

from dgrasp.data.demonstrations import DemonstrationSet
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.choices import training_set
from dgrasp.experiment.profiles import PUBLISHABLE
from dgrasp.nerf.model import MVNeRF
from dgrasp.report.names import seeds_label, training_label
from dgrasp.report.outputs import Drawn, save_output, use_style
from dgrasp.report.registry import output
from dgrasp.value.function import GraspValue

Found = TypeVar("Found")
HOMES = {
    "peg_in_hole": "examples", "plane": "examples", "learning": "learning", "fig03": "observations",
    "rays": "probes", "fig02": "losses", "cosines": "losses", "climb": "animation", "fig01": "optimization",
    "fig04": "optimization", "fig05": "optimization", "fig06": "optimization", "convergence": "optimization",
    "tab01": "results", "rates": "results", "by_object": "results", "tab02": "twin", "fig07": "twin",
    "calibration": "twin", "ablation_rates": "ablations", "ablations": "ablations",
    "ablation_differences": "ablations", "closed_loop_rates": "closed_loop", "closed_loop": "closed_loop",
    "closed_loop_paths": "closed_loop", "closed_loop_motion": "loop_film",
    "growth": "growth", "growth_costs": "growth",
}  # fmt: skip


@dataclass(frozen=True)
class Size:
    """How much is drawn. candidates: scenes, of which one is shown. starts: that climb. shown: of them, drawn.

    scenes: of a mean. width: of pictures, pixels. finer: pixels rendered for each that is shown, along each side.
    """

    candidates: int
    starts: int
    shown: int
    scenes: int
    width: int
    finer: int


SMALL = Size(candidates=1, starts=48, shown=24, scenes=2, width=360, finer=1)  # profiles for trying out


class Studio:
    """Of one experiment. Raises what its stages raise where one is not there."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self._kept: dict[str, object] = {}
        use_style()

    @property
    def size(self) -> Size:
        profile = self.experiment.profile
        if profile.name not in PUBLISHABLE:
            return SMALL
        return Size(candidates=10, starts=profile.optimizer.n_starts, shown=48, scenes=8, width=720, finer=3)

    @property
    def held_out(self) -> DemonstrationSet:
        """Demonstrations that no model was trained on."""
        return self.once("held out", lambda: DemonstrationSet(self.experiment.example_scenes(), split="validation"))

    @property
    def values(self) -> dict[str, GraspValue]:
        """All trained models, ready to score."""
        return self.once(
            "values", lambda: {name: self.experiment.load_value(name) for name in self.experiment.values()}
        )

    @property
    def phi(self) -> MVNeRF:
        """The frozen Phi."""
        return self.once("phi", self.experiment.load_nerf)

    def once(self, name: str, make: Callable[[], Found]) -> Found:
        """What `make` returns, kept for whoever asks again."""
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]  # type: ignore[return-value]

    def draw(self, id: str, **options: object) -> Drawn:
        """An output as figure and data, not saved; raises KeyError for an unknown one."""
        output(id)
        module = import_module(f"dgrasp.report.figures.{HOMES[id]}")
        drawn: Drawn = getattr(module, f"draw_{id}")(self, **options)
        return replace(drawn, facts={**self._common_facts(), **drawn.facts})

    def _common_facts(self) -> dict[str, object]:
        """What any caption may say: the seed, and which networks are shown."""
        seed = self.experiment.seed
        return {"seed": seed, "networks": self.networks([seed])}

    def networks(self, seeds: Iterable[int]) -> str:
        """As captions name the networks of training seeds."""
        return f"trained on {training_label(training_set(self.experiment.profile))}, {seeds_label(seeds)}"

    def make(self, id: str, **options: object) -> None:
        """Draw an output and save it among the experiment's figures. A notebook shows it with its caption."""
        from dgrasp.report.shown import show_output

        drawn = self.draw(id, **options)
        profile = self.experiment.profile.name
        save_output(id, drawn, self.experiment.figures, profile=profile, seed=self.experiment.seed)
        show_output(id, drawn, self.experiment.figures)
        if drawn.figure is not None:
            plt.close(drawn.figure)
