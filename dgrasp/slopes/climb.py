"""Pose optimization: Adam climbs a value landscape from many poses at once (Sec. 3.1 and 3.3).

Works for any differentiable `value(T_world_tcp (n, 4, 4)) -> (n,)`; nothing here knows about grasping or images.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dgrasp.checks import at_first, check_finite, check_full_precision, described
from dgrasp.poses import Representation, check_box, check_poses
from dgrasp.poses import representation as _named
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.slopes.losses import check_callable, check_scores, scores_and_slopes
from dgrasp.slopes.modes import call_value, own_modes

Value = Callable[[Tensor], Tensor]
Schedule = Literal["seq", "sync"]
SCHEDULES: dict[str, tuple[tuple[str, ...], ...]] = {
    "seq": (("translation",), ("rotation",)),
    "sync": (("translation", "rotation"),),
}


@dataclass(frozen=True, eq=False)
class Optimized:
    """Where the candidates ended, best first.

    T_world_tcp: final poses, (finals, 4, 4), metres.
    scores: their values, (finals,).
    start: index of the starting pose each came from, (finals,).
    paths: if recorded, (steps + 1, starts, 4, 4): every candidate before the first and after each step; candidates
        that were dropped stand still.
    path_scores: if recorded, (steps + 1, starts): their values, NaN once dropped.
    """

    T_world_tcp: Float[Tensor, "finals 4 4"]
    scores: Float[Tensor, "finals"]
    start: Int[Tensor, "finals"]
    paths: Float[Tensor, "steps starts 4 4"] | None = None
    path_scores: Float[Tensor, "steps starts"] | None = None


@own_modes()
def optimize_poses(
    value: Value,
    starts: Float[Tensor, "n 4 4"],
    config: OptimizerConfig | None = None,
    *,
    representation: Representation | str = "quat",
    schedule: Schedule = "sync",
    bounds: tuple[Tensor, Tensor] | None = None,
    record: bool = False,
) -> Optimized:
    """Maximise `value` over SE(3) from every starting pose; the best final value comes first.

    Inside, gradients are on and autocast is off, whatever the caller has set: the numbers are the same.

    Args:
        value: differentiable; takes `T_world_tcp` (n, 4, 4) of any n up to `config.chunk`, returns one score per pose,
            which depends on that pose alone.
        starts: rigid transforms, metres.
        config: rates, decays, steps, dropping schedule, chunk; of `config` only these are used here.
        representation: coordinates that Adam moves, "quat" or "6d" (put back on their manifold after every step).
        schedule: "sync" moves translation and rotation together, "seq" first makes all steps of translation.
        bounds: low and high corner of the workspace, metres; needed if `config.clip_to_workspace`, which keeps
            candidates inside; starts must lie inside.
        record: keep all paths (figures).

    Raises:
        ValueError: starts are empty, of another shape, not finite, not rigid or outside of the bounds; bounds are no
            box; `value` returns another shape, half precision, NaN or slopes that are NaN, is not differentiable, or
            scores a pose by the others; `config` has settings out of range; `schedule` or `representation` is unknown.
    """
    config = check_config(config)
    check_callable(value)
    climb = _Climb(value, starts, config, _named(representation), _bounds(config, bounds), record)
    if not isinstance(schedule, str) or schedule not in SCHEDULES:
        raise ValueError(f"unknown schedule {schedule!r}; schedules: {', '.join(SCHEDULES)}")
    climb.keep = pruning_by_step(config, schedule)
    for parts in SCHEDULES[schedule]:
        climb.run(parts)
    return climb.result()


def pruning_by_step(config: OptimizerConfig, schedule: str) -> dict[int, int]:
    """Step of the whole climb -> how many candidates climb on after it; see `OptimizerConfig.pruning_first`."""
    if not config.pruning or config.pruning_first is None or len(SCHEDULES[schedule]) == 1:
        return dict(config.pruning)
    before = config.steps * (len(SCHEDULES[schedule]) - 1)
    last = {step + before if step > 0 else 0: count for step, count in config.pruning}
    return {step: count for step, count in config.pruning_first if step <= before} | last


class _Climb:
    """The moving candidates: two parameters (translation, rotation), one row per candidate still climbing."""

    def __init__(
        self,
        value: Value,
        starts: Tensor,
        config: OptimizerConfig,
        rep: Representation,
        bounds: tuple[Tensor, Tensor] | None,
        record: bool,
    ) -> None:
        if isinstance(starts, Tensor):
            check_full_precision(starts, "starts")
        check_poses(starts, "starts", shape="(n, 4, 4)", ndims=(3,))
        if bounds is not None:
            _check_inside(starts.detach()[:, :3, 3], bounds)
        vector = rep.from_matrix(starts.detach())
        self.value, self.config, self.rep = value, config, rep
        self.bounds = None if bounds is None else (bounds[0].to(vector), bounds[1].to(vector))
        self.parts = {"translation": vector[:, :3].clone(), "rotation": vector[:, 3:].clone()}
        self.start = torch.arange(len(starts), device=starts.device)
        self.keep: dict[int, int] = {}
        self.step = 0
        self.alone = False  # whether scores have been found to depend on their own pose alone
        self.history: list[Tensor] | None = [vector.clone()] if record else None
        self.history_scores: list[Tensor] = []

    @property
    def vector(self) -> Tensor:
        return torch.cat([self.parts["translation"], self.parts["rotation"]], dim=-1)

    def run(self, parts: tuple[str, ...]) -> None:
        """All steps of one phase, with an Adam of its own."""
        groups = [{"params": [self.parts[name]], "lr": getattr(self.config, f"{name}_rate")} for name in parts]
        adam = torch.optim.Adam(groups, maximize=True)
        decays = [_power(getattr(self.config, f"{name}_decay")) for name in parts]
        schedule = torch.optim.lr_scheduler.LambdaLR(adam, decays)
        for _ in range(self.config.steps):
            if self.step == 0 and 0 in self.keep:
                self._drop(self._scores(), self.keep[0], adam)
            scores = self._ascend(parts, adam)
            schedule.step()
            self._back_on_manifold()
            self.step += 1
            self._remember(scores)
            if self.step in self.keep:
                self._drop(scores, self.keep[self.step], adam)

    def result(self) -> Optimized:
        scores = self._scores()
        order = torch.argsort(scores, descending=True, stable=True)
        paths = path_scores = None
        if self.history is not None:
            self.history_scores.append(self._spread(scores))
            paths, path_scores = self.rep.to_matrix(torch.stack(self.history)), torch.stack(self.history_scores)
        finals = self.rep.to_matrix(self.vector)[order]
        return Optimized(finals, scores[order], self.start[order], paths, path_scores)

    def _ascend(self, parts: tuple[str, ...], adam: torch.optim.Adam) -> Tensor:
        """One Adam step; returns the scores the candidates had before it."""
        chunks = [self._evaluate(v) for v in self.vector.split(self.config.chunk)]
        scores, slope = (torch.cat(column) for column in zip(*chunks, strict=True))
        self._check(scores)
        check_finite(slope, f"slopes of value at step {self.step}")
        if self.config.gradient_clip is not None:
            slope = slope.clamp(-self.config.gradient_clip, self.config.gradient_clip)
        self._check_size(slope)
        gradients = {"translation": slope[:, :3], "rotation": slope[:, 3:]}
        for name in parts:
            self.parts[name].grad = gradients[name].contiguous()
        adam.step()
        return scores

    def _evaluate(self, vector: Tensor) -> tuple[Tensor, Tensor]:
        """Scores and slopes of one chunk, cut from its graph so that no chunk outlives its turn."""
        scores, slope = scores_and_slopes(self.value, vector, self.rep, alone=self.alone)
        self.alone = self.alone or len(vector) > 1
        return scores.detach(), slope.detach()

    @torch.no_grad()
    def _back_on_manifold(self) -> None:
        if self.bounds is not None:
            self.parts["translation"].clamp_(*self.bounds)
        self.parts["rotation"].copy_(self.rep.normalize(self.vector)[:, 3:])

    @torch.no_grad()
    def _scores(self) -> Tensor:
        chunks = self.vector.split(self.config.chunk)
        parts = [call_value(self.value, self.rep.to_matrix(v)) for v in chunks]
        for part, v in zip(parts, chunks, strict=True):
            check_scores(part, len(v))
        scores = torch.cat(parts)
        self._check(scores)
        return scores

    def _check(self, scores: Tensor) -> None:
        if not torch.isfinite(scores).all():
            bad = int((~torch.isfinite(scores)).sum())
            raise ValueError(f"value: returned NaN or infinity for {bad} of {len(scores)} poses at step {self.step}")

    def _check_size(self, slope: Tensor) -> None:
        """Adam squares slopes."""
        largest, allowed = float(slope.abs().max()), torch.finfo(slope.dtype).max ** 0.5
        if largest > allowed:
            raise ValueError(
                f"slopes of value at step {self.step}: up to {largest:.2g}, Adam can square {allowed:.2g} at most in "
                f"{slope.dtype}; set gradient_clip, or scale the value down"
            )

    def _drop(self, scores: Tensor, count: int, adam: torch.optim.Adam) -> None:
        """Keep the best `count` candidates, with their moments in Adam."""
        best = torch.sort(torch.argsort(scores, descending=True, stable=True)[:count]).values
        self.start = self.start[best]
        for part in self.parts.values():
            state = adam.state.get(part, {})
            for name in ("exp_avg", "exp_avg_sq"):
                if name in state:
                    state[name] = state[name][best]
            part.grad = None
            part.data = part.data[best]

    def _remember(self, scores: Tensor) -> None:
        if self.history is None:
            return
        vectors = self.history[-1].clone()
        vectors[self.start] = self.vector
        self.history.append(vectors)
        self.history_scores.append(self._spread(scores))

    def _spread(self, scores: Tensor) -> Tensor:
        """Scores of the candidates still climbing, at the places of their starts; NaN elsewhere."""
        assert self.history is not None
        return scores.new_full((len(self.history[0]),), torch.nan).index_copy(0, self.start, scores)


def _power(decay: float) -> Callable[[int], float]:
    return lambda k: decay**k


def _bounds(config: OptimizerConfig, bounds: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor] | None:
    if not config.clip_to_workspace:
        return None
    if bounds is None:
        raise ValueError("bounds: needed because clip_to_workspace is on; give (low, high) in metres or switch it off")
    return check_box(bounds)


def check_config(config: OptimizerConfig | None) -> OptimizerConfig:
    """The settings (None: the defaults), with their ranges looked at again: a changed copy (`model_copy`) has not been.

    Raises ValueError for what are no settings, and for settings out of range.
    """
    if config is None:
        return OptimizerConfig()
    if not isinstance(config, OptimizerConfig):
        raise ValueError(f"config: expected OptimizerConfig, got {described(config)}")
    return OptimizerConfig.model_validate(config.model_dump())


def _check_inside(p_world: Tensor, bounds: tuple[Tensor, Tensor], tolerance: float = 1e-5) -> None:
    """Raise ValueError unless all points (metres) lie in the box; the tolerance is for rounding."""
    low, high = (corner.to(p_world) for corner in bounds)
    outside = ((p_world < low - tolerance) | (p_world > high + tolerance)).any(-1)
    if outside.any():
        raise ValueError(
            f"starts: {int(outside.sum())} of {len(outside)} outside of bounds, first "
            f"{_metres(p_world[outside][0])}{at_first(outside)}; allowed {_metres(low)} to {_metres(high)} m"
        )


def _metres(p: Tensor) -> str:
    return "(" + ", ".join(f"{x:.4g}" for x in p.tolist()) + ")"
