"""The DAG: all the evidence, then one decision.

resolve ─ prepare ─ train ─┬─ evaluate ──────┐
                           ├─ convert ───────┼─ gate ─┬─ promote: rollout
                           └─ serving_check ─┘        └─ hold            exit handler: record
"""

import json
from typing import Any

from kfp import dsl

from ferryman.artifacts.resolved import without_placeholders
from ferryman.spec import Spec
from ferryman.steps.convert.component import convert
from ferryman.steps.evaluate.component import evaluate
from ferryman.steps.gate.component import gate
from ferryman.steps.hold.component import hold
from ferryman.steps.prepare.component import prepare
from ferryman.steps.record.component import record
from ferryman.steps.resolve.component import resolve
from ferryman.steps.rollout.component import rollout
from ferryman.steps.serving_check.component import serving_check
from ferryman.steps.train.component import train


def train_and_serve(
    reviewed: Spec, run_root_there: str = "", group_there: str = "", config: dsl.PipelineConfig | None = None
) -> Any:
    """The pipeline of one spec: its parameters' defaults are what the spec says.

    Where it shall run on one cluster alone, that cluster's run root and group are defaults too.
    """

    def pipeline(
        run_root: str,
        group: str = group_there,
        run_id: str = "",
        spec: str = without_placeholders(json.dumps(reviewed.document(), separators=(",", ":"))),
        train_epochs: int = reviewed.train.epochs,
        train_batch_size: int = reviewed.train.batch_size,
        train_learning_rate: float = reviewed.train.optimizer.learning_rate,
        train_seed: int = reviewed.train.seed,
        overrides: str = "{}",
    ) -> None:
        """Train, check and release one model.

        Args:
            run_root: Folder of all runs, as a path or URI; this run's record lies below it.
            group: Folder of the serving group that the model is released to; empty releases nowhere.
            run_id: Name of this run; empty takes the pipeline's own id.
            spec: The model's spec as JSON, its inputs pinned.
            train_epochs: Passes over the train split at most.
            train_batch_size: Rows per training step.
            train_learning_rate: Step size of the optimizer.
            train_seed: Fixes weights, shuffling and dropout.
            overrides: JSON object of further fields of train and model, e.g. {"model.dropout": 0.2}.
        """
        place = {"root": run_root, "run_id": run_id, "job": dsl.PIPELINE_JOB_ID_PLACEHOLDER}
        knobs = {
            "train_epochs": train_epochs,
            "train_batch_size": train_batch_size,
            "train_learning_rate": train_learning_rate,
            "train_seed": train_seed,
            "overrides": overrides,
        }
        with dsl.ExitHandler(record(**place)):
            run = {"resolved": resolve(spec=spec, group=group, **knobs, **place).output, **place}
            examples = prepare(**run).outputs["examples"]
            model = train(**run, examples=examples).outputs["model"]
            evaluation = evaluate(**run, examples=examples, model=model).outputs["evaluation"]
            conversion = convert(**run, examples=examples, model=model).outputs["conversion"]
            check = serving_check(**run, model=model).outputs["check"]
            evidence = {"model": model, "conversion": conversion, "check": check}
            judged = gate(**run, **evidence, evaluation=evaluation)
            verdict = judged.outputs["verdict"]
            with dsl.If(judged.outputs["Output"] == True, name="promote"):  # noqa: E712 - a KFP condition, not a bool
                rollout(**run, **evidence, verdict=verdict)
            with dsl.Else(name="hold"):
                hold(**run, verdict=verdict)

    if run_root_there:
        # Defaults fill parameters from the last: one more is the first one's.
        pipeline.__defaults__ = (run_root_there, *(pipeline.__defaults__ or ()))
    described = f"Train, check and release {reviewed.name}."
    return dsl.pipeline(name=reviewed.name, description=described, pipeline_config=config)(pipeline)
