"""`ferryman check` as a user types it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from newcomer import SPECS, User, eventually, flowers, strangers


def spoil(spec: Path, *changes: tuple[str, str]) -> Path:
    """Change the text of a spec or of its data."""
    for old, new in changes:
        text = spec.read_text()
        assert old in text
        spec.write_text(text.replace(old, new, 1))
    return spec


def test_a_spec_in_which_nothing_stands_in_the_way_goes_its_whole_road(tmp_path: Path) -> None:
    user = User(tmp_path)
    spec = flowers(tmp_path)
    said = user.types("check", spec)
    assert said.returncode == 0, said.stderr
    assert "nothing stands in the way" in said.stdout
    assert f"next: ferryman run {spec}" in said.stdout.replace(
        shlex.quote(str(Path(sys.executable).with_name("ferryman"))), "ferryman"
    )
    for stage in ("spec", "data", "split", "power", "training", "export", "conversion", "serving", "cost"):
        assert f"\n  {stage} " in f"\n{said.stderr}"
    assert "golden rows over gRPC and REST" in said.stderr
    assert not list(tmp_path.rglob("runs")), "nothing is kept"
    assert eventually(lambda: not strangers(tmp_path), 5)


def test_all_that_is_wrong_in_a_spec_and_its_data_is_told_at_once_for_programs_too(tmp_path: Path) -> None:
    spec = spoil(flowers(tmp_path, train="{epoch: 3}"), ("petal:", "pedal:"))
    said = User(tmp_path).types("check", spec, "-o", "json")
    document: dict[str, Any] = json.loads(said.stdout)
    assert said.returncode == document["exit_code"] == 2
    found = {finding["where"]: finding for finding in document["findings"]}
    assert found["train.epoch"]["try"] == "write 'epochs'"
    assert any("do you mean 'petal'" in finding["what"] for finding in document["findings"])
    skipped = {stage["stage"] for stage in document["stages"] if stage["state"] == "skipped"}
    assert {"training", "serving"} <= skipped
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("nowhere.yaml",), 2, "no such file"),
        (("flowers.yaml", "--set", "train.epoch=3"), 2, "did you mean 'epochs'"),
        (("flowers.yaml", "--on", "moon"), 2, "no such target"),
        (("flowers.yaml", "--group", "UP"), 2, "lower-case"),
    ],
)
def test_a_command_that_cannot_be_is_refused(tmp_path: Path, arguments: tuple[str, ...], code: int, words: str) -> None:
    flowers(tmp_path)
    (tmp_path / "flowers.csv").unlink()
    said = User(tmp_path).types("check", *arguments)
    assert (said.returncode, words in said.stdout + said.stderr) == (code, True), said.stdout + said.stderr


def test_neither_tensorflow_nor_kfp_is_imported_by_the_command(tmp_path: Path) -> None:
    spec = flowers(tmp_path, train="{epoch: 3}")
    code = (
        "import sys\nfrom ferryman_pipelines.cli.main import main\n"
        f"sys.argv = ['ferryman', 'check', {str(spec)!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 2, end.code\n"
        "heavy = {'tensorflow', 'kfp', 'keras', 'pyarrow', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_check_whose_process_is_killed_says_at_which_stage_and_leaves_nothing(tmp_path: Path) -> None:
    import signal

    place = tmp_path / "tmp"
    place.mkdir()
    spec = flowers(tmp_path)
    user = User(tmp_path)
    environment = user.environment() | {"TMPDIR": str(place)}
    command = subprocess.Popen(
        user.command("check", spec, "-o", "json"),
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )

    def child() -> int:
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and str(place) in _line(entry) and "ferryman.checks" in _line(entry):
                told = list(place.glob("*/told.jsonl"))
                return int(entry.name) if told and '"training"' in told[0].read_text() else 0
        return 0

    os.kill(eventually(child), signal.SIGKILL)
    said, _ = command.communicate(timeout=60)
    (found,) = [one for one in json.loads(said)["findings"] if one["kind"] == "error"]
    assert found["where"] == "the stage training"
    assert "SIGKILL" in found["what"]
    assert command.returncode == 5
    assert eventually(lambda: not strangers(place) and not list(place.iterdir()), 10)


def _line(entry: Path) -> str:
    try:
        return (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits", "mnist", "penguin_mass", "penguins"])
def test_each_ready_spec_passes(tmp_path: Path, name: str) -> None:
    said = User(tmp_path).types("check", SPECS / f"{name}.yaml")
    assert said.returncode == 0, said.stdout + said.stderr
