"""What a Dask worker says of itself before it is given work. Sent as it stands here, since its own package may differ.

So it imports nothing of ours that it cannot do without, and is one function.
"""

from __future__ import annotations

from typing import Any


def about_worker(folder: str | None, token: str) -> dict[str, Any]:
    """Version and digest of the package there ("error" where there is none), and what keeps it from the folder.

    folder: must hold a file named and filled with the token, as the sender left it, and may be written.
    """
    import os
    from pathlib import Path

    about: dict[str, Any] = {"blind": ""}
    try:
        from dgrasp.jobs.there import code_here

        about["code"] = code_here()
    except Exception as error:
        about["error"] = f"{type(error).__name__}: {error}"
    if folder is None:
        return about
    try:
        seen = (Path(folder) / token).read_text()
    except OSError:
        seen = ""
    if not Path(folder).is_dir():
        about["blind"] = "the folder does not exist there"
    elif seen != token:
        about["blind"] = "there is another folder of that path there"
    elif not os.access(folder, os.W_OK):
        about["blind"] = "the folder may not be written there"
    return about
