"""The digital twin of the real cell: what reality adds, its trials (Table 2), success against calibration error."""

from dgrasp.lazy import require_companion

require_companion(__name__)
