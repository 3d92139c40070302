"""The trial protocol: order, blindness, resumption, what counts, and what a failure leaves behind."""

import json
import os
import signal
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import started
import torch
from robot_fakes import SHORT, FakeCell, FakeOperator, FakePolicy
from robot_poses import tilted, top_down

from dgrasp import streams
from dgrasp.cell.interface import CellFault, ConnectionLost, Execution, NotArmed, ProtectiveStop, banner
from dgrasp.cell.outcome import Outcome
from dgrasp.policy.policies import POLICIES
from dgrasp.robot.log import LogError, LogWriter, read_log
from dgrasp.robot.replay import ReplayCell
from dgrasp.robot.safety import SafetyLimits
from dgrasp.robot.trials import (
    PAPER_OBJECTS,
    AskingOperator,
    CellJudges,
    Presentation,
    TrialProtocol,
    Verdict,
    for_real_robot,
    run_trials,
)


def policies(**rule):
    return {name: FakePolicy(**rule) for name in SHORT.policies}


def run(path, cell=None, given=None, operator=None, **options):
    options = {"runs": {"base_6d_seq": "d0d0"}, **options}
    return run_trials(cell or FakeCell(), given or policies(), operator or FakeOperator(), SHORT, path, **options)


# --- the protocol


def test_the_papers_protocol_is_fifty_trials_per_policy():
    trials = TrialProtocol(policies=tuple(POLICIES)).trials()
    assert len(trials) == 400 and [t.number for t in trials] == list(range(1, 401))
    assert set(Counter(t.policy for t in trials).values()) == {50}
    assert set(Counter((t.policy, t.object) for t in trials).values()) == {5}
    assert len(PAPER_OBJECTS) == 10 and len({(t.policy, t.object, t.presentation) for t in trials}) == 400


def test_the_order_is_random_but_the_seeds():
    protocol = TrialProtocol(policies=tuple(POLICIES), seed=3)
    assert protocol.trials() == protocol.trials()
    assert protocol.trials() != TrialProtocol(policies=tuple(POLICIES), seed=4).trials()
    first_half = Counter(t.policy for t in protocol.trials()[:200])
    assert len(first_half) == 8 and max(first_half.values()) < 40  # 25 expected; in blocks it would be 50


def test_the_operator_is_not_told_the_policy(tmp_path):
    operator = FakeOperator()
    run(tmp_path / "log.jsonl", operator=operator)
    told = " ".join(operator.told)
    assert len(operator.told) == 16 and "tennis ball" in told and "trial 1 of 8" in told
    assert not any(word in told for word in ("base", "dgrasp", "6d", "seq", "policy"))


def test_the_same_presentation_starts_all_policies_alike(tmp_path):
    given = policies()
    log = run(tmp_path / "log.jsonl", given=given)
    starts = {name: iter(policy.starts) for name, policy in given.items()}
    by_presentation = {}
    for record in log.records:
        by_presentation.setdefault((record["object"], record["presentation"]), []).append(
            next(starts[record["policy"]])
        )
    assert len(by_presentation) == 4
    assert all(a == b for a, b in by_presentation.values())
    assert len({a for a, _ in by_presentation.values()}) == 4
    for presentation, (start, _) in by_presentation.items():
        stream = streams.torch_generator(SHORT.seed, "starts", "real", *presentation)
        assert start == float(torch.rand(1, generator=stream)), "the address that published logs were made with"


def test_policies_without_the_real_robots_rule_are_refused(tmp_path):
    for rule in ({"approach": "any"}, {"approach_offset": 0.0}):
        with pytest.raises(ValueError, match="for_real_robot"):
            run(tmp_path / "log.jsonl", given=policies(**rule))
    with pytest.raises(ValueError, match=r"names dgrasp_6d_seq; given: base_6d_seq"):
        run(tmp_path / "log.jsonl", given={"base_6d_seq": FakePolicy()})
    assert not (tmp_path / "log.jsonl").exists()


