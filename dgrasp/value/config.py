"""Settings of Psi and its training. Where the paper and the authors' published code differ, there is a named option."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from dgrasp.cell.miscalibration import CalibrationErrors
from dgrasp.config import Config, metres
from dgrasp.slopes.first_order import ROTATION_STEP, STEP
from dgrasp.value.queries import QueryConfig
from dgrasp.value.readout import ReadoutConfig

Rotations = Literal["haar", "euler"]
Shift = Annotated[float, metres(0.5)]  # of a sample from its pose: half a metre is most of the workspace
Coordinate = Annotated[float, metres(10.0)]  # no part of a bench is that far from its origin
Corner = tuple[Coordinate, Coordinate, Coordinate]


class NegativeConfig(Config):
    """The wrong poses that L_main tells the grasp from: uniform ones, and shares of harder ones.

    A string selects a preset: "uniform" (Sec. 3.1 as written), "authors_base" and "authors_dgrasp" (their code),
    "sharp" (ours, the defaults).
    """

    opt_in: ClassVar[frozenset[str]] = frozenset({"outcome_share"})
    outcome_share: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="share at grasps of the policies' own that failed in physics on this very scene, where it has any; "
        "as near to them as blocked ones to theirs. Needs a run of outcomes. Paper and authors' code: none",
    )
    near_share: float = Field(
        default=0.25,
        ge=0,
        le=1,
        description="share near the grasp in position and rotation. Paper and authors' code: 0. Ours 0.25: uniform "
        "negatives alone are told apart within minutes while the best pose is still centimetres off",
    )
    near_translation: Shift = Field(
        default=0.04, ge=0, description="reach of near negatives along each TCP axis, metres"
    )
    near_rotation: float = Field(
        default=0.61, ge=0, description="reach of near negatives about a random axis, radians (35 degrees)"
    )
    turned_share: float = Field(
        default=0.125,
        ge=0,
        le=1,
        description=(
            "share at the grasp's place with any rotation. Paper: none; authors' code: 15 of 511 (Base), 8 of 63 "
            "(dGrasp). Ours: one value for all models, so that only the loss differs"
        ),
    )
    turned_translation: Shift = Field(
        default=0.01, ge=0, description="reach of turned negatives along each axis, metres"
    )
    blocked_share: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="share near annotated grasps that a neighbour blocks, where the scene has any: each looks like a "
        "grasp but for what stands beside it. Needs the simulator's state. Paper and authors' code: 0",
    )
    blocked_translation: Shift = Field(
        default=0.003, ge=0, description="reach of blocked negatives along each axis, metres"
    )
    blocked_rotation: float = Field(
        default=0.1, ge=0, description="reach of blocked negatives about a random axis, radians"
    )
    rotations: Rotations = Field(
        default="haar",
        description=(
            '"haar" is uniform on SO(3), what the paper\'s "random" should mean; "euler" (three uniform angles) is'
            " the authors' code, which prefers some rotations"
        ),
    )
    margin: float = Field(
        default=0.05,
        ge=0,
        description=(
            "uniform negatives reach beyond the workspace by this fraction of its size (as in Florence et al. "
            "2022), so that its faces and corners are not the least trained part; 0 in paper and authors' code"
        ),
    )
    positive_translation: Shift = Field(
        default=0.006,
        ge=0,
        description=(
            "a pose within this distance AND `positive_rotation` of the grasp, or of the grasp turned half round "
            "its approach axis, is as good as the grasp and is replaced by a uniform one (metres; not in the "
            "paper)"
        ),
    )
    positive_rotation: float = Field(default=0.15, ge=0, description="see `positive_translation`; radians")

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, value: Any) -> Any:
        if isinstance(value, str):
            if value not in NEGATIVE_PRESETS:
                raise ValueError(f"unknown preset {value!r}; presets of negatives: {', '.join(NEGATIVE_PRESETS)}")
            return dict(NEGATIVE_PRESETS[value])
        return value

    @model_validator(mode="after")
    def _shares(self) -> NegativeConfig:
        if self.near_share + self.turned_share + self.blocked_share + (self.outcome_share or 0) > 1:
            raise ValueError("near_share + turned_share + blocked_share + outcome_share: expected at most 1")
        return self


_PLAIN: Mapping[str, Any] = {
    "near_share": 0.0, "turned_share": 0.0, "blocked_share": 0.0, "margin": 0.0,
    "positive_translation": 0.0, "positive_rotation": 0.0,
}  # fmt: skip
NEGATIVE_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "sharp": {},
    "uniform": _PLAIN,
    "authors_base": {**_PLAIN, "turned_share": 15 / 511, "rotations": "euler"},
    "authors_dgrasp": {**_PLAIN, "turned_share": 8 / 63, "rotations": "euler"},
}


class SlopeConfig(Config):
    """L_aux: poses around the demonstrated trajectory, their targets, and the loss's weight."""

    weight: float = Field(
        default=1.0, ge=0, description="of L_aux in L_total; 1 in the paper (Eq. 6), 0 is Base exactly"
    )
    how: Literal["second_order", "finite_differences", "trajectory_ranking", "slope_head"] = Field(
        default="second_order",
        description='what teaches the way to the grasp: "second_order" is L_aux (Eq. 4); the others are first-order '
        "rivals in its place (`dgrasp.slopes.first_order`, not in the paper), each on the same poses: slopes by finite "
        "differences of values, later poses ranked above earlier ones, a second readout that says slopes outright",
    )
    difference: tuple[Annotated[Shift, Field(gt=0)], Annotated[float, Field(gt=0)]] = Field(
        default=(STEP, ROTATION_STEP),
        description='"finite_differences": steps of translations, metres, and of rotation coordinates',
    )
    n_poses: int = Field(default=64, ge=1, description="augmented poses of L_aux per observation (Sec. 5.1: 64)")
    share_poses: bool = Field(
        default=False,
        description="True: L_main is cut to `n_poses` poses, as in Sec. 5.1 and the authors' code, which had no memory "
        "for more. False (ours): L_main keeps its own number, since with the exact scheme second order costs little",
    )
    window: int = Field(
        default=4,
        ge=1,
        description=(
            "trajectory poses that are augmented per observation; n_poses / window copies of each (authors' code:"
            " 4 x 16)"
        ),
    )
    consecutive: bool = Field(
        default=False,
        description=(
            "True: the window is consecutive (authors' code). False (ours): drawn over the whole trajectory, "
            "which spreads one step's supervision from start to grasp"
        ),
    )
    target_offset: int = Field(
        default=1,
        ge=1,
        description=(
            "t' = t + this many recorded poses, at most the grasp itself (authors' code: 1; Sec. 3.2: any later pose)"
        ),
    )
    include_grasp: bool = Field(
        default=True,
        description=(
            "the grasp itself is augmented too, with itself as target, so that slopes point to the summit from "
            "all sides. Authors' code stops before the last pose"
        ),
    )
    translation: Shift = Field(
        default=0.02,
        ge=0,
        description="uniform perturbation along each axis of the pose's own frame, metres (authors' code)",
    )
    rotation: float = Field(
        default=0.6,
        ge=0,
        description="uniform perturbation of each Euler angle in the pose's own frame, radians (authors' code)",
    )
    eps: float = Field(
        default=1e-6,
        gt=0,
        description="keeps the cosine's gradient finite where the landscape is flat (not in the paper)",
    )


