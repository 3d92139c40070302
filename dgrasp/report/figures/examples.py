"""The idea without grasps: landscapes of a plane, and pegs that find their hole."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd

from dgrasp.examples import peg_in_hole, plane
from dgrasp.report.figures.draw import letter_panels
from dgrasp.report.outputs import Drawn
from dgrasp.report.studio import Studio

TAUGHT = {"main loss only": 0.0, "main + auxiliary loss": 1.0}  # by weight of the auxiliary loss
NEAR = 0.1  # of the star, in units of the plane: counts as arrived
WALKERS = 200


def landscapes(studio: Studio) -> dict[str, plane.Value]:
    """Two values of the plane, taught by the same demonstrations."""
    seed = studio.experiment.seed
    paths = plane.demonstrations(n=24, seed=seed)
    train = plane.train_value_in_plane
    return studio.once("plane", lambda: {name: train(paths, weight, seed) for name, weight in TAUGHT.items()})


def draw_plane(studio: Studio) -> Drawn:
    """Landscapes, their slopes and 40 walkers each; below, which share of 200 arrives."""
    seed, rows = studio.experiment.seed, []
    figure, axes = plt.subplots(1, 2, figsize=(9.0, 4.4), sharex=True, sharey=True)
    for ax, (name, value) in zip(axes, landscapes(studio).items(), strict=True):
        plane.plot_landscape(ax, value, plane.climb(value, seed), name)
        walked = plane.climb(value, seed, walkers=WALKERS)
        share = ((walked - plane.GOOD_ACTION).norm(dim=-1) < NEAR).float().mean(dim=1)
        ax.set_xlabel(f"{ax.get_xlabel()}\n{share[-1]:.0%} of {WALKERS} walkers arrive at the star")
        rows.append(pd.DataFrame({"losses": name, "step": range(len(share)), "arrived": share.tolist()}))
    letter_panels(axes)
    data = pd.concat(rows)
    ends = data.groupby("losses", sort=False)["arrived"].last()
    facts = {"walkers": WALKERS, "main": f"{ends.iloc[0]:.0%}", "both": f"{ends.iloc[1]:.0%}"}
    return Drawn(figure, data, facts=facts)


def pegs(studio: Studio) -> dict[str, peg_in_hole.Paths]:
    """Paths of 500 pegs on each of two values, best final value first."""
    seed = studio.experiment.seed

    def climb(weight: float) -> peg_in_hole.Paths:
        demos = peg_in_hole.demonstrations(12, seed)
        return peg_in_hole.insert(peg_in_hole.train_insertion_value(demos, weight, seed), seed)

    return studio.once("pegs", lambda: {name: climb(weight) for name, weight in TAUGHT.items()})


def parts_found(studio: Studio) -> dict[str, tuple[float, float]]:
    """Shares of the pegs that end at the hole, and that end turned as in it, by losses."""
    parts = (peg_in_hole.placed, peg_in_hole.turned)
    shares = {name: [float(part(found[-1]).float().mean()) for part in parts] for name, found in pegs(studio).items()}
    return {name: (there, right) for name, (there, right) in shares.items()}


def draw_peg_in_hole(studio: Studio) -> Drawn:
    """Sixty of 500 paths each, from the side, in the order of their starts' draw."""
    figure, axes = plt.subplots(1, 2, figsize=(9.0, 3.7), sharey=True)
    shares = {}
    for ax, (name, found) in zip(axes, pegs(studio).items(), strict=True):
        peg_in_hole.plot_insertion(ax, found[:, :: found.shape[1] // 60], name)
        shares[name] = float(peg_in_hole.inserted(found[-1]).float().mean())
        ax.set_xlabel(f"{ax.get_xlabel()}\n{shares[name]:.0%} of {found.shape[1]} pegs end in the hole")
    letter_panels(axes)
    data = pd.concat([peg_in_hole.insertion_table(found, name) for name, found in pegs(studio).items()])
    main, both = shares.values()
    return Drawn(figure, data, facts={"main": f"{main:.0%}", "both": f"{both:.0%}"})
