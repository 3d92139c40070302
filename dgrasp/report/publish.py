"""From a finished build to the published folder `figures/`: complete, of full size, nothing edited on the way."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

from dgrasp.experiment.profiles import PUBLISHABLE
from dgrasp.files import atomic_path, read_json
from dgrasp.report.outputs import NO_OBJECTS, OutputRefused
from dgrasp.report.registry import OUTPUTS


def publish(build: Path, folder: Path, only: Collection[str] | None = None) -> list[Path]:
    """Copy every registered output of `build` (or those of `only`) into `folder`; returns the files written.

    Raises OutputRefused, before anything is written, if an output is missing or was made at a profile for trying out.
    """
    wanted = [o for o in OUTPUTS if only is None or o.id in only]
    sources = [build / "figures" / f"{o.id}.{suffix}" for o in wanted for suffix in o.suffixes]
    missing = [path.name for path in sources if not path.is_file()]
    if missing:
        raise OutputRefused(
            f"{build}: {len(missing)} of {len(sources)} files are missing ({', '.join(missing[:4])}, ...); "
            f"run `make reproduce PROFILE=laptop` first"
        )
    for path in sources:
        if path.name.endswith(".meta.json") and (profile := read_json(path)["profile"]) not in PUBLISHABLE:
            raise OutputRefused(f"{path}: made at profile {profile!r}; published are {', '.join(PUBLISHABLE)}")
    targets = [folder / path.name for path in sources]
    for source, target in zip(sources, targets, strict=True):
        with atomic_path(target) as temporary:
            shutil.copyfile(source, temporary)
    return targets


def other_looks(folder: Path) -> dict[str, str]:
    """Outputs whose YCB objects look otherwise than in the trials of Table 1 -> how they look, from the sidecars."""
    sidecars = {o.id: folder / f"{o.id}.meta.json" for o in OUTPUTS}
    looks = {id: str(read_json(path)["ycb_models"]) for id, path in sidecars.items() if path.is_file()}
    return {id: look for id, look in looks.items() if look not in (looks.get("tab01", look), NO_OBJECTS)}
