"""`dgrasp publish`: a finished experiment's results into the published folder."""

from __future__ import annotations

import argparse

from dgrasp.cli.options import add_command, add_experiment, experiment, folder

TEXT = """\
Copy what a finished experiment computed to figures/runs/<profile>/seed-<n>/: weights, studies, trials, twin logs and a
model card. Nothing is computed; scenes and images stay behind. What was published of it before stays until the new
results are whole."""


def add(commands: argparse._SubParsersAction) -> None:
    parser = add_command(commands, "publish", "put a finished experiment's results in figures/runs/", TEXT)
    add_experiment(parser, profile="laptop")
    parser.add_argument("--folder", type=folder, help="where they go (figures/runs)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    made = experiment(options)
    from dgrasp.experiment.record import publish
    from dgrasp.experiment.store import PUBLISHED

    print(f"published: {publish(made, options.folder or PUBLISHED)}")
