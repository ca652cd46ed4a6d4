"""The command line starts light, and its help is for people."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from newcomer import User
from typer.testing import CliRunner

from ferryman_pipelines.cli.main import app


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["runs"],
        ["spec", "schema"],
        ["run", "--help"],
        ["check", "--help"],
        ["predict", "x"],
        ["init", "x"],
        ["gate", "x", "--spec", "y"],
        ["doctor"],
        ["lint", "x"],
        ["lint", "--rules"],
        ["clean"],
        ["images"],
        ["images", "build", "--only", "x"],
    ],
)
def test_neither_tensorflow_nor_kfp_is_imported_before_it_is_needed(tmp_path: Path, arguments: list[str]) -> None:
    code = (
        "import sys\nfrom ferryman_pipelines.cli.main import main\n"
        f"sys.argv = ['ferryman', *{arguments!r}]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'tensorflow', 'kfp', 'keras'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PIP_INDEX_URL": "file:///no/network/in/tests"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "command",
    [
        *("init", "check", "run", "runs", "serve", "predict", "promote", "rollback", "clean", "doctor"),
        *("compile", "lint", "spec", "gate", "runs logs", "runs open", "runs compare", "images", "images build", ""),
    ],
)
def test_every_command_explains_itself_with_an_example(tmp_path: Path, command: str) -> None:
    said = User(tmp_path).types(*command.split(), "--help")
    assert said.returncode == 0
    assert f"Example: ferryman {command}" in said.stdout
    assert (tmp_path / ".ferryman").exists() is False


def test_the_version_is_told(tmp_path: Path) -> None:
    assert User(tmp_path).types("--version").stdout.startswith("ferryman 0.")


@pytest.mark.parametrize("command", ["", "runs", "spec"])
def test_a_list_of_commands_says_each_in_a_whole_sentence_on_a_terminal_of_80_columns(
    tmp_path: Path, command: str
) -> None:
    user = User(tmp_path, settings={"COLUMNS": "80"})
    listed = user.types(*command.split(), "--help").stdout.partition("Commands:\n")[2].splitlines()
    assert len(listed) >= 2
    assert [line for line in listed if not line.endswith(".") or line.endswith("...")] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "cars.csv"], "cars.csv is a data file, expected a spec; try: "),
        (["check", "cars.tsv.gz"], "init cars.tsv.gz --label COLUMN"),
        (["run", "cars"], "cars: no such file; did you mean cars.yaml?"),
        (["compile", "carz.yaml", "-o", "x"], "carz.yaml: no such file; did you mean cars.yaml?"),
        (["spec", "show", "cart.yaml"], "did you mean cars.yaml?"),
        (["run", "cars.yaml", "--set", "epochs=3"], "epochs: a run may set "),
        (["run", "absent.yaml"], "no such file"),
        (["run", "columns.yaml"], "there is no column 'wheels'"),
        (["run", "parquet.yaml"], "there is no file cars.parquet"),
        (["predict", "cars", "-o", "out.csv"], "did you mean --out out.csv?"),
        (["predict", "cars"], "holds no model"),
        (["rollback", "cars", "--reason", "x"], "no model"),
        (["promote", "last"], "no run 'last'"),
        (["serve", "cars"], "nothing was released to a group 'cars'"),
        (["run", "--resume", "last"], "no run 'last'"),
        (["init", "car.csv", "--label", "price"], "there is cars.csv"),
    ],
)
def test_what_is_refused_says_what_may_have_been_meant_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FERRYMAN_HOME", raising=False)
    (tmp_path / "cars.csv").write_text("age,price\n" + "".join(f"{number},{number % 7}\n" for number in range(40)))
    (tmp_path / "cars.yaml").write_text(SPEC)
    (tmp_path / "columns.yaml").write_text(SPEC.replace("age:", "wheels:"))
    (tmp_path / "parquet.yaml").write_text(SPEC.replace("cars.csv", "cars.parquet"))
    before = sorted(path.name for path in tmp_path.rglob("*"))
    said = CliRunner().invoke(app, arguments)
    assert said.exit_code in {2, 4, 7}
    assert words in said.stderr
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


SPEC = """\
spec: 1
name: cars
data:
  source: cars.csv
  features: {age: {kind: number}}
  label: {kind: number, column: price}
model: {kind: mlp, hidden: [4]}
gate: {require: [{metric: rmse, at_most: 9}]}
"""
