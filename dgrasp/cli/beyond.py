"""`dgrasp beyond`: the tables of the experiment beyond the paper."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dgrasp.cli.options import Once, add_command, add_experiment, experiment, named, positive, refuse_idle

if TYPE_CHECKING:
    import pandas as pd

    from dgrasp.experiment.chain import Experiment
    from dgrasp.runs import Run

    Made = tuple[Mapping[str, pd.DataFrame], Mapping[str, Run]]  # tables by name, and the runs behind them

PROFILE, SEED = "beyond", 21  # scenes of 0 (the published experiment), 1 (first looks), 20 (a first run) were seen
TEXT = """\
Make a table of the experiment beyond the paper, and whatever it needs (hours from nothing; stop it at any time, the
same command goes on where it stopped):

  stages       demonstrations, networks, studies, trials, sweep: all that `dgrasp publish` keeps
  rows         success on simple, clutter, novel and unseen objects, in the twin, and in the twin 10 mm and 2 degrees
               off; beside it objects one by one, piles that were cleared, values as forecasts of success
  factors      success in the twin under each factor alone, under none, and under all together
  clearing     the protocols "pile" and "packed" that other methods are measured by
  paired       400 attempts of dgrasp_quat_sync against that of the published experiment, on the same scenes
  ingredients  short trainings that lack or change one ingredient each, on validation scenes and validation draws of
               the twin
  summit       what three views, more starts, further readouts and a check of the fingers bring for their time, on
               validation scenes
  objects      the data card of the procedural objects, with pictures; needs no training"""
OPTIONS = {  # and what they change
    "presentations": ("rows", "factors", "ingredients"),
    "scenes": ("clearing", "ingredients", "summit"),
    "arms": ("ingredients",),
}
WHAT = ("stages", "rows", "factors", "clearing", "paired", "ingredients", "summit", "objects")


def add(commands: argparse._SubParsersAction) -> None:
    parser = add_command(commands, "beyond", "the tables of the experiment beyond the paper", TEXT)
    parser.add_argument("what", choices=WHAT, metavar="WHAT", help=", ".join(WHAT))
    add_experiment(parser, profile=PROFILE, seeds=f"{PROFILE}: {SEED}; else 0")
    parser.add_argument(
        "--presentations", type=positive, help="of each object in the twin (rows: 25, factors: 10, ingredients: 5)"
    )
    parser.add_argument("--scenes", type=positive, help="of each task (clearing: 100, ingredients: 40, summit: 60)")
    parser.add_argument(
        "--arms",
        type=named,
        nargs="+",
        action=Once,
        metavar="ARM",
        help='of the ingredients, such as "without looks" (all; those kept stay)',
    )
    parser.add_argument(
        "--keep",
        action="store_true",
        help="the table also goes to figures/, beside other seeds' rows, and the attempts behind it to figures/beyond/",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    for option, tables in OPTIONS.items():
        refuse_idle(f"--{option}", getattr(options, option), unless=options.what in tables, goes_with=", ".join(tables))
    refuse_idle("--keep", options.keep, unless=options.what != "stages", goes_with="a table")
    from dgrasp.experiment.store import first_seed

    if options.seed is None:
        options.seed = SEED if options.profile == PROFILE else first_seed(options.profile)
    made = experiment(options)
    from dgrasp.experiment.beyond import FOLDER, check_keepable, check_settings

    check_settings(made, made.figures)  # before hours are spent
    if options.keep:
        check_keepable(made.profile.name, FOLDER)
        check_settings(made, FOLDER)
    if options.what == "stages":
        for stage in (made.evaluation, made.twin_trials, made.calibration_sweep):
            print(f"complete: {stage().path}", flush=True)
    elif options.what == "objects":
        from dgrasp.report.figures.objects import write_object_card

        folder = FOLDER / "beyond" if options.keep else made.figures
        print(*(f"written: {path}" for path in write_object_card(folder)), sep="\n")
    else:
        _tables(made, options, FOLDER if options.keep else None)


def _tables(made: Experiment, options: argparse.Namespace, folder: Path | None) -> None:
    from dgrasp.experiment import beyond

    first = {"rows": "beyond"}.get(options.what, options.what)
    for tables, runs in MAKERS[options.what](made, options):
        for name, table in tables.items():
            print(table.round(3).to_string(index=False), flush=True)
            for place in (None, folder) if folder else (None,):
                print(f"written: {beyond.write_table(name, table, runs, made, place)}", flush=True)
        if folder:
            print(*(f"written: {path}" for path in beyond.keep_attempts(first, runs, made, folder)), sep="\n")


def _rows(made: Experiment, options: argparse.Namespace) -> Iterator[Made]:
    from dgrasp.experiment import beyond

    yield from beyond.beyond_tables(made, options.presentations or beyond.TWIN_PRESENTATIONS)


def _factors(made: Experiment, options: argparse.Namespace) -> Iterator[Made]:
    from dgrasp.experiment import beyond
    from dgrasp.twin.factors import FactorsConfig, factor_rates

    config = FactorsConfig(**_given(options, "presentations"))
    runs = {"factors": beyond.factors(made, config)}
    yield {"factors": factor_rates(runs["factors"])}, runs


def _clearing(made: Experiment, options: argparse.Namespace) -> Iterator[Made]:
    from dgrasp.evaluation.clearing import ClearingConfig, cleared
    from dgrasp.experiment import beyond

    runs = {"clearing": beyond.clearing(made, ClearingConfig(**_given(options, "scenes")))}
    yield {"clearing": cleared(runs["clearing"])}, runs


def _paired(made: Experiment, options: argparse.Namespace) -> Iterator[Made]:
    from dgrasp.experiment import beyond
    from dgrasp.experiment.chain import Experiment

    theirs = Experiment.open("published", made.workspace)
    theirs.source(beyond.BEST, theirs.optimizer(beyond.BEST)).load()  # before ours is trained
    table, runs = beyond.paired(made, theirs)
    yield {"paired": table}, runs


def _ingredients(made: Experiment, options: argparse.Namespace) -> Iterator[Made]:
    from dgrasp.experiment.ingredients import try_ingredients

    for table, runs in try_ingredients(made, **_given(options, "arms", "scenes", "presentations")):
        yield {"ingredients": table}, runs  # it grows arm by arm


def _summit(made: Experiment, options: argparse.Namespace) -> Iterator[Made]:
    from dgrasp.experiment.summit import SummitConfig, summit_rates, try_options

    runs = {"summit": try_options(made, SummitConfig(**_given(options, "scenes")))}
    yield {"summit": summit_rates(runs["summit"]).assign(seed=made.seed)}, runs


MAKERS: Mapping[str, Callable[[Experiment, argparse.Namespace], Iterator[Made]]] = {
    "rows": _rows, "factors": _factors, "clearing": _clearing, "paired": _paired, "ingredients": _ingredients,
    "summit": _summit,
}  # fmt: skip


def _given(options: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Of these options those that were given; the others are as the table has them."""
    return {name: value for name in names if (value := getattr(options, name)) is not None}