def test_for_real_robot_changes_the_rule_and_nothing_else():
    from dgrasp.policy.policies import GraspPolicy, policy_spec
    from dgrasp.slopes.config import OptimizerConfig

    before = GraspPolicy(
        policy_spec("dgrasp_6d_seq"), SimpleNamespace(encode=None), OptimizerConfig(steps=7), ((0, 0, 0), (1, 1, 1))
    )
    after = for_real_robot(before)
    assert (after.config.approach, after.config.approach_offset, after.config.steps) == ("downwards", 0.01, 7)
    higher = SafetyLimits(minimum_height=1.0)
    assert 0 < after.config.approach_floor - SafetyLimits().minimum_height < 0.001
    assert for_real_robot(before, higher).config.approach_floor == pytest.approx(1.0001)
    assert for_real_robot(before, None).config.approach_floor is None
    assert before.config.approach == "any" and after.spec is before.spec
    assert all(torch.equal(a, b) for a, b in zip(after.bounds, before.bounds, strict=True))


def test_a_rehearsal_gives_no_verdict_whatever_it_found(tmp_path):
    """Not for a pose that is refused nor for a plan without one, and it does not use up the trials of the series."""
    cell, given, path = FakeCell(), policies(), tmp_path / "log.jsonl"
    cell.dry_run = True
    given["base_6d_seq"].T = torch.from_numpy(top_down(0.2, 0.0, -0.05))
    given["dgrasp_6d_seq"].none = True
    log = run(path, cell, given)
    assert {r["outcome"] for r in log.records} == {"refused", "no grasp"}
    assert all(r["success"] is None for r in log.records) and not log.done and log.header["dry_run"] is True
    with pytest.raises(LogError, match="begun with dry_run True, asked to go on with False"):
        run(path)


def test_a_grasp_whose_object_could_not_be_put_down_is_judged_and_not_repeated(tmp_path):
    def stopped(n):
        if n == 1:
            stop = ProtectiveStop("stopped while it put the object down")
            stop.phase, stop.executed = "release", Execution(np.eye(4), moved=True, holds=True, width=0.05)
            raise stop
        return "success"

    class Judge(FakeOperator):
        def verdict(self, presentation, execution):
            self.told.append(execution.reason)
            return Verdict(Outcome.SUCCESS, "it hung in the air")

    path, cell, operator = tmp_path / "log.jsonl", FakeCell(act=stopped), Judge()
    with pytest.raises(ProtectiveStop):
        run(path, cell, operator=operator)
    assert list(read_log(path).pending) == [1] and not read_log(path).done
    log = run(path, cell, operator=operator, limit=1)
    assert log.done == {1} and cell.executed == 1 and operator.told[-1].startswith("executed ")


def test_an_interrupt_while_the_object_is_put_down_loses_no_verdict(tmp_path):
    def interrupted(n):
        interrupt = KeyboardInterrupt()
        interrupt.executed = Execution(np.eye(4), moved=True, holds=True, width=0.05)
        raise interrupt

    path = tmp_path / "log.jsonl"
    with pytest.raises(KeyboardInterrupt):
        run(path, FakeCell(act=interrupted))
    assert list(read_log(path).pending) == [1] and not read_log(path).done


def test_a_file_that_is_no_log_is_left_as_it_is(tmp_path):
    path = tmp_path / "calibration.json"
    path.write_text('{"precious": 1}')
    with pytest.raises(LogError, match="it is no trial log"):
        run(path)
    assert path.read_text() == '{"precious": 1}'
    path.write_text('{"kind": "hea')  # a header cut short by a crash
    assert run(path).header["backend"] == "twin"


# --- the record


def test_a_record_tells_the_trial(tmp_path):
    log = run(tmp_path / "log.jsonl", limit=1, images=tmp_path / "images")
    (record,) = log.records
    assert record["backend"] == log.backend == "twin" and log.banner.startswith("TWIN: no robot moved")
    assert record["calibration"] == "c0ffee" and record["value"] == 1.5
    assert record["pose"][:3] == pytest.approx([0.2, 0.0, 0.9605 + 0.05])
    assert np.linalg.norm(record["pose"][3:]) == pytest.approx(1.0)
    assert (record["outcome"], record["success"], record["reason"]) == ("success", True, "seen")
    assert set(record["seconds"]) == {"observe", "plan", "rehearse", "execute"}
    assert record["time"].endswith("+00:00")
    for view in record["views"]:
        assert (tmp_path / "images" / f"{view['image']}.png").is_file() and len(view["image"]) == 64
    assert log.header["made_by"]["versions"]["numpy"] == np.__version__


