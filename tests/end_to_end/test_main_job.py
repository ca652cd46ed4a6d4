"""The whole road as a user walks it: run, run again, serve, ask, train another, roll back."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from newcomer import SPECS, User, ends_well, eventually, flowers


def crowded(folder: Path) -> User:
    """Somebody whose folder's path has a space and an umlaut, and who has names of ours and of others in it."""
    folder = folder / "größe python3 & co"
    for name in ("components", "pipelines", "manifests", "ferryman_pipelines"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("raise SystemExit('shadowed')")
    for name in ("ferryman.py", "kfp.py", "tensorflow.py", "json.py"):
        (folder / name).write_text("raise SystemExit('shadowed')")
    return User(folder)


def test_a_model_goes_from_raw_rows_to_served_answers_and_back(user: User, tmp_path: Path) -> None:
    user = crowded(user.folder)
    spec = flowers(user.folder)

    first = user.types("run", spec)
    assert first.returncode == 0, first.stderr + first.stdout
    assert "promoted" in first.stdout
    (record,) = user.runs()
    assert record["outcome"] == "promoted"
    assert [step["step"] for step in record["steps"]] == [
        *("resolve", "prepare", "train", "evaluate", "convert", "serving_check", "gate", "rollout")
    ]
    assert all(step["state"] == "done" and step["seconds"] >= 0 for step in record["steps"])
    assert user.group()["models"]["flowers"]["stable"]["number"] == 1

    again = user.types("run", spec)
    assert again.returncode == 8, again.stderr + again.stdout
    assert user.group()["models"]["flowers"]["stable"]["number"] == 1

    away = user.types("predict", "flowers", "flowers.csv")
    assert away.returncode == 7
    assert re.search("ferryman'? serve", away.stderr)

    server = user.starts("serve", "--port", "0", "--rest-port", "0", log=tmp_path / "serve.log")
    try:
        answers = eventually(lambda: predictions(user))
        truth = [line.rpartition(";")[2] for line in (user.folder / "flowers.csv").read_text().splitlines()[1:]]
        agree = sum(answer["label"] == label for answer, label in zip(answers, truth, strict=True))
        assert agree >= 0.9 * len(truth)
        check_standard_input(user, answers)
        check_clients(user, answers[0])
        check_record_loss(user)

        second = user.types("run", spec, "--set", "train.seed=2")
        assert second.returncode == 0, second.stderr + second.stdout
        assert "version 1" in second.stdout
        assert user.group()["models"]["flowers"]["stable"]["number"] == 2

        back = user.types("rollback", "flowers", "--reason", "complaints")
        assert back.returncode == 0, back.stderr
        assert user.group()["models"]["flowers"]["stable"]["number"] == 1
        assert predictions(user) == answers
    finally:
        assert ends_well(server) == 0

    refused = user.types("run", spec, "--set", "train.seed=2")
    assert refused.returncode == 3, refused.stderr + refused.stdout
    assert "rolled this very model back" in refused.stdout


def predictions(user: User) -> list[dict[str, Any]]:
    asked = user.types("predict", "flowers", "flowers.csv", "-o", "json")
    assert asked.returncode == 0, asked.stderr
    found: list[dict[str, Any]] = json.loads(asked.stdout)
    return found


def check_standard_input(user: User, answers: list[dict[str, Any]]) -> None:
    """Rows from a pipe, without the label, get the answers that the file's rows got."""
    head, *rows = (line.rpartition(";")[0] for line in (user.folder / "flowers.csv").read_text().splitlines())
    said = user.types("predict", "flowers", "-o", "json", stdin="\n".join([head, *rows[2:5]]) + "\n")
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout) == answers[2:5]


def check_clients(user: User, expected: dict[str, Any]) -> None:
    """A stock client of TensorFlow Serving and plain HTTP get the same first answer."""
    endpoints = json.loads((user.home / "groups" / "local" / "endpoints.json").read_text())
    petal, sepal, ground, _ = (user.folder / "flowers.csv").read_text().splitlines()[1].split(";")
    instance = {"petal": float(petal), "sepal": float(sepal), "ground": ground}
    body = json.dumps({"instances": [instance]}).encode()
    for path in ("", "/versions/1", "/labels/stable"):
        with urllib.request.urlopen(f"{endpoints['rest']}/v1/models/flowers{path}:predict", body, timeout=30) as answer:
            (row,) = json.load(answer)["predictions"]
        assert row["label"] == expected["label"]
        assert max(row["probabilities"]) == max(expected["scores"].values())

    stock = """
import sys, grpc, tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc
stub = prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(sys.argv[1]))
request = predict_pb2.PredictRequest()
request.model_spec.name = "flowers"
for name, value in (("petal", float(sys.argv[2])), ("sepal", float(sys.argv[3])), ("ground", sys.argv[4])):
    dtype = tf.string if name == "ground" else tf.float32
    request.inputs[name].CopyFrom(tf.make_tensor_proto([value], dtype=dtype))
answer = stub.Predict(request, 30)
print(tf.make_ndarray(answer.outputs["label"])[0].decode(), answer.model_spec.version.value)
"""
    arguments = [sys.executable, "-c", stock, endpoints["grpc"], petal, sepal, ground]
    said = subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=120).stdout
    assert said.split() == [expected["label"], "1"]


def check_record_loss(user: User) -> None:
    """The group record deleted, then emptied, while the server runs: it serves on, and the record is adopted again."""
    path = user.home / "groups" / "local" / "record.json"
    for spoil in (path.unlink, lambda: path.write_bytes(b"")):
        epoch = user.group()["epoch"]
        spoil()
        eventually(lambda before=epoch: user.group()["epoch"] > before)  # type: ignore[misc]
        assert user.group()["models"]["flowers"]["stable"]["number"] == 1
        assert predictions(user)


def test_the_ready_digits_run_offline_and_the_summary_says_what_to_do_next(user: User) -> None:
    done = user.types("run", SPECS / "digits.yaml", "-o", "json")
    assert done.returncode == 0, done.stderr + done.stdout
    record = json.loads(done.stdout)
    assert record["outcome"] == "promoted"
    accuracy = next(reason for reason in record["verdict"]["reasons"] if reason["check"] == "accuracy")
    assert accuracy["value"] >= 0.93

    shown = user.types("runs", "show", "last")
    assert shown.returncode == 0
    assert re.search(r"serving_check +\d+\.\d s", shown.stdout)
    assert re.search("ferryman'? serve", shown.stdout)
    listed = json.loads(user.types("runs", "-o", "json").stdout)
    assert [run["outcome"] for run in listed] == ["promoted"]

    (report,) = (user.home / "runs" / record["run"]).glob("artifacts/**/evaluation/report.html")
    assert "http" not in report.read_text(encoding="utf-8")
