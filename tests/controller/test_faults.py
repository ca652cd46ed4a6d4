"""Planted faults with real processes: torn files, taken ports, lost records, rivals; what serves goes on serving."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_artifact import flip_a_byte
from newcomer import eventually

from ferryman import process
from ferryman.controller.group import read_endpoints
from ferryman.serving.client import ServingClient, ServingError
from ferryman.serving.server import owns

Build = Callable[..., Path]


def log_of(group: Any) -> str:
    return str((group.folder / "group.log").read_text())


def ends_with(process: subprocess.Popen[bytes]) -> int:
    return process.wait(30)


@contextmanager
def asked_all_the_while(group: Any) -> Iterator[list[Any]]:
    """Ask the server without a pause; every answer, or what came instead of one."""
    answers: list[Any] = []
    done = threading.Event()
    address = read_endpoints(group.folder)
    assert address

    def ask() -> None:
        with ServingClient(address.grpc) as client:
            while not done.wait(0.01):
                try:
                    answer = client.predict("adder", {"x": np.array([1.0], np.float32)}, label="stable")
                    answers.append((float(answer.outputs["value"][0]), answer.version))
                except ServingError as error:
                    answers.append(str(error))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield answers
    finally:
        done.set()
        thread.join(20)


def test_a_record_that_is_deleted_or_emptied_under_a_running_server_unloads_nothing_and_is_adopted_anew(
    group: Any, artifact: Build
) -> None:
    group.release(artifact(4.0))
    group.start()
    assert group.ended("run1-1").state == "Promoted"
    group.until(lambda: group.part().phase == "idle")
    before, servers = group.record(), group.servers()
    assert before.epoch == 1
    assert len(servers) == 1
    path = group.folder / "record.json"
    with asked_all_the_while(group) as answers:
        path.unlink()
        deleted = group.until(group.record)
        assert deleted.epoch == 2
        assert group.until(lambda: answers[-1:] == [(5.0, 1)])
        path.write_bytes(b"")
        emptied = eventually(lambda: (found := group.record()) and found.epoch == 3 and found)
    assert len(answers) > 5
    assert set(answers) == {(5.0, 1)}
    assert group.servers() == servers
    parts = [record.models["adder"] for record in (before, deleted, emptied)]
    assert [part.stable for part in parts] == [parts[0].stable] * 3
    assert [part.claimed for part in parts] == [1, 1, 1]
    assert [part.ended for part in parts] == [parts[0].ended] * 3
    assert len(list(group.folder.glob("record.json.*.aside"))) == 1
    assert "the group record was lost: adopted under epoch 2" in log_of(group)
    assert "adopted under epoch 3" in log_of(group)
    # The adopted record is obeyed like any other, and the numbers go on.
    assert group.ended(group.release(artifact(8.0))).version == 2
    assert group.servers() == servers
    assert group.answer(label="stable") == (8.0, 2)
    assert group.end() == 0


def test_a_stored_version_whose_byte_flipped_is_not_loaded_after_a_restart_and_another_model_serves_on(
    group: Any, artifact: Build
) -> None:
    group.release(artifact(1.0))
    group.release(artifact(2.0, model="other"), model="other")
    group.start()
    assert [group.ended(name).state for name in ("run1-1", "run2-1")] == ["Promoted", "Promoted"]
    group.until(lambda: {part.phase for part in group.record().models.values()} == {"idle"})
    before = group.record()
    assert group.end() == 0

    flip_a_byte(group.folder / "store" / "adder" / "1" / "saved_model.pb", 40)
    group.start()
    assert group.until(lambda: read_endpoints(group.folder))
    said = "version 1 cannot be loaded: "
    line = group.until(lambda: next((line for line in log_of(group).splitlines() if said in line), ""))
    assert line.startswith("trouble: adder: ")
    assert "/store/adder/1: saved_model.pb is not what its manifest says" in line
    assert eventually(lambda: group.answer("other", label="stable")) == (2.0, 1)
    with pytest.raises(ServingError, match="NOT_FOUND"):
        group.answer("adder")
    assert "adder" not in group.startup()
    assert group.record() == before, "what is committed stays committed"

    # A person puts the file right: it serves again without another restart.
    servers = group.servers()
    flip_a_byte(group.folder / "store" / "adder" / "1" / "saved_model.pb", 40)
    assert eventually(lambda: group.answer("adder", label="stable")) == (1.0, 1)
    assert group.servers() == servers
    assert group.end() == 0


def test_a_stable_version_whose_files_are_lost_is_replaced_by_a_person_with_a_reason_and_by_nobody_else(
    group: Any, artifact: Build
) -> None:
    group.release(artifact(1.0))
    group.start()
    assert group.ended("run1-1").state == "Promoted"
    group.until(lambda: group.part().phase == "idle")
    assert group.end() == 0
    shutil.rmtree(group.folder / "store" / "adder" / "1")
    group.start()
    refused = group.ended(group.release(artifact(2.0)))
    assert (refused.state, "version 1 cannot be loaded" in refused.why) == ("Refused", True)
    group.until(lambda: group.part().phase == "idle")
    assert group.ended(group.release(artifact(4.0), reason="its files are lost")).state == "Promoted"
    assert group.answer(label="stable") == (4.0, 3)
    group.until(lambda: group.part().phase == "idle")
    assert group.end() == 0


@pytest.mark.parametrize("option", ["--grpc-port", "--rest-port"])
def test_a_taken_port_is_a_clear_error_with_exit_code_7_and_nothing_half_started(option: str, group: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = group.start(option, str(port))
        assert ends_with(process) == 7
    last = log_of(group).splitlines()[-1]
    assert f"port {port} on 127.0.0.1 cannot be had: Address already in use" in last
    assert "choose another port" in last
    assert group.servers() == []
    assert sorted(path.name for path in group.folder.iterdir()) == ["group.log", "lock"]
    # The lock is free again: the same command on a free port holds it.
    process = group.start()
    assert group.until(group.record)
    assert group.end() == 0


def test_a_port_taken_by_one_group_is_refused_to_another_which_leaves_the_first_alone(
    group: Any, tmp_path: Path
) -> None:
    first = group.start()
    listens = group.until(lambda: read_endpoints(group.folder))
    port = listens.grpc.rpartition(":")[2]
    folder, group.folder = group.folder, tmp_path / "another"
    assert ends_with(group.start("--rest-port", port)) == 7
    assert f"port {port} on 127.0.0.1 cannot be had" in log_of(group)
    group.folder = folder
    assert first.poll() is None
    assert read_endpoints(folder) == listens


def test_a_second_group_process_on_one_folder_is_refused_with_the_pid_of_the_first_which_goes_on(group: Any) -> None:
    first = group.start()
    record = group.until(group.record)
    before = (group.folder / "record.json").read_bytes()
    servers = group.until(group.servers)
    second = group.start()
    assert ends_with(second) == 7
    last = log_of(group).splitlines()[-1]
    assert f"is run by another process (pid {first.pid})" in last
    assert "stop that one first" in last
    assert first.poll() is None
    assert group.servers() == servers
    assert (group.folder / "record.json").read_bytes() == before
    assert group.record() == record
    # Its end, however sudden, gives the lock back.
    group.processes.remove(second)
    group.kill()
    group.until(lambda: not group.servers())
    group.start()
    group.until(group.servers)
    assert group.record().epoch == record.epoch
    assert group.end() == 0


def test_a_group_that_was_moved_serves_from_its_new_place_and_junk_among_its_documents_stops_nobody(
    group: Any, artifact: Any, tmp_path: Path
) -> None:
    first = group.release(artifact(1.0))
    group.start()
    assert group.ended(first).state == "Promoted"
    group.until(lambda: group.part().phase == "idle")
    assert group.end() == 0
    old, group.folder = group.folder, tmp_path / "another place"
    shutil.move(old, group.folder)
    # A pipe would be read for ever; a folder lies where an end is to be told.
    os.mkfifo(group.folder / "releases" / "pipe.json")
    (group.folder / "requests").mkdir(exist_ok=True)
    os.mkfifo(group.folder / "requests" / "abort-x.json")
    (group.folder / "releases" / "run2-1.end.json").mkdir()
    group.start()
    assert group.answer(label="stable") == (1.0, 1)
    assert str(old) not in group.startup()
    group.release(artifact(2.0))
    group.until(lambda: group.part().ended.get("run2-1") and group.part().phase == "idle")
    assert group.answer(label="stable") == (2.0, 2)
    assert group.until(lambda: "the end of run2-1 (Promoted) cannot be told" in log_of(group))
    assert group.end() == 0


def test_a_server_is_told_from_another_process_that_listens_in_its_place(tmp_path: Path) -> None:
    with socket.socket() as ours:
        ours.bind(("127.0.0.1", 0))
        ours.listen()
        port = ours.getsockname()[1]
        child = process.spawn(["sleep", "60"], log=tmp_path / "child.log")
        try:
            assert owns(os.getpid(), {port})
            assert not owns(child.pid, {port})
            with socket.socket() as silent:
                silent.bind(("127.0.0.1", 0))
                assert not owns(os.getpid(), {port, silent.getsockname()[1]}), "bound and not listening"
        finally:
            child.kill()
            child.wait()
        assert not owns(child.pid, {port}), "it has ended"
