"""Bounds that are not kept, and two who want the same model at once."""

from __future__ import annotations

from pathlib import Path

from newcomer import User, eventually, flowers


def test_a_bound_that_is_not_kept_holds_the_candidate_and_says_so(user: User) -> None:
    spec = flowers(
        user.folder,
        train="{epochs: 1, batch_size: 256}",
        gate="{require: [{metric: accuracy, at_least: 0.999}, {metric: log_loss, at_most: 0.001}]}",
    )
    said = user.types("run", spec)
    assert said.returncode == 3, said.stderr + said.stdout
    assert "required at least 0.999" in said.stdout
    assert "required at most 0.001" in said.stdout
    assert not (user.home / "groups" / "local" / "record.json").exists()
    (record,) = user.runs()
    assert [step["step"] for step in record["steps"]][-2:] == ["gate", "hold"]


def test_of_two_runs_at_once_on_one_model_one_wins(user: User, tmp_path: Path) -> None:
    spec = flowers(user.folder)
    runs = [user.starts("run", spec, "--set", f"train.seed={seed}", log=tmp_path / f"{seed}.log") for seed in (1, 2)]
    codes = sorted(run.wait(280) for run in runs)
    said = "\n".join((tmp_path / f"{seed}.log").read_text() for seed in (1, 2))
    assert codes == [0, 6], said
    assert sorted(record["outcome"] for record in user.runs()) in (
        ["conflict", "promoted"],
        ["promoted", "superseded"],
    )
    stable = user.group()["models"]["flowers"]["stable"]
    (winner,) = (record for record in user.runs() if record["outcome"] == "promoted")
    assert stable["release"] == winner["release"]["release"]
    assert eventually(lambda: user.group()["models"]["flowers"]["phase"] == "idle")
