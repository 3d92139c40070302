"""Table 2: whose numbers stand in which column, and that the hardware's has one source only."""

import json
import socket
from pathlib import Path

import pandas as pd
import pytest
from robot_fakes import ROBOT

from dgrasp.cell.interface import BACKENDS
from dgrasp.report.tables.success import printable_2, table_2
from dgrasp.robot.log import LogError, LogWriter

OURS = ["successes", "n", "rate", "low", "high", "difference"]

UNSAID = {"outcome": "-", "execution": None}  # of every trial, and of no interest here


def write_log(path, backend, successes=(True, False, False, True), policy="dgrasp_6d_seq", devices=None, **more):
    devices = devices if devices is not None else (ROBOT if backend == "hardware" else {})
    protocol = {"policies": [policy], "objects": ["tennis ball", "power drill"], "presentations": 2}
    with LogWriter(path, {"backend": backend, "devices": devices, "protocol": protocol, **more}) as log:
        for number, success in enumerate(successes, start=1):
            record = {"number": number, "backend": backend, "policy": policy, "success": success}
            log.append("trial", UNSAID | record)
    return path


def test_without_logs_there_is_no_number_of_ours():
    rows = table_2()
    assert len(rows) == 18 and set(rows["backend"]) == {"twin", "hardware"}
    assert rows[OURS].isna().all(axis=None)
    assert rows["paper"].notna().all()
    assert set(printable_2(rows)["hardware"]) == {"not run"}


def test_a_hardware_log_fills_the_hardware_rows_of_its_policies(tmp_path):
    rows = table_2([write_log(tmp_path / "a.jsonl", "hardware")]).set_index(["backend", "policy"])
    row = rows.loc[("hardware", "dgrasp_6d_seq")]
    assert (row["successes"], row["n"], row["rate"], row["paper"]) == (2, 4, 0.5, 0.26)
    assert row["difference"] == pytest.approx(0.24)
    assert row["low"] == pytest.approx(0.1500, abs=1e-3)  # Wilson, 2 of 4
    assert rows.drop(("hardware", "dgrasp_6d_seq"))[OURS].isna().all(axis=None)


def test_the_twin_fills_its_own_rows_only(tmp_path):
    rows = table_2([write_log(tmp_path / "a.jsonl", "twin")])
    assert rows.loc[rows["backend"] == "hardware", OURS].isna().all(axis=None)
    twin = rows[(rows["backend"] == "twin") & (rows["policy"] == "dgrasp_6d_seq")].iloc[0]
    assert (twin["n"], twin["rate"]) == (4, 0.5)
    assert pd.isna(twin["difference"])  # a simulation is not compared with the paper's robot


@pytest.mark.parametrize("backend", sorted(set(BACKENDS) - {"hardware"}))
def test_no_other_backend_can_fill_the_hardware_rows(tmp_path, backend):
    """By its honest header, by a header changed afterwards, and by a header that lies about its devices."""
    path = write_log(tmp_path / "a.jsonl", backend)
    try:
        rows = table_2([path])
        assert rows.loc[rows["backend"] == "hardware", OURS].isna().all(axis=None)
    except ValueError as refusal:
        assert f"backend '{backend}' has no place" in str(refusal)

    path.write_text(path.read_text().replace(f'"backend": "{backend}"', '"backend": "hardware"'))
    with pytest.raises(LogError, match=r"line 1: changed after it was written|are no robot"):
        table_2([path])

    local = ("127.0.0.1", "0.0.0.0", "::1", "::", "localhost")
    stand_ins = [{**ROBOT, "arm": address, "gripper": address} for address in local]
    simulators = [{**ROBOT, "robot": "none"}, {name: ROBOT[name] for name in ("arm", "gripper", "cameras")}]
    for devices in ({}, {"arm": "", "robot": "real"}, {**ROBOT, "gripper": "127.0.0.1"}, *stand_ins, *simulators):
        with pytest.raises(LogError, match="no robot"):
            write_log(tmp_path / "b.jsonl", "hardware", devices=devices)
        (tmp_path / "b.jsonl").unlink()


def test_whether_a_log_is_hardwares_does_not_depend_on_who_reads_it(tmp_path, monkeypatch):
    """Names of devices are not resolved on reading: a name is no proof of a robot, and an address needs no network."""
    path = write_log(tmp_path / "a.jsonl", "hardware")
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: pytest.fail("a name was resolved"))
    assert table_2([path])["n"].sum() == 4
    with pytest.raises(LogError, match="numbers instead of names"):
        write_log(tmp_path / "b.jsonl", "hardware", devices={"arm": "robot.example", "gripper": "robot.example"})