def test_what_the_policy_cannot_do_counts_as_failed(tmp_path):
    given = {"base_6d_seq": FakePolicy(tilted(0.2, 0, 0.05, 1.5)), "dgrasp_6d_seq": FakePolicy()}
    given["dgrasp_6d_seq"].none = True
    cell = FakeCell()
    log = run(tmp_path / "log.jsonl", cell, given)
    assert cell.executed == 0
    outcomes = {(r["policy"], r["outcome"]) for r in log.records}
    assert outcomes == {("base_6d_seq", "refused"), ("dgrasp_6d_seq", "no grasp")}
    assert len(log.judged) == 8 and not log.judged["success"].any()
    assert any("away from straight down" in r["reason"] for r in log.records)


def test_the_banner_says_who_moved(tmp_path):
    dry = run(tmp_path / "dry.jsonl", FakeCell("hardware", act=lambda n: ""), limit=1)
    assert dry.banner == "HARDWARE: connected, but no grasp was executed in these trials."
    assert run(tmp_path / "log.jsonl", FakeCell("hardware"), limit=1).banner.startswith("HARDWARE: a real robot moves")
    for backend in ("twin", "simulation", "loopback", "replay"):
        assert "no robot moved" in run(tmp_path / f"{backend}.jsonl", FakeCell(backend), limit=1).banner
    with pytest.raises(ValueError, match="unknown backend 'robot'; backends: hardware, twin, simulation, replay"):
        banner("robot")


def test_a_dry_run_is_recorded_and_counts_for_nothing(tmp_path):
    log = run(tmp_path / "log.jsonl", FakeCell(act=lambda n: ""), limit=3)
    assert [r["outcome"] for r in log.records] == ["dry run"] * 3
    assert log.done == set() and log.judged.empty


# --- stopping and going on


def test_a_series_goes_on_where_it_stopped(tmp_path):
    path = tmp_path / "log.jsonl"
    assert len(run(path, limit=3).done) == 3
    log = run(path)
    assert [r["number"] for r in log.records] == list(range(1, 9))
    before = path.read_bytes()
    run(path)
    assert path.read_bytes() == before


def test_another_series_does_not_enter_the_log(tmp_path):
    path = tmp_path / "log.jsonl"
    run(path, limit=1)
    with pytest.raises(LogError, match="begun with backend 'twin', asked to go on with 'hardware'"):
        run(path, FakeCell("hardware"))
    other = SHORT.model_copy(update={"seed": 1})
    with pytest.raises(LogError, match="begun with protocol"):
        run_trials(FakeCell(), policies(), FakeOperator(), other, path, runs={"base_6d_seq": "d0d0"})
    with pytest.raises(LogError, match=r"begun with runs\.base_6d_seq 'd0d0', asked to go on with 'trained anew'"):
        run(path, runs={"base_6d_seq": "trained anew"})
    wider = FakeCell()
    wider.limits = SafetyLimits(tilt=0.5)
    with pytest.raises(LogError, match=r"begun with settings\.limits\.tilt 1\.3.*, asked to go on with 0\.5"):
        run(path, wider)
    with pytest.raises(LogError, match=r"begun with settings\.optimizers\.base_6d_seq\.steps 19, asked .* 5"):
        run(path, given=policies(steps=5))
    assert len(read_log(path).records) == 1


def test_a_cell_calibrated_anew_between_sessions_is_on_record(tmp_path):
    path, again = tmp_path / "log.jsonl", FakeCell()
    run(path, limit=1)
    again.calibration_id = "f00d"
    run(path, again, limit=1)
    run(path, again, limit=1)
    log = read_log(path)
    assert [note["text"] for note in log.notes] == ["calibrated anew: from here on f00d, before c0ffee"]
    assert log.calibration == "f00d" and [r["calibration"] for r in log.records] == ["c0ffee", "f00d", "f00d"]


def test_a_robots_log_says_which_networks_acted(tmp_path):
    with pytest.raises(ValueError, match="runs: expected the fingerprints of the policies' runs"):
        run(tmp_path / "log.jsonl", FakeCell("hardware"), runs=None)
    assert not (tmp_path / "log.jsonl").exists()


def raising(error, at=3):
    def act(n):
        if n == at:
            raise error
        return "success"

    return act


