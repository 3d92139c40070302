"""Files are whole or absent, equal content is equal bytes, and damage is named."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import started
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from dgrasp.files import (
    DamagedFileError,
    UserFileError,
    atomic_path,
    check_sums,
    load_tensors,
    parse_yaml,
    read_json,
    read_json_of_a_user,
    read_table_of_a_user,
    read_yaml,
    save_tensors,
    sha256,
    write_json,
    write_sums,
    write_text,
)

TENSORS = {"b.weight": torch.arange(6.0).reshape(2, 3), "a": torch.tensor([1, 2], dtype=torch.int64)}


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    write_text(path, "old")
    with pytest.raises(KeyboardInterrupt), atomic_path(path) as temporary:
        temporary.write_text("half of the n")
        assert path.read_text() == "old", "the final name changes only at the end"
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_a_killed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "file.txt"
    write_text(path, "old")
    code = (
        "import os, signal, sys; from pathlib import Path; from dgrasp.files import atomic_path\n"
        "with atomic_path(Path(sys.argv[1])) as t: t.write_text('new'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert started.run(code, path)[0] == -9
    assert path.read_text() == "old"
    write_text(path, "newer")
    assert path.read_text() == "newer"


def test_json_of_equal_content_is_equal_bytes(tmp_path):
    write_json(tmp_path / "1.json", {"b": 1, "a": [0.1, None, "ä"]})
    write_json(tmp_path / "2.json", {"a": [0.1, None, "ä"], "b": 1})
    assert sha256(tmp_path / "1.json") == sha256(tmp_path / "2.json")
    assert read_json(tmp_path / "1.json") == {"a": [0.1, None, "ä"], "b": 1}


def test_broken_json_is_named(tmp_path):
    path = tmp_path / "run.json"
    path.write_text('{"a": 1')
    with pytest.raises(DamagedFileError, match=r"run\.json: not valid JSON .* delete it"):
        read_json(path)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b'{"a": 1, "a": 2}', "key 'a' stands twice"),
        (b"\xff{}", "is not UTF-8; save the text as UTF-8"),
        (b"[" * 99_999, "recursion"),
    ],
)
def test_json_that_cannot_be_trusted_is_named(tmp_path, content, why):
    path = tmp_path / "some.json"
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match=rf"some\.json: not valid JSON .*{why}.* delete it and run again"):
        read_json(path)
    with pytest.raises(UserFileError, match=rf"some\.json: not valid JSON .*{why}") as raised:
        read_json_of_a_user(path)
    assert "delete" not in str(raised.value), "it is not ours"


def test_json_of_a_user_is_the_standards(tmp_path):
    path = tmp_path / "some.json"
    path.write_text('\ufeff{"a": [1, 2.5]}', encoding="utf-8")
    assert read_json_of_a_user(path) == {"a": [1, 2.5]}
    for number in ("NaN", "-Infinity"):
        path.write_text(f'{{"a": {number}}}')
        with pytest.raises(UserFileError, match=f"{number} is no number in JSON"):
            read_json_of_a_user(path)


def test_yaml_has_each_key_once_and_no_objects(tmp_path):
    path = tmp_path / "some.yaml"
    path.write_text("base: &base {a: 1, b: 2}\nmine:\n  <<: *base\n  b: 3\n")
    assert read_yaml(path)["mine"] == {"a": 1, "b": 3}, "a merged key may be stated anew"
    for text, why in (
        ("a: 1\nb:\n  c: 1\n  c: 2", r"key 'c' stands twice in \"<unicode string>\", line 4"),
        ("a: !!python/name:os.system", "could not determine a constructor"),
        ("a: [", "expected the node content"),
    ):
        with pytest.raises(UserFileError, match=rf"^mine: not valid YAML .*{why}") as raised:
            parse_yaml(text.encode(), "mine")
        assert "\n" not in str(raised.value)


FULL = """
import resource, signal, sys, torch
from pathlib import Path
from dgrasp.files import save_tensors, write_json
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
for write in (lambda path: save_tensors(path, {"w": torch.ones(9999)}), lambda path: write_json(path, [0] * 9999)):
    try:
        write(Path(sys.argv[1]))
    except OSError as error:
        print(error.errno, error.filename)
