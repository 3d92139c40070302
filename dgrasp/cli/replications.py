"""What `eval-new-scenes` and `train-seeds` share: an experiment repeated with one thing changed, and its table."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dgrasp.cli.options import add_experiment, experiment, positive

if TYPE_CHECKING:
    import pandas as pd

    from dgrasp.experiment.chain import Experiment

BUILD = Path("build/replication")


def add_options(parser: argparse.ArgumentParser, repetitions: str) -> None:
    """Options of both commands."""
    add_experiment(parser, build=BUILD)
    parser.add_argument("--repetitions", type=positive, help=f"sets of scenes for each policy ({repetitions})")
    parser.add_argument("--keep", action="store_true", help="the table also goes to figures/replications/")


def opened(options: argparse.Namespace, trains: bool = False) -> Experiment:
    """The experiment; says on stderr if novel objects look otherwise here, which makes them another task.

    trains: whether Psi is trained for it, in one round; raises ValueError, at once, where the profile has two.
    """
    made = experiment(options)
    if trains:
        from dgrasp.experiment.replication import check_one_round

        check_one_round(made)
    from dgrasp.cli.ycb import how_to
    from dgrasp.evaluation.rows import SAME_EVERYWHERE
    from dgrasp.experiment.attempts import read_attempts
    from dgrasp.sim.objects.ycb import ycb_models

    theirs = set(read_attempts(made.evaluation())["models"]) - SAME_EVERYWHERE
    if theirs and theirs != {ycb_models()}:
        print(
            f"novel objects: {', '.join(sorted(theirs))} in the experiment, {ycb_models()} here; their rates do not "
            f"compare ({how_to()})",
            file=sys.stderr,
        )
    return made


def tell(options: argparse.Namespace, made: Experiment, name: str, table: pd.DataFrame, said: str) -> None:
    """Print a replication's table and what it says; write it to the build folder, and beside the results if asked."""
    from dgrasp.experiment.replication import keep
    from dgrasp.files import write_text

    target = options.build / f"replication-{name}.csv"
    write_text(target, table.to_csv(index=False, lineterminator="\n"))
    print(table.round(3).to_string(index=False), said, f"written: {target}", sep="\n")
    if options.keep:
        print(f"kept: {keep(table, said, made, name)}")
