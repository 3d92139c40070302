"""What several commands ask for, in the same words."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from dgrasp.cli.quiet import load_pybullet

if TYPE_CHECKING:
    from dgrasp.experiment.chain import Experiment

PUBLISHED = "recorded"  # in the place of a profile's name: the published results, which are read


class Parser(argparse.ArgumentParser):
    """A parser that says one line for what it does not understand. No option may be shortened."""

    def __init__(self, *arguments: object, **settings: object) -> None:
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*arguments, allow_abbrev=False, **settings)  # type: ignore[arg-type]

    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(2, f"{self.prog}: {message} ({self.prog} --help)\n")


def add_command(commands: argparse._SubParsersAction, name: str, help: str, text: str) -> argparse.ArgumentParser:
    """A subcommand's parser: `help` in the list of commands, `text` above its own options."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=help, description=text)
    parser.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help="errors with their traceback")
    return parser


def add_experiment(parser: argparse.ArgumentParser, profile: str = PUBLISHED, build: Path | None = None) -> None:
    """The options that name an experiment. build: the default, where it is not build/<profile>."""
    meaning = "the published results" if profile == PUBLISHED else "minutes on two cores"
    parser.add_argument(
        "--profile",
        default=profile,
        help=f"how much to compute: smoke, laptop, paper, the path of a .yaml file of yours, or {PUBLISHED} "
        f"(default: {profile}, {meaning})",
    )
    parser.add_argument("--build", type=Path, default=build, help=f"folder of runs ({build or 'build/<profile>'})")
    parser.add_argument("--seed", type=whole, default=0, help="root of all random numbers of the experiment (0)")


def experiment(options: argparse.Namespace) -> Experiment:
    """The experiment that `add_experiment`'s options name."""
    load_pybullet()
    from dgrasp.experiment.chain import Experiment

    options.build = options.build or default_build(options.profile)
    return Experiment.at(options.profile, options.build, options.seed)


def default_build(profile: str) -> Path:
    """Where a profile is built unless it is said otherwise; raises ProfileError."""
    if profile == PUBLISHED:
        return Path("build", PUBLISHED)
    from dgrasp.experiment.profiles import load_profile

    return Path("build", load_profile(profile).name)


def positive(text: str) -> int:
    """A whole number of 1 or more."""
    return _number(text, least=1)


def whole(text: str) -> int:
    """A whole number of 0 or more."""
    return _number(text, least=0)


def _number(text: str, least: int) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) < least:
        raise argparse.ArgumentTypeError(f"expected a whole number of {least} or more, got {text!r}")
    return int(text)


def file_to_write(text: str) -> Path:
    """The path of a file; refuses folders before anything is computed."""
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a folder; expected the path of a file")
    return path
