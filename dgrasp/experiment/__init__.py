"""The whole experiment: profiles, the chain of stages, where runs are kept, records, replications, diagnosis."""

from dgrasp.lazy import require_companion

require_companion(__name__)
