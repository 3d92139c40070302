"""`dgrasp eval-new-scenes`: the trained policies on test scenes that none has seen before."""

from __future__ import annotations

import argparse

from dgrasp.cli import replications
from dgrasp.cli.options import Once, add_command, named, whole

TEXT = """\
Test trained policies on scenes and starting poses of another seed, all else equal, and compare their rates with those
of the experiment, policy by policy and task by task: intervals, and Fisher's exact test."""


def add(commands: argparse._SubParsersAction) -> None:
    parser = add_command(commands, "eval-new-scenes", "test the published policies on scenes of another seed", TEXT)
    parser.add_argument("--scene-seed", type=whole, required=True, help="of scenes and starts; not the experiment's")
    parser.add_argument(
        "--policies", type=named, nargs="+", action=Once, default=(), metavar="POLICY", help="some of them (all)"
    )
    replications.add_options(parser, repetitions="the experiment's")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    made = replications.opened(options)
    from dgrasp.experiment.replication import agreement, evaluate_new_scenes, verdict

    table = agreement(made, evaluate_new_scenes(made, options.scene_seed, options.policies, options.repetitions))
    replications.tell(options, made, f"scenes-{options.scene_seed}", table, verdict(table))
