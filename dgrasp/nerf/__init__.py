"""Phi, the image-conditioned NeRF: encoder, fields, volume rendering, pre-training (Sec. 3.1)."""

from dgrasp.lazy import require_companion

require_companion(__name__)
