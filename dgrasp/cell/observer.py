"""What a policy sees of a cell at test time."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from jaxtyping import Float
from pydantic import Field, model_validator

from dgrasp.cameras import Intrinsics
from dgrasp.cell.description import CameraDescription, CellDescription
from dgrasp.cell.model import model_of
from dgrasp.cell.simulable import views_problem
from dgrasp.config import Config


class Observer(Config):
    """RGB from fixed viewpoints: how many, and of which size. description: of the cell; None: the paper's."""

    opt_in: ClassVar[frozenset[str]] = frozenset({"description"})
    description: CellDescription | None = Field(None, description="of the cell, whose cameras look; null: the paper's")
    views: int = Field(default=2, ge=2, le=3, description="images per plan (Sec. 5: 2; the predecessor used 3)")
    width: int = Field(default=640, ge=8, description="image width, pixels")
    height: int = Field(default=480, ge=8, description="image height, pixels")

    @model_validator(mode="after")
    def _enough_cameras(self) -> Self:
        if self.description is not None and (problem := views_problem(self.description, self.views)):
            raise ValueError(problem)
        return self

    @property
    def lenses(self) -> tuple[Intrinsics, ...]:
        """One per view, of images of this size."""
        return model_of(self.description).lenses(self.views, self.width, self.height)

    @property
    def intrinsics(self) -> Intrinsics:
        """The one lens of all views; raises ValueError where they have several (`lenses`)."""
        if len(set(self.lenses)) > 1:
            raise ValueError("intrinsics: the views have several lenses, and one is needed here")
        return self.lenses[0]

    @property
    def Ts_world_cam(self) -> Float[np.ndarray, "views 4 4"]:
        """Where the cameras stand."""
        return model_of(self.description).fixed_views(self.views)

    @property
    def standing(self) -> list[int]:
        """Numbers of the views whose cameras stand."""
        return [i for i, camera in enumerate(self._mounted) if camera is None]

    @property
    def carried(self) -> list[tuple[int, Float[np.ndarray, "4 4"]]]:
        """Of each camera on the arm, the number of its first view, and `T_flange_cam`."""
        firsts: dict[str, tuple[int, Float[np.ndarray, "4 4"]]] = {}
        for i, camera in enumerate(self._mounted):
            if camera is not None:
                firsts.setdefault(camera.name, (i, camera.T_carrier_cam))
        return list(firsts.values())

    @property
    def _mounted(self) -> list[CameraDescription | None]:
        """Of each view, the camera that the arm carries, or None where it stands."""
        if self.description is None:
            return [None] * self.views
        cameras = [view.camera for view in self.description.views[: self.views]]
        return [camera if camera.mounted else None for camera in cameras]