class ValueConfig(Config):
    """Psi and how it is trained. Frozen Phi; only GraspReadout learns."""

    opt_in: ClassVar[frozenset[str]] = frozenset({"calibration", "tried_share", "averaged"})
    calibration: CalibrationErrors | None = Field(
        default=None, description="errors of the stated cameras, new in every step (not in the paper); null: none"
    )
    tried_share: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="share of observations that are drawn from those with grasps that failed in physics "
        "(`negatives.outcome_share`), beside all of them in turn; not in the paper",
    )
    averaged: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="the readout is the exponential average of its weights over the steps, of which each keeps this "
        "share of what was before (not in the paper); null: the last step's",
    )

    queries: QueryConfig = Field(default=QueryConfig(), description="where Phi is asked")
    readout: ReadoutConfig = Field(default=ReadoutConfig(), description="the trained part of Psi")
    fusion: Literal["sum", "network"] = Field(
        default="sum",
        description=(
            'several images: "sum" adds the logits of single images (policies of the paper, Eq. 1 per image); '
            '"network" averages inside Phi (Soti et al. 2024 with three views)'
        ),
    )
    views: int = Field(
        default=1,
        ge=1,
        description=(
            'views per training sample, drawn from `policy_views` for every model alike; "sum" trains on 1 '
            "(authors' code)"
        ),
    )
    policy_views: int = Field(
        default=5,
        ge=1,
        description=(
            "views of a demonstration that training may draw from. Authors' code: 2 of 5 for Base, 5 of 5 for "
            "dGrasp; ours is one number for all, else views and loss are confounded"
        ),
    )
    n_poses: int = Field(
        default=512, ge=2, description="poses of L_main per observation, one of them the grasp (Sec. 5.1: 512 for Base)"
    )
    main_loss: Literal["cross_entropy", "kl"] = Field(
        default="cross_entropy",
        description='the paper computes "kl" by Keras (Sec. 3.2); equal for one-hot labels, but Keras clips at 1e-7',
    )
    half_turns: bool = Field(
        default=True,
        description=(
            "a demonstration is turned half round its approach axis with probability 1/2: the gripper is the same"
            " (not in paper or code, which meet the symmetry only in their error metric)"
        ),
    )
    negatives: NegativeConfig = Field(
        default=NegativeConfig(),
        description='or a preset\'s name: "sharp", "uniform", "authors_base", "authors_dgrasp"',
    )
    slope: SlopeConfig = Field(default=SlopeConfig(), description="L_aux, for the dGrasp models")
    workspace: tuple[Corner, Corner] = Field(
        default=((-0.127, -0.305, 0.9605), (0.527, 0.305, 1.0655)),
        description="low and high corner of the TCP's workspace in the world, metres (authors' code)",
    )
    steps: int = Field(
        default=256_000,
        ge=1,
        description="gradient steps, equal for all models (authors' code: 256k Base, 25.6k dGrasp at batch 4)",
    )
    batch: int = Field(
        default=4, ge=1, description="observations per step (Sec. 5: 4 for all; authors' code: 8 for Base)"
    )
    learning_rate: float = Field(default=1e-4, gt=0, description="of Adam (Soti et al. 2024)")
    final_learning_rate: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="fraction of the learning rate left at the end of a cosine decay; 1 = constant (authors' code)",
    )
    clip_value: float = Field(
        default=1.0, gt=0, description="weight gradients are clipped by value to +- this (authors' code)"
    )
    group: int = Field(
        default=1,
        ge=1,
        description="observations evaluated at once; bounds memory, and is faster above 1 for small sizes",
    )
    reuse: int = Field(
        default=1,
        ge=1,
        description="how many steps use an observation's views, once encoded, before others take their place; poses "
        "are new each time. 1: the demonstrations in random order, views drawn anew each time",
    )
    block: int = Field(
        default=256,
        ge=1,
        description="observations that are in use at a time where `reuse` is above 1; their views must fit `cache_gib`",
    )
    maps: Literal["fp32", "fp16"] = Field(
        default="fp32",
        description="how encoded views are kept; fp16 takes half the memory and changes losses in the fourth digit",
    )
    log_every: int = Field(default=100, ge=1, description="steps between logged losses")
    validate_every: int = Field(default=4000, ge=1, description="steps between validations")
    validation_scenes: int = Field(
        default=16, ge=1, description="demonstrations of the validation split that are looked at"
    )
    checkpoint_every: int = Field(default=1000, ge=1, description="steps between checkpoints")
    cache_gib: float = Field(
        default=8.0,
        ge=0,
        description="each process keeps encoded views in memory up to this size; above it they are encoded when drawn",
    )
    scenes_in_memory: int = Field(
        default=32, ge=1, description="scenes whose images each process keeps decoded: 4 MB each at 256x192"
    )

    @property
    def bounds(self) -> tuple[Tensor, Tensor]:
        """The workspace's corners as tensors (3,)."""
        low, high = self.workspace
        return torch.tensor(low), torch.tensor(high)

    @model_validator(mode="after")
    def _consistent(self) -> ValueConfig:
        if self.fusion == "sum" and self.views != 1:
            raise ValueError(
                'views: fusion "sum" trains on single images, expected 1; for several use fusion "network"'
            )
        if self.views > self.policy_views:
            raise ValueError(f"views: {self.views} asked of policy_views = {self.policy_views}")
        if self.tried_share and not self.negatives.outcome_share:
            raise ValueError("tried_share: needs failed grasps among the negatives, negatives.outcome_share above 0")
        if self.reuse > 1 and self.block % self.batch:
            raise ValueError(f"block: expected a multiple of batch = {self.batch} for reuse above 1, got {self.block}")
        low, high = self.workspace
        if not all(a < b for a, b in zip(low, high, strict=True)):
            raise ValueError("workspace: expected low < high in every coordinate")
        return self
