"""Psi, the grasp value function: query points, readout, training with both losses (Sec. 3.1, 3.2)."""

from dgrasp.lazy import require_companion

require_companion(__name__)
