"""A run whose gate has decided, as its folder lies there afterwards; nothing was trained for it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from ferryman.artifacts.evidence import (
    AnswerCheck,
    ChampionComparison,
    Conversion,
    Evaluation,
    Evidence,
    Reason,
    ServingCheck,
    Verdict,
)
from ferryman.artifacts.fragment import End, Fragment
from ferryman.artifacts.manifest import digest_of, seal
from ferryman.artifacts.model_card import FILE, ModelCard
from ferryman.artifacts.run_store import Run

AT = "2026-05-01T10:00:00.000Z"
CLASSES: dict[str, type[Evidence]] = {
    "evaluation": Evaluation,
    "conversion": Conversion,
    "serving_check": ServingCheck,
    "verdict": Verdict,
}


def judged_run(home: Path, artifact: Path, run_id: str = "sorter-1", **changes: dict[str, Any]) -> Run:
    """The run `run_id` in `home` whose candidate is a copy of `artifact`; held, unless `changes` says otherwise.

    `changes`: document -> fields of it that are other than usual.
    """
    run = Run(home / "runs" / run_id, run_id)
    place = run.folder / "artifacts" / "sorter-2026"
    model = place / "train" / "model"
    shutil.copytree(artifact, model)
    digest, name = digest_of(model), ModelCard.read(model / FILE).name
    documents = _documents(digest, ModelCard.read(model / FILE).content)
    for kind, fields in documents.items():
        folder = place / kind / kind
        folder.mkdir(parents=True)
        CLASSES[kind].model_validate({**fields, **changes.get(kind, {})}).write(folder / f"{kind}.json")
        seal(folder, kind, "a test")
    digests = {kind: digest_of(place / kind / kind) for kind in documents}
    verdict = json.loads((place / "verdict" / "verdict" / "verdict.json").read_text())
    _fragment(run, "resolve", facts={"name": name, "group": str(home / "groups" / "local")})
    _fragment(run, "train", outputs={"model": digest})
    _fragment(
        run,
        "gate",
        inputs={"model": digest, **{kind: digests[kind] for kind in ("evaluation", "conversion", "serving_check")}},
        outputs={"verdict": digests["verdict"]},
        facts={"verdict": verdict},
    )
    _fragment(run, "hold")
    run.write_end(End(state="SUCCEEDED", at=AT))
    return run


def _documents(digest: str, content: str) -> dict[str, dict[str, Any]]:
    answer = {"rows": 5, "ok": True, "largest_absolute": 0.0, "largest_relative": 0.0, "labels_changed": 0}
    answers = [AnswerCheck.model_validate({"protocol": protocol, **answer}) for protocol in ("grpc", "rest")]
    champion = ChampionComparison(version=2, digest="d" * 64, metric="accuracy", rows=9)
    held = Reason(check="accuracy", ok=False, value=0.5, bound=0.9, text="accuracy 0.5, required at least 0.9")
    return {
        "evaluation": {
            "model": digest,
            "examples": "e" * 64,
            "task": "class",
            "rows": 9,
            "metrics": {},
            "champion": champion,
        },
        "conversion": {
            **{"model": digest, "required": False, "metric": "accuracy", "may_lose": 0.1, "rungs": [], "chosen": None},
            **{"transform_ids_differ": 0, "transform_largest_difference": 0.0, "rows": 9},
        },
        "serving_check": {
            **{"model": digest, "server": "a server", "stand_in": True, "answers": answers},
            **{"absolute": 0.25, "relative": 0.5},
        },
        "verdict": {"kind": "hold", "model": digest, "content": content, "reasons": [held]},
    }


def _fragment(run: Run, step: str, **fields: Any) -> None:
    run.write_fragment(Fragment(step=step, run=run.id, state="done", started=AT, ended=AT, seconds=1.0, **fields))
