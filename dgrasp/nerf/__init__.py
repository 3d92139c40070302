"""Phi, the image-conditioned NeRF: encoder, fields, volume rendering, pre-training (Sec. 3.1)."""
