"""What a folder of photographs says of them: its `transforms.json`, a COLMAP model, or the printed sheet alone."""

from __future__ import annotations

from pathlib import Path

from dgrasp.cell.sheet import NAME
from dgrasp.data.captures.colmap import colmap_entries, find_model
from dgrasp.data.captures.document import CaptureError, Entry, read_entries, reason
from dgrasp.data.captures.picture import ENDINGS

TRANSFORMS = "transforms.json"
COLMAP, SHEET = "a COLMAP model", "the sheet"  # the other sources of poses, in messages
# Other formats of photographs: they are taken for some, so that their refusal is said. What is no photograph (.json,
# .txt, .pdf, .svg, ...) may lie beside them.
UNREAD = (
    ".heic", ".heif", ".hif", ".avif", ".jxl", ".jp2", ".j2k", ".jpf", ".jpx", ".jxr", ".tif", ".tiff", ".bmp", ".dib",
    ".gif", ".apng", ".mpo", ".jpe", ".jfif", ".ppm", ".pgm", ".pnm", ".tga", ".exr", ".hdr", ".psd", ".xcf",
    ".dng", ".raw", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".raf", ".orf", ".rw2", ".rwl",
    ".pef", ".srw", ".x3f", ".3fr", ".fff", ".iiq", ".erf", ".mef", ".mos", ".mrw", ".kdc", ".dcr",
)  # fmt: skip


def entries_of(path: Path) -> list[Entry]:
    """The frames of a folder, or of its `transforms.json`. Raises CaptureError if nothing says what it holds."""
    try:
        if not path.is_dir():
            return read_entries(path)
        if (path / TRANSFORMS).exists() or not ((model := find_model(path)) or (path / NAME).is_file()):
            return read_entries(path / TRANSFORMS)
        return colmap_entries(model, path) if model else _photographs(path)
    except CaptureError:
        raise
    except (OSError, ValueError) as error:
        raise CaptureError(f"{path}: cannot be read ({reason(error)})") from error


def states_cameras(folder: Path) -> bool:
    """Whether a folder holds what tells where cameras stood: then it is a capture, whole or not."""
    found = any((folder / name).is_file() for name in (TRANSFORMS, NAME))
    return found or (folder.is_dir() and find_model(folder) is not None)


def _photographs(folder: Path) -> list[Entry]:
    """All photographs of the folder or its `images`, by name; the page that was printed is none."""
    found = sorted(
        file.relative_to(folder).as_posix()
        for inside in (folder, folder / "images")
        for file in (inside.iterdir() if inside.is_dir() else ())
        if file.suffix.lower() in (*ENDINGS, *UNREAD)
        and file.stem != Path(NAME).stem
        and not file.name.startswith(".")  # a Mac's own files, on sticks and cards
    )
    if not found:
        raise CaptureError(f"{folder}: has a {NAME} and no photographs ({', '.join(ENDINGS)})")
    return [Entry(folder / NAME, i, {}, {"file_path": name}) for i, name in enumerate(found)]
