"""The policies (Eq. 1, Sec. 4.2), and what their plans tell."""

from dgrasp.lazy import require_companion

require_companion(__name__)
