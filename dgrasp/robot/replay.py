"""A recorded series as a cell: it shows what was seen, and answers with what happened. Nothing moves."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from dgrasp.cameras import Views
from dgrasp.cell.interface import Backend, Execution, UnsafePose
from dgrasp.cell.outcome import Outcome
from dgrasp.cell.transforms import pose_vector
from dgrasp.robot.log import Line, TrialLog
from dgrasp.robot.trials import Presentation, image_hash

SAME = 2e-3  # largest difference of pose entries (m, quaternion) that passes for the recorded pose


class ReplayCell:
    """A `RobotCell` of backend "replay". Use with `CellJudges(cell.select)`, or step by step: select, observe, execute.

    images: the folder that `run_trials` wrote the views to; without it, `observe` raises FileNotFoundError.
    """

    def __init__(self, log: TrialLog, images: Path | None = None) -> None:
        self.log, self.images = log, images
        self._record: Line | None = None

    @property
    def dry_run(self) -> bool:
        return False

    @property
    def backend(self) -> Backend:
        return "replay"

    @property
    def devices(self) -> Mapping[str, str]:
        return {}

    @property
    def settings(self) -> Mapping[str, Any]:
        return {}

    @property
    def calibration_id(self) -> str:
        return self.log.header["calibration"]

    def select(self, presentation: Presentation | int) -> None:
        """Turn to the trial with this number; raises KeyError if it has no verdict in the log, TypeError if it is none.

        presentation: of the trial, or its number.
        """
        number = _number(presentation)
        for record in self.log.records:
            if record["number"] == number and record["success"] is not None:
                self._record = record
                return
        raise KeyError(f"trial {number} has no verdict in {self.log.path.name}; verdicts: {len(self.log.done)}")

    @property
    def record(self) -> Line:
        """The selected trial, as logged."""
        if self._record is None:
            raise RuntimeError("no trial is selected: call select(number) first")
        return self._record

    @property
    def pictured(self) -> list[int]:
        """Numbers of the trials with a verdict whose views are there."""
        held = {file.stem for file in Path(self.images).glob("*.png")} if self.images is not None else set()
        judged = [r for r in self.log.records if r["success"] is not None]
        return [r["number"] for r in judged if {view["image"] for view in r["views"]} <= held]

    def observe(self) -> Views:
        """The views of the selected trial, checked against their hashes.

        Raises FileNotFoundError without their images, ValueError naming a file that is damaged or of another image.
        """
        views = self.record["views"]
        if self.images is None:
            raise FileNotFoundError("this replay has no images: the log keeps their hashes only; give their folder")
        files = [Path(self.images) / f"{view['image']}.png" for view in views]
        if not all(file.is_file() for file in files):
            raise FileNotFoundError(
                f"trial {self.record['number']}: its views are not in {self.images}; kept are those of "
                f"{', '.join(map(str, self.pictured)) or 'none'}"
            )
        images = [_picture(file) for file in files]
        for image, file in zip(images, files, strict=True):
            if image_hash(image) != file.stem:
                raise ValueError(f"{file}: not the image that was logged under this hash")
        return Views(np.stack(images), np.array([v["K"] for v in views]), np.array([v["T_world_cam"] for v in views]))

    def rehearse(self, T_world_tcp: Float[np.ndarray, "4 4"]) -> None:
        """A replay knows one pose per trial; raises UnsafePose for any other, and where it was refused."""
        recorded = self.record["pose"]
        if recorded is None or np.abs(np.subtract(pose_vector(np.asarray(T_world_tcp)), recorded)).max() > SAME:
            raise UnsafePose(
                f"refused: trial {self.record['number']} was made with another pose; a replay moves nothing"
            )
        if self.record["outcome"] == Outcome.REFUSED:
            raise UnsafePose(self.record["reason"])

    def execute(self, T_world_tcp: Float[np.ndarray, "4 4"]) -> Execution:
        """What the log says happened to this pose."""
        self.rehearse(T_world_tcp)
        did = self.record["execution"] or {"holds": None, "width": None, "seconds": {}}  # none after a protective stop
        return Execution(
            np.asarray(T_world_tcp),
            moved=False,
            holds=did["holds"],
            width=did["width"],
            seconds=did["seconds"],
            outcome=Outcome(self.record["outcome"]),
            reason=self.record["reason"],
        )

    def close(self) -> None:
        """Nothing to let go of."""


def _number(presentation: Presentation | int) -> int:
    if isinstance(presentation, Presentation):
        return presentation.number
    try:
        return operator.index(presentation)
    except TypeError as error:
        raise TypeError(f"presentation: expected one, or the number of a trial, got {presentation!r}") from error


def _picture(file: Path) -> UInt8[np.ndarray, "h w 3"]:
    """The pixels as they are stored. Raises ValueError naming the file if it is damaged."""
    try:
        with Image.open(file, formats=("PNG",)) as image:
            return np.asarray(image)
    except Exception as error:  # Pillow raises what its parsers meet, of any class
        said = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{file}: cannot be read as the PNG that was logged ({said}); restore it") from error
