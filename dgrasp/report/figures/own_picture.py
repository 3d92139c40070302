"""Pictures that a command draws to be looked at: each carries a mark, and replaces nothing but one of before."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from dgrasp.files import atomic_path, check_writable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENDING = ".png"
MARK = {"Software": "dgrasp", "Title": "to look at"}  # published figures have another title


def check_picture(path: Path) -> None:
    """Raise ValueError unless a picture may be written there: a new name that ends in .png, or a picture of before.

    An empty file may be replaced, too. Raises OSError if the folder cannot be written to.
    """
    path = Path(path)
    if path.suffix.lower() != ENDING:
        raise ValueError(f"{path}: expected a name that ends in {ENDING}")
    if path.exists() and not path.is_file():
        raise ValueError(f"{path}: is {'a folder' if path.is_dir() else 'no regular file'}; expected a file")
    if path.exists() and path.stat().st_size and not _is_ours(path):
        raise ValueError(f"{path}: is there, and is no picture of before; expected the path of another file")
    check_writable(path)


def write_picture(figure: Figure, path: Path, dpi: int = 110) -> Path:
    """Write the figure as a PNG with the mark, at so many pixels an inch. Raises as `check_picture` does."""
    path = Path(path)
    check_picture(path)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=dpi, metadata=MARK)
    return path


def _is_ours(path: Path) -> bool:
    try:
        with Image.open(path, formats=("PNG",)) as image:
            return all(image.info.get(key) == value for key, value in MARK.items())
    except Exception:  # what Pillow's parsers meet, of any class
        return False
