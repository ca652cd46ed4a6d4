"""`ferryman runs logs`: what the steps wrote, as any terminal can take it, also while they write."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from finished_run import FinishedRun, write_spec
from newcomer import User, eventually
from typer.testing import CliRunner

from ferryman_pipelines.cli.logs import Tail, plain
from ferryman_pipelines.cli.main import app


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FinishedRun:
    monkeypatch.setenv("FERRYMAN_HOME", str(tmp_path / "home"))
    run = FinishedRun(tmp_path / "home", "birds-1", write_spec(tmp_path))
    run.write()
    run.log("train", b"epoch 1/2  loss 0.5\nepoch 2/2  loss 0.25\n")
    run.log("prepare", b"40 rows\n")
    run.log("orchestrator", b"all by kfp\n")
    return run


def types(*arguments: str) -> tuple[int, str, str]:
    said = CliRunner().invoke(app, ["runs", "logs", *arguments])
    return said.exit_code, said.stdout, said.stderr


def test_all_steps_are_told_in_their_order_with_their_names_before_each_line(run: FinishedRun) -> None:
    code, told, _ = types("last")
    lines = [line.split(maxsplit=1) for line in told.splitlines()]
    assert code == 0
    assert lines == [["prepare", "40 rows"], ["train", "epoch 1/2  loss 0.5"], ["train", "epoch 2/2  loss 0.25"]]


def test_one_step_is_told_as_it_wrote_and_the_orchestrator_too(run: FinishedRun) -> None:
    assert types("birds-1", "train") == (0, "epoch 1/2  loss 0.5\nepoch 2/2  loss 0.25\n", "")
    assert types("last", "orchestrator")[1] == "all by kfp\n"
    run.log("serving_check", b"golden\n")
    assert types("last", "serving-check")[1] == "golden\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["last", "trian"], "run birds-1 has no step 'trian'; did you mean 'train'?"),
        (["last", "gate"], "gate has written nothing in run birds-1; prepare, train, orchestrator has"),
        (["birds-2"], "no run 'birds-2' in "),
        (["last", "../request"], "has no step '../request'"),
    ],
)
def test_what_was_mistyped_is_told(run: FinishedRun, arguments: list[str], words: str) -> None:
    code, _, said = types(*arguments)
    assert (code, words in said) == (2, True), said


def test_a_line_is_plain_text_whatever_wrote_it() -> None:
    assert plain(b"\x1b[95m'mnist'\x1b[0m ran\x07\r\n") == "'mnist' ran"
    assert plain(b"10 %\r55 %\r100 %\n") == "100 %"
    assert plain(b"\xff\xfe\x00 no text \xc3\xa9\tend") == "\ufffd\ufffd no text é\tend"
    assert plain(b"\x1b]0;title\x07\x1b[2J\x1b[1;1Hhere\n") == "here"


def test_a_line_that_has_no_end_yet_waits_for_it_or_for_the_end_of_the_run(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    tail = Tail(path)
    assert list(tail.lines(last=False)) == []
    path.write_bytes(b"one\ntw")
    assert list(tail.lines(last=False)) == ["one"]
    with path.open("ab") as file:
        file.write("o\nthré".encode()[:-1])
    assert list(tail.lines(last=False)) == ["two"]
    with path.open("ab") as file:
        file.write("é".encode()[-1:])
    assert list(tail.lines(last=True)) == ["thré"]


def test_following_a_run_goes_on_until_it_has_ended_and_misses_nothing(run: FinishedRun, tmp_path: Path) -> None:
    user = User(tmp_path, settings={"FERRYMAN_HOME": str(run.home)})
    told = tmp_path / "told"
    with contextlib.ExitStack() as ends:
        # Somebody runs it: its lock is held.
        at_work = ends.enter_context(contextlib.ExitStack())
        at_work.enter_context(run.run.lock())
        run.run.reopen()
        process = user.starts("runs", "logs", "last", "-f", log=told)
        ends.callback(process.kill)
        assert eventually(lambda: "epoch 2/2" in told.read_text(), 30)
        run.log("evaluate", b"accuracy 0.8\n")
        assert eventually(lambda: "evaluate       accuracy 0.8\n" in told.read_text(), 30)
        assert process.poll() is None
        run.log("gate", b"held, without a line's end")
        at_work.close()
        assert process.wait(30) == 0
    assert told.read_text().endswith("gate           held, without a line's end\n")
