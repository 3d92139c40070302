"""Whatever stands in a file, its reader says what it read, or one clear error of the package's own.

FUZZ=100000 pytest tests/reliability/test_readers.py    tries so many examples of each, other ones every time
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from small_build import CELL, HEADER

from dgrasp.data import layout
from dgrasp.data.demonstrations import DemonstrationSet
from dgrasp.evaluation.study.storage import open_journal
from dgrasp.experiment.profiles import Profile, ProfileError, load_profile
from dgrasp.files import DamagedFileError, UserFileError, load_tensors, parse_yaml, read_json, read_json_of_a_user
from dgrasp.robot.hardware import HardwareConfig
from dgrasp.robot.log import FORMAT, LogError, _chain, read_log

FUZZ = os.environ.get("FUZZ")
fuzz = settings(
    max_examples=int(FUZZ or 40),
    derandomize=FUZZ is None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("mine:Task")
FINITE = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)


def nested(keys: st.SearchStrategy[str], scalars: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Values of JSON or YAML, whose keys are often those that mean something."""
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys | st.text(max_size=5), inner, max_size=5),
        max_leaves=12,
    )


def keys_of(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    """All names of settings, at whatever depth."""
    names = {name for part in [schema, *schema["$defs"].values()] for name in part.get("properties", {})}
    return st.sampled_from(sorted(names))


def one_clear_error(error: BaseException, path: Path) -> None:
    assert str(path) in str(error) and len(str(error)) < 20_000


# --- what people write


PROFILE_KEYS = keys_of(Profile.model_json_schema())
CELL_KEYS = keys_of(HardwareConfig.model_json_schema())


@fuzz
@given(nested(PROFILE_KEYS, SCALARS))
def test_a_profile_of_any_values(tmp_path: Path, values: Any) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    try:
        assert isinstance(load_profile(path), Profile)
    except ProfileError as error:
        one_clear_error(error, path)


def changed(values: Any, place: int, new: Any) -> Any:
    """The same with one leaf, or one whole part, replaced."""
    spots: list[tuple[Any, Any]] = []

    def walk(part: Any) -> None:
        inside = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
        for key, value in inside:
            spots.append((part, key))
            walk(value)

    walk(values)
    part, key = spots[place % len(spots)]
    part[key] = new
    return values


@fuzz
@given(st.integers(0, 10_000), nested(CELL_KEYS, SCALARS))
@example(7, float("nan"))
@example(30, float("inf"))
def test_a_cells_file_with_one_thing_changed(tmp_path: Path, place: int, new: Any) -> None:
    path = tmp_path / "cell.yaml"
    path.write_text(yaml.safe_dump(changed(CELL.model_dump(mode="json"), place, new)), encoding="utf-8")
    try:
        HardwareConfig.read(path)
    except UserFileError as error:
        one_clear_error(error, path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"arm": "192.0.2.7 "}, "arm: String should match"),
        ({"arm": "http://192.0.2.7"}, "arm: String should match"),
        ({"gripper": "a\0b"}, "gripper: String should match"),
        ({"cameras": {"left": "1", "right": "1"}}, "cameras: two have the serial number '1'"),
        ({"cameras": {"left": "1", "right": "2"}}, "cameras: 'right' is not calibrated; calibrated: left"),
        ({"viewpoints": [{"camera": "other"}]}, "viewpoints: unknown camera 'other'; cameras: left"),
        ({"calibration": {"cameras": [{"cx": 1e300}]}}, r"cx, cy: \(1e\+300, 24\) is outside of 64x48 pixels"),
        ({"calibration": {"cameras": [{"fx": 1e300}]}}, r"fx, fy: \(1e\+300, 61.7\) are of no lens"),
        ({"board_heights": [True, -0.0125, -0.0125]}, "board_heights: expected a number, got a truth value"),
    ],
)
def test_a_cell_that_cannot_be_is_refused(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    values = CELL.model_dump(mode="json")
    for camera in change.get("calibration", {}).get("cameras", []):
        values["calibration"]["cameras"][0].update(camera)
    values |= {key: value for key, value in change.items() if key != "calibration"}
    (tmp_path / "cell.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(UserFileError, match=said):
        HardwareConfig.read(tmp_path / "cell.yaml")


def test_a_camera_has_one_calibration(tmp_path: Path) -> None:
    values = CELL.model_dump(mode="json")
    values["calibration"]["cameras"] *= 2
    (tmp_path / "cell.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(UserFileError, match="camera 'left' is calibrated twice; a camera has one calibration"):
        HardwareConfig.read(tmp_path / "cell.yaml")


@fuzz
@given(st.integers(0, 10_000), nested(PROFILE_KEYS, SCALARS))
@example(40, float("inf"))
def test_a_profile_with_one_thing_changed(tmp_path: Path, place: int, new: Any) -> None:
    path = tmp_path / "mine.yaml"
    whole = {**json.loads(json.dumps(Profile(name="mine").model_dump(mode="json")))}
    path.write_text(yaml.safe_dump(changed(whole, place, new)), encoding="utf-8")
    try:
        load_profile(path)
    except ProfileError as error:
        one_clear_error(error, path)


YAML = st.text(st.sampled_from("[]{}:,-?&*!|>%@`'\"#\n \tab10.~<=é\x00\x85"), max_size=40)
NASTY = [  # each once took another reader down
    "a: &a [*a]",
    "? {a: b}\n: c",
    "? [1]\n: 2",
    "!!bool maybe",
    "!!int x",
    "!!float x",
    "!!timestamp x",
    "2001-99-99",
    "!!binary é",
    "!!python/object/apply:os.system ['true']",
    "<<: 3",
    "<<: [1]",
    "<<: {a: 1}\n<<: {a: 2}",
    "a: 1\na: 2",
    "1: a\n1.0: b",
    "- " * 2000,
    "[" * 2000,
    "%YAML 9.9\n---\na: 1",
    "--- a\n--- b",
    "\ufeffname: mine",
    "a: " + "9" * 5000,
    "x: {<<: *missing}",
    "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9) if i else 1}]\n" for i in range(12)),
]


@fuzz
@given(YAML | st.sampled_from(NASTY))
def test_yaml_of_any_text(tmp_path: Path, text: str) -> None:
    with contextlib.suppress(UserFileError):
        parse_yaml(text.encode(), "some.yaml")
    for name, read, error in (
        ("mine.yaml", load_profile, ProfileError),
        ("cell.yaml", HardwareConfig.read, UserFileError),
    ):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        try:
            read(path)
        except error as found:
            one_clear_error(found, path)


@pytest.mark.parametrize("text", NASTY)
def test_yaml_that_is_nasty_is_no_profile(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    if text == "\ufeffname: mine":
        assert load_profile(path).name == "mine", "some editors begin a file with this mark"
        return
    with pytest.raises(ProfileError) as raised:
        load_profile(path)
    one_clear_error(raised.value, path)


@fuzz
@given(st.binary(max_size=60) | st.sampled_from([b"[" * 100_000, b"1" * 5000, b'{"a": 1, "a": 2}', b"NaN", b"\xff"]))
def test_json_of_any_bytes(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "some.json"
    path.write_bytes(data)
    for read, error in ((read_json, DamagedFileError), (read_json_of_a_user, UserFileError)):
        try:
            read(path)
        except error as found:
            one_clear_error(found, path)


# --- trial logs: lines whose chain is right, whatever they say


LOG_KEYS = st.sampled_from(
    ["kind", "number", "policy", "backend", "outcome", "success", "execution", "moved", "begun", "time", "calibration",
     "devices", "arm", "robot", "protocol", "policies", "objects", "presentations", "format"]
)  # fmt: skip
LINES = st.fixed_dictionaries(
    {"kind": st.sampled_from(["trial", "executed", "note", "header", "else"])},
    optional={
        "number": st.integers(0, 3) | FINITE,
        "policy": st.text(max_size=3) | FINITE,
        "backend": st.sampled_from(["twin", "hardware", "loopback"]) | FINITE,
        "outcome": st.sampled_from(["success", "fault"]) | FINITE,
        "success": st.booleans() | st.none() | FINITE,
        "execution": st.fixed_dictionaries({}, optional={"moved": st.booleans() | FINITE}) | FINITE,
        "begun": st.booleans() | FINITE,
        "time": st.text(max_size=3) | st.lists(FINITE, max_size=1),
        "calibration": nested(LOG_KEYS, FINITE),
    },
)


def chained(lines: list[dict[str, Any]]) -> str:
    chain, text = "", ""
    for line in lines:
        chain = _chain(chain, line)
        text += json.dumps(line | {"chain": chain}) + "\n"
    return text


def use(path: Path) -> None:
    """All that a log is asked; LogError where it cannot be trusted."""
    log = read_log(path)
    assert log.backend and log.banner is not None and log.done is not None
    _ = log.judged, log.pending, log.unjudged, log.calibration
    assert sum(log.planned.values()) >= 0


@fuzz
@given(
    st.fixed_dictionaries(
        {"kind": st.just("header"), "format": st.just(FORMAT)},
        optional={
            "backend": st.sampled_from(["twin", "hardware", "loopback"]) | FINITE,
            "devices": st.just({}) | nested(LOG_KEYS, FINITE),
            "protocol": st.just(HEADER["protocol"]) | nested(LOG_KEYS, FINITE),
            "calibration": nested(LOG_KEYS, FINITE),
        },
    ),
    st.lists(LINES, max_size=4),
)
def test_a_log_of_any_lines(tmp_path: Path, header: dict[str, Any], lines: list[dict[str, Any]]) -> None:
    path = tmp_path / "trials.jsonl"
    path.write_text(chained([header, *lines]))
    with contextlib.suppress(LogError):
        use(path)


@fuzz
@given(nested(LOG_KEYS, FINITE), st.binary(max_size=20))
def test_a_log_with_a_line_that_is_none(tmp_path: Path, value: Any, end: bytes) -> None:
    path = tmp_path / "trials.jsonl"
    whole = {"kind": "header", "format": FORMAT, **HEADER}
    path.write_bytes(chained([whole]).encode() + json.dumps(value).encode() + b"\n" + end)
    with pytest.raises(LogError, match=r"trials\.jsonl, line 2: "):
        read_log(path)


def test_a_key_that_stands_twice_in_a_log_is_refused(tmp_path: Path) -> None:
    """The chain is of what was read, in which the last one wins."""
    path = tmp_path / "trials.jsonl"
    text = chained([{"kind": "header", "format": FORMAT, **HEADER}])
    path.write_text(text.replace('{"kind"', '{"backend": "hardware", "kind"', 1))
    with pytest.raises(LogError, match="key 'backend' stands twice"):
        read_log(path)


# --- what the package writes


MANIFEST_KEYS = st.sampled_from(
    ["version", "policy_views", "files", "train-00000.npz", "../train-00000.npz", "sha256", "bytes", "demonstrations"]
)


@fuzz
@given(st.integers(0, 100), nested(MANIFEST_KEYS, FINITE))
def test_a_manifest_with_one_thing_changed(tmp_path: Path, place: int, new: Any) -> None:
    entry = {"sha256": "0" * 64, "bytes": 5, "demonstrations": 2}
    whole = {"version": 1, "policy_views": 2, "files": {"train-00000.npz": entry}}
    (tmp_path / "manifest.json").write_text(json.dumps(changed(whole, place, new)))
    try:
        found = DemonstrationSet(tmp_path)
        assert len(found) >= 0 and isinstance(found.verify(), list)
    except DamagedFileError as error:
        one_clear_error(error, tmp_path / "manifest.json")


@pytest.mark.parametrize("count", [10_001, 2**40, 2**70])
def test_a_manifest_that_promises_more_than_memory_holds_is_refused(tmp_path: Path, count: int) -> None:
    """Found by fuzzing: the index of what was promised filled 19 GB."""
    entry = {"sha256": "0" * 64, "bytes": 5, "demonstrations": count}
    manifest = {"version": 1, "policy_views": 2, "files": {"train-00000.npz": entry}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DamagedFileError, match=r"manifest.json: files.train-00000.npz.demonstrations: .*10000"):
        DemonstrationSet(tmp_path)


HEADER_KEYS = st.sampled_from(["__metadata__", "dtype", "shape", "data_offsets", "a", "b"])
TENSOR = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "F16", "BF16", "I8", "BOOL", "F8_E4M3", "F4", "F8_E8M0", "C64", "U64", "X"]),
        "shape": st.lists(st.integers(0, 4) | st.just(2**62), max_size=3) | FINITE,
        "data_offsets": st.lists(st.integers(0, 64) | st.just(2**63), max_size=3) | FINITE,
    }
)


