"""`dgrasp notebook`: one notebook source, executed strictly."""

from __future__ import annotations

import argparse
import ast
import sys
import time
from typing import Any

from dgrasp.cli.options import add_command, file_to_write, folder, place, profile_name
from dgrasp.cli.quiet import load_pybullet

TEXT = """\
Execute one notebook source (a Jupytext percent file) into an .ipynb file. Unknown parameters are refused; an exception,
a dead kernel, an early exit or a cell that did not run fails, and what there is stays as <stem>.failed.ipynb.

    dgrasp notebook notebooks/03_training.py out/mine/notebooks/03_training.ipynb --profile mine.yaml -p seed=1"""


def add(commands: argparse._SubParsersAction) -> None:
    parser = add_command(commands, "notebook", "execute one notebook, strictly", TEXT)
    parser.add_argument("source", type=place, metavar="SOURCE", help="a .py file in percent format")
    parser.add_argument("output", type=file_to_write, metavar="OUTPUT", help="the .ipynb file to write")
    parser.add_argument("--profile", type=profile_name, default="smoke", help="how much to compute (default: smoke)")
    parser.add_argument("--build", type=folder, help="folder for runs and figures (the one above OUTPUT's)")
    parser.add_argument(
        "-p", dest="parameters", type=assignment, action="append", default=[], metavar="NAME=VALUE",
        help="another parameter of the notebook; may be given several times",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    load_pybullet()
    from dgrasp.cli.notebooks.runner import run_notebook

    name, started = options.source.stem, time.monotonic()
    print(f"{name}: running (profile {options.profile})", file=sys.stderr, flush=True)
    given = {"profile": options.profile, "build": options.build, "parameters": _once(options.parameters)}
    run_notebook(options.source, options.output, **given)
    print(f"{name}: done in {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)


def assignment(text: str) -> tuple[str, Any]:
    """`name=value`, where the value is a Python literal or else a text."""
    name, separator, value = text.partition("=")
    if not (separator and name.isidentifier()):
        raise argparse.ArgumentTypeError(f"expected name=value, got {text!r}")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):  # the last two of deep nesting
        return name, value


def _once(parameters: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in parameters]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"-p: {twice[0]!r} is given twice")
    return dict(parameters)
