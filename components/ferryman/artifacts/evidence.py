"""What the judging steps write and the gate reads: plain numbers, bound to the model that they judge by digest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict

from ferryman.errors import ArtifactError

Digest = str
"""SHA-256 (hex) of an artifact's `manifest.json`."""


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, str) and value in {"nan", "inf", "-inf"} else value


Number = Annotated[float, BeforeValidator(_number)]
"""A float that survives JSON also when it is not finite (written as `nan`, `inf`, `-inf` in quotes)."""


class Evidence(BaseModel):
    """Base of everything written as JSON between steps."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings", protected_namespaces=())

    @classmethod
    def read(cls, path: Path) -> Self:
        """The document at `path`; ArtifactError when it is missing or not of this form."""
        try:
            if path.exists() and not path.is_file():
                # A pipe would be waited for without end.
                raise ValueError("it is no regular file")
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValueError) as error:
            raise ArtifactError(f"{path}: not a readable {cls.__name__} document: {error}", str(path)) from error

    def write(self, path: Path) -> None:
        """Write as indented JSON."""
        path.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")


class Score(Evidence):
    """One metric on the test split with its two-sided 95 % interval."""

    value: Number
    low: Number | None = None
    high: Number | None = None


class OwnMetric(Evidence):
    """What a reader without the user's code must know of a metric of their own."""

    name: str
    """How reports and messages call it."""

    better: Literal["higher", "lower"]
    relative: bool
    """Whether margins in it are fractions of the reference's value."""


OTHER_CHAMPION: Final = "undo that change, or release this spec under another name or to another --group"
"""What to try where candidate and champion cannot be compared."""


class ChampionComparison(Evidence):
    """Candidate and champion on the same rows: `lower` is the one-sided 95 % bound of how much better the candidate is.

    `difference` and `lower` are oriented so that positive means the candidate is better, whatever the metric's
    direction. For metrics on a scale of their own (rmse, mae, log_loss) both are fractions of the champion's value.
    """

    version: int
    digest: Digest
    metric: str
    rows: int
    candidate: Number | None = None
    champion: Number | None = None
    difference: Number | None = None
    lower: Number | None = None
    differing: int | None = None
    """Rows on which the two do not give the same answer."""

    method: Literal["exact", "bootstrap"] | None = None
    rows_needed: int | None = None
    """About how many test rows would decide it, when these do not."""

    not_comparable: str | None = None
    """Why the champion cannot be judged on these rows (other classes, features or split); a reason to hold."""


class Evaluation(Evidence):
    """`evaluation.json`: the candidate on the test split."""

    schema_version: int = 1
    model: Digest
    examples: Digest
    task: Literal["class", "number"]
    rows: int
    not_finite: int = 0
    """Rows whose answer is NaN or infinite; any is a reason to hold."""

    metrics: dict[str, Score]
    """Name of a built-in metric, or reference of one of the user's own (`fraud.metrics:Cost`) -> its score."""

    own_metrics: dict[str, OwnMetric] = {}
    """Reference -> what must be known of it."""

    classes: list[str] = []
    per_class: dict[str, dict[str, Number]] = {}
    """Class name -> precision, recall, f1, rows."""

    confusion: list[list[int]] = []
    """Rows: true class, columns: predicted class, in the order of `classes`."""

    champion: ChampionComparison | None = None

    seen: str = ""
    """Why the candidate may have been trained on these very rows; a reason to hold."""

    trained_elsewhere: bool = False
    """Whether nobody here can know which rows the candidate was trained on."""

    def metric_name(self, metric: str) -> str:
        """How people call a metric that is given by name or reference."""
        own = self.own_metrics.get(metric)
        return own.name if own else metric


class Rung(Evidence):
    """One conversion tried: what it gives on the test split against the trained model."""

    name: Literal["float32", "int8"]
    state: Literal["kept", "out_of_bounds", "failed"]
    reason: str = ""
    size_bytes: int | None = None
    seconds: float | None = None
    converted: Number | None = None
    """The contract's metric of `.tflite(transform(raw))` on the test split."""

    trained: Number | None = None
    """The same metric of `serving_default(raw)`."""

    lost: Number | None = None
    """How much worse the converted model is, oriented and scaled as in `ChampionComparison`; negative: better."""

    largest_difference: Number | None = None
    """Largest absolute difference of any output between `.tflite` and `core` on the same device tensors."""

    agreement: Number | None = None
    """Share of rows with the same class (classes only)."""

    latency: float | None = None
    """Median seconds of one row, one thread."""


class Conversion(Evidence):
    """`conversion.json`: every rung tried and the one chosen."""

    schema_version: int = 1
    model: Digest
    required: bool
    metric: str
    may_lose: float
    rungs: list[Rung]
    chosen: str | None
    impossible: str = ""
    """Why nothing could be tried, when the model has no endpoint to convert."""

    transform_ids_differ: int
    """Device ids on which the numpy reference of `preprocess.json` and the `transform` endpoint differ; bound 0."""

    transform_largest_difference: Number
    """Largest difference of a float device tensor between the two; bound 1e-6."""

    rows: int


def smallest_kept(rungs: Sequence[Rung]) -> Rung | None:
    """The smallest rung that keeps the contract; None when none does."""
    kept = [rung for rung in rungs if rung.state == "kept" and rung.size_bytes is not None]
    return min(kept, key=lambda rung: rung.size_bytes or 0, default=None)


class AnswerCheck(Evidence):
    """Answers over one protocol against the recorded ones."""

    protocol: Literal["grpc", "rest"]
    rows: int
    ok: bool
    largest_absolute: Number
    largest_relative: Number
    labels_changed: int
    reason: str = ""


class ServingCheck(Evidence):
    """`serving_check.json`: a real server's answers to the golden set."""

    schema_version: int = 1
    model: Digest
    server: str
    """Which server answered, e.g. `ferryman-model-server 0.1.0` or `tensorflow_model_server 2.21.0`."""

    stand_in: bool
    """True when it was the embedded server rather than TensorFlow Serving's own binary."""

    answers: list[AnswerCheck]
    absolute: float
    relative: float
    p50: float | None = None
    p99: float | None = None
    """Latency of one row over gRPC, seconds."""

    memory_bytes: int | None = None
    load_seconds: float | None = None
    failure: str = ""
    """Why the server did not load the model, when it did not; a reason to hold."""


class Reason(Evidence):
    """One check of the gate: its number, its bound, and whether it holds."""

    check: str
    """What was looked at, e.g. `accuracy`, `champion accuracy`, `converted`, `served grpc`, `content`."""

    ok: bool
    value: Number | None = None
    bound: Number | None = None
    text: str
    """A sentence for people with both numbers in it."""

    advice: str = ""
    """What to try, where neither another bound nor more rows would help."""


class Verdict(Evidence):
    """`verdict.json`: the gate's one decision with every reason."""

    schema_version: int = 1
    kind: Literal["promote", "hold", "insufficient", "nothing_new"]
    model: Digest
    content: str
    reasons: list[Reason]
    rows_needed: int | None = None


def check_judged(model: Digest, documents: Mapping[str, Digest]) -> None:
    """Refuse documents (name -> the model that it judges) that do not all speak of the model `model`.

    Raises:
        ArtifactError: one judges another; it names the document.
    """
    for name, judged in documents.items():
        if judged != model:
            raise ArtifactError(
                f"{name} judges the model {judged[:12]}, expected {model[:12]}: run the gate again", name
            )
