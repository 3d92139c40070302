"""Settings of the demonstrations."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from dgrasp.cell.config import CellConfig
from dgrasp.config import Config
from dgrasp.sim.looks import LooksConfig
from dgrasp.sim.oracle import OracleConfig

STAGE = "demonstrations"


class DataConfig(Config):
    """How many demonstrations, how they are seen, and who makes them."""

    opt_in: ClassVar[frozenset[str]] = frozenset({"looks"})

    task: str = Field(
        "simple", description="Task the scenes are drawn from (Sec. 4.1: training sees the simple task only)"
    )
    train_scenes: int = Field(512, ge=1, le=1_000_000, description="Training scenes (Sec. 4.1: 512)")
    validation_scenes: int = Field(
        16, ge=0, le=100_000, description="Held-out scenes with demonstrations; not in the paper"
    )
    objects_per_scene: int = Field(5, ge=1, le=20, description="Objects removed one after the other (Sec. 4.1: 5)")
    views: int = Field(10, ge=1, le=200, description="Views per demonstration, all for the NeRF (authors' code: 50)")
    policy_views: int = Field(
        5, ge=1, le=200, description="The first of the views, for the value function (authors' code: 5)"
    )
    policy_viewpoints: Literal["fixed", "sampled"] = Field(
        "fixed",
        description="First five views: the fixed evaluation sets as in the authors' code, or drawn like all others",
    )
    width: int = Field(128, ge=8, le=4096, description="Image width in pixels (paper: 640)")
    height: int = Field(96, ge=8, le=4096, description="Image height in pixels (paper: 480)")
    tries: int = Field(
        6, ge=1, le=100, description="Attempts of the oracle per demonstration before its scene is given up"
    )
    draws: int = Field(
        20,
        ge=1,
        le=1000,
        description="Draws of a scene until all its objects were lifted one by one and none disturbed another, "
        "so that the number of demonstrations is met (Sec. 4.1: 2,560). 1: a scene may be cut short",
    )
    looks: LooksConfig | None = Field(
        None, description="Randomised looks of every observation (not in the paper); null: one bench, one light"
    )
    oracle: OracleConfig = Field(default_factory=OracleConfig, description="The demonstrator's motion")

    @model_validator(mode="after")
    def _views_in_order(self) -> DataConfig:
        if self.policy_views > self.views:
            raise ValueError(
                f"policy_views ({self.policy_views}) must not exceed views ({self.views}): they are the first of them"
            )
        return self


class DemonstrationsRecipe(Config):
    """What a demonstrations run is made from."""

    data: DataConfig = Field(description="Counts and views")
    cell: CellConfig = Field(description="The simulated cell")

    def canonical(self) -> str:
        return f'{{"cell":{self.cell.canonical()},"data":{self.data.canonical()}}}'
