"""`dgrasp demonstrations`: the demonstrations of a profile by themselves, on more processes or machines."""

from __future__ import annotations

import argparse

from dgrasp.cli.options import add_command, add_experiment, build_folder, named, positive

TEXT = """\
Make the demonstrations of a profile by themselves: on more processes, or on other machines. Notebook 01 finds them.
Interrupt it at any time, the same command goes on by scene; whoever computes, the bytes are the same.

    dgrasp demonstrations --profile laptop --backend dask --workers 8
    dgrasp demonstrations --profile laptop --backend dask --scheduler tcp://host:8786"""


def add(commands: argparse._SubParsersAction) -> None:
    parser = add_command(commands, "demonstrations", "make the training demonstrations, here or on a cluster", TEXT)
    add_experiment(parser, profile="smoke")
    parser.add_argument(
        "--backend", type=named, help="loky, threading, sequential, dask or ray (the profile's: runtime.backend)"
    )
    parser.add_argument("--workers", type=positive, help="jobs at a time (the profile's: runtime.workers)")
    parser.add_argument(
        "--scheduler", type=named, metavar="ADDRESS", help="of a running Dask cluster, which says how wide to work"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    build = build_folder(options)
    from dgrasp.data.generate import generate_demonstrations
    from dgrasp.experiment.profiles import Runtime, load_profile
    from dgrasp.jobs.workforce import Workforce

    profile = load_profile(options.profile)
    usual = profile.runtime.workforce
    made = generate_demonstrations(
        profile.data,
        profile.cell,
        build,
        seed=options.seed,
        workers=Workforce(
            Runtime(workers=options.workers or usual.count).workers,
            options.backend or usual.backend,
            options.scheduler or (usual.scheduler if options.backend in (None, usual.backend) else None),
        ),
    )
    print(f"{made.path}: {made.summary['demonstrations']} demonstrations in {made.summary['scenes']} scenes")
