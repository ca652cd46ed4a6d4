"""Where local state lies."""

from __future__ import annotations

from pathlib import Path

from newcomer import User, flowers, spoil


def test_all_state_lies_where_the_environment_says(tmp_path: Path) -> None:
    elsewhere, here = tmp_path / "elsewhere", tmp_path / "here"
    here.mkdir()
    user = User(here, settings={"FERRYMAN_HOME": str(elsewhere)})
    spec = flowers(here)
    spoil(here / "flowers.csv")
    assert user.types("run", spec).returncode == 4
    assert sorted(path.name for path in here.iterdir()) == ["flowers.csv", "flowers.yaml"]
    assert {"inputs", "runs"} <= {path.name for path in elsewhere.iterdir()}

    (record,) = user.runs()
    assert record["run"] in user.types("runs").stdout
    assert f"no runs in {here / '.ferryman'}" in User(here).types("runs").stderr
