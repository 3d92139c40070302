"""A cell as data: arm, gripper, cameras, bench and workspace in one YAML file, checked as it is read.

Shipped are `ur10_2f140_d415` (the paper's), `panda_hand` and `ur5_2f85`, in `dgrasp/cell/cells`. The simulator and the
drivers have the first one built in, and a test says that its file tells the same; the simulator follows any other
(`dgrasp.cell.model`). World frame: z up, metres; poses of the hand as everywhere (z the approach, x across fingers).
"""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Annotated, ClassVar, Literal, NamedTuple, Self

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field, ValidationError, field_validator, model_validator
from scipy.spatial.transform import Rotation

from dgrasp.cameras import Intrinsics, view_from_sphere
from dgrasp.cell.degrees import Degrees
from dgrasp.cell.transforms import pose_matrix, transform
from dgrasp.config import Config, explain, metres
from dgrasp.files import UserFileError, read_yaml

SHIPPED = Path(__file__).parent / "cells"
FAR = 10.0  # m: no part of a bench is that far from its origin, but millimetres are
ON_FLANGE = 0.5  # m: no camera on a hand is further from the flange
LEAST_OPENING = 0.02  # m: what is grasped follows the opening, and would be of millimetres
FASTEST, SLOWEST = 2.0, 0.002  # m/s: no gripper closes as fast, but millimetres do; or takes as long for an object
STRONGEST = 500.0  # N: the strongest of the shipped hands has 235, and what is grasped are things of a table
# m: least and most of a finger's thickness, width and length. Fingers of 5 mm to 3 cm are usual.
FINGER = {"thickness": (0.001, 0.05), "width": (0.002, 0.1), "length": (0.01, 0.3)}
LEAST_BODY = 0.02  # m: no drive of two fingers is as thin
LONGEST_HAND = 0.5  # m from the flange to the tool centre point
FARTHEST = 5.0  # m from a camera to the workspace's centre. Not in the paper: its cameras are 0.8 m off
FLATTEST = 5.0  # degrees: a camera that looks at the board from lower sees it as a line
IN_BASE = (0.06, 0.1)  # m: radius and height of what every arm's base fills
LET_IN = 0.01  # m that a base may be let into the table
ONE_PLACE = 0.01  # m: two cameras have no room nearer to each other, and show the same
STRAIGHT_DOWN = 1e-3  # degrees from the vertical: nearer, and no direction is up in the image
QUATERNION = 1e-3  # how far the length of a written quaternion may be off
Point = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]
Span = tuple[float, float]


def _near(point: tuple[float, ...]) -> tuple[float, ...]:
    if max(map(abs, point)) > FAR:
        raise ValueError(f"over {FAR:g} m; are these millimetres, not metres?")
    return point


def _radians(azimuth: float, polar: float) -> str | None:
    """What is wrong with two angles that are small, and no whole numbers: nobody looks so from above, in degrees."""
    if abs(azimuth) > math.pi or polar > math.pi / 2 or (azimuth.is_integer() and polar.is_integer()):
        return None
    return (
        f"azimuth {azimuth:g}, polar {polar:g}: they look like radians; expected are degrees, "
        f"{math.degrees(azimuth):.0f} and {math.degrees(polar):.0f}?"
    )


def _rising(span: Span) -> Span:
    if not 0 <= span[0] < span[1]:
        raise ValueError(f"expected a smaller and a larger number, not negative, got {span[0]:g} and {span[1]:g}")
    return span


