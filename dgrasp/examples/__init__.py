"""The slope loss on problems that are no grasping: a plane with a summit, a peg that finds its hole."""

from dgrasp.lazy import require_companion

require_companion(__name__)
