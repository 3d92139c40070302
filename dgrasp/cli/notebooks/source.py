"""A notebook's source: a Jupytext percent file with a kernelspec header and one cell tagged `parameters`."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jupytext
from nbformat import NotebookNode


class NotebookError(RuntimeError):
    """A notebook did not run to its end; the message names notebook, cell and cause.

    failed_with: name of the exception's class in the cell, if it was one. The cell and its traceback are a note.
    """

    failed_with: str | None = None


class NotebookRefused(NotebookError):
    """A notebook cannot be run as it was asked for; the message says what is wrong, and nothing was run."""


def sources_in(folder: Path) -> list[Path]:
    """The notebooks of a folder, in their order: `00_start_here.py` and those after it."""
    return sorted(folder.glob("[0-9][0-9]_*.py"))


def read_source(source: Path) -> NotebookNode:
    """Read a percent source; raises NotebookRefused if it lacks the kernelspec header or the one parameters cell."""
    if not source.is_file():
        raise NotebookRefused(f"{source}: no such notebook source")
    try:
        notebook = jupytext.read(source, fmt="py:percent")
    except UnicodeDecodeError as error:
        raise NotebookRefused(f"{source}: not a text in UTF-8 ({error})") from error
    except Exception as error:  # a damaged header may raise anything
        raise NotebookRefused(f"{source}: not a notebook that Jupytext reads ({error})") from error
    if "kernelspec" not in notebook.metadata:
        raise NotebookRefused(f"{source}: no kernelspec in the header; add one with `jupytext --set-kernel python3`")
    tagged = sum("parameters" in cell.metadata.get("tags", []) for cell in notebook.cells)
    if tagged != 1:
        raise NotebookRefused(f"{source}: expected one cell tagged 'parameters', found {tagged}")
    return notebook


def parameter_defaults(source: Path, notebook: NotebookNode) -> dict[str, Any]:
    """Name and default of each parameter; raises NotebookRefused unless the cell assigns literals and nothing else."""
    cell = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    defaults = {}
    try:
        statements = ast.parse(cell.source).body
    except SyntaxError as error:
        raise NotebookRefused(f"{source}: parameters cell, line {error.lineno}: {error.msg}: {error.text}") from None
    for statement in statements:
        try:
            (target,) = statement.targets if isinstance(statement, ast.Assign) else (statement.target,)  # type: ignore[attr-defined]
            defaults[target.id] = ast.literal_eval(statement.value)  # type: ignore[attr-defined, union-attr]
        except (AttributeError, ValueError, TypeError):
            text = ast.unparse(statement)
            raise NotebookRefused(f"{source}: parameters cell: expected `name = literal`, got `{text}`") from None
    return defaults


def check_parameters(source: Path, defaults: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Raise NotebookRefused for parameters that the source does not have, or of another type than their default."""
    for name, value in given.items():
        if name not in defaults:
            raise NotebookRefused(f"{source}: unknown parameter {name!r}; parameters: {', '.join(defaults)}")
        kinds = (int, float) if type(defaults[name]) is float else (type(defaults[name]),)
        if defaults[name] is not None and type(value) not in kinds:
            kind = type(defaults[name]).__name__
            raise NotebookRefused(f"{source}: parameter {name!r} is of type {kind} ({defaults[name]!r}), got {value!r}")
