"""Attempts, the table of success rates, its statistics, and the studies that tune the policies (Sec. 4.2, 5.1)."""

from dgrasp.lazy import require_companion

require_companion(__name__)
