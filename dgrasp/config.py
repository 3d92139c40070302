"""Base of all configuration: frozen, typed, and closed (unknown or misspelt keys are refused by name)."""

from __future__ import annotations

import hashlib
import json

from pydantic import BaseModel, ConfigDict


class Config(BaseModel):
    """Immutable settings. `Config.model_validate(mapping)` raises pydantic's ValidationError on unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    def canonical(self) -> str:
        """The settings as JSON with sorted keys: what fingerprints are made of."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))

    def digest(self) -> str:
        """SHA-256 of `canonical()`."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()