@fuzz
@given(
    st.dictionaries(HEADER_KEYS, TENSOR | nested(HEADER_KEYS, FINITE), max_size=3),
    st.integers(-9, 9) | st.just(2**62),
    st.integers(0, 64),
)
def test_safetensors_of_any_header(tmp_path: Path, header: dict[str, Any], longer: int, data: int) -> None:
    path = tmp_path / "weights.safetensors"
    text = json.dumps(header).encode()
    path.write_bytes(max(0, len(text) + longer).to_bytes(8, "little") + text + bytes(data))
    try:
        load_tensors(path)
    except DamagedFileError as error:
        one_clear_error(error, path)


ARRAY = st.builds(
    lambda dtype, shape: np.zeros(shape, dtype),
    st.sampled_from(["uint8", "float64", "int64", "float32", "bool", "complex64", "<U3"]),
    st.lists(st.integers(0, 5), max_size=5),
)


@fuzz
@given(st.dictionaries(st.sampled_from(layout.ARRAYS), ARRAY, max_size=7), st.binary(max_size=9))
def test_a_scene_of_any_arrays(tmp_path: Path, arrays: dict[str, np.ndarray], record: bytes) -> None:
    path = tmp_path / "train-00000.npz"
    good = {
        "images": np.zeros((1, 2, 4, 4, 3), np.uint8),
        "K": np.zeros((1, 2, 3, 3)),
        "Ts_world_cam": np.zeros((1, 2, 4, 4)),
        "T_world_grasp": np.zeros((1, 4, 4)),
        "Ts_world_tcp": np.zeros((3, 4, 4)),
        "trajectory_starts": np.array([0, 3]),
        "record": np.frombuffer(record, np.uint8),
    }
    np.savez(path, **{**good, **arrays})
    try:
        assert len(layout.load_scene(path).trajectories) == layout.load_scene(path).demonstrations
    except DamagedFileError as error:
        one_clear_error(error, path)


