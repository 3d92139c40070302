"""The landscape while it is learned: what is shown is one training of each kind, and the caption says when it works."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from dgrasp.examples import plane
from dgrasp.report.figures import learning
from dgrasp.report.figures.learning import SHOWN, draw_learning, when


def test_the_last_value_in_training_is_the_trained_one():
    paths, p = plane.demonstrations(4, seed=1), torch.rand(5, 2)
    scores = [value(p).detach().clone() for value in plane.values_in_training(paths, 1.0, seed=1, steps=3)]
    assert len(scores) == 4 and not torch.equal(scores[0], scores[1])
    torch.testing.assert_close(plane.train_value_in_plane(paths, 1.0, seed=1, steps=3)(p), scores[-1], rtol=0, atol=0)
    first = next(plane.values_in_training(paths, 0.0, seed=1))(p)
    torch.testing.assert_close(first, scores[0], rtol=0, atol=0)  # the same initial weights for both losses


def test_the_steps_shown_begin_and_end_with_the_training():
    assert SHOWN[0] == 0 and SHOWN[-1] == plane.STEPS and set(np.diff(SHOWN)) == {20}, "as the caption says"
    assert set(learning.STILLS) <= set(SHOWN)


@pytest.fixture(scope="module")
def drawn():
    """A training of three steps, of which two are shown."""
    kept = {}

    def once(name, make):
        return kept.setdefault(name, make() if name not in kept else None)

    studio = SimpleNamespace(experiment=SimpleNamespace(seed=0), size=SimpleNamespace(finer=1), once=once)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learning.plane, "STEPS", 3)
        patch.setattr(learning, "SHOWN", (0, 1, 1, 1, 1, 3))
        patch.setattr(learning, "STILLS", (0, 3))
        patch.setattr(learning, "WALKERS", 6)
        yield draw_learning(studio)


def test_both_trainings_are_shown_side_by_side_after_the_same_steps(drawn):
    assert drawn.data["losses"].unique().tolist() == list(learning.TAUGHT)
    assert drawn.data.groupby("losses")["step"].apply(list).tolist() == [[0, 3]] * 2
    assert len(drawn.frames) == len(drawn.milliseconds) == 2 and drawn.frames[0].size == drawn.frames[1].size
    panels = [ax.get_title("left") or ax.get_title() for ax in drawn.figure.axes]
    assert panels == ["(a) step 0", "(b) step 3", "(c) step 0", "(d) step 3"]
    assert [ax.get_ylabel() for ax in drawn.figure.axes[::2]] == list(learning.TAUGHT)
    assert all("of 6 walkers arrive" in ax.get_xlabel() for ax in drawn.figure.axes)


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ([0.1, 0.6, 0.4, 0.5, 0.9], "from step 3 on"),
        ([0.5] * 5, "from step 0 on"),
        ([0.9, 0.9, 0.9, 0.9, 0.4], "never"),
    ],
)
def test_half_of_the_walkers_arrive_from_a_step_on(shares, said):
    table = pd.DataFrame({"losses": "both", "step": range(5), "arrived": shares})
    assert when(pd.concat([table, table.assign(losses="other", arrived=0.0)]), "both") == said
