"""Tasks as containers, with a stand-in for the engine: what it is asked, and that no failure can pass for a result."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import contained
import engine
import pytest

from ferryman.artifacts.run_store import Run
from ferryman.storage.lock import hold
from ferryman_pipelines.images.docker import DockerError
from ferryman_pipelines.runners.call import Call
from ferryman_pipelines.runners.containers import Containers
from ferryman_pipelines.runners.mounts import mount, mounted
from ferryman_pipelines.runners.request import RunRequest
from ferryman_pipelines.runners.sweeping import remove, swept

IMAGE = f"sha256:{'a' * 64}"


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> engine.Engine:
    return engine.install(tmp_path / "engine", monkeypatch)


@pytest.fixture
def request_(tmp_path: Path) -> RunRequest:
    return contained.request(tmp_path / "größe, a:b" / "runs" / "r1", IMAGE, 300 << 20, limit=20.0)


def call(request: RunRequest, script: str = "exit 0") -> Call:
    """A call of the step `first` that runs a line of shell."""
    executor_input = {"outputs": {"outputFile": str(request.folder / "artifacts/first/executor_output.json")}}
    return Call(("sh", "-ec", f'{script}; "$@"', "true", "a b", "{'x'}"), "", "first", executor_input)


def words_of(docker: engine.Engine) -> list[str]:
    (words,) = docker.asked("container", "create")
    return words


def valued(words: list[str], name: str) -> list[str]:
    return [words[at + 1] for at, word in enumerate(words) if word == name]


def test_the_container_runs_the_command_of_kfp_in_the_image_by_its_id(
    docker: engine.Engine, request_: RunRequest
) -> None:
    asked = call(request_)
    assert Containers(request_).execute(asked, {"SAID": "by the task"}).ok
    words = words_of(docker)
    at = words.index("--entrypoint")
    assert (words[at + 1], words[at + 2], tuple(words[at + 3 :])) == ("sh", IMAGE, asked.command[1:])
    assert "SAID=by the task" in valued(words, "--env")
    assert valued(words, "--name") == ["ferryman-r1-first"]


def test_the_container_is_confined(
    docker: engine.Engine, request_: RunRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "of the host")
    Containers(request_).execute(call(request_), {})
    words = words_of(docker)
    assert "--read-only" in words
    confined = {
        "--network": "none",
        "--cap-drop": "ALL",
        "--security-opt": "no-new-privileges",
        "--pull": "never",
        "--user": f"{os.getuid()}:{os.getgid()}",
        "--memory": str(300 << 20),
        "--memory-swap": str(300 << 20),
    }
    assert {name: valued(words, name) for name in confined} == {name: [value] for name, value in confined.items()}
    assert not [word for word in words if "SECRET" in word or "of the host" in word]
    assert "--cpus" not in words


def test_a_target_may_say_how_many_processors(docker: engine.Engine, request_: RunRequest) -> None:
    first = request_.containers["first"].model_copy(update={"cpus": 1.5})
    Containers(request_.model_copy(update={"containers": {"first": first}})).execute(call(request_), {})
    assert valued(words_of(docker), "--cpus") == ["1.5"]


@pytest.mark.parametrize("name", ["plain", "a, b", 'say "hi"', "größe: x", "type=bind,readonly", "new\nline"])
def test_any_path_is_mounted_where_it_lies(name: str) -> None:
    path = Path("/home") / name
    option, value = mount(path, writable=False)
    (fields,) = csv.reader(value.splitlines(keepends=True))
    assert (option, fields) == ("--mount", ["type=bind", f"source={path}", f"target={path}", "readonly"])


def test_a_step_writes_to_its_run_and_to_releases_and_reads_what_else_it_needs(
    tmp_path: Path, request_: RunRequest
) -> None:
    pinned, code = tmp_path / "input, one", tmp_path / "code"
    for path in (pinned, code):
        path.write_text("x")
    spec = {
        "data": {"source": {"uri": pinned.as_uri(), "sha256": "1"}},
        "code": {"uri": code.as_uri(), "sha256": "2"},
        "model": {"source": {"uri": "gs://away/model", "sha256": "3"}},
        "list": [{"uri": (tmp_path / "missing").as_uri(), "sha256": "4"}],
    }
    words = mounted(request_.model_copy(update={"spec": spec}))
    fields = [next(csv.reader([value])) for value in words[1::2]]
    group = request_.folder.parent / "group"
    assert {(Path(field[1].removeprefix("source=")), len(field) == 3) for field in fields} == {
        (request_.folder, True),
        (group, False),
        (group / "releases", True),
        (pinned, False),
        (code, False),
    }
    assert (group / "releases").is_dir()


@pytest.mark.parametrize(
    ("fault", "script", "words"),
    [
        ("", "echo the reason; exit 17", "exit code 17; the reason"),
        ("", "kill -SEGV $$", "SIGSEGV"),
        ("out-of-memory", "exit 0", "memory limit of 300Mi"),
        ("out-of-memory", "exit 137", "memory limit of 300Mi"),
        ("removed", "exit 0", "removed by somebody else"),
        ("broken", "exit 0", "exit code 1"),
        ("refuses", "exit 0", "could not be made: docker container: Error response from daemon: Range of CPUs"),
        ("away", "exit 0", "does not answer"),
    ],
)
def test_whatever_goes_wrong_is_a_failure_with_its_reason(
    docker: engine.Engine, request_: RunRequest, fault: str, script: str, words: str
) -> None:
    docker.fault(fault)
    finished = Containers(request_).execute(call(request_, script), {})
    assert not finished.ok
    assert words in finished.reason()
    assert docker.containers == set()


def test_a_step_that_takes_too_long_is_stopped(docker: engine.Engine, request_: RunRequest) -> None:
    quick = request_.model_copy(update={"limits": {"first": 1.0}})
    finished = Containers(quick).execute(call(request_, "sleep 30"), {})
    assert (finished.timed_out, finished.ok, docker.containers) == (True, False, set())


def test_a_command_that_is_too_long_for_the_system_is_a_failure(docker: engine.Engine, request_: RunRequest) -> None:
    finished = Containers(request_).execute(call(request_, f": {'y' * 200_000}"), {})
    assert "Argument list too long" in finished.reason()


def test_what_is_left_of_this_run_and_of_dead_ones_is_removed_and_nothing_else(
    docker: engine.Engine, request_: RunRequest
) -> None:
    root = request_.root
    docker.holds(own=("r1", root), dead=("r2", root), live=("r3", root), foreign=("r4", f"{root}-other"))
    with hold(Run(Path(root) / "r3", "r3").folder / "lock", "busy"), swept(request_, print):
        assert docker.containers == {"live", "foreign"}
        docker.holds(own=("r1", root), dead=("r2", root))
    # In the end it speaks for itself alone.
    assert docker.containers == {"live", "foreign", "dead"}


def test_a_run_of_processes_asks_no_engine(docker: engine.Engine, request_: RunRequest) -> None:
    with swept(request_.model_copy(update={"containers": {}}), print):
        pass
    assert docker.asked() == []


def test_an_engine_that_went_away_in_the_end_is_a_warning(docker: engine.Engine, request_: RunRequest) -> None:
    warned: list[str] = []
    with swept(request_, warned.append):
        docker.fault("away")
    (text,) = warned
    assert "docker ps --all --filter label=ferryman.run=r1" in text


def test_a_container_that_does_not_go_is_said(
    docker: engine.Engine, request_: RunRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ferryman_pipelines.runners import sweeping

    monkeypatch.setattr(sweeping, "TRIES", 2)
    docker.holds(own=("r1", request_.root))
    real = sweeping.ask

    def refuses(*words: str) -> str:
        if words[1] == "rm":
            raise DockerError("removal is already in progress")
        return real(*words)

    monkeypatch.setattr(sweeping, "ask", refuses)
    with pytest.raises(sweeping.UnavailableError, match="does not remove the containers own"):
        remove(request_)


def test_the_request_of_a_run_survives_its_file(request_: RunRequest, tmp_path: Path) -> None:
    request_.write(tmp_path / "request.json")
    assert RunRequest.read(tmp_path / "request.json") == request_
    assert json.loads((tmp_path / "request.json").read_text())["containers"]["first"]["image"] == IMAGE
