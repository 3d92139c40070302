"""Facts of the robot cell (Sec. 4): workspace, arm, hand, cameras, and the interface of every backend. No simulator."""

from dgrasp.lazy import require_companion

require_companion(__name__)
