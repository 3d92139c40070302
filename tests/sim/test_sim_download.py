"""The downloader against a server on this machine that can answer ranges and break off."""

from __future__ import annotations

import errno
import io
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dgrasp.cli.main import main
from dgrasp.files import read_json
from dgrasp.locks import sole_writer
from dgrasp.sim.objects import ycb
from dgrasp.sim.objects.ycb_download import DownloadError, UnknownObjectError, download


class Site:
    """Archives by name; `cut` breaks the next answer off after so many bytes. Remembers the asked ranges."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.cut: int | None = None
        self.ranges: list[str | None] = []
        self.raw: bytes | None = None  # is sent as it is, whatever was asked, and the connection closed
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                data = site.files.get(self.path.lstrip("/"))
                asked = self.headers.get("Range")
                site.ranges.append(asked)
                if site.raw is not None:
                    self.wfile.write(site.raw)
                    return
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
def bare() -> Iterator[Site]:
    """A site without a file."""
    made = Site()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def site(bare: Site, ycb_dir: Path) -> Site:
    source = ycb_dir / "strawberry"
    if not (source / "textured.obj").is_file():
        pytest.skip(f"no textured strawberry in {ycb_dir}")
    bare.files[NAME] = archive((source / "textured.obj").read_bytes(), (source / "texture_map.png").read_bytes())
    return bare


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
    with pytest.raises(DownloadError, match="resumes"):
        download(tmp_path, ["strawberry"], site.url)
    assert download(tmp_path, ["strawberry"], site.url)[0].is_file()
    assert site.ranges == [None, "bytes=100000-"]


def test_another_mesh_is_refused(site: Site, tmp_path: Path) -> None:
    site.files[NAME] = archive(b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", b"png")
    with pytest.raises(DownloadError, match="not that of 012_strawberry"):
        download(tmp_path, ["strawberry"], site.url)
    assert not (tmp_path / "012_strawberry").exists()


def test_a_broken_archive_is_refused_and_forgotten(site: Site, tmp_path: Path) -> None:
    whole = site.files[NAME]
    site.files[NAME] = whole[: len(whole) // 2]
    with pytest.raises(DownloadError, match="not a whole archive"):
        download(tmp_path, ["strawberry"], site.url)
    site.files[NAME] = whole
    assert download(tmp_path, ["strawberry"], site.url)[0].is_file()


def test_an_archive_that_changed_is_refused(site: Site, ycb_dir: Path, tmp_path: Path) -> None:
    shutil.rmtree(download(tmp_path, ["strawberry"], site.url)[0].parents[1])
    site.files[NAME] = archive((ycb_dir / "strawberry" / "textured.obj").read_bytes(), b"another texture")
    with pytest.raises(DownloadError, match=r"SHA-256 .* differs"):
        download(tmp_path, ["strawberry"], site.url)


def test_what_is_not_there_is_named(site: Site, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="answered 404"):
        download(tmp_path, ["pear"], site.url)
    with pytest.raises(UnknownObjectError, match="unknown YCB object 'peer'; objects: banana"):
        download(tmp_path, ["peer"], site.url)


OK = b"HTTP/1.1 200 OK\r\n"
PARTIAL = b"HTTP/1.1 206 Partial Content\r\n"
ANSWERS = {
    "nothing": (b"", "call again"),
    "another protocol": (b"220 mail.example.org ready\r\n", "call again"),
    "a status that is none": (b"HTTP/1.1 what OK\r\n\r\n", "call again"),
    "endless header": (OK + b"x: " + b"y" * 70_000, "call again"),
    "redirected in a circle": (b"HTTP/1.1 302 Found\r\nLocation: /" + NAME.encode() + b"\r\n\r\n", "answered 302"),
    "redirected to a file": (b"HTTP/1.1 302 Found\r\nLocation: file:///etc/hostname\r\n\r\n", "answered 302"),
    "500": (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", r"answered 500 \(Oops\)"),
    "cut body": (OK + b"Content-Length: 100\r\n\r\nshort", "5 of 100 bytes; call again"),
    "cut chunk": (OK + b"Transfer-Encoding: chunked\r\n\r\n64\r\nshort", "call again"),
    "a chunk of no size": (OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nshort", "call again"),
    "a length that is none": (OK + b"Content-Length: many\r\n\r\nno archive", "not a whole archive .*; call again"),
    "a page": (OK + b"\r\n<html>log in</html>", "not a whole archive"),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_site_that_answers_oddly_is_named_in_one_line(answer: str, bare: Site, tmp_path: Path) -> None:
    bare.raw, said = ANSWERS[answer]
    with pytest.raises(DownloadError, match=said) as caught:
        download(tmp_path, ["strawberry"], bare.url)
    assert "\n" not in str(caught.value) and NAME in str(caught.value)


RANGES = {
    "from another byte": b"Content-Range: bytes 0-99/200",
    "no numbers": b"Content-Range: bytes a-b/c",
    "negative": b"Content-Range: bytes 10--1/200",
    "other units": b"Content-Range: lines 10-20/200",
    "none": b"X: y",
}


@pytest.mark.parametrize("range_", RANGES)
def test_another_range_than_asked_for_is_not_appended(range_: str, bare: Site, tmp_path: Path) -> None:
    part = tmp_path / NAME.replace(".tgz", ".part")
    part.write_bytes(b"0123456789")
    bare.raw = PARTIAL + RANGES[range_] + b"\r\nContent-Length: 4\r\n\r\nabcd"
    with pytest.raises(DownloadError, match=r"asked for bytes from 10 on, the site answered .*; call again"):
        download(tmp_path, ["strawberry"], bare.url)
    assert bare.ranges == ["bytes=10-"] and not part.exists(), "the next call begins anew"


def test_a_range_of_unknown_length_resumes(site: Site, tmp_path: Path) -> None:
    whole = site.files[NAME]
    (tmp_path / NAME.replace(".tgz", ".part")).write_bytes(whole[:1000])
    site.raw = PARTIAL + f"Content-Range: bytes 1000-{len(whole) - 1}/*\r\n\r\n".encode() + whole[1000:]
    assert download(tmp_path, ["strawberry"], site.url)[0].is_file()


MESHES = [b"", b"v 1 2\n", b"v a b c\n", b"v nan nan nan\n", b"v 1 2 3\nv 1 2\n", b"\xff\xfe"]


@pytest.mark.parametrize("obj", MESHES)
def test_a_mesh_that_is_none_is_refused(obj: bytes, bare: Site, tmp_path: Path) -> None:
    bare.files[NAME] = archive(obj, b"png")
    with pytest.raises(DownloadError, match="its mesh is not that of 012_strawberry"):
        download(tmp_path, ["strawberry"], bare.url)


def test_what_is_wrong_with_the_disk_is_said(site: Site, tmp_path: Path, closed_folder: Path) -> None:
    with pytest.raises(DownloadError, match=f"{closed_folder}.*Permission denied"):
        download(closed_folder / "ycb", ["strawberry"], site.url)


def test_a_folder_that_is_a_file_is_named(bare: Site, tmp_path: Path) -> None:
    (tmp_path / "ycb").write_text("")
    with pytest.raises(DownloadError, match="ycb"):
        download(tmp_path / "ycb", ["strawberry"], bare.url)
    assert bare.ranges == []


@pytest.mark.parametrize("text", ["[]", "no", '"a"', f'{{"{NAME}": 3}}', '{"another.tgz": "d0d0"}'])
def test_checksums_that_are_none_are_named_before_anything_is_fetched(text: str, bare: Site, tmp_path: Path) -> None:
    part = tmp_path / NAME.replace(".tgz", ".part")
    part.write_bytes(b"0123456789")
    (tmp_path / "checksums.json").write_text(text)
    with pytest.raises(DownloadError, match=r"checksums\.json"):
        download(tmp_path, ["strawberry"], bare.url)
    assert bare.ranges == [] and part.read_bytes() == b"0123456789"
    assert sorted(p.name for p in tmp_path.iterdir()) == [part.name, "checksums.json"]


def test_an_archive_is_kept_where_the_disk_does_not_take_what_is_in_it(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not the archive that is wrong: the next call does not fetch it again."""

    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("dgrasp.sim.objects.ycb_download.atomic_path", full)
        with pytest.raises(DownloadError, match="No space left on device"):
            download(tmp_path, ["strawberry"], site.url)
    assert [p.name for p in tmp_path.iterdir()] == [NAME] and len(site.ranges) == 1
    assert download(tmp_path, ["strawberry"], site.url)[0].is_file() and len(site.ranges) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["012_strawberry", "checksums.json"]


