"""`dgrasp closed-loop`: the arm follows the slope, while objects move and cameras are off."""

from __future__ import annotations

import argparse

from dgrasp.cli.options import add_command, add_experiment, experiment, positive

TEXT = """\
Grasp in closed loop in the simulator: four times a second (of its time) the arm takes new views and goes one step up
the value landscape, until it stands at the summit; then it closes. Objects are pushed meanwhile, the board moves, or
cameras are off, as the profile says. The same plans are also executed blindly, and Base stands beside dGrasp. Stop it
at any time; the same command goes on where it stopped, and with --scenes it ends with so many as have been made. Rates
go to figures/closed_loop.json of the build, and paths beside demonstrations to closed_loop_paths.json."""


def add(commands: argparse._SubParsersAction) -> None:
    parser = add_command(commands, "closed-loop", "the ascent as a motion, against open loop", TEXT)
    add_experiment(parser)
    parser.add_argument("--scenes", type=positive, help="so many, instead of the profile's (laptop and published: 250)")
    parser.add_argument("--keep", action="store_true", help="the attempts also go beside the published results")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    made = experiment(options)
    from dgrasp.data.card import markdown_table
    from dgrasp.evaluation.loop_series import loop_paths, loop_rates, read_loops
    from dgrasp.experiment.closed_loop import closed_loop, keep, write_closed_loop

    done = closed_loop(made, options.scenes)
    attempts = read_loops(done)
    print(markdown_table(loop_rates(attempts).round(3)), markdown_table(loop_paths(attempts).round(3)), sep="\n\n")
    print(f"written: {write_closed_loop(done, made.figures)}")
    if options.keep:
        print(f"kept: {keep(done, made)}")
