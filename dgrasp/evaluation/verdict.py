"""What our numbers say to a sentence of the paper, in a word, and how differences become that word.

- "agrees", "agrees in part": all, or some, of the compared pairs differ as the sentence says, beyond chance.
- "disagrees": one differs the other way, beyond chance, and none as the sentence says; or nothing is there where there
  should be something, shown by intervals.
- "not contradicted": the paper found no difference, and ours show none beyond chance, which proves none.
- "disagrees in part", "disagrees" of such a sentence: some, or all, of the pairs differ beyond chance.
- "cannot be told": ours show no difference beyond chance where the paper states one.
- "not tested": and why; also where there are no such trials.
"""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from dgrasp.evaluation.chance import LEVEL

AGREES, IN_PART, DISAGREES, DISAGREES_IN_PART = "agrees", "agrees in part", "disagrees", "disagrees in part"
NOT_CONTRADICTED, UNKNOWN, NOT_TESTED = "not contradicted", "cannot be told", "not tested"


class Verdict(NamedTuple):
    """What trials say to a sentence, and the numbers behind it."""

    verdict: str
    ours: str


def directed(table: pd.DataFrame, sign: int) -> Verdict:
    """What pairs (`difference`, `p_holm`) say to a difference of one sign."""
    if not len(table):
        return Verdict(NOT_TESTED, "no such pair was run")
    sure = sign * table.loc[table["p_holm"] < LEVEL, "difference"]
    return Verdict(counted(int((sure > 0).sum()), int((sure < 0).sum()), len(table)), span(table))


def counted(agreeing: int, opposite: int, of: int) -> str:
    """The word for so many pairs that differ beyond chance, as the sentence says and the other way."""
    if agreeing == of:
        return AGREES
    return IN_PART if agreeing else DISAGREES if opposite else UNKNOWN


def contradicted(pairs: int, of: int) -> str:
    """The word where the paper found no difference, and so many of our pairs show one beyond chance."""
    return DISAGREES if pairs == of else DISAGREES_IN_PART if pairs else NOT_CONTRADICTED


def span(table: pd.DataFrame) -> str:
    """Least and largest difference of pairs, and how many are beyond chance."""
    sure = int((table["p_holm"] < LEVEL).sum())
    low, high = table["difference"].min(), table["difference"].max()
    differences = f"{low:+.2f}" if len(table) == 1 else f"{low:+.2f} to {high:+.2f}"
    return f"{differences}, {sure} of {len(table)} pairs beyond chance"
