"""Which group can be served, who has its ports, and how long a server that starts is waited for."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from model_artifact import NAME, release_of, save_sorter, seal_model
from newcomer import User, ends_well

from ferryman.controller.lock import ENDPOINTS, Endpoints, group_lock
from ferryman.errors import UnavailableError, UsageError
from ferryman.serving.record import GroupRecord, ModelPart, Released
from ferryman.serving.release import create_release
from ferryman.serving.store import copy_version
from ferryman_pipelines.cli import groups
from ferryman_pipelines.cli.groups import check_ports, group_to_serve, starting_server
from ferryman_pipelines.cli.home import Home


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home whose group `local` serves cars and whose group `nightly` serves boats."""
    monkeypatch.chdir(tmp_path)
    place = Home(tmp_path / "home")
    for group, model in (("local", "cars"), ("nightly", "boats")):
        record(place.group(group), model)
    return place


def record(folder: Path, *models: str) -> None:
    folder.mkdir(parents=True)
    part = ModelPart(stable=Released(number=1, digest="d", content="c", release="r-1"))
    written = GroupRecord(replicas=["replica-0"], models=dict.fromkeys(models, part))
    (folder / "record.json").write_text(written.model_dump_json())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cars", r"cars is a model of the group local; try: ferryman serve$"),
        ("boats", r"boats is a model of the group nightly; try: ferryman serve nightly$"),
        ("nightli", r"released to a group 'nightli' yet; did you mean 'nightly'\?; .*run SPEC --group nightli$"),
        ("x", r"known here: local, nightly; "),
    ],
)
def test_a_group_that_there_is_not_is_refused_and_not_made(place: Home, name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        group_to_serve(place, name)
    assert not place.group(name).exists()


def test_a_group_that_an_earlier_mistake_left_empty_is_none(place: Home) -> None:
    record(place.group("cars"))
    with pytest.raises(UsageError, match="cars is a model of the group local"):
        group_to_serve(place, "cars")


def test_the_default_group_and_one_of_the_targets_file_can_be_served_before_any_release(tmp_path: Path) -> None:
    user = User(tmp_path)
    (tmp_path / "targets.yaml").write_text("targets: 1\nlocal: {group: staging}\n")
    with contextlib.chdir(tmp_path):
        for name in ("local", "staging"):
            assert group_to_serve(Home(user.home), name) == user.home / "groups" / name
        with pytest.raises(UsageError, match="known here: local, staging"):
            group_to_serve(Home(user.home), "x")


def test_a_group_with_a_release_that_nobody_took_up_yet_can_be_served(place: Home, tmp_path: Path) -> None:
    artifact = seal_model(tmp_path / "artifact", save_sorter(tmp_path / "saved", columns=(0, 1, 2)))
    create_release(place.group("fresh"), release_of(artifact, name="run-1"))
    assert group_to_serve(place, "fresh") == place.group("fresh")


def test_who_has_a_port_is_named_with_the_options_that_take_another(place: Home) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UnavailableError, match=rf"port {port} .*: `--port 0 --rest-port 0` takes free ones"):
            check_ports(place, place.group("local"), "127.0.0.1", (0, port))
        folder = place.group("nightly")
        with group_lock(folder):
            Endpoints(pid=os.getpid(), grpc="127.0.0.1:1", rest=f"http://127.0.0.1:{port}").write(folder / ENDPOINTS)
            with pytest.raises(UnavailableError, match=rf"the group nightly is served there \(pid {os.getpid()}\); `"):
                check_ports(place, place.group("local"), "127.0.0.1", (port, 0))


def test_a_refused_server_leaves_nothing_behind(tmp_path: Path) -> None:
    user = User(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert user.types("serve", "--port", str(taken.getsockname()[1])).returncode == 7
    assert user.types("serve", "cars").returncode == 2
    assert not user.home.exists()


def test_a_server_that_nobody_starts_is_not_waited_for(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "GRACE", 0.0)
    assert starting_server(place.group("local")) is None


def test_a_server_that_does_not_come_up_is_waited_for_in_bounds(
    place: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(groups, "GRACE", 0.0)
    monkeypatch.setattr(groups, "START_LIMIT", 0.3)
    with group_lock(place.group("local")):
        assert starting_server(place.group("local")) is None
    assert capsys.readouterr().err == "the server of the group local is starting; waiting for it\n"


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    """Somebody whose sorter was released as version 1 and is not served at the moment."""
    user = User(tmp_path)
    artifact = seal_model(tmp_path / "artifact", save_sorter(tmp_path / "saved", columns=(0, 1, 2)))
    release, folder = release_of(artifact, name="run-1"), user.home / "groups" / "local"
    copy_version(folder, release, 1)
    part = ModelPart(stable=Released(number=1, digest=release.digest, content=release.content, release="run-1"))
    (folder / "record.json").write_text(GroupRecord(replicas=["replica-0"], models={NAME: part}).model_dump_json())
    return user


def test_whoever_asks_while_the_server_starts_is_answered_by_it(user: User) -> None:
    log = user.folder / "serve.log"
    server = user.starts("serve", "--port", "0", "--rest-port", "0", log=log)
    try:
        said = user.types("predict", NAME, stdin="mass\n1\n")
        # The loaded model itself says so: its card keeps three of its inputs to itself.
        assert "standard input, lines 2 to 2: the server at 127.0.0.1:" in said.stderr
    finally:
        ends_well(server)
    told = [line.partition(" ")[0] for line in log.read_text().splitlines()]
    assert told.index("listening:") < told.index("serves"), log.read_text()
    assert re.search(r"^serves \S+: version 1$", log.read_text(), re.MULTILINE)
