"""ImageNet weights of a ViT from a file, as the paper's encoder starts from them. Nothing is fetched.

Any model that names its parameters as timm does will do, in safetensors or as a PyTorch pickle of tensors. The
paper's is a ViT-B/16 (`vit_base_patch16_224`). Positions learned for another grid of patches are
interpolated to this one.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from dgrasp.files import load_tensors, sha256
from dgrasp.nerf.config import VisionEncoderConfig

CLASSIFIER = ("head.", "norm.", "fc_norm.", "pre_logits.")  # no map passes them
POSITIONS = "pos_embed"
WRAPPERS = ("model", "state_dict")  # under which checkpoints of trainings keep the weights
SHOWN = 5  # names in an error


def check_imagenet(config: VisionEncoderConfig) -> str | None:
    """SHA-256 of the weights file that a ViT is to start from; None where it starts from random weights.

    Raises FileNotFoundError for a file that is not there, ValueError for another one than `weights_sha256` names.
    """
    path = config.weights
    if path is None:
        return None
    if not path.is_file():
        raise FileNotFoundError(
            f"nerf.encoder.weights: {path.absolute()}: no such file. Put the ImageNet weights of a ViT there "
            "(timm's names; for the defaults a vit_base_patch16_224), or set `weights: null` to start "
            "from random weights, which is not the paper's way"
        )
    found = sha256(path)
    if config.weights_sha256 not in (None, found):
        raise ValueError(f"nerf.encoder.weights: {path}: SHA-256 is {found}, expected {config.weights_sha256}")
    return found


def imagenet_weights(config: VisionEncoderConfig, wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The file's tensors for the parameters `wanted`, its positions on this ViT's grid.

    Raises what `check_imagenet` raises, and ValueError that names what is missing, unknown or of another shape.
    """
    check_imagenet(config)
    assert config.weights is not None
    given = {k: v for k, v in _read(config.weights).items() if not k.startswith(CLASSIFIER)}
    if POSITIONS in given:
        given[POSITIONS] = positions_on_grid(given[POSITIONS], config.image_size // config.patch)
    wrong = sorted(k for k in wanted.keys() | given.keys() if k not in given or k not in wanted)
    wrong += [k for k in wanted if k in given and given[k].shape != wanted[k].shape]
    if wrong:
        raise ValueError(
            f"{config.weights}: not weights of this ViT; missing, unknown or of another shape: {wrong[:SHOWN]}"
        )
    return given


def positions_on_grid(embedding: Tensor, side: int) -> Tensor:
    """Position embeddings (1, 1 + n, dim) of a square grid on one of `side` x `side` patches: bicubic, as timm's.

    The class token's stays as it is. Raises ValueError where the n positions are no square.
    """
    token, grid = embedding[:, :1], embedding[:, 1:]
    old = round(grid.shape[1] ** 0.5)
    if old**2 != grid.shape[1]:
        raise ValueError(f"{POSITIONS}: {grid.shape[1]} positions are no square grid of patches")
    if old == side:
        return embedding
    square = grid.transpose(1, 2).unflatten(2, (old, old)).float()
    fitted = F.interpolate(square, (side, side), mode="bicubic", antialias=True, align_corners=False)
    return torch.cat([token, fitted.flatten(2).transpose(1, 2).to(grid)], dim=1)


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        return load_tensors(path)
    try:
        found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{path}: neither safetensors nor a pickle of tensors alone ({reason})") from error
    for name in WRAPPERS:
        found = found[name] if isinstance(found, dict) and isinstance(found.get(name), dict) else found
    if not isinstance(found, dict) or not all(isinstance(v, Tensor) for v in found.values()):
        raise ValueError(f"{path}: expected tensors by name, got {type(found).__name__}")
    return found