def phased(error, phase):
    error.phase = phase
    return error


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ConnectionLost("arm: connection lost"), "fault"),
        (phased(ProtectiveStop("arm: protective stop"), "travel"), "fault"),
        (phased(ProtectiveStop("arm: protective stop"), "approach"), "collision"),
        (phased(CellFault("arm: emergency stop"), "approach"), "fault"),
        (KeyboardInterrupt(), "fault"),
    ],
)
def test_a_failure_ends_the_session_with_the_log_whole(tmp_path, error, outcome):
    path = tmp_path / "log.jsonl"
    with pytest.raises(type(error)):
        run(path, FakeCell(act=raising(error)))
    log = read_log(path)
    last = log.records[-1]
    assert len(log.records) == 3 and last["outcome"] == outcome and str(error) in last["reason"]
    assert log.done == ({1, 2} if outcome == "fault" else {1, 2, 3})  # a fault is repeated, a collision is not
    log = run(path)
    assert log.done == set(range(1, 9)) and len(log.judged) == 8


class MovingCell(FakeCell):
    """Executes, and leaves the verdict to the operator."""

    def execute(self, T_world_tcp):
        self.executed += 1
        if self.act(self.executed) == "unarmed":
            raise NotArmed("the cell is disarmed")
        return Execution(T_world_tcp, moved=True, holds=True, width=0.05, seconds={"lift": 1.5})


