"""What a worker says of itself before it is given work. Sent as it stands here, since its own package may differ.

So nothing is imported above, and of ours only what is asked for.
"""

from __future__ import annotations

from typing import Any


def about_worker(folder: str | None, mark: str) -> dict[str, Any]:
    """Version and digest of the package there ("error" where there is none), and what keeps it from the folder.

    folder: must hold a file named and filled with the mark, as the sender left it, and may be written.
    """
    about: dict[str, Any] = {"blind": "" if folder is None else blind(folder, mark)}
    try:
        from dgrasp.jobs.code import code_here

        about["code"] = code_here()
    except Exception as error:
        about["error"] = f"{type(error).__name__}: {error}"
    return about


def blind(folder: str, mark: str) -> str:
    """What keeps this process from the sender's folder; empty if nothing."""
    import os
    from pathlib import Path

    try:
        seen = (Path(folder) / mark).read_text()
    except OSError:
        seen = ""
    if not Path(folder).is_dir():
        return "the folder does not exist there"
    if seen != mark:
        return "there is another folder of that path there"
    writable = os.access(folder, os.W_OK, effective_ids=os.access in os.supports_effective_ids)
    return "" if writable else "the folder may not be written there"
