"""What supervising slopes costs in training: a step of Psi at the paper's sizes, features cached.

aux_step_ratio: L_main on 512 poses and L_aux on 64, over L_main alone. aux_over_plain: the exact scheme over plain
second-order autograd (`create_graph=True`, `loss.backward()`), 512 poses for each loss. aux_peak_mib: memory of the
exact scheme's step at 512 + 512.
"""

from __future__ import annotations

import sys

import torch
from plain import (
    PlainValue,
    added_peak_mib,
    encoded,
    entry,
    paper_value,
    peak_mib_in_fresh_process,
    seconds,
)

from dgrasp.poses import representation, uniform_poses
from dgrasp.slopes.exact import exact_slope_loss
from dgrasp.slopes.losses import grasp_ranking_loss, slope_loss
from dgrasp.value.config import ValueConfig

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
