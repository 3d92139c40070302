"""`dgrasp doctor`: what of this machine fits what."""

from __future__ import annotations

import argparse
import json
import shutil
import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from dgrasp.cli.options import add_command, file_to_write, folder, named, refuse_idle
from dgrasp.cli.quiet import load_pybullet

if TYPE_CHECKING:
    from dgrasp.cell.examined import Examined
    from dgrasp.cli.finding import Finding

TEXT = """\
Say what of this machine fits what: what was found, what it is for, and what to do where it is missing. Nothing is
changed. Exit code 0 if the core works (notebooks in smoke, on this processor), 1 if not.

With --cell, look at a described cell instead: its numbers, its arm's model, the reach over the workspace, what the hand
can hold, what the simulator asks of it, and what the arm touches at home and hides from the cameras; and draw it. A
line with - is no fault, but to be known. Exit code 0 if all is well, 2 if not. dgrasp/cell/cells has examples to
copy."""
BUILD, PICTURE = Path("build"), Path("cell.png")
MARKS = {"ok": "ok", "limited": "!", "missing": "-"}


def add(commands: argparse._SubParsersAction) -> None:
    parser = add_command(commands, "doctor", "say what of this machine fits what", TEXT)
    parser.add_argument("--build", type=folder, help="where you would build (build)")
    parser.add_argument("--profile", choices=("paper",), help="also what this profile needs of a GPU, estimated")
    parser.add_argument("--json", action="store_true", help="the same for programs")
    parser.add_argument(
        "--cell", type=named, metavar="FILE", help="a cell's .yaml, or the name of a shipped one (panda_hand)"
    )
    parser.add_argument("--picture", type=file_to_write, metavar="FILE", help=f"of the cell, a .png file ({PICTURE})")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    refuse_idle("--picture", options.picture, unless=options.cell is not None, goes_with="--cell")
    if options.cell is not None:
        for option in ("build", "profile", "json"):
            refuse_idle(f"--{option}", getattr(options, option), unless=False, goes_with="the machine, without --cell,")
        return _cell(options.cell, options.picture or PICTURE)
    from dgrasp.cli.machine import examine

    findings = examine(options.build or BUILD, options.profile)
    works = all(f.status != "missing" for f in findings if f.core)
    if options.json:
        print(json.dumps({"works": works, "findings": [asdict(f) for f in findings]}, indent=2))
        return 0 if works else 1
    print(*(_lines(f) for f in findings), sep="\n")
    bad = [f for f in findings if f.core and f.status == "missing"]
    print("\nThe core works." if works else f"\nThe core does not work: {', '.join(f.name for f in bad)}.")
    return 0 if works else 1


def _cell(source: str, picture: Path) -> int:
    from dgrasp.cell.examined import examine_cell
    from dgrasp.report.figures.cell_drawing import draw_cell
    from dgrasp.report.figures.own_picture import check_picture

    check_picture(picture)
    found = examine_cell(source)
    if not found.problems:
        _hold_home(found, source)
    marked = (("ok  ", found.lines), (" -  ", found.notes), (" !  ", found.problems))
    print(*(mark + line for mark, lines in marked for line in lines), sep="\n")
    print(draw_cell(found, picture))
    return 2 if found.problems else 0


def _hold_home(found: Examined, source: str) -> None:
    """Add what the arm touches and covers at rest, if the simulator can be asked."""
    load_pybullet()
    from dgrasp.files import UserFileError
    from dgrasp.sim.at_home import hold_home

    try:
        hold_home(found, source)
    except UserFileError as error:  # a mesh that only the simulator opens
        found.problems.append(str(error))
    except ImportError as error:
        found.notes.append(f"arm: home was not held against the bench: {error}")


def _lines(finding: Finding) -> str:
    width = max(60, min(shutil.get_terminal_size().columns, 120))
    head = f"{MARKS[finding.status]:>2}  {finding.name:<18}"
    lines = [f"{finding.found}  ({finding.purpose})"]
    lines += [f"-> {finding.advice}"] if finding.advice else []
    filled = [part for line in lines for part in textwrap.wrap(line, width - len(head))]
    return head + ("\n" + " " * len(head)).join(filled)
