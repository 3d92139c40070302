"""Which of the twin's looks costs grasps? The same presentations with one thing of them switched off at a time.

    python benchmarks/twin_looks.py [PROFILE BUILD] [--policies base_quat_sync dgrasp_quat_sync] [--presentations 5]

No hand-eye error; arm and lens keep theirs. Prints one row per policy and setting and writes BUILD/twin_looks.csv;
goes on where it was interrupted. Default: the published experiment.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from dgrasp.data.card import markdown_table
from dgrasp.experiment.chain import Experiment
from dgrasp.sim.render import Light
from dgrasp.twin.reality import TwinConfig
from dgrasp.twin.sweep import SweepConfig, SweepRecipe, read_sweep, sweep

PLAIN = Light()
TEXTURE = {"textured_bench": False}
NOISE = {"read_noise": 0, "shot_noise": 0, "blur": 0}
LIGHT = {
    "light_turn": 0,
    "ambient": (PLAIN.ambient,) * 2,
    "diffuse": (PLAIN.diffuse,) * 2,
    "specular": PLAIN.specular,
    "shadow": PLAIN.shadow,
}
GAINS = {"exposure_stops": 0, "white_balance": 0}
SWITCHED_OFF: dict[str, dict[str, object]] = {
    "nothing": {},
    "texture of the bench": TEXTURE,
    "noise and blur": NOISE,
    "variation of light, shadows": LIGHT,
    "all of these, exposure and white balance": {**TEXTURE, **NOISE, **LIGHT, **GAINS},
}


def compare(experiment: Experiment, policies: list[str], presentations: int) -> pd.DataFrame:
    """Columns `policy`, `switched_off`, `lifted`, `n`."""
    p = experiment.profile
    tuned = {name: experiment.tuned(name) for name in policies}
    sources = {name: experiment.source(name, experiment.optimizer(name)) for name in policies}
    budget = SweepConfig(policies=tuple(policies), millimetres=(0.0,), degrees=(), presentations=presentations)
    rows = []
    for label, changes in SWITCHED_OFF.items():
        twin = TwinConfig.model_validate(p.twin.reality.model_dump() | changes)
        recipe = SweepRecipe(sweep=budget, twin=twin, cell=p.cell, observer=experiment.observer)
        run = sweep(recipe, sources, tuned, experiment.workspace, seed=experiment.seed, workers=p.runtime.workforce)
        lifted = read_sweep(run).groupby("policy", sort=False)["success"].agg(lifted="sum", n="size")
        rows += [{"policy": r.Index, "switched_off": label, "lifted": r.lifted, "n": r.n} for r in lifted.itertuples()]
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("profile", nargs="?", default="published")
    parser.add_argument("build", nargs="?", type=Path, default=Path("build/published"))
    parser.add_argument("--policies", nargs="+", default=["dgrasp_quat_sync", "base_quat_sync"])
    parser.add_argument("--presentations", type=int, default=5, help="of each of the ten objects; default: 5")
    options = parser.parse_args()
    table = compare(Experiment.open(options.profile, options.build), options.policies, options.presentations)
    table.to_csv(options.build / "twin_looks.csv", index=False, lineterminator="\n")
    lifted = table.pivot(index="switched_off", columns="policy", values="lifted")
    print(markdown_table(lifted.loc[list(SWITCHED_OFF), options.policies].reset_index()))


if __name__ == "__main__":
    main()
