"""What `dgrasp ycb` prints can be pasted into a shell."""

import shlex
import subprocess

import pytest

from dgrasp.cli import ycb
from dgrasp.cli.main import main


@pytest.mark.parametrize("folder", ["ycb", "with space", "O'Neil's", "$HOME", "Größe"])
def test_the_last_line_sets_an_absolute_path_whatever_its_name(tmp_path, monkeypatch, capsys, folder):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dgrasp.sim.objects.ycb_download.download", lambda folder, names: [folder / "banana"])
    assert main(["ycb", folder]) == 0
    *_, last = capsys.readouterr().out.splitlines()
    said = subprocess.run(["sh", "-c", f'{last}; printf %s "$DGRASP_YCB_DIR"'], capture_output=True, text=True, cwd="/")
    assert said.stdout == str(tmp_path / folder)
    assert shlex.split(last)[0] == "export"


def test_on_windows_it_is_set(monkeypatch):
    monkeypatch.setattr(ycb.os, "name", "nt")
    assert ycb.setting("A", r"C:\of mine") == r'set "A=C:\of mine"'