def test_two_downloads_into_a_folder_do_not_mix(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One at a time (`dgrasp.locks`); who had to wait fetches nothing of what the other one brought."""
    first, shared = tmp_path / "first", tmp_path / "shared"
    download(first, ["strawberry"], site.url)
    shared.mkdir()
    with sole_writer(shared), pytest.raises(DownloadError, match="shared: this process is at work on it already"):
        download(shared, ["strawberry"], site.url)

    @contextmanager
    def waited(folder: Path) -> Iterator[None]:
        shutil.copytree(first, folder, dirs_exist_ok=True)
        yield

    monkeypatch.setattr("dgrasp.sim.objects.ycb_download.sole_writer", waited)
    [path] = download(shared, ["strawberry"], site.url)
    assert path == shared / "012_strawberry" / "google_16k" / "textured.obj" and path.is_file()
    assert site.ranges == [None], "the first one's alone"


def test_the_command_prints_a_line_to_paste_anywhere(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("dgrasp.sim.objects.ycb_download.download", partial(download, site=site.url))
    monkeypatch.chdir(tmp_path)
    assert main(["ycb", "O'Neil's models", "strawberry"]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    shell = f'cd / && {line} && printf %s "${ycb.ENVIRONMENT}"'
    folder = Path(subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True).stdout)
    assert folder.is_absolute() and (folder / "012_strawberry" / "google_16k" / "textured.obj").is_file()


def test_the_command_says_one_line_and_2_for_a_name_1_for_the_site(
    bare: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ycb", str(tmp_path), "peer"]) == 2
    assert capsys.readouterr().err.startswith("dgrasp ycb: unknown YCB object 'peer'; objects: banana")
    bare.server.shutdown()
    bare.server.server_close()
    monkeypatch.setattr("dgrasp.sim.objects.ycb_download.download", partial(download, site=bare.url))
    assert main(["ycb", str(tmp_path), "pear"]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "Connection refused" in err