class ArmDescription(Config):
    """The arm: where its model is, and what its joints may do."""

    opt_in: ClassVar[frozenset[str]] = frozenset({"urdf_sha256"})
    urdf_sha256: str | None = Field(None, description="of a model of one's own, which a profile notes; null: not noted")
    name: str = Field(min_length=1, description="for people")
    urdf: str = Field(
        min_length=1, pattern=r"^[^\x00]*$", description="a path, or example-robot-data:PATH, pybullet_data:PATH"
    )
    base: str = Field(description="link that stands on the bench")
    flange: str = Field(description="link that carries the hand, z ahead")
    joints: tuple[str, ...] = Field(min_length=5, max_length=8, description="that move, from the base on")
    lower: tuple[float, ...] = Field(description="limits of the joints, radians")
    upper: tuple[float, ...] = Field(description="limits of the joints, radians")
    speed: tuple[float, ...] = Field(description="limits of the joints, rad/s")
    home: tuple[float, ...] = Field(description="joints at rest, out of the cameras' sight, radians")
    base_position: Point = Field(description="of the base link in the world, metres")
    base_turn: Degrees = Field(0.0, ge=-180, le=180, description="of the base link about z, degrees")
    closed_form: Literal["ur10"] | None = Field(None, description="inverse kinematics that is written out")

    _position = field_validator("base_position")(_near)

    @model_validator(mode="after")
    def _joints(self) -> Self:
        n = len(self.joints)
        for name in ("lower", "upper", "speed", "home"):
            if len(getattr(self, name)) != n:
                raise ValueError(f"{name}: expected {n} numbers, one per joint, got {len(getattr(self, name))}")
        for joint, low, high, home, speed in zip(
            self.joints, self.lower, self.upper, self.home, self.speed, strict=True
        ):
            if not low < high:
                raise ValueError(f"{joint}: lower {low:g} is not below upper {high:g}")
            if max(-low, high) > 4 * math.pi:
                raise ValueError(f"{joint}: limits of {low:g} to {high:g} rad; are these degrees?")
            if not low <= home <= high:
                unit = "; are these degrees?" if abs(home) > 2 * math.pi else ""
                raise ValueError(f"{joint}: home {home:g} is outside of {low:g} to {high:g} rad{unit}")
            if not 0 < speed <= 20:
                raise ValueError(f"{joint}: a speed of {speed:g} rad/s; allowed are 0 to 20, is it degrees?")
        return self

    @property
    def T_world_base(self) -> Float[np.ndarray, "4 4"]:
        """Where the base link stands."""
        return transform(Rotation.from_euler("z", self.base_turn, degrees=True), self.base_position)


