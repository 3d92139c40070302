"""The models of the paper, and the control."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pydantic import Field, model_validator

from dgrasp.config import Config
from dgrasp.poses import Representation, representation
from dgrasp.value.config import ValueConfig

# Model -> the representation whose slopes L_aux supervises; None: L_main alone. `base_control` has the number of poses
# of the dGrasp models and differs from them in nothing but the loss; where `slope.share_poses` is off it is `base`.
MODELS: Mapping[str, str | None] = MappingProxyType(
    {"base": None, "dgrasp_quat": "quat", "dgrasp_6d": "6d", "base_control": None}
)


class ValueRecipe(Config):
    """One of the models, with its settings."""

    model: str = Field(description=f"one of {', '.join(MODELS)}")
    value: ValueConfig = Field(default=ValueConfig(), description="the same for all models")
    replica: int = Field(
        default=0,
        ge=0,
        description="which of several initial weights: replicas of one seed see the same observations and poses",
    )

    @model_validator(mode="after")
    def _possible(self) -> ValueRecipe:
        if self.model not in MODELS:
            raise ValueError(f"unknown model {self.model!r}; models: {', '.join(MODELS)}")
        if self.representation is not None and not self.value.readout.smooth:
            raise ValueError(
                f"readout.activation: {self.model!r} supervises slopes, and those of 'relu' jump; "
                "use 'elu', 'softplus' or 'silu'"
            )
        return self

    @property
    def representation(self) -> Representation | None:
        """Coordinates of the supervised slopes, or None."""
        name = MODELS[self.model]
        return None if name is None else representation(name)

    @property
    def steered(self) -> bool:
        """Whether Psi has a second readout that says slopes outright."""
        return self.representation is not None and self.value.slope.how == "slope_head"

    @property
    def n_poses(self) -> int:
        """Poses of L_main per observation."""
        return _n_poses(self.model, self.value)

    @property
    def trained_as(self) -> str:
        """The first of `MODELS` whose training is the same, draw by draw: itself, but for a control that is Base."""
        same = MODELS[self.model], self.n_poses
        return next(m for m, rep in MODELS.items() if (rep, _n_poses(m, self.value)) == same)


def _n_poses(model: str, value: ValueConfig) -> int:
    cut = value.slope.share_poses and model != "base"
    return value.slope.n_poses if cut else value.n_poses
