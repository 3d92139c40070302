"""`dgrasp plan-from-images`, called in this process."""

from __future__ import annotations

from dgrasp.cli.main import main as dgrasp


def main(arguments: list[str]) -> int:
    """The command's exit code."""
    try:
        return dgrasp(["plan-from-images", *arguments])
    except SystemExit as end:  # of the parser
        return int(end.code or 0)
