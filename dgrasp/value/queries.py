"""From a TCP pose to the places where Phi is asked: 42 points with view directions in the TCP frame (Soti et al. 2024).

Six lines of points fill a 70 x 30 x 30 mm box around the TCP: two look along the approach (+z), four look inwards
from the fingers (+-x). The order, line by line and along each line's direction, is part of Psi: its readout
flattens the queries.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from dgrasp.checks import check_numbers, check_unit
from dgrasp.config import Config, metres
from dgrasp.poses import Pose, rotate_directions, transform_points

Length = Annotated[float, metres(0.5)]  # of a hand: the longest that is described has 0.5 m


class QueryConfig(Config):
    """The query lines in the TCP frame; lengths in metres. Defaults: Soti et al. 2024, authors' published code."""

    points_per_line: int = Field(default=7, ge=1, description="points on each of the six lines; 7 gives 42 queries")
    half_length: Length = Field(default=0.015, gt=0, description="a line reaches this far to both sides of its centre")
    finger_offset: Length = Field(default=0.02, ge=0, description="distance of the inward lines' centres along x")
    width_offset: Length = Field(default=0.015, ge=0, description="distance of the lines from the TCP along y")
    depth_offset: Length = Field(default=0.0125, description="height of the inward lines along the approach axis z")

    @property
    def n_queries(self) -> int:
        return 6 * self.points_per_line


@dataclass(frozen=True, eq=False)
class QueryPoints:
    """Six lines of query points (metres) in the TCP frame, each with one unit view direction.

    Raises ValueError for other shapes and for directions that are not of unit length.
    """

    points: Float[Tensor, "lines per_line 3"]
    directions: Float[Tensor, "lines 3"]

    def __post_init__(self) -> None:
        check_numbers(self.points, "points", "(lines, per_line, 3)", (3,), (3,))
        check_numbers(self.directions, "directions", f"({len(self.points)}, 3)", (2,), (len(self.points), 3))
        check_unit(self.directions, "directions")

    @classmethod
    def from_config(cls, config: QueryConfig | None = None) -> QueryPoints:
        """The lines of `config` (default: the 42 queries of Soti et al. 2024)."""
        c = config or QueryConfig()
        along_x, against_x, along_z = (1.0, 0.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 0.0, 1.0)
        lines = (
            ((0.0, c.width_offset, 0.0), along_z),
            ((0.0, -c.width_offset, 0.0), along_z),
            ((-c.finger_offset, c.width_offset, c.depth_offset), along_x),
            ((c.finger_offset, c.width_offset, c.depth_offset), against_x),
            ((-c.finger_offset, -c.width_offset, c.depth_offset), along_x),
            ((c.finger_offset, -c.width_offset, c.depth_offset), against_x),
        )
        centres, directions = (torch.tensor(column, dtype=torch.float64) for column in zip(*lines, strict=True))
        n = c.points_per_line
        steps = torch.linspace(-1, 1, n, dtype=torch.float64) if n > 1 else torch.zeros(1, dtype=torch.float64)
        points = centres[:, None] + c.half_length * steps[:, None] * directions[:, None]
        dtype = torch.get_default_dtype()
        return cls(points.to(dtype), directions.to(dtype))

    def __len__(self) -> int:
        return self.points.shape[0] * self.points.shape[1]

    def lines_in_world(
        self, T_world_tcp: Pose
    ) -> tuple[Float[Tensor, "*#batch lines per_line 3"], Float[Tensor, "*#batch lines 3"]]:
        """Points (metres) and the direction of each line in the world frame; differentiable in the poses."""
        points = transform_points(T_world_tcp, self.points.flatten(0, 1).to(T_world_tcp))
        directions = rotate_directions(T_world_tcp, self.directions.to(T_world_tcp))
        return points.unflatten(-2, self.points.shape[:2]), directions

    def in_world(
        self, T_world_tcp: Pose
    ) -> tuple[Float[Tensor, "*#batch queries 3"], Float[Tensor, "*#batch queries 3"]]:
        """The same, one point and one direction per query, in Psi's order."""
        points, directions = self.lines_in_world(T_world_tcp)
        return points.flatten(-3, -2), directions[..., None, :].expand_as(points).flatten(-3, -2)
