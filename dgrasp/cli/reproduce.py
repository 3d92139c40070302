"""`dgrasp reproduce`: the notebooks in order, those that are not what they would give now."""

from __future__ import annotations

import argparse
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from dgrasp.cli.options import Once, add_command, add_experiment, build_folder, named

TEXT = """\
Run the notebooks in order, into build/<profile>/: executed notebooks, figures and tables, and the runs behind them.

What is up to date is not run again. That goes by content: a notebook is run if its cells, the package's code, the
profile's settings, installed packages or the published results have changed, or if one of its figures or tables is
missing or damaged; not if files were merely touched. Stages inside keep their results, so that running again costs only
what really changed. Stop it at any time; the same command goes on where it stopped."""


def add(commands: argparse._SubParsersAction) -> None:
    parser = add_command(commands, "reproduce", "run the notebooks; everything from nothing, or what has changed", TEXT)
    add_experiment(parser, profile="smoke")
    parser.add_argument(
        "--only", type=named, nargs="+", action=Once, default=(), metavar="NOTEBOOK", help="some of them, such as 04 05"
    )
    parser.add_argument("--force", action="store_true", help="run also what is up to date")
    parser.add_argument("--dry-run", action="store_true", help="say what would be run, and why, and run nothing")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    build = build_folder(options)
    from dgrasp.cli.notebooks.chain import Chain, bring_up_to_date

    chain = Chain(options.profile, build.resolve(), options.seed)
    with nullcontext() if options.dry_run else _watched(options.profile, chain.build):
        due = bring_up_to_date(chain, options.only, options.force, options.dry_run)
    if not options.dry_run:
        print(f"{build} is up to date: {', '.join(options.only) or 'notebooks/, figures/'}")
    elif due:
        print(f"{build}: {due} to be run, and those after them whose inputs then change")


def _watched(profile: str, build: Path) -> AbstractContextManager[None]:
    """Progress of the chain; of a published experiment nothing is made but figures."""
    from dgrasp.experiment.store import named_profile, published_name

    if published_name(profile) is not None:
        return nullcontext()
    from dgrasp.cli.watch import watched

    return watched(named_profile(profile), build)