def test_a_record_of_another_backend_in_a_hardware_log_is_found(tmp_path):
    path = tmp_path / "a.jsonl"
    with LogWriter(path, {"backend": "hardware", "devices": ROBOT, "protocol": {}}) as log:
        log.append("trial", UNSAID | {"number": 1, "backend": "twin", "policy": "dgrasp_6d_seq", "success": True})
    with pytest.raises(LogError, match="trial 1 is of backend 'twin'"):
        table_2([path])


def test_a_changed_verdict_is_found(tmp_path):
    path = write_log(tmp_path / "a.jsonl", "hardware")
    lines = path.read_text().splitlines()
    changed = {**json.loads(lines[2]), "success": True}
    path.write_text("\n".join([*lines[:2], json.dumps(changed), *lines[3:], ""]))
    with pytest.raises(LogError, match="line 3: changed"):
        table_2([path])


def test_trials_without_a_verdict_do_not_count(tmp_path):
    rows = table_2([write_log(tmp_path / "a.jsonl", "hardware", [True, None, None])]).set_index(["backend", "policy"])
    assert rows.loc[("hardware", "dgrasp_6d_seq"), "n"] == 1


def test_a_series_cut_short_is_marked(tmp_path):
    """Whether it was never finished or lost its last lines: the chain finds neither, the protocol tells both."""
    path = write_log(tmp_path / "a.jsonl", "hardware")
    whole = printable_2(table_2([path])).set_index("policy").loc["dgrasp_6d_seq", "hardware"]
    assert whole.endswith("of 4")
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    rows = table_2([path])
    row = rows.set_index(["backend", "policy"]).loc[("hardware", "dgrasp_6d_seq")]
    assert (row["n"], row["planned"]) == (3, 4)
    assert printable_2(rows).set_index("policy").loc["dgrasp_6d_seq", "hardware"].endswith("of 3, of 4 planned")


def test_a_series_without_any_verdict_is_marked(tmp_path):
    rows = table_2([write_log(tmp_path / "a.jsonl", "hardware", [None])])
    assert printable_2(rows).set_index("policy").loc["dgrasp_6d_seq", "hardware"] == "not run, of 4 planned"


def test_grasps_begun_and_never_judged_are_told(tmp_path):
    path = tmp_path / "a.jsonl"
    protocol = {"policies": ["base_6d_seq", "dgrasp_6d_seq"], "objects": ["tennis ball"], "presentations": 1}
    with LogWriter(path, {"backend": "hardware", "devices": ROBOT, "protocol": protocol}) as log:
        for time, success in (("1", None), ("2", None), ("3", True)):
            record = {"number": 1, "backend": "hardware", "policy": "dgrasp_6d_seq", "outcome": "-", "begun": True}
            log.append("trial", UNSAID | {**record, "time": time, "success": success})
        record = {"number": 2, "backend": "hardware", "policy": "base_6d_seq", "outcome": "-", "begun": True}
        log.append("trial", UNSAID | {**record, "time": "4", "success": False})
    rows = table_2([path])
    assert rows.dropna(subset=["n"]).set_index("policy")["unjudged"].to_dict() == {"base_6d_seq": 0, "dgrasp_6d_seq": 2}
    printed = printable_2(rows).set_index("policy")["hardware"]
    assert printed["dgrasp_6d_seq"].endswith("of 1, 2 not judged") and printed["base_6d_seq"].endswith("of 1")


def test_a_trial_judged_twice_is_refused(tmp_path):
    path = write_log(tmp_path / "a.jsonl", "hardware")
    header = json.loads(path.read_text().splitlines()[0])
    with LogWriter(path, header) as log:
        log.append("trial", UNSAID | {"number": 2, "backend": "hardware", "policy": "dgrasp_6d_seq", "success": True})
    with pytest.raises(LogError, match="more than one verdict on trial 2"):
        table_2([path])


def test_a_log_without_a_protocol_has_no_place(tmp_path):
    with LogWriter(tmp_path / "a.jsonl", {"backend": "twin", "devices": {}, "protocol": {}}):
        pass
    with pytest.raises(LogError, match="does not say what was planned"):
        table_2([tmp_path / "a.jsonl"])


def test_one_log_counts_once_and_two_add_up(tmp_path):
    a, b = write_log(tmp_path / "a.jsonl", "hardware"), write_log(tmp_path / "b.jsonl", "hardware", [True] * 4)
    rows = table_2([a, b]).set_index(["backend", "policy"])
    assert tuple(rows.loc[("hardware", "dgrasp_6d_seq"), ["successes", "n"]]) == (6, 8)
    with pytest.raises(ValueError, match="twice"):
        table_2([a, a])


