"""One task, wherever it runs: an end without an error is no result yet, and a result stands for the code that made it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from ferryman.artifacts.run_store import Run
from ferryman.artifacts.step import step
from ferryman.errors import DataError
from ferryman.process import Finished
from ferryman_pipelines.runners.call import Call
from ferryman_pipelines.runners.tasks import TaskRunner

ENDED_WELL = Finished(("x",), 0, None, 1.0, 0.0, 0, timed_out=False, error=None, log=Path("nowhere"))


class Somewhere:
    """A place that acts as it is told and always says that all went well, unless there is another cause."""

    def __init__(self, act: Callable[[Call], object], cause: str = "") -> None:
        self.act, self.cause, self.calls, self.image = act, cause, 0, "image 1"

    def code(self, step: str) -> str:
        return f"{self.image} of {step}"

    def execute(self, call: Call, environment: Mapping[str, str]) -> Finished:
        self.calls += 1
        self.act(call)
        return Finished(**{**vars(ENDED_WELL), "cause": self.cause})


def command(folder: Path, **outputs: object) -> list[str]:
    executor_input = {"inputs": {}, "outputs": {"outputFile": str(folder / "out.json"), **outputs}}
    return [
        *("sh", "-ec", "python3 ephemeral_component.py", "source"),
        *("--executor_input", json.dumps(executor_input), "--function_to_execute", "first"),
    ]


def does_its_work(call: Call) -> None:
    folder = call.output_file.parent
    with step("first", str(folder.parent), folder.name, ""):
        call.output_file.write_text("{}")


def says_nothing_of_its_answer(call: Call) -> None:
    does_its_work(call)
    call.output_file.unlink()


def fails(call: Call) -> None:
    with pytest.raises(DataError), step("first", str(call.output_file.parent.parent), "r1", ""):
        raise DataError("received 'x'")


def run(tmp_path: Path, place: Somewhere, **outputs: object) -> tuple[int, str]:
    """The exit code, and what the record says of the step's failure."""
    folder = tmp_path / "r1"
    folder.mkdir(exist_ok=True)
    code = TaskRunner(folder, place).run(command(folder, **outputs))
    fragment = Run(folder, "r1").fragment("first")
    assert fragment is not None
    return code, f"{fragment.error.kind} {fragment.error.exit_code} {fragment.error.text}" if fragment.error else ""


def test_a_step_that_did_its_work_has_done_it(tmp_path: Path) -> None:
    assert run(tmp_path, Somewhere(does_its_work), parameters={"Output": {}}) == (0, "")


@pytest.mark.parametrize("act", [lambda call: None, says_nothing_of_its_answer])
def test_an_end_without_an_error_and_without_a_result_is_a_failure(
    tmp_path: Path, act: Callable[[Call], object]
) -> None:
    code, error = run(tmp_path, Somewhere(act), parameters={"Output": {}})
    assert (code != 0, error) == (True, "StepError 5 it ended without an error and without its result")


def test_an_earlier_attempts_result_is_not_taken_for_this_ones(tmp_path: Path) -> None:
    assert run(tmp_path, Somewhere(does_its_work))[0] == 0
    silent = Somewhere(lambda call: None)
    silent.image = "image 2"
    assert run(tmp_path, silent)[0] != 0


def test_a_cause_from_outside_comes_before_what_the_step_said(tmp_path: Path) -> None:
    code, error = run(tmp_path, Somewhere(fails, "the memory limit was reached"))
    assert code != 0
    assert error == "StepError 5 the memory limit was reached; it said: received 'x'"


def test_a_cause_from_outside_fails_a_step_that_calls_itself_done(tmp_path: Path) -> None:
    assert run(tmp_path, Somewhere(does_its_work, "the memory limit was reached")) == (
        1,
        "StepError 5 the memory limit was reached",
    )


def test_a_result_stands_while_its_image_does(tmp_path: Path) -> None:
    place = Somewhere(does_its_work)
    for image, calls in (("image 1", 1), ("image 1", 1), ("image 2", 2)):
        place.image = image
        assert run(tmp_path, place) == (0, "")
        assert place.calls == calls
