"""What a policy sees of a cell at test time."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from pydantic import Field

from dgrasp.cameras import Intrinsics
from dgrasp.cell.viewpoints import evaluation_viewpoints
from dgrasp.config import Config


class Observer(Config):
    """RGB from fixed viewpoints: how many, and of which size."""

    views: int = Field(default=2, ge=2, le=3, description="images per plan (Sec. 5: 2; the predecessor used 3)")
    width: int = Field(default=640, ge=8, description="image width, pixels")
    height: int = Field(default=480, ge=8, description="image height, pixels")

    @property
    def intrinsics(self) -> Intrinsics:
        """A D415's, of images of this size."""
        return Intrinsics.d415(self.width, self.height)

    @property
    def Ts_world_cam(self) -> Float[np.ndarray, "views 4 4"]:
        """Where the cameras stand."""
        return evaluation_viewpoints(self.views)
