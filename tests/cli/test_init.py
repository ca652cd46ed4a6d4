"""`ferryman init` as its user types it: what is written, what is told, and that nothing is ever overwritten."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import own_data
import pytest
from newcomer import User
from typer.testing import CliRunner

from ferryman.spec import load_spec
from ferryman.spec.yaml import read_yaml
from ferryman_pipelines.cli.main import app


@pytest.fixture
def user(tmp_path: Path) -> User:
    return User(tmp_path)


def test_a_spec_is_written_beside_the_data_and_what_was_seen_is_told(user: User) -> None:
    own_data.houses(user.folder)
    said = user.types("init", "Häuser 2023.csv", "--label", "Preis")
    assert said.returncode == 0, said.stderr
    spec = load_spec(user.folder / "haeuser-2023.yaml")
    assert (spec.name, spec.data.source) == ("haeuser-2023", "Häuser 2023.csv")
    assert "haeuser-2023.yaml: 600 rows; predicts Preis: " in said.stdout
    assert "left out Währung: constant: always EUR" in said.stdout
    assert "run haeuser-2023.yaml" in said.stderr
    assert not user.home.exists()


def test_a_file_that_exists_is_never_overwritten_and_another_name_helps(user: User) -> None:
    own_data.letters(user.folder)
    (user.folder / "letters.yaml").write_text("mine")
    said = user.types("init", "letters.tsv", "--label", "class")
    assert said.returncode == 2
    assert "letters.yaml exists already and is left as it is: choose another file with -o FILE" in said.stderr
    assert (user.folder / "letters.yaml").read_text() == "mine"
    (user.folder / "specs").mkdir()
    other = user.types("init", "letters.tsv", "--label", "class", "--name", "post", "-o", "specs/post.yaml")
    assert other.returncode == 0, other.stderr
    spec = load_spec(user.folder / "specs" / "post.yaml")
    # Not below the spec's folder, so that its place must be written out.
    assert (spec.name, spec.data.source) == ("post", str(user.folder / "letters.tsv"))


def test_a_model_of_ones_own_comes_with_its_package_or_not_at_all(user: User) -> None:
    own_data.letters(user.folder)
    said = user.types("init", "letters.tsv", "--label", "class", "--model", "my_model")
    assert said.returncode == 0, said.stderr
    document = read_yaml((user.folder / "letters.yaml").read_text())
    assert (document["model"]["kind"], document["code"]) == ("my_model.model:MyModel", {"path": "my_model"})
    names = {path.name for path in (user.folder / "my_model").iterdir()}
    assert names == {"__init__.py", "model.py", "test_my_model.py"}
    check_its_test_can_be_run_as_is_said(user, said.stderr)
    again = user.types("init", "letters.tsv", "--label", "class", "--model", "my_model", "-o", "other.yaml")
    assert again.returncode == 2
    assert "my_model exists already and is left as it is" in again.stderr
    assert not (user.folder / "other.yaml").exists()


def check_its_test_can_be_run_as_is_said(user: User, told: str) -> None:
    """By what `init` printed, and by what stands at the head of the file; collected only, which takes no TensorFlow."""
    (printed,) = re.findall(
        r"its test: (.+/python'? -m pytest my_model)   \(once before: .+ -m pip install pytest", told
    )
    text = (user.folder / "my_model" / "test_my_model.py").read_text()
    (written,) = re.findall(r"^Run it, .* with: python (-m pytest my_model)$", text, re.MULTILINE)
    for words in (shlex.split(printed)[1:], written.split()):
        done = subprocess.run(
            [user.python, *words, "--collect-only", "-q"], cwd=user.folder, capture_output=True, text=True, check=False
        )
        assert "test_the_model_goes_the_whole_road" in done.stdout, done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "expected --label COLUMN: which column shall the model predict? The columns are: "),
        (["--label", "clas"], 2, "there is no such column; do you mean 'class'?"),
        (["--label", "class", "--name", "My Model"], 2, "--name received 'My Model'"),
        (["--label", "class", "--model", "json"], 2, "--model received 'json'"),
        (["--label", "class", "-o", "letters.tsv/x.yaml"], 2, "letters.tsv/x.yaml cannot be written"),
        (["--label", "class", "-o", "letters.tsv"], 2, "letters.tsv exists already"),
    ],
)
def test_what_was_mistyped_is_told_and_nothing_is_written(
    user: User, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, words: str
) -> None:
    own_data.letters(user.folder)
    monkeypatch.chdir(user.folder)
    said = CliRunner().invoke(app, ["init", "letters.tsv", *arguments])
    assert (said.exit_code, words in said.stderr) == (code, True), said.stderr
    assert [path.name for path in user.folder.iterdir()] == ["letters.tsv"]


def test_data_that_are_not_there_are_told(user: User) -> None:
    said = user.types("init", "letter.tsv", "--label", "class")
    assert said.returncode == 4
    assert said.stderr.startswith("ferryman: letter.tsv: there is no file letter.tsv in ")


def test_the_examples_of_a_package_fit_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_data.houses(tmp_path)
    monkeypatch.chdir(tmp_path)
    said = CliRunner().invoke(app, ["init", "Häuser 2023.csv", "--label", "Preis", "--model", "my_model"])
    assert said.exit_code == 0, said.stderr
    text = (tmp_path / "my_model" / "model.py").read_text()
    features = load_spec(tmp_path / "haeuser-2023.yaml").data.features
    (category,) = set(re.findall(r'context.sizes\["(\w+)"\]', text))
    (number,) = re.findall(r"In a spec: `(\w+): \{kind:", text)
    assert (features[category].kind, features[number].kind) == ("category", "number")
    assert 'better = "typical_error", "number", "lower"' in text