"""


def test_a_full_disk_is_an_error_with_the_path_and_leaves_the_old_file(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    save_tensors(path, TENSORS)
    before = path.read_bytes()
    assert started.run(FULL, path) == (0, f"27 {path}\n" * 2)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_tensors_round_trip_with_metadata(tmp_path):
    path = tmp_path / "x.safetensors"
    save_tensors(path, {**TENSORS, "view": TENSORS["b.weight"].T}, {"step": "3"})
    loaded = load_tensors(path)
    assert loaded.keys() == {"a", "b.weight", "view"}
    assert torch.equal(loaded["b.weight"], TENSORS["b.weight"]) and torch.equal(loaded["view"], TENSORS["b.weight"].T)
    assert loaded["a"].dtype == torch.int64
    with safe_open(path, "pt") as handle:
        assert handle.metadata() == {"step": "3"}


def test_weights_with_equal_content_are_equal_bytes(tmp_path):
    """safetensors itself writes metadata in another order every time."""
    tensors, metadata = {"w": torch.ones(3), "ü": torch.zeros(2)}, {k: k + '\n"ä' for k in "hgfedcba"}
    paths = [tmp_path / f"{i}.safetensors" for i in range(3)]
    for path in paths:
        save_tensors(path, tensors, metadata)
    assert len({sha256(path) for path in paths}) == 1
    plain = [tmp_path / f"{i}.plain" for i in range(3)]
    for path in plain:
        save_file(tensors, path, metadata)
    assert len({sha256(path) for path in plain}) > 1, "else there is nothing to put in order"
    assert load_tensors(paths[0]).keys() == {"w", "ü"}
    with safe_open(paths[0], "pt") as handle:
        assert handle.metadata() == {k: k + '\n"ä' for k in "abcdefgh"}


@pytest.mark.parametrize("kept", [0, 4, 50, -1])
def test_truncated_weights_are_named(tmp_path, kept):
    path = tmp_path / "last.safetensors"
    save_tensors(path, TENSORS)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(
        DamagedFileError, match=r"last\.safetensors: damaged or truncated .* delete its folder .* and run again"
    ):
        load_tensors(path)


def test_pickles_are_not_read(tmp_path):
    path = tmp_path / "weights.safetensors"
    torch.save(TENSORS, path)
    with pytest.raises(DamagedFileError):
        load_tensors(path)


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such weights file"):
        load_tensors(tmp_path / "absent.safetensors")


def test_no_permission(closed_folder):
    with pytest.raises(PermissionError):
        write_text(closed_folder / "x", "x")


def test_written_files_are_readable_json(tmp_path):
    write_json(tmp_path / "x.json", {"n": 1})
    assert json.loads(Path(tmp_path / "x.json").read_text()) == {"n": 1}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a,b\n1,2,3\n", "t.csv: line 2: 3 values, expected 2: a, b"),
        (b"a,b\r\n1,2\r\n1\r\n", "t.csv: line 3: 1 values, expected 2: a, b"),
        (b"a,b,a\n1,2,3\n", "t.csv: column 'a' stands twice"),
        (b"a,b\n1,\xe9\n", "t.csv: cannot be read as CSV (byte 0xe9 at 6 is not UTF-8; save the text as UTF-8)"),
        ("a,b\n".encode("utf-16"), "t.csv: cannot be read as CSV (byte 0xff at 0 is not UTF-8"),
        (b"x;y\n0,2;0,05\n", "t.csv: line 1: columns are separated by semicolons; expected are commas"),
        (b"\nx\ty\n0.2\t0.05\n", "t.csv: line 2: columns are separated by tabs"),
        (b"0.0,1e-3,0.0,-1\n0.1,1,2,3\n", "t.csv: line 1: expected the names of the columns, got numbers (0.0, 1e-3, "),
        (b'a,b\n1,"2\n', "t.csv: cannot be read as CSV (unexpected end of data)"),
    ],
)
def test_a_table_of_a_user_is_refused_by_its_line(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    with pytest.raises(UserFileError) as caught:
        read_table_of_a_user(path)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_table_of_a_user_is_read_whatever_wrote_it(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b'\xef\xbb\xbfa,b\r\n1,"x,y"\r\n\r\n3,\r\n')
    assert read_table_of_a_user(path) == [{"a": "1", "b": "x,y"}, {"a": "3", "b": ""}]
    path.write_bytes(b"")
    assert read_table_of_a_user(path) == []
    with pytest.raises(UserFileError, match=r"t2.csv: cannot be read as CSV \(.*No such file"):
        read_table_of_a_user(tmp_path / "t2.csv")


def test_published_files_are_those_of_their_list(tmp_path: Path) -> None:
    check_sums(tmp_path)  # without a list
    for name in ("a.txt", "runs/b.txt", "runs/c.txt"):
        write_text(tmp_path / name, name)
    write_sums(tmp_path)
    check_sums(tmp_path)
    write_text(tmp_path / "runs/b.txt", "other")
    with pytest.raises(DamagedFileError, match=r"b.txt: is not the published file; restore it"):
        check_sums(tmp_path)
    check_sums(tmp_path, "a.txt")
    check_sums(tmp_path, renewed=("runs/*",))
    (tmp_path / "a.txt").unlink()
    with pytest.raises(DamagedFileError, match=r"a.txt: is missing; restore it"):
        check_sums(tmp_path, renewed=("runs/*",))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
@pytest.mark.parametrize("read", [read_table_of_a_user, read_json_of_a_user, read_yaml])
def test_pipes_and_devices_are_refused_and_not_waited_for(tmp_path, read):
    os.mkfifo(pipe := tmp_path / "rows.csv")
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(UserFileError, match=f"^{path}: a pipe or a device; expected a file$"):
            read(path)
