"""`python -m dgrasp.report figures`: make the published figures from a finished build."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dgrasp.report.outputs import OutputRefused
from dgrasp.report.publish import other_looks, publish
from dgrasp.sim.objects import ycb


def main() -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dgrasp.report", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    figures = commands.add_parser("figures", help="copy the outputs of a finished build into the published folder")
    figures.add_argument("--build", type=Path, default=Path("build/laptop"), help="default: build/laptop")
    figures.add_argument("--folder", type=Path, default=Path("figures"), help="default: figures")
    arguments = parser.parse_args()
    try:
        written = publish(arguments.build, arguments.folder)
    except OutputRefused as error:
        print(f"figures: {error}", file=sys.stderr)
        return 1
    print(f"figures: {len(written)} files in {arguments.folder}")
    if others := other_looks(arguments.folder):
        looks = ", ".join(sorted(set(others.values())))
        print(
            f"figures: {', '.join(others)} show YCB objects in other looks ({looks}) than the trials of Table 1 had: "
            f"python -m dgrasp.sim.objects.ycb_download FOLDER; export {ycb.ENVIRONMENT}=FOLDER",
            file=sys.stderr,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