class GripperDescription(Config):
    """Two parallel fingers."""

    opt_in: ClassVar[frozenset[str]] = frozenset({"body"})
    body: Span | None = Field(
        None, description="of the hand behind the fingers, across them and along their width, m; null: as wide as they"
    )
    name: str = Field(min_length=1, description="for people")
    closing_axis: Point = Field(description="along which the fingers close, a unit vector in the flange's x-y plane")
    tcp_ahead: Annotated[float, metres(LONGEST_HAND)] = Field(
        gt=0, description="tool centre point ahead of the flange, along z, m"
    )
    tip_ahead: Annotated[float, metres(0.2)] = Field(
        ge=0, description="closed fingertips ahead of the tool centre point, less than the fingers are long, m"
    )
    opening: Annotated[float, metres(0.5)] = Field(gt=0, description="between the open fingers, 0.02 and more, m")
    finger: Point = Field(description="a finger's thickness (along the closing axis), width and length, m")
    force: Span = Field(description="least and most per finger, N")
    speed: Span = Field(description="least and most of the gap, m/s")

    _spans = field_validator("force", "speed")(_rising)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if abs(math.hypot(*self.closing_axis) - 1) > 1e-6 or abs(self.closing_axis[2]) > 1e-6:
            raise ValueError(f"closing_axis: {self.closing_axis} is no unit vector in the flange's x-y plane")
        sides = (*self.finger, *(self.body or ()))
        if not all(0 < side <= 0.3 for side in sides):
            raise ValueError(f"finger, body: sides of {sides} m; allowed are 0 to 0.3, are they millimetres?")
        for (what, (least, most)), side in zip(FINGER.items(), self.finger, strict=True):
            if not least <= side <= most:
                raise ValueError(f"finger: a {what} of {side:g} m; allowed are {least:g} to {most:g} m")
        if self.finger[2] >= self.tcp_ahead + self.tip_ahead:
            raise ValueError(
                f"finger: {self.finger[2]:g} m long; the tips are {self.tcp_ahead + self.tip_ahead:g} m ahead of the "
                "flange, so fingers must be shorter"
            )
        if self.tip_ahead >= self.finger[2]:
            raise ValueError(
                f"tip_ahead: {self.tip_ahead:g} m, with fingers of {self.finger[2]:g} m: the tool centre point would "
                "be behind the fingers, in the hand; allowed is less than their length"
            )
        if self.opening < LEAST_OPENING:
            raise ValueError(
                f"opening: {self.opening:g} m; allowed are {LEAST_OPENING:g} m and more: the objects of the tasks are "
                "as large as the hand, and would be of millimetres"
            )
        if self.body is not None:
            self._carries_its_fingers(self.body)
        if self.force[1] > STRONGEST:
            raise ValueError(f"force: {self.force[1]:g} N per finger; allowed are {STRONGEST:g} at most")
        if self.speed[1] > FASTEST:
            raise ValueError(
                f"speed: {self.speed[1]:g} m/s; allowed are {FASTEST:g} at most, are these millimetres per second?"
            )
        if self.speed[1] < SLOWEST:
            raise ValueError(f"speed: {self.speed[1]:g} m/s; allowed are {SLOWEST:g} and more for the fastest")
        return self

    def _carries_its_fingers(self, body: Span) -> None:
        across, along = body
        if across < self.opening:
            raise ValueError(
                f"body: {across:g} m across the fingers, which open to {self.opening:g} m: they would stand beside it; "
                f"allowed are {self.opening:g} m and more, a linkage that carries them is part of it"
            )
        if along < LEAST_BODY:
            raise ValueError(f"body: {along:g} m along the fingers' width; allowed are {LEAST_BODY:g} m and more")

    @property
    def T_flange_tcp(self) -> Float[np.ndarray, "4 4"]:
        """z ahead, x along the closing axis."""
        x, z = np.array(self.closing_axis), np.array([0.0, 0.0, 1.0])
        return transform(np.column_stack([x, np.cross(z, x), z]), (0.0, 0.0, self.tcp_ahead))


class Look(Config):
    """From where a camera looks at the board's middle, upright."""

    azimuth: float = Field(ge=-180, le=180, description="about the board's middle from +x, degrees")
    polar: float = Field(ge=0, lt=90, description="from the vertical, degrees")
    distance: Annotated[float, metres(FAR)] = Field(gt=0, description="from the board's middle, m")

    @model_validator(mode="after")
    def _degrees(self) -> Self:
        if problem := _radians(self.azimuth, self.polar):
            raise ValueError(problem)
        return self


