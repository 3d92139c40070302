"""One grasp attempt: observe, plan, rehearse, execute. Written here once, for every cell and every series."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np
from jaxtyping import Float
from torch import Generator

from dgrasp.cameras import Views
from dgrasp.cell.interface import Execution, NotArmed, RobotCell, UnsafePose
from dgrasp.cell.outcome import Outcome
from dgrasp.policy.policies import NoGraspError, Plan

Result = TypeVar("Result")


class Planner(Protocol):
    """What an attempt needs of a policy; `dgrasp.policy.policies.GraspPolicy` is one."""

    def plan(self, views: Views, generator: Generator) -> Plan:
        """A grasp from views. Raises NoGraspError."""
        ...


@dataclass(eq=False)
class Attempt:
    """What has happened so far: filled step by step, so that after a fault it tells how far things came.

    begun: whether the cell began to execute the grasp. outcome: None until it is known, and where a person has to
    judge. seconds: by the clock on the wall, per step. seen: called with the views before anything is planned.
    """

    views: Views | None = None
    plan: Plan | None = None
    begun: bool = False
    execution: Execution | None = None
    outcome: Outcome | None = None
    reason: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    seen: Callable[[Views], None] | None = None

    @property
    def T_world_tcp(self) -> Float[np.ndarray, "4 4"] | None:
        """The planned grasp, in double precision."""
        return None if self.plan is None else self.plan.T_world_tcp.double().cpu().numpy()

    def end(self, outcome: Outcome | None, reason: str) -> Attempt:
        """The same attempt, with how it ended."""
        self.outcome, self.reason = outcome, reason
        return self

    def timed(self, step: str, act: Callable[[], Result]) -> Result:
        """What `act` returns; its seconds are kept, also if it fails."""
        begun = time.monotonic()
        try:
            return act()
        finally:
            self.seconds[step] = round(time.monotonic() - begun, 3)


def attempt(
    cell: RobotCell, policy: Planner, generator: Generator, *, rehearse: bool = True, into: Attempt | None = None
) -> Attempt:
    """Attempt one grasp of what the cell shows.

    generator: of the policy's starting poses. rehearse: check the grasp before anything moves. into: an attempt to
    fill, for callers that must know how far it came when an error ends it. No grasp, and one that is refused, are
    outcomes; raises CellFault, NotArmed.
    """
    made = Attempt() if into is None else into
    views = made.views = made.timed("observe", cell.observe)
    if made.seen is not None:
        made.seen(views)
    try:
        made.plan = made.timed("plan", lambda: policy.plan(views, generator))
    except NoGraspError as error:
        return made.end(Outcome.NO_GRASP, str(error))
    try:
        execution = _act(cell, made, rehearse)
    except UnsafePose as refusal:
        made.begun = False
        return made.end(Outcome.REFUSED, str(refusal))
    if not execution.moved and execution.outcome is None:
        made.begun = False
        return made.end(Outcome.DRY_RUN, "checked, not executed")
    return made.end(execution.outcome, execution.reason)


def _act(cell: RobotCell, made: Attempt, rehearse: bool) -> Execution:
    """Rehearse and execute; of a grasp that an error ended after it was executed, the execution is kept."""
    T_world_tcp = made.T_world_tcp
    assert T_world_tcp is not None
    if rehearse:
        made.timed("rehearse", lambda: cell.rehearse(T_world_tcp))
    made.begun = True
    try:
        made.execution = made.timed("execute", lambda: cell.execute(T_world_tcp))
    except NotArmed:
        made.begun = False
        raise
    except BaseException as error:  # a fault, or the operator's interrupt
        made.execution = getattr(error, "executed", None)
        raise
    return made.execution