@pytest.mark.parametrize("kind", [Path, str])
def test_the_path_of_one_log_may_stand_alone(tmp_path, kind):
    a, b = write_log(tmp_path / "a.jsonl", "hardware"), write_log(tmp_path / "b.jsonl", "hardware", runs={"value": "b"})
    pd.testing.assert_frame_equal(table_2(kind(a)), table_2([a]))
    both = table_2([a], other_seeds=[[b]])
    pd.testing.assert_frame_equal(table_2(kind(a), other_seeds=[kind(b)]), both)
    pd.testing.assert_frame_equal(table_2(kind(a), other_seeds=kind(b)), both)
    with pytest.raises(FileNotFoundError, match=r"no\.jsonl"):
        table_2(kind(tmp_path / "no.jsonl"))


@pytest.mark.parametrize("logs", [True, False])
def test_a_level_in_percent_is_refused_with_logs_and_without(tmp_path, logs):
    given = [write_log(tmp_path / "a.jsonl", "hardware")] if logs else []
    with pytest.raises(ValueError, match=r"such as 0\.95, got 95; is it in percent"):
        table_2(given, 95)


def test_trials_of_other_networks_or_settings_do_not_add_up(tmp_path):
    def settings(speed, **optimizers):
        return {"runs": {"value": "d0d0"}, "settings": {"motion": {"linear_speed": speed}, "optimizers": optimizers}}

    ours = write_log(tmp_path / "a.jsonl", "hardware", **settings(0.1, dgrasp_6d_seq=1, base_6d_seq=2))
    same = write_log(tmp_path / "b.jsonl", "hardware", [True], **settings(0.1, dgrasp_6d_seq=1))
    assert table_2([ours, same]).set_index(["backend", "policy"]).loc[("hardware", "dgrasp_6d_seq"), "n"] == 5
    slow = write_log(tmp_path / "slow.jsonl", "hardware", **settings(0.03, dgrasp_6d_seq=1))
    with pytest.raises(ValueError, match=r"slow\.jsonl: dgrasp_6d_seq acted with other settings than in .*a\.jsonl"):
        table_2([ours, slow])
    anew = write_log(
        tmp_path / "anew.jsonl", "hardware", **{**settings(0.1, dgrasp_6d_seq=1), "runs": {"value": "f00d"}}
    )
    with pytest.raises(ValueError, match="acted with other runs"):
        table_2([ours, anew])
    twin = write_log(tmp_path / "twin.jsonl", "twin", **settings(0.03, dgrasp_6d_seq=7))
    assert len(table_2([ours, twin])) == 18


def test_training_seeds_have_networks_of_their_own_and_count_together(tmp_path):
    first, second, third = (
        write_log(tmp_path / f"{name}.jsonl", "twin", kept, runs={"value": name})
        for name, kept in (("d0", [True, False]), ("d1", [True, True, True]), ("d2", [False]))
    )
    row = table_2([first], other_seeds=[[second]]).set_index(["backend", "policy"]).loc[("twin", "dgrasp_6d_seq")]
    assert tuple(row[["planned", "successes", "n"]]) == (8, 4, 5)
    with pytest.raises(ValueError, match="acted with other runs"):
        table_2([first], other_seeds=[[second, third]])
    with pytest.raises(ValueError, match="twice"):
        table_2([first], other_seeds=[[second], [first]])


def test_a_policy_that_the_paper_does_not_have_is_not_lost(tmp_path):
    rows = table_2([write_log(tmp_path / "a.jsonl", "twin", policy="control_quat_seq")])
    row = rows[(rows["backend"] == "twin") & (rows["policy"] == "control_quat_seq")].iloc[0]
    assert row["n"] == 4 and pd.isna(row["paper"])


def test_a_copy_of_a_log_is_not_counted_a_second_time(tmp_path):
    path, copy = write_log(tmp_path / "a.jsonl", "hardware"), tmp_path / "b.jsonl"
    copy.write_bytes(path.read_bytes())
    with pytest.raises(ValueError, match=r"the same series as .*a\.jsonl"):
        table_2([path, copy])
    copy.write_text("".join(path.read_text().splitlines(keepends=True)[:3]))  # of an earlier hour
    with pytest.raises(ValueError, match="the same series"):
        table_2([path, copy])


def test_a_rehearsal_has_no_place_in_the_table(tmp_path):
    protocol = {"policies": ["dgrasp_6d_seq"], "objects": ["tennis ball"], "presentations": 2}
    header = {"backend": "hardware", "dry_run": True, "devices": ROBOT, "protocol": protocol}
    with LogWriter(tmp_path / "a.jsonl", header):
        pass
    with pytest.raises(ValueError, match="a rehearsal"):
        table_2([tmp_path / "a.jsonl"])
