"""`dgrasp train-seeds`: the main contrast, trained again from other initial weights."""

from __future__ import annotations

import argparse

from dgrasp.cli import replications
from dgrasp.cli.options import Once, add_command, whole

TEXT = """\
Train the two models of the main contrast (one with the slope loss, one without, all else equal) from several seeds, on
the same NeRF, scenes, starts and tuned settings, and compare them seed by seed. Demonstrations are made again if only
the published results are there."""


def add(commands: argparse._SubParsersAction) -> None:
    parser = add_command(commands, "train-seeds", "train the main contrast from other seeds", TEXT)
    parser.add_argument(
        "--seeds", type=whole, nargs="+", action=Once, default=[0, 1, 2], metavar="SEED", help="of training (0 1 2)"
    )
    replications.add_options(parser, repetitions="1")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    made = replications.opened(options, trains=True)
    from dgrasp.experiment.replication import over_seeds, train_seeds

    table = train_seeds(made, options.seeds, options.repetitions or 1)
    replications.tell(options, made, "seeds-" + "-".join(map(str, options.seeds)), table, over_seeds(table))
