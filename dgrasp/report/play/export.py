"""Trained models and scenes as files that the page computes with: nothing of the networks is known to the page before.

A model's file holds what is asked at a pose: Phi's fine field, Psi's readout, the query points. A scene's file holds
what the encoder made of its images, already multiplied with the field's first layer, and what is drawn.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dgrasp.cameras import Views
from dgrasp.nerf.blocks import ResidualBlock
from dgrasp.nerf.model import MVNeRF
from dgrasp.report.play.container import packed
from dgrasp.value.function import GraspValue
from dgrasp.value.queries import QueryPoints
from dgrasp.value.readout import GraspReadout

# Not in the paper. By measurement, of 192 climbs 186 end where Python's do with these; 183 with 20 bits of a map or 16
# of the readout's largest matrices, and 187 with 24.
MAP_BITS, WEIGHT_BITS = 22, 18
WIDEST = 1024  # of Phi's field: the page's program keeps four rows of it on its stack


def model_file(value: GraspValue, title: str) -> bytes:
    """One Psi with the Phi it reads, for `source/kernel.js`.

    Raises ValueError for widths that the page's program does not multiply: no multiples of 4, or a field above 1024.
    """
    field, readout = value.phi.fine, value.readout
    _check_widths(value.phi, readout)
    facts = {
        "kind": "model",
        "title": title,
        "phi": phi_digest(value.phi),
        "fusion": value.fusion,
        "stride": value.phi.encoder.stride,
        "field": field.config.model_dump(mode="json"),
        "readout": readout.config.model_dump(mode="json"),
        "lines": len(value.queries.points),
        "per_line": value.queries.points.shape[1],
    }
    small, large = _weights(value.phi, readout), dict[str, np.ndarray]()
    for name in ("wide.inner", "wide.shortcut"):
        if name in small:
            large[name] = small.pop(name)
    return packed(facts, small | _queries(value.queries), large, WEIGHT_BITS)


def scene_file(value: GraspValue, views: Views, facts: dict[str, Any], drawn: dict[str, np.ndarray]) -> bytes:
    """One observation as Phi sees it. facts: what is said about the scene. drawn: what the page draws of it."""
    enc = value.encode(views)
    assert enc.fine is not None
    arrays = {"rgb": views.images, "K": views.K.astype(np.float64), "Ts_world_cam": views.Ts_world_cam}
    header = {"kind": "scene", "phi": phi_digest(value.phi), **facts}
    return packed(header, arrays | drawn, {"features": _numbers(enc.fine[0])}, MAP_BITS)


def phi_digest(phi: MVNeRF) -> str:
    """What ties a scene to the models that can read it."""
    state = phi.state_dict()
    total = hashlib.sha256()
    for name in sorted(state):
        total.update(name.encode() + _numbers(state[name]).tobytes())
    return total.hexdigest()[:16]


def _weights(phi: MVNeRF, readout: GraspReadout) -> dict[str, np.ndarray]:
    """All matrices (outputs, inputs) and biases by the names that the page knows."""
    field = phi.fine
    on_position, on_direction, on_rgb, _ = field.first.weight.split(field.columns, dim=1)
    parts: dict[str, Tensor] = {"position": on_position, "direction": on_direction, "rgb": on_rgb}
    parts["first.bias"] = field.first.bias
    for kind, blocks in (("per_view", field.per_view), ("shared", field.shared)):
        for k, block in enumerate(blocks):
            parts |= _block(f"{kind}.{k}", block)
    for k, layer in enumerate(readout.per_activation):
        parts |= _linear(f"per_activation.{k}", layer)
    parts |= _linear("per_query", readout.per_query) | _linear("logit", readout.logit)
    parts |= _block("wide", readout.trunk[0]) | _block("narrow", readout.trunk[1])
    return {name: _numbers(w).astype(np.float32) for name, w in parts.items()}


def _block(name: str, block: nn.Module) -> dict[str, Tensor]:
    assert isinstance(block, ResidualBlock)
    shortcut = {} if block.shortcut is None else {f"{name}.shortcut": block.shortcut.weight}
    return _linear(f"{name}.inner", block.inner) | _linear(f"{name}.outer", block.outer) | shortcut


def _linear(name: str, layer: nn.Module) -> dict[str, Tensor]:
    assert isinstance(layer, nn.Linear)
    return {name: layer.weight, f"{name}.bias": layer.bias}


def _queries(queries: QueryPoints) -> dict[str, np.ndarray]:
    return {
        "points": _numbers(queries.points.flatten(0, 1)).astype(np.float64),
        "directions": _numbers(queries.directions).astype(np.float64),
    }


def _numbers(x: Tensor) -> np.ndarray:
    return x.detach().cpu().contiguous().numpy()


def _check_widths(phi: MVNeRF, readout: GraspReadout) -> None:
    c = readout.config
    widths = {"field.hidden": phi.config.field.hidden, "readout.activation_features": c.activation_features}
    widths |= {"readout.query_features": c.query_features, "readout.trunk_hidden": c.trunk_hidden}
    widths |= {"readout.trunk_features": c.trunk_features}
    for name, width in widths.items():
        if width % 4:
            raise ValueError(f"{name}: the page multiplies widths that are multiples of 4, got {width}")
    if phi.config.field.hidden > WIDEST:
        raise ValueError(f"field.hidden: the page allows {WIDEST} at most, got {phi.config.field.hidden}")
    if next(readout.parameters()).dtype != torch.float32:
        raise ValueError(f"readout: expected weights in float32, got {next(readout.parameters()).dtype}")
