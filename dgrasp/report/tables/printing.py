"""Tables that people read: Markdown and LaTeX, the best of a column in bold (marked "*" in the printable table)."""

from __future__ import annotations

import pandas as pd

SPECIAL = {"\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$", "±": r"$\pm$"}


def as_markdown(printed: pd.DataFrame) -> str:
    """A Markdown table; cells that end in " *" are bold."""
    rows = [list(map(str, printed.columns)), ["---"] * len(printed.columns), *_cells(printed)]
    return "".join(f"| {' | '.join(_bold(cell, '**{}**') for cell in row)} |\n" for row in rows)


def as_latex(printed: pd.DataFrame) -> str:
    """The same as a LaTeX tabular (package booktabs)."""
    first, *rest = ([_bold(_escaped(cell), r"\textbf{{{}}}") for cell in row] for row in _rows(printed))
    lines = [rf"\begin{{tabular}}{{l{'c' * (len(printed.columns) - 1)}}}", r"\toprule", " & ".join(first) + r" \\"]
    lines += [r"\midrule", *(" & ".join(row) + r" \\" for row in rest), r"\bottomrule", r"\end{tabular}"]
    return "\n".join(lines) + "\n"


def _rows(printed: pd.DataFrame) -> list[list[str]]:
    return [list(map(str, printed.columns)), *_cells(printed)]


def _cells(printed: pd.DataFrame) -> list[list[str]]:
    return printed.astype(str).to_numpy().tolist()


def _bold(cell: str, form: str) -> str:
    return form.format(cell.removesuffix(" *")) if cell.endswith(" *") else cell


def _escaped(cell: str) -> str:
    return "".join(SPECIAL.get(letter, letter) for letter in cell)


def span(n: pd.Series) -> str:
    """Counts of attempts, as a caption names them: one number, or the lowest and the highest."""
    return f"{n.min():.0f}" if n.min() == n.max() else f"{n.min():.0f} to {n.max():.0f}"
