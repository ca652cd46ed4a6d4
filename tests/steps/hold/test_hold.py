"""The step that says why nothing is released."""

from __future__ import annotations

from pathlib import Path

import pytest

from ferryman.artifacts.evidence import Reason, Verdict
from ferryman.artifacts.manifest import digest_of, seal
from ferryman.artifacts.run_store import RunStore
from ferryman.errors import ArtifactError
from ferryman.steps.hold.hold import hold_release

REASONS = [
    Reason(check="accuracy", ok=False, value=0.5, bound=0.75, text="accuracy 0.5, required at least 0.75"),
    Reason(check="converted", ok=True, text="float32 lost nothing"),
    Reason(check="champion accuracy", ok=False, text="version 4 cannot be compared with"),
]


@pytest.fixture
def verdict(tmp_path: Path) -> Path:
    folder = tmp_path / "verdict"
    folder.mkdir()
    Verdict(kind="hold", model="m" * 64, content="c", reasons=REASONS).write(folder / "verdict.json")
    seal(folder, "verdict", "test")
    return folder


def test_the_reasons_that_do_not_hold_are_said_and_kept(
    verdict: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hold_release("", str(tmp_path / "runs"), "r1", "", str(verdict))
    said = capsys.readouterr().out.splitlines()
    assert said == [
        "HOLD accuracy: accuracy 0.5, required at least 0.75",
        "HOLD champion accuracy: version 4 cannot be compared with",
        "hold: 2 of 3 checks do not hold; what serves still serves",
    ]
    fragment = RunStore(tmp_path / "runs").run("r1").fragment("hold")
    assert fragment is not None
    assert (fragment.state, fragment.facts) == ("done", {"kind": "hold"})
    assert (fragment.inputs, fragment.outputs) == ({"verdict": digest_of(verdict)}, {})


def test_a_verdict_altered_after_its_seal_is_refused_and_the_step_fails(verdict: Path, tmp_path: Path) -> None:
    (verdict / "verdict.json").write_text((verdict / "verdict.json").read_text().replace("0.75", "0.25"))
    with pytest.raises(ArtifactError):
        hold_release("", str(tmp_path / "runs"), "r1", "", str(verdict))
    fragment = RunStore(tmp_path / "runs").run("r1").fragment("hold")
    assert fragment is not None
    assert fragment.state == "failed"
    assert fragment.error is not None
    assert fragment.error.kind == "ArtifactError"
