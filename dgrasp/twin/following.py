"""The twin whose arm can be steered on its way, and whose objects may move meanwhile; both opt-in."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from dgrasp.cell.config import CellConfig
from dgrasp.cell.following import Pilot, StepLimits
from dgrasp.cell.interface import Execution
from dgrasp.cell.observer import Observer
from dgrasp.sim.disturbances import Disturbance
from dgrasp.sim.following import SteeredCell
from dgrasp.sim.scene import Scene
from dgrasp.twin.cell import TwinCell
from dgrasp.twin.reality import TwinConfig


class SteeredTwin(SteeredCell, TwinCell):
    """A `TwinCell` with `follow`. The arm, led by what it sees, makes no error of its own beside the cameras'."""

    def __init__(
        self,
        config: TwinConfig | None = None,
        cell: CellConfig | None = None,
        observer: Observer | None = None,
        seed: int = 0,
        *,
        steps: StepLimits | None = None,
        disturbance: Disturbance | None = None,
    ) -> None:
        super().__init__(config, cell, observer, seed)
        self.steps, self.disturbance = steps or StepLimits(), disturbance or Disturbance()
        self._looks = 0  # of this presentation

    def present(self, name: str, presentation: int) -> Scene:
        """See `TwinCell.present`; looks are counted anew, so that equal trials are equal."""
        self._looks = 0
        return super().present(name, presentation)

    def _next_look(self) -> tuple[int, ...]:
        """The first look is the twin's; each that follows has noise of its own, as of a camera that goes on."""
        self._looks += 1
        return (self._looks,) if self._looks > 1 else ()

    def follow(self, T_world_tcp: Float[np.ndarray, "4 4"], pilot: Pilot) -> Execution:
        """Rehearse, then be led, in physics, with the verdict. Raises UnsafePose."""
        self.rehearse(T_world_tcp)
        return super().follow(T_world_tcp, pilot)

    def execute(self, T_world_tcp: Float[np.ndarray, "4 4"]) -> Execution:
        """As in `TwinCell`, under the disturbance, if there is one."""
        if self.disturbance.kind == "none":
            return super().execute(T_world_tcp)
        self.rehearse(T_world_tcp)
        return self._attempted(T_world_tcp, None)