class CameraDescription(Config):
    """A camera: a lens, and where it is. One of three.

    It stands, and looks at the board's middle (`azimuth`, `polar`, `distance`). It stands with a pose of its own
    (`position`, `orientation`: `T_world_cam`). It is on the flange (`mounted`, with `position` and `orientation`:
    `T_flange_cam`), and the arm brings it to its `looks`. Axes of a camera as OpenCV's: x right, y down, z ahead.
    """

    opt_in: ClassVar[frozenset[str]] = frozenset(
        {"azimuth", "polar", "distance", "position", "orientation", "mounted", "looks"}
    )
    name: str = Field(min_length=1, description="unique")
    width: int = Field(ge=8, le=10_000, description="pixels")
    height: int = Field(ge=8, le=10_000, description="pixels")
    fx: float = Field(gt=0, description="pixels")
    fy: float = Field(gt=0, description="pixels")
    cx: float = Field(ge=0, description="pixels")
    cy: float = Field(ge=0, description="pixels")
    azimuth: float | None = Field(None, ge=-180, le=180, description="as in `Look`; null: it has a pose")
    polar: float | None = Field(None, ge=0, lt=90, description="as in `Look`; null: it has a pose")
    distance: Annotated[float, metres(FAR)] | None = Field(None, gt=0, description="as in `Look`; null: it has a pose")
    position: Point | None = Field(None, description="of the camera in the world or on the flange, m")
    orientation: Quaternion | None = Field(None, description="of the camera there, unit quaternion x, y, z, w")
    mounted: Literal["flange"] | None = Field(None, description="what carries it; null: it stands")
    looks: tuple[Look, ...] | None = Field(None, min_length=1, description="where the arm brings it, if mounted")

    @model_validator(mode="after")
    def _lens(self) -> Self:
        self.intrinsics.check_lens()
        return self

    @model_validator(mode="after")
    def _is_somewhere(self) -> Self:
        sphere = {name: getattr(self, name) for name in Look.model_fields}
        pose = {"position": self.position, "orientation": self.orientation}
        given = [name for name, value in (sphere | pose).items() if value is not None]
        if given not in (list(sphere), list(pose)):
            raise ValueError(
                f"{self.name}: expected either {', '.join(sphere)}, or {' and '.join(pose)}; "
                f"got {', '.join(given) or 'neither'}"
            )
        if self.azimuth is not None and self.polar is not None and (problem := _radians(self.azimuth, self.polar)):
            raise ValueError(f"{self.name}: {problem}")
        if (self.mounted is None) != (self.looks is None):
            raise ValueError(f"{self.name}: `mounted` and `looks` go together: where the arm brings it")
        if self.mounted is not None and self.position is None:
            raise ValueError(f"{self.name}: a mounted camera has a position and an orientation, on the flange")
        if self.position is not None:
            _near(self.position)
        if self.orientation is not None and abs(math.hypot(*self.orientation) - 1) > QUATERNION:
            raise ValueError(f"{self.name}: orientation {self.orientation} is no unit quaternion (x, y, z, w)")
        if self.mounted is not None and math.hypot(*self.position or ()) > ON_FLANGE:
            raise ValueError(
                f"{self.name}: {math.hypot(*self.position or ()):g} m from the flange that carries it; allowed are "
                f"{ON_FLANGE:g} at most, is it where the camera is in the world?"
            )
        if self.mounted is not None and self.T_carrier_cam[2, 2] <= 0:
            raise ValueError(
                f"{self.name}: it looks back along the arm; expected is z ahead as the flange's, with x, y, z, w of "
                "OpenCV's axes (OpenGL's look backwards)"
            )
        return self

    @property
    def intrinsics(self) -> Intrinsics:
        return Intrinsics(self.width, self.height, self.fx, self.fy, self.cx, self.cy)

    @property
    def T_carrier_cam(self) -> Float[np.ndarray, "4 4"]:
        """Its stated pose: in the world, or on the flange if it is mounted there."""
        if self.position is None or self.orientation is None:
            raise ValueError(f"{self.name}: it has no pose, it looks at the board's middle")
        return pose_matrix((*self.position, *self.orientation))


class View(NamedTuple):
    """A fixed view of a cell: through which camera, and from where. Looks of a carried camera are numbered from 1."""

    name: str
    camera: CameraDescription
    T_world_cam: Float[np.ndarray, "4 4"]


