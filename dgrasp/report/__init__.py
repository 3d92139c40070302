"""Figures and tables, and the registry that knows them all."""

from dgrasp.lazy import require_companion

require_companion(__name__)
