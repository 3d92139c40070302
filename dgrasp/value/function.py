"""Psi, the grasp value function: pose -> queries -> scene activations of the frozen Phi -> GraspReadout -> score."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from dgrasp.cameras import Views
from dgrasp.checks import check_like, described
from dgrasp.nerf.encoded import EncodedViews
from dgrasp.nerf.model import MVNeRF
from dgrasp.poses import check_poses
from dgrasp.slopes.modes import no_autocast, own_modes
from dgrasp.value.fast import Landscape
from dgrasp.value.queries import QueryPoints
from dgrasp.value.readout import GraspReadout

Fusion = Literal["sum", "network"]


class GraspValue:
    """Psi(Phi(p, o)) for any observation o. Phi is frozen from here on; only the readout has gradients.

    fusion: what several images do together. "sum" adds the logits of single images; "network" averages inside Phi.
    """

    def __init__(self, phi: MVNeRF, readout: GraspReadout, queries: QueryPoints, fusion: Fusion = "sum") -> None:
        expected = (len(queries), phi.activation_count, phi.config.field.hidden)
        if readout.shape != expected:
            raise ValueError(f"readout: made for (queries, activations, hidden) = {readout.shape}, Phi has {expected}")
        if fusion not in get_args(Fusion):
            raise ValueError(f"unknown fusion {fusion!r}; fusions: {', '.join(get_args(Fusion))}")
        self.phi = phi.eval().requires_grad_(False)
        self.readout, self.queries, self.fusion = readout, queries, fusion

    @property
    def device(self) -> torch.device:
        return next(self.readout.parameters()).device

    @own_modes()
    @torch.no_grad()
    def encode(self, views: Views) -> EncodedViews:
        """The observation as Phi sees it: one scene, all its views; done once per observation."""
        if not isinstance(views, Views):
            raise ValueError(f"views: expected Views (images with their calibration), got {described(views)}")
        parameter = next(self.readout.parameters())
        images = torch.from_numpy(views.images).to(parameter).div(255).permute(0, 3, 1, 2)
        K, Ts_world_cam = (torch.from_numpy(a).to(parameter) for a in (views.K, views.Ts_world_cam))
        return self.phi.project(self.phi.encode(images[None], K[None], Ts_world_cam[None]))

    def bind(self, enc: EncodedViews) -> Callable[[Float[Tensor, "n 4 4"]], Float[Tensor, "n"]]:
        """The landscape over poses of one encoded scene: `T_world_tcp` (n, 4, 4) -> scores (n,).

        Frozen weights in full precision get the fast `Landscape`; others the same function in autograd's operations.
        The landscape raises ValueError for poses that are no finite rigid transforms in the weights' dtype.
        """
        groups = self._groups(enc)
        frozen = not any(p.requires_grad for p in self.readout.parameters())
        if frozen and self.phi.compute_dtype is None:
            return Landscape(self.phi, self.readout, self.queries, groups)

        @no_autocast()
        def score(T_world_tcp: Tensor) -> Tensor:
            return self.readout(self._activations_of(groups, T_world_tcp)).sum(dim=0)

        return score

    def _groups(self, enc: EncodedViews) -> EncodedViews:
        """One scene's images as the readout sees them: each for itself, or all together."""
        if not isinstance(enc, EncodedViews):
            raise ValueError(f"enc: expected EncodedViews, as `encode` returns them, got {described(enc)}")
        if len(enc) != 1:
            raise ValueError(f"enc: expected the views of one scene, got {len(enc)} scenes")
        return enc.single_views() if self.fusion == "sum" else enc

    def _activations_of(self, groups: EncodedViews, T_world_tcp: Tensor) -> Tensor:
        """Activations (groups, n, queries, activations, hidden) at poses (n, 4, 4)."""
        self._check(T_world_tcp, "(n, 4, 4)", 3)
        return self._activations(groups, T_world_tcp.expand(len(groups), *T_world_tcp.shape))

    def logits(self, enc: EncodedViews, T_world_tcp: Float[Tensor, "b n 4 4"]) -> Float[Tensor, "b n"]:
        """Raw logits of n poses in each of b encoded scenes."""
        return self.readout(self.activations(enc, T_world_tcp))

    def activations(
        self, enc: EncodedViews, T_world_tcp: Float[Tensor, "b n 4 4"], rigid: bool = True
    ) -> Float[Tensor, "b n queries activations hidden"]:
        """Phi at the query points of the poses: all that the readout is told of the scene.

        rigid: whether to look that they are poses; differences in 6D coordinates lead a little off them. Raises
        ValueError for poses that are no finite rigid transforms, n of each scene, in the weights' dtype.
        """
        if rigid:
            self._check(T_world_tcp, "(scenes, n, 4, 4)", 4)
        if len(T_world_tcp) != len(enc):
            raise ValueError(f"T_world_tcp: expected poses of {len(enc)} scenes as in enc, got {len(T_world_tcp)}")
        return self._activations(enc, T_world_tcp)

    def _check(self, T_world_tcp: Tensor, shape: str, ndim: int) -> None:
        check_poses(T_world_tcp, "T_world_tcp", shape=shape, ndims=(ndim,))
        check_like(T_world_tcp, "T_world_tcp", self.phi.fine.first.weight, "the weights of Phi")

    def _activations(self, enc: EncodedViews, T_world_tcp: Tensor) -> Tensor:
        points, directions = self.queries.lines_in_world(T_world_tcp)
        a = self.phi.activations(enc, points.flatten(1, 2), directions.flatten(1, 2))
        return a.flatten(1, 2).unflatten(1, (T_world_tcp.shape[1], len(self.queries)))