class BenchDescription(Config):
    """The table, and the board on it."""

    table_size: Point = Field(description="m; its top is at the third")
    table_centre: Span = Field(description="x, y, m")
    board_size: Point = Field(description="m")
    board_centre: Span = Field(description="x, y, m")
    board_top: float = Field(description="height of the board's top, m")

    _sizes = field_validator("table_size", "board_size", "table_centre", "board_centre")(_near)

    @model_validator(mode="after")
    def _stands(self) -> Self:
        if not all(side > 0 for side in (*self.table_size, *self.board_size)):
            raise ValueError("table_size, board_size: expected positive numbers")
        lower = self.board_top - self.board_size[2]
        if not lower <= self.table_size[2] + 1e-9 <= self.board_top + 1e-9:
            raise ValueError(
                f"board_top: the board reaches from {lower:g} to {self.board_top:g} m, the table's top is at "
                f"{self.table_size[2]:g} m; expected in between"
            )
        for axis in (0, 1):
            off = abs(self.board_centre[axis] - self.table_centre[axis]) + self.board_size[axis] / 2
            if off > self.table_size[axis] / 2 + 1e-9:
                raise ValueError(f"board_centre: the board hangs over the table's edge in {'xy'[axis]}")
        return self

    @property
    def middle(self) -> Float[np.ndarray, "3"]:
        """Of the board's top."""
        return np.array([*self.board_centre, self.board_top])


class WorkspaceDescription(Config):
    """Where the tool centre point may be, and grasps are searched."""

    low: Point = Field(description="corner, m")
    high: Point = Field(description="corner, m")

    _corners = field_validator("low", "high")(_near)

    @model_validator(mode="after")
    def _is_a_box(self) -> Self:
        if not all(a < b for a, b in zip(self.low, self.high, strict=True)):
            raise ValueError(f"low {self.low} is not below high {self.high} on every axis")
        return self


class CellDescription(Config):
    """All of a cell. Raises pydantic's ValidationError for impossible numbers."""

    name: str = Field(min_length=1, description="for people")
    arm: ArmDescription
    gripper: GripperDescription
    cameras: tuple[CameraDescription, ...] = Field(min_length=1)
    bench: BenchDescription
    workspace: WorkspaceDescription

    @model_validator(mode="after")
    def _together(self) -> Self:
        names = [camera.name for camera in self.cameras]
        if len(set(names)) < len(names):
            raise ValueError(f"cameras: names must differ, got {', '.join(names)}")
        if self.workspace.low[2] < self.bench.board_top - 1e-9:
            under = 1000 * (self.bench.board_top - self.workspace.low[2])
            raise ValueError(f"workspace: its lower end is {under:.0f} mm below the board's top")
        for axis in (0, 1):
            middle, half = self.bench.board_centre[axis], self.bench.board_size[axis] / 2
            beyond = max(middle - half - self.workspace.low[axis], self.workspace.high[axis] - middle - half)
            if beyond > 1e-9:
                raise ValueError(
                    f"workspace: reaches {1000 * beyond:.0f} mm beyond the board in {'xy'[axis]}, on which objects "
                    f"stand; allowed are {middle - half:g} to {middle + half:g} m"
                )
        self._check_base()
        self._check_views()
        return self

    def _check_base(self) -> None:
        *place, z = self.arm.base_position
        if all(a < v < b for a, v, b in zip(self.workspace.low, place, self.workspace.high, strict=False)):
            raise ValueError("arm: base_position: the arm stands in the workspace")
        sides = zip(place, self.bench.table_centre, self.bench.table_size, strict=False)
        top = self.bench.table_size[2]
        if all(abs(v - middle) < size / 2 for v, middle, size in sides) and z < top - LET_IN:
            raise ValueError(
                f"arm: base_position: the base is {1000 * (top - z):.0f} mm inside the table, whose top is at {top:g} "
                "m; expected is on it, or beside the table"
            )

    def _check_views(self) -> None:
        for view in self.views:
            if (below := self.bench.board_top - view.T_world_cam[2, 3]) >= 0:
                raise ValueError(
                    f"cameras: {view.name} is {1000 * below:.0f} mm below the board's top, at {self.bench.board_top:g} "
                    "m in the world; expected is above it"
                )
            if problem := self._useless(view.T_world_cam[:3, 3]):
                raise ValueError(f"cameras: {view.name} {problem}")
        for one, other in itertools.combinations(self.views, 2):
            if np.linalg.norm(one.T_world_cam[:3, 3] - other.T_world_cam[:3, 3]) < ONE_PLACE:
                raise ValueError(
                    f"cameras: {one.name} and {other.name} look from one place; allowed are {1000 * ONE_PLACE:.0f} mm "
                    "apart and more"
                )

    def _useless(self, p_world: Float[np.ndarray, "3"]) -> str | None:
        """Why nobody puts a camera there, in words; None where one may stand."""
        low, high = np.array(self.workspace.low), np.array(self.workspace.high)
        if ((p_world > low) & (p_world < high)).all():
            return "is in the workspace, where the hand grasps; expected is outside of it"
        if (off := float(np.linalg.norm(p_world - (low + high) / 2))) > FARTHEST:
            return f"is {off:.3g} m from the middle of the workspace; allowed are {FARTHEST:g} at most"
        x, y, z = p_world - self.arm.base_position
        if math.hypot(x, y) < IN_BASE[0] and 0 <= z < IN_BASE[1]:
            return (
                f"is in the arm's base: {1000 * math.hypot(x, y):.0f} mm beside its axis and {1000 * z:.0f} mm above "
                f"its foot; allowed are {1000 * IN_BASE[0]:.0f} mm beside and more, or {1000 * IN_BASE[1]:.0f} above"
            )
        x, y, z = p_world - self.bench.middle
        if (above := math.degrees(math.atan2(z, math.hypot(x, y)))) < FLATTEST:
            return (
                f"sees the board's middle from {above:.1f} degrees above its plane, as a line; allowed are "
                f"{FLATTEST:g} and more (a polar angle of {90 - FLATTEST:g} at most)"
            )
        return None

    @property
    def views(self) -> tuple[View, ...]:
        """Its fixed views, camera by camera: one of each that stands, and the looks of those that the arm carries."""
        return tuple(view for camera in self.cameras for view in self._views_of(camera))

    def _views_of(self, camera: CameraDescription) -> list[View]:
        if camera.looks is not None:
            looks = enumerate(camera.looks, start=1)
            return [View(f"{camera.name} {i}", camera, self._looking(look)) for i, look in looks]
        if camera.position is not None:
            return [View(camera.name, camera, camera.T_carrier_cam)]
        look = Look(**{name: getattr(camera, name) for name in Look.model_fields})
        return [View(camera.name, camera, self._looking(look))]

    def _looking(self, look: Look) -> Float[np.ndarray, "4 4"]:
        angles = math.radians(look.azimuth), math.radians(look.polar)
        if look.polar < STRAIGHT_DOWN:
            return _from_above(self.bench.middle, look.distance, angles[0])
        return view_from_sphere(torch.from_numpy(self.bench.middle), look.distance, *angles).numpy()


