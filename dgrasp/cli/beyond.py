"""`dgrasp beyond`: the tables of the experiment beyond the paper."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from dgrasp.cli.options import add_command, add_experiment, experiment, positive, refuse_idle

if TYPE_CHECKING:
    from dgrasp.experiment.chain import Experiment

TEXT = """\
Make a table of the experiment beyond the paper, and whatever it needs (hours from nothing; stop it at any time, the
same command goes on where it stopped):

  stages    demonstrations, networks, studies, trials, sweep: all that `dgrasp publish` keeps
  rows      success on simple, clutter, novel and unseen objects, in the twin, and in the twin 10 mm and 2 degrees off
  factors   success in the twin under each factor alone, under none, and under all together
  clearing  the protocols "pile" and "packed" that other methods are measured by
  paired    400 attempts of dgrasp_quat_sync against that of the published experiment, on the same scenes
  summit    what three views, more starts, further readouts and a check of the fingers bring for their time, on
            validation scenes
  objects   the data card of the procedural objects, with pictures; needs no training"""
OPTIONS = {"presentations": ("rows", "factors"), "scenes": ("clearing", "summit")}  # and what they change
WHAT = ("stages", "rows", "factors", "clearing", "paired", "summit", "objects")


def add(commands: argparse._SubParsersAction) -> None:
    parser = add_command(commands, "beyond", "the tables of the experiment beyond the paper", TEXT)
    parser.add_argument("what", choices=WHAT, metavar="WHAT", help=", ".join(WHAT))
    add_experiment(parser, profile="beyond")
    parser.add_argument("--presentations", type=positive, help="of each object in the twin (rows: 25, factors: 5)")
    parser.add_argument("--scenes", type=positive, help="of each task (clearing: 100, summit: 60)")
    parser.add_argument("--keep", action="store_true", help="the table also goes to figures/, beside other seeds' rows")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    for option, tables in OPTIONS.items():
        refuse_idle(
            f"--{option}", getattr(options, option), unless=options.what in tables, goes_with=" and ".join(tables)
        )
    refuse_idle("--keep", options.keep, unless=options.what != "stages", goes_with="a table")
    made = experiment(options)
    from dgrasp.experiment.beyond import FOLDER

    if options.what == "objects":
        from dgrasp.report.figures.objects import write_object_card

        folder = FOLDER / "beyond" if options.keep else made.figures
        print(*(f"written: {path}" for path in write_object_card(folder)), sep="\n")
        return
    if options.what == "stages":
        for stage in (made.evaluation, made.twin_trials, made.calibration_sweep):
            print(f"complete: {stage().path}", flush=True)
        return
    if options.what == "summit":
        _summit(made, options)
        return
    for path in _table(made, options, FOLDER if options.keep else None):
        print(f"written: {path}")


def _table(made: Experiment, options: argparse.Namespace, folder: Path | None) -> list[Path]:
    from dgrasp.evaluation.clearing import ClearingConfig, cleared
    from dgrasp.experiment import beyond
    from dgrasp.twin.factors import FactorsConfig, factor_rates

    if options.what == "rows":
        name = "beyond"
        table, runs = beyond.beyond_rows(made, options.presentations or beyond.TWIN_PRESENTATIONS)
    elif options.what == "factors":
        name, presentations = "factors", options.presentations or FactorsConfig().presentations
        runs = {"factors": beyond.factors(made, FactorsConfig(presentations=presentations))}
        table = factor_rates(runs["factors"])
    elif options.what == "paired":
        from dgrasp.experiment.chain import Experiment

        name = "paired"
        table, runs = beyond.paired(made, Experiment.open("published", made.workspace))
    else:
        name = "clearing"
        runs = {"clearing": beyond.clearing(made, ClearingConfig(scenes=options.scenes or ClearingConfig().scenes))}
        table = cleared(runs["clearing"])
    print(table.round(3).to_string(index=False))
    places = [beyond.write_table(name, table, runs, made)]
    return places + ([beyond.write_table(name, table, runs, made, folder)] if folder else [])


def _summit(made: Experiment, options: argparse.Namespace) -> None:
    from dgrasp.experiment.summit import SummitConfig, summit_rates, try_options
    from dgrasp.files import write_text

    if options.keep:
        raise ValueError("--keep: rows of validation scenes guide choices and are never reported; leave it out")
    config = SummitConfig(scenes=options.scenes) if options.scenes else SummitConfig()
    table = summit_rates(try_options(made, config))
    target = made.figures / "summit.csv"
    write_text(target, table.to_csv(index=False, lineterminator="\n"))
    print(table.round(3).to_string(index=False), f"written: {target}", sep="\n")
