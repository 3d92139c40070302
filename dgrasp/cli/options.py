"""What several commands ask for, in the same words."""

from __future__ import annotations

import argparse
import errno
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dgrasp.cli.quiet import load_pybullet

if TYPE_CHECKING:
    from dgrasp.experiment.chain import Experiment

PUBLISHED = "published"  # in the place of a profile's name: the published results, which are read
FORMER = "recorded"  # its old name
NO_PATH = (errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL)
MOST = 1_000_000  # of scenes, attempts, minutes: more is a slip, and would fill the memory before it is noticed
CELL = "the cell that they are of: its .yaml, or the name of a shipped one (default: the paper's)"
SHOWN = 200  # characters of what was refused
LARGEST_SEED = 2**63 - 1  # of torch and of tables


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


def add_experiment(
    parser: argparse.ArgumentParser, profile: str = PUBLISHED, build: Path | None = None, seeds: str = "0"
) -> None:
    """The options that name an experiment. build: the default, where it is not build/<profile>.

    seeds: which one is taken where none is given, in words; where it is not 0, `seed` is then None.
    """
    parser.add_argument(
        "--profile",
        type=profile_name,
        default=profile,
        help="how much to compute: smoke (minutes on two cores), laptop (hours), paper (needs a GPU), beyond or panda "
        f"(hours, other experiments), or the path of a .yaml file of yours; {PUBLISHED}, or {PUBLISHED}:NAME, reads "
        f"published results (default: {profile})",
    )
    parser.add_argument("--build", type=folder, default=build, help=f"folder of runs ({build or 'build/<profile>'})")
    parser.add_argument(
        "--seed",
        type=whole,
        default=0 if seeds == "0" else None,
        help=f"root of all random numbers of the experiment ({seeds})",
    )


def experiment(options: argparse.Namespace) -> Experiment:
    """The experiment that `add_experiment`'s options name."""
    load_pybullet()
    from dgrasp.experiment.chain import Experiment

    options.build = build_folder(options)
    return Experiment.open(options.profile, options.build, options.seed)


def build_folder(options: argparse.Namespace) -> Path:
    """Where `add_experiment`'s options build. Raises ProfileError or RecordError if there is no such experiment."""
    load_pybullet()
    from dgrasp.experiment.profiles import load_profile
    from dgrasp.experiment.store import DEFAULT, Record, published_name

    published = published_name(options.profile)
    if published is None:
        own = Path("build", load_profile(options.profile).name)
    else:
        own = Path("build", PUBLISHED if published == DEFAULT else f"{PUBLISHED}-{published}")
        Record.published(published, own, options.seed)
    return options.build or own


def profile_name(text: str) -> str:
    """A profile as it is called now; says so if the name is the old one."""
    if text != FORMER:
        return text
    print(f"the profile {FORMER!r} is called {PUBLISHED!r} now", file=sys.stderr)
    return PUBLISHED


class Once(argparse.Action):
    """Keeps several values, none of which may stand twice: what is made twice would count twice."""

    def __call__(self, parser: object, namespace: argparse.Namespace, values: Any, option: str | None = None) -> None:
        """Raises ArgumentError naming the value."""
        if twice := [value for i, value in enumerate(values) if value in values[:i]]:
            raise argparse.ArgumentError(self, f"{twice[0]!r} stands twice")
        setattr(namespace, self.dest, values)


def positive(text: str) -> int:
    """A whole number of 1 or more."""
    return _number(text, least=1, most=MOST)


def whole(text: str) -> int:
    """A whole number of 0 or more."""
    return _number(text, least=0, most=LARGEST_SEED)


def _number(text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdecimal()) or (number := int(text[:SHOWN])) < least:
        raise argparse.ArgumentTypeError(f"expected a whole number of {least} or more, got {text[:SHOWN]!r}")
    if number > most:
        raise argparse.ArgumentTypeError(f"expected a whole number of {most} at most, got {text[:SHOWN]}")
    return number


def named(text: str) -> str:
    """A text that is not empty, as a shell's variable is that nobody has set."""
    if not text.strip():
        raise argparse.ArgumentTypeError(f"expected a name, got {text!r}")
    return text


def refuse_idle(option: str, given: object, *, unless: object, goes_with: str) -> None:
    """Raise ValueError for an option that would change nothing."""
    if given and not unless:
        raise ValueError(f"{option}: goes with {goes_with} alone; leave it out")


def place(text: str) -> Path:
    """A path, whatever stands there."""
    _mode(text)
    return Path(text)


def folder(text: str) -> Path:
    """The path of a folder, there or not."""
    if _mode(text) not in (None, stat.S_IFDIR):
        raise argparse.ArgumentTypeError(f"{text} is a file; expected the path of a folder")
    return Path(text)


def file_to_write(text: str) -> Path:
    """The path of a file; refuses folders before anything is computed."""
    if _mode(text) == stat.S_IFDIR:
        raise argparse.ArgumentTypeError(f"{text} is a folder; expected the path of a file")
    return Path(text)


def _mode(text: str) -> int | None:
    """What stands at a path: stat's kind of file, None for nothing, or what may not be looked at.

    Refuses texts that can be no path.
    """
    try:
        if text:
            return stat.S_IFMT(os.stat(text).st_mode)  # noqa: PTH116
        why = "it is empty"
    except ValueError as error:  # a null byte
        why = str(error)
    except OSError as error:
        if error.errno not in NO_PATH:
            return None
        why = os.strerror(error.errno)
    raise argparse.ArgumentTypeError(f"expected a path, got {text[:SHOWN]!r}: {why}")
