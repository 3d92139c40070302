"""What supervising slopes costs in training: a step of Psi at the paper's sizes, features cached.

aux_step_ratio: L_main on 512 poses and L_aux on 64, over L_main alone. aux_over_plain: the exact scheme over plain
second-order autograd (`create_graph=True`, `loss.backward()`), 512 poses for each loss. aux_peak_mib: memory of the
exact scheme's step at 512 + 512. `Passes` are steps of the profile `laptop`, for `bench_experiment.py`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import numpy
import torch
from plain import (
    CENTRE,
    PlainValue,
    added_peak_mib,
    encoded,
    entry,
    paper_value,
    peak_mib_in_fresh_process,
    seconds,
)

from dgrasp.cameras import Intrinsics, Views, view_from_sphere
from dgrasp.data.demonstrations import Demonstration
from dgrasp.experiment.profiles import Profile, load_profile
from dgrasp.nerf.encoded import EncodedViews
from dgrasp.nerf.model import build_nerf
from dgrasp.poses import representation, uniform_poses
from dgrasp.sim.scene import Scene
from dgrasp.slopes.exact import exact_slope_loss
from dgrasp.slopes.losses import grasp_ranking_loss, slope_loss
from dgrasp.value.config import ValueConfig
from dgrasp.value.models import ValueRecipe
from dgrasp.value.observations import Observations
from dgrasp.value.trainer import Trainer
from dgrasp.value.training import build_value

REP = representation("quat")
MAIN, AUX = 512, 64
REPEATS = 3


class Steps:
    """Forward and backward of one observation, gradients in the readout's weights."""

    def __init__(self) -> None:
        self.value = paper_value()
        self.enc = encoded(self.value, 1)
        self.plain = PlainValue(self.value, self.enc)
        generator = torch.Generator().manual_seed(0)
        self.T = uniform_poses(MAIN, *ValueConfig().bounds, generator)
        self.poses, self.targets = (
            REP.from_matrix(uniform_poses(MAIN, *ValueConfig().bounds, generator)) for _ in range(2)
        )

    def main(self) -> None:
        self._clear()
        self._main_loss().backward()

    def main_and_aux(self, n: int = AUX) -> None:
        """L_main on 512 poses, L_aux on n, by the exact scheme."""
        self._clear()
        aux = exact_slope_loss(self._features, self.value.readout, self.poses[:n], self.targets[:n], REP)
        (self._main_loss() + aux).backward()

    def main_and_aux_plain(self) -> None:
        """The same by ordinary second-order autograd."""
        self._clear()
        main = grasp_ranking_loss(self.plain.logits(self.T, 1)[None])
        (main + slope_loss(self.plain, self.poses, self.targets, REP)).backward()

    def _main_loss(self) -> torch.Tensor:
        with torch.no_grad():
            a = self.value.activations(self.enc, self.T[None])
        return grasp_ranking_loss(self.value.readout(a))

    def _features(self, T: torch.Tensor) -> torch.Tensor:
        return self.value.activations(self.enc, T[None])[0]

    def _clear(self) -> None:
        self.value.readout.zero_grad(set_to_none=True)


class Passes:
    """Training steps of the profile `laptop`: a block of one batch, so that its encodings are shared out to its steps.

    Readouts are fresh, and have yet to learn which poses to leave out of backward: the shared part counts for less.
    """

    MODELS = ("base", "dgrasp_quat", "dgrasp_6d")

    def __init__(self) -> None:
        self.profile = load_profile("laptop")
        negatives = self.profile.value.negatives.model_copy(update={"blocked_share": 0.0})  # which need a simulator
        given = {"negatives": negatives, "block": self.profile.value.batch, "cache_gib": 8.0}
        self.config = self.profile.value.model_copy(update=given)
        self.demonstrations = [made_up(i, self.profile) for i in range(self.config.batch)]
        self.phi = build_nerf(self.profile.nerf).with_precision("fp32")
        self.encoding = 0.0  # processor seconds

    def one_pass(self) -> None:
        """All models side by side."""
        self._train(self.MODELS)

    def separate(self) -> None:
        """One after the other, each encoding for itself."""
        for model in self.MODELS:
            self._train([model])

    def _train(self, models: Sequence[str]) -> None:
        values = [build_value(self.config, self.phi) for _ in models]
        encode = values[0].encode

        def timed(views: Views) -> EncodedViews:
            start = time.process_time()
            enc = encode(views)
            self.encoding += time.process_time() - start
            return enc

        values[0].encode = timed  # type: ignore[method-assign]
        observations = Observations(self.demonstrations, values[0], self.config.cache_gib, self.config.maps)
        recipes = [ValueRecipe(model=model, value=self.config) for model in models]
        trainer = Trainer(recipes, values, observations, seed=0)
        for step in range(self.config.reuse):
            trainer.step(step)


def made_up(i: int, profile: Profile) -> Demonstration:
    """Random images from cameras of the profile's size, and a trajectory of random poses."""
    random = numpy.random.default_rng(i)
    n, width, height = profile.data.policy_views, profile.data.width, profile.data.height
    images = random.integers(0, 256, (n, height, width, 3), dtype=numpy.uint8)
    K = numpy.stack([Intrinsics.d415(width, height).matrix] * n)
    Ts = numpy.stack([view_from_sphere(CENTRE, 0.8, azimuth, 0.7).numpy() for azimuth in numpy.linspace(-1, 1, n)])
    trajectory = uniform_poses(12, *profile.value.bounds, torch.Generator().manual_seed(i)).double().numpy()
    return Demonstration(i, 0, Views(images, K, Ts), trajectory[-1], trajectory, "made up", "success", Scene(()))


def benchmarks() -> dict[str, dict[str, object]]:
    steps = Steps()
    main, both = seconds(steps.main, REPEATS), seconds(steps.main_and_aux, REPEATS)
    exact, plain = seconds(lambda: steps.main_and_aux(MAIN), REPEATS), seconds(steps.main_and_aux_plain, REPEATS)
    return {
        "aux_step_ratio": entry(both / main, "x", REPEATS),
        "aux_over_plain": entry(exact / plain, "x", REPEATS),
        "aux_peak_mib": entry(peak_mib_in_fresh_process(__file__, "peak"), "MiB", 1),
    }


def peak() -> float:
    """MiB that the largest step of ours needs on top of models and features."""
    steps = Steps()
    return added_peak_mib(lambda: steps.main_and_aux(MAIN))


if __name__ == "__main__":
    if sys.argv[1:2] == ["peak"]:
        print(peak())
    else:
        for name, row in benchmarks().items():
            print(name, row)
