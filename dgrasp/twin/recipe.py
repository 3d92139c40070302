"""What every stage in the twin depends on."""

from __future__ import annotations

from dgrasp.evaluation.stage import AttemptsRecipe
from dgrasp.twin.reality import TwinConfig


class TwinRecipe(AttemptsRecipe):
    """Reality as the twin draws it, besides cell and observer. Policies get the real robot's rule (Sec. 5.2)."""

    twin: TwinConfig
