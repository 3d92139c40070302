"""The joints of a description are those between its base and its flange: else the arm reaches what it cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dgrasp.cell.chain import chain_problems
from dgrasp.cell.description import ArmDescription, CellDescription, read_cell
from dgrasp.cell.model import model_of
from dgrasp.cell.urdf import urdf_path
from dgrasp.cli.main import main
from dgrasp.files import UserFileError

PANDA, UR5, UR10 = "panda_hand", "ur5_2f85", "ur10_2f140_d415"
PER_JOINT = ("joints", "lower", "upper", "speed", "home")


def problems(cell: str, pick: slice = slice(None), **changes: Any) -> list[str]:
    """Of a shipped arm with other settings, or some of its joints."""
    about = read_cell(cell).arm.model_dump()
    about |= {name: about[name][pick] for name in PER_JOINT} | changes
    return chain_problems(ArmDescription.model_validate(about), urdf_path(about["urdf"], Path()))


@pytest.mark.parametrize("cell", [PANDA, UR5, UR10])
def test_the_shipped_arms_are_on_their_way(cell: str) -> None:
    assert problems(cell) == []


def test_a_joint_that_is_left_out_or_elsewhere_is_named() -> None:
    lack = "arm: joints: lack 'panda_joint7', which is between 'panda_link0' and 'panda_link8'; list it, or make it fix"
    assert problems(PANDA, slice(6))[0].startswith(lack)
    assert problems(PANDA, base="panda_link8") == [
        f"arm: joints: 'panda_joint{i}' is not between 'panda_link8' and 'panda_link8'" for i in range(1, 8)
    ]
    [order] = problems(PANDA, slice(None, None, -1))
    assert order.startswith("arm: joints: expected in the order from base to flange: panda_joint1, panda_joint2")
    [elsewhere] = problems(UR5, base="tool0", flange="base_link")
    assert elsewhere.startswith("arm: base: the way from 'base_link' back does not lead to 'tool0' in ur5_robot.urdf")


def test_the_simulator_takes_no_such_arm_either() -> None:
    about = read_cell(PANDA).model_dump()
    about["arm"] |= {name: about["arm"][name][:6] for name in PER_JOINT}
    with pytest.raises(UserFileError, match=r"^arm: joints: lack 'panda_joint7'"):
        model_of(CellDescription.model_validate(about))


def test_a_closed_form_is_its_own_arms() -> None:
    [wrong] = problems(UR5, closed_form="ur10")
    assert (
        wrong.startswith("arm: closed_form: its flange is ") and "leave closed_form out: ur10 is another arm" in wrong
    )
    assert problems(PANDA, closed_form="ur10")[0].startswith("arm: closed_form: has 6 joints, the arm 7; leave closed")


def test_a_model_in_a_circle_or_without_numbers_is_a_line(tmp_path: Path) -> None:
    arm, urdf = read_cell(UR10).arm, tmp_path / "arm.urdf"
    joint = '<joint name="{}" type="revolute"><parent link="{}"/><child link="{}"/><origin xyz="{}"/></joint>'
    links = ["base_link", *(f"link_{i}" for i in range(1, 6)), "tool0"]
    chain = [joint.format(*names, "0 0 up") for names in zip(arm.joints, links[:-1], links[1:], strict=True)]
    urdf.write_text(f"<robot>{''.join(chain)}</robot>")
    said = "arm.urdf: joint shoulder_pan_joint: origin: expected three numbers, got xyz="
    assert chain_problems(arm, urdf) == [f"{said}'0 0 up' (could not convert string to float: 'up')"]
    urdf.write_text(urdf.read_text().replace("0 0 up", "0 0"))
    assert chain_problems(arm, urdf) == [f"{said}'0 0' (not three finite numbers)"]
    circle = [joint.format("a", "tool0", "link", "0 0 0"), joint.format("b", "link", "tool0", "0 0 0")]
    urdf.write_text(f"<robot>{''.join(circle)}</robot>")
    assert "does not lead to 'base_link'" in chain_problems(arm, urdf)[0]


def test_the_doctor_says_it_in_a_line_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import yaml

    about = read_cell(PANDA).model_dump(mode="json")
    about["arm"]["closed_form"] = "ur10"
    (tmp_path / "my.yaml").write_text(yaml.safe_dump(about))
    assert main(["doctor", "--cell", str(tmp_path / "my.yaml"), "--picture", str(tmp_path / "my.png")]) == 2
    said = capsys.readouterr()
    assert " !  arm: closed_form: has 6 joints, the arm 7" in said.out and not said.err
    with pytest.raises(SystemExit):
        main(["doctor", "--cell", ""])
    assert "argument --cell: expected a name, got ''" in capsys.readouterr().err
