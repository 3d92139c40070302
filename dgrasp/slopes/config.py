"""Settings of the pose optimizer and of its tuning."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from dgrasp.config import Config

Pairs = tuple[tuple[int, int], ...]


class OptimizerConfig(Config):
    """Adam on many poses at once (Sec. 3.1, 3.3).

    Defaults of rates, decays and steps: the one tuned set that the authors' published code stores (two images).
    """

    steps: int = Field(default=19, ge=1, le=10_000, description='gradient steps; "seq" makes this many for each part')
    translation_rate: float = Field(
        default=0.01776, gt=0, description="initial learning rate of the translation, metres"
    )
    rotation_rate: float = Field(default=0.661, gt=0, description="initial learning rate of the rotation's coordinates")
    translation_decay: float = Field(default=0.8408, gt=0, le=1, description="rate_k = rate_0 * decay^k")
    rotation_decay: float = Field(default=0.8262, gt=0, le=1, description="rate_k = rate_0 * decay^k")
    gradient_clip: float | None = Field(
        default=1.0, gt=0, description="slopes are clipped by value to +- this (authors' code); null switches it off"
    )
    clip_to_workspace: bool = Field(default=True, description="translations stay inside the workspace (tuned set: on)")
    n_starts: int = Field(
        default=4096, ge=1, le=1_000_000, description="random starting poses (authors' code; 8k in Soti et al. 2024)"
    )
    start_rotations: Literal["haar", "euler"] = Field(
        default="haar", description='"haar" is uniform on SO(3); "euler" is the authors\' code'
    )
    pruning: Pairs = Field(
        default=(),
        description=(
            "pairs (step, count): after that many steps only the best count candidates climb on, by the score "
            "they had in that step; step 0 ranks the starts by one forward pass. Empty = the paper's procedure"
        ),
    )
    pruning_first: Pairs | None = Field(
        default=None,
        description='pairs for the first phase of "seq", in which translations alone move; the steps of `pruning` then '
        "count in its last phase. null: they count all steps of the climb. Without `pruning` nobody is dropped",
    )
    chunk: int = Field(default=512, ge=1, description="poses evaluated at once: bounds memory, changes no result")
    approach: Literal["any", "downwards"] = Field(
        default="any",
        description='"downwards" takes the best pose whose approach axis points below the horizon (real robot)',
    )
    approach_offset: float = Field(
        default=0.0, description="metres that the chosen pose moves along its approach axis (real robot: 0.01)"
    )
    approach_floor: float | None = Field(
        default=None,
        description="world z, metres, where the offset ends; a pose that is lower already stays where it is",
    )

    @model_validator(mode="after")
    def _schedule(self) -> OptimizerConfig:
        first = self.pruning_first or () if self.pruning else ()  # without `pruning` it is of no effect
        for name, pairs in (("pruning", self.pruning), ("pruning_first", first)):
            steps, counts = [s for s, _ in pairs], [c for _, c in pairs]
            if (
                steps != sorted(set(steps))
                or counts != sorted(counts, reverse=True)
                or any(s < 0 or c < 1 for s, c in pairs)
            ):
                raise ValueError(
                    f"{name}: expected pairs (step, count) with rising steps and falling counts of 1 or more, "
                    f"got {pairs}"
                )
            if counts and counts[0] > self.n_starts:
                raise ValueError(f"{name}: {counts[0]} candidates asked of n_starts = {self.n_starts}")
        return self

    def times(self, factor: int) -> dict[str, Any]:
        """Settings of a climb with so many times the candidates, of which the same shares climb on."""
        first = None if self.pruning_first is None else tuple((s, factor * c) for s, c in self.pruning_first)
        pruning = tuple((s, factor * c) for s, c in self.pruning)
        return {"n_starts": factor * self.n_starts, "pruning": pruning, "pruning_first": first}