class Person(FakeOperator):
    """Interrupts the session where it is to give its second verdict, once."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def verdict(self, presentation, execution):
        self.asked.append((presentation.number, execution))
        if len(self.asked) == 2:
            raise KeyboardInterrupt
        return Verdict(Outcome.SLIPPED, "seen")


@pytest.mark.parametrize("killed", [False, True], ids=["interrupted", "killed"])
def test_an_executed_grasp_is_judged_and_not_repeated(tmp_path, killed):
    path, cell, person = tmp_path / "log.jsonl", MovingCell("hardware"), Person()
    with pytest.raises(KeyboardInterrupt):
        run(path, cell, operator=person)
    if killed:  # the process ends without another word: the record of the interrupt is not there
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    assert set(read_log(path).pending) == {2}
    log = run(path, cell, operator=person)
    assert cell.executed == 8 and log.done == set(range(1, 9)) and not log.pending
    (_, before), (number, again) = person.asked[1:3]
    assert number == 2 and np.allclose(again.T_world_tcp, before.T_world_tcp)
    assert (again.holds, again.width, again.seconds) == (True, 0.05, {"lift": 1.5})
    assert "not judged then" in again.reason
    assert sum("trial 2 of 8" in told for told in person.told) == 1  # not presented anew
    assert log.judged.set_index("number").loc[2, "outcome"] == "slipped"
    assert log.unjudged.total() == 0


def test_grasps_that_were_begun_and_repeated_are_counted(tmp_path):
    path = tmp_path / "log.jsonl"
    lost = FakeCell("hardware", act=raising(ConnectionLost("arm: connection lost"), at=1))
    with pytest.raises(ConnectionLost):
        run(path, lost)
    with pytest.raises(NotArmed):
        run(path, MovingCell("hardware", act=lambda n: "unarmed"))  # nothing was begun
    log = run(path, FakeCell("hardware"))
    assert len(log.judged) == 8 and len(log.records) == 10
    assert log.unjudged == {log.records[0]["policy"]: 1}


def test_a_person_is_told_which_execution_to_judge():
    asked = []
    operator = AskingOperator(lambda question: asked.append(question) or "m")
    executed = Execution(top_down(0.2, 0, 0.05), moved=True, reason="executed at noon, not judged then")
    operator.verdict(Presentation(7, 50, "rubber duck", 2), executed)
    assert "presentation 3 (executed at noon, not judged then): s = success" in asked[0]


def test_a_line_cut_by_a_crash_is_reported_and_the_trial_repeated(tmp_path):
    path = tmp_path / "log.jsonl"
    run(path, limit=3)
    path.write_bytes(path.read_bytes()[:-40])
    log = read_log(path)
    assert len(log.records) == 2 and "cut short by a crash" in log.cut
    log = run(path)
    assert log.done == set(range(1, 9)) and log.cut == ""
    assert len(log.notes) == 1 and "cut short by a crash" in log.notes[0]["text"]


@pytest.mark.parametrize("lines", [1, 3, 4], ids=["header", "trial", "last trial"])
def test_a_line_that_lacks_its_newline_alone_is_kept(tmp_path, lines):
    """As editors leave it: a verdict in it is one, and the trial is not repeated on the robot."""
    path = tmp_path / "log.jsonl"
    run(path, limit=lines - 1)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    log = read_log(path)
    assert log.cut == "" and log.done == set(range(1, lines))
    run(path, limit=0)
    assert path.read_bytes() == whole, "the newline is put back, and nothing else"
    path.write_bytes(whole[:-1])
    cell = FakeCell()
    assert run(path, cell).done == set(range(1, 9)) and cell.executed == 8 - (lines - 1)
    assert read_log(path).notes == ()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda line: line.replace(b'"success": true', b'"success": false'), "line 4: changed after it was written"),
        (lambda line: b'{"precious": 1}', "line 4: not a line of a trial log"),
    ],
)
def test_a_whole_last_line_that_does_not_fit_is_neither_kept_nor_deleted(tmp_path, change, why):
    """Only what a crash can have left is taken off, with its newline or without."""
    path = tmp_path / "log.jsonl"
    run(path, limit=3)
    *before, last = path.read_bytes().splitlines(keepends=True)
    changed = change(last[:-1])
    assert changed != last[:-1]
    for end in (b"\n", b""):
        path.write_bytes(b"".join(before) + changed + end)
        for use in (read_log, run):
            with pytest.raises(LogError, match=why):
                use(path)
        assert path.read_bytes().endswith(changed + end)


@pytest.mark.parametrize("limit", [-1, np.int64(-2), 1.5, "3"])
def test_a_limit_that_is_none_is_refused_before_anything_is_written(tmp_path, limit):
    with pytest.raises(ValueError, match="limit: expected a whole number of trials, 0 or more, or None for all, got"):
        run(tmp_path / "log.jsonl", limit=limit)
    assert not (tmp_path / "log.jsonl").exists()
    assert len(run(tmp_path / "log.jsonl", limit=np.int64(2)).done) == 2


def test_kill_9_leaves_every_finished_trial(tmp_path):
    """A process is killed inside its fourth trial: three are on disk, and the series goes on."""
    path = tmp_path / "log.jsonl"
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from test_robot_trials import run, FakeCell\n"
        "act = lambda n: 'success' if n < 4 else os.kill(os.getpid(), signal.SIGKILL)\n"
        "run(Path(sys.argv[1]), FakeCell(act=act))\n"
    )
    assert started.run(program, path)[0] == -signal.SIGKILL
    assert read_log(path).done == {1, 2, 3}
    assert run(path).done == set(range(1, 9))


def test_only_one_process_writes_a_log(tmp_path):
    header = {"backend": "twin", "devices": {}, "protocol": {}}
    with (
        LogWriter(tmp_path / "log.jsonl", header),
        pytest.raises(LogError, match="another process is writing"),
        LogWriter(tmp_path / "log.jsonl", header),
    ):
        pass


def test_a_line_that_could_not_be_written_leaves_the_log_whole(tmp_path, monkeypatch):
    """JSON has no NaN, and a disk may refuse: the next line is chained to the last one that is there."""
    path = tmp_path / "log.jsonl"
    with LogWriter(path, {"backend": "twin", "devices": {}, "protocol": {}}) as log:
        with pytest.raises(ValueError, match="JSON"):
            log.append("note", {"text": float("nan")})
        with monkeypatch.context() as patch, pytest.raises(OSError, match="no space"):
            patch.setattr(os, "fsync", lambda handle: raise_(OSError("no space left on device")))
            log.append("note", {"text": "lost"})
        log.append("note", {"text": "kept"})
    assert [note["text"] for note in read_log(path).notes] == ["kept"]


def raise_(error):
    raise error


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda lines: lines[1:], "line 1: changed"),  # no header
        (lambda lines: lines[:2] + lines[3:], "line 3: changed after it was written, or lines before it are missing"),
        (lambda lines: [*lines[:2], "{", *lines[3:]], "line 3: not JSON"),
        (lambda lines: [*lines[:2], "[]", *lines[3:]], "line 3: not a line of a trial log"),
        (lambda lines: [], "no trial log"),
    ],
)
def test_damage_before_the_end_is_not_tolerated(tmp_path, damage, why):
    path = tmp_path / "log.jsonl"
    run(path, limit=3)
    path.write_text("".join(line + "\n" for line in damage(path.read_text().splitlines())))
    with pytest.raises(LogError, match=why):
        read_log(path)


# --- operators and replay


def test_a_person_is_asked_until_the_answer_is_one():
    answers = iter(["", "x", "S held well"])
    asked = []
    operator = AskingOperator(lambda question: asked.append(question) or next(answers))
    presentation = Presentation(7, 50, "rubber duck", 2)
    operator.present(presentation)
    verdict = operator.verdict(presentation, Execution(top_down(0.2, 0, 0.05), moved=True))
    assert (verdict.outcome, verdict.reason) == ("success", "held well")
    assert "trial 7 of 50: rubber duck, presentation 3" in asked[0] and "s = success" in asked[1]


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ("slipped", ("slipped", "")),  # not a success that lipped
        ("Dropped on the way", ("dropped", "on the way")),
        ("l", ("slipped", "")),
        ("m  beside it", ("missed", "beside it")),
        ("lost", None),
        ("succes", None),
        ("s, held well", None),
    ],
)
def test_only_a_key_or_a_whole_word_is_an_answer(answer, verdict):
    answers = iter([answer, "c asked again"])
    operator = AskingOperator(lambda question: next(answers))
    given = operator.verdict(Presentation(7, 50, "rubber duck", 2), Execution(top_down(0.2, 0, 0.05), moved=True))
    assert (given.outcome, given.reason) == (verdict or ("collision", "asked again"))


def test_a_replay_repeats_its_log_and_moves_nothing(tmp_path):
    recorded = run(tmp_path / "log.jsonl", FakeCell(act=lambda n: "slipped" if n % 2 else "success"), images=tmp_path)
    cell = ReplayCell(recorded, images=tmp_path)
    replayed = run(tmp_path / "again.jsonl", cell, operator=CellJudges(cell.select))
    assert replayed.backend == "replay" and "no robot moved" in replayed.banner
    for a, b in zip(recorded.records, replayed.records, strict=True):
        assert all(a[key] == b[key] for key in ("number", "policy", "object", "pose", "outcome", "views"))
        assert b["execution"]["moved"] is False


def test_a_replay_refuses_what_was_not_recorded(tmp_path):
    cell = ReplayCell(run(tmp_path / "log.jsonl", limit=2, images=tmp_path / "images"), images=tmp_path / "images")
    with pytest.raises(RuntimeError, match="select"):
        cell.observe()
    with pytest.raises(KeyError, match="trial 5 has no verdict"):
        cell.select(5)
    cell.select(1)
    with pytest.raises(ValueError, match="made with another pose"):
        cell.execute(top_down(0.2, 0.05, 0.05))
    with pytest.raises(FileNotFoundError, match="no images"):
        _selected(ReplayCell(cell.log)).observe()
    name = cell.record["views"][0]["image"]
    other = next((tmp_path / "images").glob("*.png")).read_bytes()
    Path(tmp_path / "images" / f"{name}.png").write_bytes(_changed(other))
    with pytest.raises(ValueError, match="not the image that was logged"):
        cell.observe()


def test_a_replays_trials_are_chosen_by_any_whole_number(tmp_path):
    cell = ReplayCell(run(tmp_path / "log.jsonl", limit=2))
    for number in (2, np.int64(2), np.uint8(2), Presentation(2, 8, "rubber duck", 0)):
        cell.select(1)
        cell.select(number)
        assert cell.record["number"] == 2
    for wrong in ("2", 2.0, None):
        with pytest.raises(TypeError, match=f"presentation: expected one, or the number of a trial, got {wrong!r}"):
            cell.select(wrong)


@pytest.mark.parametrize("damage", [lambda png: png[: len(png) // 2], lambda png: png[:40], lambda png: b"no picture"])
def test_a_replays_damaged_picture_is_named(tmp_path, damage):
    cell = _selected(ReplayCell(run(tmp_path / "log.jsonl", limit=1, images=tmp_path), images=tmp_path))
    file = tmp_path / f"{cell.record['views'][0]['image']}.png"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ValueError, match=f"^{file}: cannot be read as the PNG that was logged") as caught:
        cell.observe()
    assert "\n" not in str(caught.value)


def _selected(cell):
    cell.select(1)
    return cell


def _changed(png):
    import io

    from PIL import Image

    image = np.asarray(Image.open(io.BytesIO(png))) + 1
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return buffer.getvalue()


def test_log_lines_are_plain_json(tmp_path):
    run(tmp_path / "log.jsonl", limit=2)
    kinds = [json.loads(line)["kind"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert kinds == ["header", "trial", "trial"]