def _from_above(middle: Float[np.ndarray, "3"], distance: float, azimuth: float) -> Float[np.ndarray, "4 4"]:
    """`T_world_cam` straight above, where upright alone says nothing: what other polar angles come to at 0."""
    c, s = math.cos(azimuth), math.sin(azimuth)
    R = np.array([[-s, c, 0.0], [c, s, 0.0], [0.0, 0.0, -1.0]])
    return transform(R, middle + np.array([0.0, 0.0, distance]))


def read_cell(source: str | Path) -> CellDescription:
    """A cell's file, or the name of a shipped one. Raises UserFileError (a ValueError) naming every wrong key."""
    path = shipped_or_path(source)
    try:
        return CellDescription.model_validate(read_yaml(path))
    except ValidationError as error:
        raise UserFileError(explain(str(path), CellDescription, error)) from error


def shipped_or_path(source: str | Path) -> Path:
    """The file of a cell; raises UserFileError naming the shipped ones where there is none."""
    path = Path(source)
    if path.is_file():
        return path
    if path.name == str(source) and (SHIPPED / f"{source}.yaml").is_file():
        return SHIPPED / f"{source}.yaml"
    known = ", ".join(sorted(file.stem for file in SHIPPED.glob("*.yaml")))
    raise UserFileError(f"{source}: no such cell; expected a .yaml file, or one of {known}")
