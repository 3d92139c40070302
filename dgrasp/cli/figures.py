"""`dgrasp figures`: the published figures and tables, made again from the published results."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from dgrasp.cli.options import Once, add_command, add_experiment, build_folder, folder, named

if TYPE_CHECKING:
    from dgrasp.report.studio import Studio

TEXT = """\
Make every figure and table of figures/ again, from the published results (weights, studies, trials): nothing is
trained. The notebooks run as in `dgrasp reproduce --profile published`; then their outputs are copied, they themselves,
at web size, to notebooks/executed/, and README.md's results are brought up to date. Outputs of another experiment or
seed have a folder of their own, figures/<experiment>/seed-<n>/; those of a build that is not published go where
--folder says, and profiles for trying out are refused. With --notebooks only some of them run."""


MAIN = Path("figures")  # of the main experiment


def add(commands: argparse._SubParsersAction) -> None:
    parser = add_command(commands, "figures", "make figures/ again from the published results (minutes)", TEXT)
    add_experiment(parser)
    parser.add_argument("--folder", type=folder, help="where they go (figures, or a folder below it)")
    parser.add_argument(
        "--only",
        type=named,
        nargs="+",
        action=Once,
        metavar="ID",
        help="these alone (fig04, tab01, ...), without their notebooks",
    )
    parser.add_argument(
        "--notebooks",
        type=named,
        nargs="+",
        action=Once,
        metavar="NOTEBOOK",
        help="these alone (04, 08_beyond, ...), with their outputs",
    )
    parser.set_defaults(run=run)


def folder_for(profile: str, seed: int) -> Path:
    """Where a published experiment's figures and tables go: no other one writes over those of the main experiment.

    Raises OutputRefused for a build, which knows its own seed alone and may differ from what is published.
    """
    from dgrasp.experiment.store import DEFAULT, published, published_folder, published_name
    from dgrasp.report.outputs import OutputRefused

    experiment = published_name(profile)
    if experiment is None:
        raise OutputRefused(
            f"profile {profile!r} is a build, and {MAIN}/ shows published results: give --folder for its figures, or "
            f"publish it (dgrasp publish) and take --profile published:{Path(profile).stem}"
        )
    main = (DEFAULT, min(published().get(DEFAULT, [0])))
    return MAIN if (experiment, seed) == main else published_folder(experiment, seed, MAIN)


def check_folder(folder: Path, profile: str, seed: int) -> Path:
    """The folder; raises OutputRefused where it is the main experiment's and the outputs are not."""
    from dgrasp.experiment.store import published_name
    from dgrasp.report.outputs import OutputRefused

    if folder.resolve() != MAIN.resolve() or (published_name(profile) and folder_for(profile, seed) == MAIN):
        return folder
    raise OutputRefused(
        f"--folder {folder}: holds the figures of the main published experiment, those of profile {profile!r}, seed "
        f"{seed}, would replace them; give another folder"
    )


def check_publishable(profile: str) -> None:
    """Raise OutputRefused for a profile for trying out, before its notebooks are run."""
    from dgrasp.experiment.profiles import PUBLISHABLE
    from dgrasp.experiment.store import named_profile
    from dgrasp.report.outputs import OutputRefused

    if (name := named_profile(profile).name) not in PUBLISHABLE:
        raise OutputRefused(f"profile {name!r} is for trying things out; published are {', '.join(PUBLISHABLE)}")


def make_alone(options: argparse.Namespace, build: Path) -> None:
    """Draw some outputs, without running the notebooks that show them. Raises OutputRefused for an unknown one."""
    from dgrasp.report.outputs import OutputRefused
    from dgrasp.report.registry import OUTPUTS

    if unknown := sorted(set(options.only) - {entry.id for entry in OUTPUTS}):
        known = ", ".join(entry.id for entry in OUTPUTS)
        raise OutputRefused(f"unknown figure or table {unknown[0]!r}; there are: {known}")
    studio = _studio(options, build)
    for id in options.only:
        studio.make(id)


def outputs_of(notebooks: Iterable[Path]) -> list[str]:
    """The figures and tables that these notebooks make."""
    from dgrasp.report.registry import OUTPUTS

    stems = {notebook.stem for notebook in notebooks}
    return [entry.id for entry in OUTPUTS if entry.notebook in stems]


def write_readme(options: argparse.Namespace, build: Path) -> None:
    """Bring the README's results up to date."""
    from dgrasp.report.readme import results_block, write_results

    write_results(Path("README.md"), results_block(_studio(options, build)))


def _studio(options: argparse.Namespace, build: Path) -> Studio:
    from dgrasp.experiment.chain import Experiment
    from dgrasp.report.studio import Studio

    return Studio(Experiment.open(options.profile, build.resolve(), options.seed))


def run(options: argparse.Namespace) -> None:
    build = build_folder(options)
    from dgrasp.cli.notebooks.chain import Chain, bring_up_to_date
    from dgrasp.cli.ycb import how_to
    from dgrasp.report.executed import EXECUTED, keep_executed
    from dgrasp.report.publish import other_looks, publish

    if options.only and options.notebooks:
        raise ValueError("--only and --notebooks: outputs without notebooks, or notebooks with theirs; give one")
    check_publishable(options.profile)
    place = (options.profile, options.seed)
    target = check_folder(options.folder, *place) if options.folder else folder_for(*place)
    chain = Chain(options.profile, build.resolve(), options.seed)
    chosen, only = chain.chosen(options.notebooks or ()), options.only
    if only:
        make_alone(options, build)
    else:
        bring_up_to_date(chain, options.notebooks or ())
        if options.notebooks:
            only = outputs_of(chosen)
    print(f"{len(publish(build, target, only))} files in {target}")
    if target == MAIN and not options.only:
        print(f"{len(keep_executed(map(chain.output, chosen), EXECUTED))} notebooks in {EXECUTED}")
    if target == MAIN and Path("README.md").is_file():
        write_readme(options, build)
    if others := other_looks(target):
        looks = ", ".join(sorted(set(others.values())))
        print(
            f"{', '.join(others)} show YCB objects in another appearance ({looks}) than the trials of Table 1 had: "
            f"{how_to()}",
            file=sys.stderr,
        )