OPS = st.fixed_dictionaries(
    {"op_code": st.integers(0, 11) | FINITE},
    optional={
        "worker_id": st.text(max_size=3) | FINITE,
        "study_name": st.just("p") | FINITE,
        "directions": st.just([2]) | nested(HEADER_KEYS, FINITE),
        "study_id": st.just(0) | FINITE,
        "trial_id": st.integers(0, 2) | FINITE,
        "state": st.integers(0, 5) | FINITE,
        "values": st.just([0.5]) | FINITE,
        "user_attr": st.just({"a": 1}) | FINITE,
        "step": st.integers(0, 3) | FINITE,
        "intermediate_value": FINITE,
        "datetime_start": st.just("2026-01-01T00:00:00") | FINITE,
        "param_name": st.just("steps") | FINITE,
        "param_value_internal": FINITE,
        "distribution": st.text(max_size=9) | FINITE,
    },
)


@fuzz
@given(st.lists(OPS, max_size=6), st.binary(max_size=8))
def test_a_journal_of_any_lines(tmp_path: Path, lines: list[dict[str, Any]], end: bytes) -> None:
    path = tmp_path / "study.journal"
    created = {"op_code": 0, "worker_id": "w", "study_name": "p", "directions": [2]}
    path.write_bytes(b"".join(json.dumps(line).encode() + b"\n" for line in (created, *lines)) + end)
    try:
        open_journal(path)
    except DamagedFileError as error:
        one_clear_error(error, path)
