"""`dgrasp site`: the static site of an experiment's results."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from dgrasp.cli.options import add_command, add_experiment, experiment, folder

PARTS = ("play", "failures")
TEXT = """\
Build the static site: the executed notebooks, tables, figures, the explorer that computes in the page, the failure
browser, and the pages of docs/. It needs no network, and neither do its pages; they also work when opened from disk.

    dgrasp site                          # of the published results, into build/site
    dgrasp site --profile smoke          # of build/smoke
    dgrasp site --pictures               # with pictures of all failed trials, which are acted out once more: minutes

Notebooks that have not been executed for these results are shown without outputs, and say so."""


def add(commands: argparse._SubParsersAction) -> None:
    parser = add_command(commands, "site", "build the static site (build/site), offline", TEXT)
    add_experiment(parser)
    parser.add_argument("--folder", type=folder, default=Path("build", "site"), help="where the site goes (build/site)")
    parser.add_argument(
        "--pictures",
        choices=("all", "few", "kept"),
        nargs="?",
        const="all",
        default="few",
        help="pictures of failed trials that are made: of all (takes long), of two scenes a task (default), or none",
    )
    parser.add_argument("--without", choices=PARTS, action="append", default=[], help="leave a part out")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    given = experiment(options)
    from dgrasp.cli.figures import MAIN, folder_for
    from dgrasp.experiment.store import published_name
    from dgrasp.report.executed import EXECUTED
    from dgrasp.report.site.apps import make_apps
    from dgrasp.report.site.build import Sources, build_site, check_folder

    check_folder(options.folder)
    figures = folder_for(options.profile, options.seed) if published_name(options.profile) else given.figures
    sources = Sources(given, figures, EXECUTED if figures == MAIN else options.build / "notebooks")
    sources.check()
    with tempfile.TemporaryDirectory() as files:
        apps = make_apps(given, Path(files), without=options.without, pictures=options.pictures)
        site = build_site(sources, apps, options.folder, Path(files))
    for warning in site.warnings:
        print(warning, file=sys.stderr)
    for stem, reason in site.lacking.items():
        print(f"{stem}: {reason}; shown without outputs that are up to date", file=sys.stderr)
    print(f"{len(list(options.folder.rglob('*.html')))} pages: {options.folder / 'index.html'}")
