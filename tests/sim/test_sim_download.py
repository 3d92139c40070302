"""The downloader against a server on this machine that can answer ranges and break off."""

from __future__ import annotations

import io
import shutil
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dgrasp.files import DamagedFileError, read_json
from dgrasp.sim.objects import ycb
from dgrasp.sim.objects.ycb_download import download


class Site:
    """Archives by name; `cut` breaks the next answer off after so many bytes. Remembers the asked ranges."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.cut: int | None = None
        self.ranges: list[str | None] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                data = site.files.get(self.path.lstrip("/"))
                asked = self.headers.get("Range")
                site.ranges.append(asked)
                if data is None:
                    self.send_error(404)
                    return
                start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
                self.send_response(206 if asked else 200)
                self.send_header("Content-Length", str(len(data) - start))
                if asked:
                    self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
                self.end_headers()
                end, site.cut = (site.cut, None) if site.cut else (len(data), None)
                self.wfile.write(data[start:end])

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def archive(obj: bytes, texture: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in (("textured.obj", obj), ("texture_map.png", texture)):
            info = tarfile.TarInfo(f"../012_strawberry/google_16k/{name}")  # paths inside are not trusted
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


NAME = "012_strawberry_google_16k.tgz"


@pytest.fixture
def site(ycb_dir: Path) -> Iterator[Site]:
    source = ycb_dir / "strawberry"
    if not (source / "textured.obj").is_file():
        pytest.skip(f"no textured strawberry in {ycb_dir}")
    made = Site()
    made.files[NAME] = archive((source / "textured.obj").read_bytes(), (source / "texture_map.png").read_bytes())
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_a_download_is_unpacked_where_models_look(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [path] = download(tmp_path, ["strawberry"], site.url)
    monkeypatch.setenv(ycb.ENVIRONMENT, str(tmp_path))
    assert ycb.textured_obj("strawberry") == path and ycb.texture_of(path).is_file()
    assert list(read_json(tmp_path / "checksums.json")) == [NAME]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["012_strawberry", "checksums.json"]
    asked = len(site.ranges)
    download(tmp_path, ["strawberry"], site.url)
    assert len(site.ranges) == asked  # it is there already


def test_an_interrupted_download_resumes(site: Site, tmp_path: Path) -> None:
    site.cut = 100_000
    with pytest.raises(ConnectionError, match="resumes"):
        download(tmp_path, ["strawberry"], site.url)
    assert download(tmp_path, ["strawberry"], site.url)[0].is_file()
    assert site.ranges == [None, "bytes=100000-"]


def test_another_mesh_is_refused(site: Site, tmp_path: Path) -> None:
    site.files[NAME] = archive(b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", b"png")
    with pytest.raises(DamagedFileError, match="not that of 012_strawberry"):
        download(tmp_path, ["strawberry"], site.url)
    assert not (tmp_path / "012_strawberry").exists()


def test_a_broken_archive_is_refused_and_forgotten(site: Site, tmp_path: Path) -> None:
    whole = site.files[NAME]
    site.files[NAME] = whole[: len(whole) // 2]
    with pytest.raises(DamagedFileError, match="not a whole archive"):
        download(tmp_path, ["strawberry"], site.url)
    site.files[NAME] = whole
    assert download(tmp_path, ["strawberry"], site.url)[0].is_file()


def test_an_archive_that_changed_is_refused(site: Site, ycb_dir: Path, tmp_path: Path) -> None:
    shutil.rmtree(download(tmp_path, ["strawberry"], site.url)[0].parents[1])
    site.files[NAME] = archive((ycb_dir / "strawberry" / "textured.obj").read_bytes(), b"another texture")
    with pytest.raises(DamagedFileError, match=r"SHA-256 .* differs"):
        download(tmp_path, ["strawberry"], site.url)


def test_what_is_not_there_is_named(site: Site, tmp_path: Path) -> None:
    with pytest.raises(ConnectionError, match="answered 404"):
        download(tmp_path, ["pear"], site.url)
    with pytest.raises(ValueError, match="unknown YCB object"):
        download(tmp_path, ["peer"], site.url)
