"""A user's own model, feature and metric in training; their mistakes are refused with the place, before the first epoch."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from user_package import author_folder, broken, line_of

from ferryman.data.examples import Examples
from ferryman.errors import FerrymanError, SpecError, UserCodeError
from ferryman.spec.pinning import pin_spec
from ferryman.steps.prepare.prepare import write_examples
from ferryman.steps.prepare.rows import Reading
from ferryman.steps.train.export import save_keras
from ferryman.steps.train.train import Training, fit_model, headline, model_card, plan_of, write_model
from ferryman.storage.code import pinned_code

pytest.importorskip("tensorflow")


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """A spec that is right, with its package and its data beside it."""
    return author_folder(tmp_path / "author", rows=240)


def fitted(spec: Path, **plan: Any) -> tuple[Training, Any]:
    """What the steps prepare and train make of a spec, and its card."""
    from dataclasses import replace

    place = spec.parent.parent
    pinned = pin_spec(spec, place / "home")
    data: Any = pinned.data
    examples = place / "examples"
    if not examples.exists():
        examples.mkdir()
        write_examples(data.source, Reading(data.format, data.features, data.label, data.split), examples)
    with pinned_code(pinned.code, place / "code"):  # type: ignore[arg-type]
        training = fit_model(
            pinned, Examples(examples), place / "logs", replace(plan_of(pinned), **{"epochs": 2, **plan})
        )
        return training, model_card(pinned, Examples(examples).schema, training.model)


Mistake = tuple[str, str, str, str, str]
MODEL, FEATURES, METRICS, SPEC = "fraud/model.py", "fraud/features.py", "fraud/metrics.py", "fraud.yaml"

# What is planted: the file, what stands in it, what comes in its place; then the text of the line that must be named
# (or the path in the spec), and what the message must say.
MISTAKES: dict[str, Mistake] = {
    "an import that fails": (
        *(MODEL, "import keras\n", "import kerras\nimport keras\n"),
        *("import kerras", "No module named 'kerras'; install it, and pin it in code.requirements"),
    ),
    "a syntax error": (FEATURES, "def fit(self, raw):", "def fit(self, raw)", "def fit(self, raw)", "expected ':'"),
    "a module that is not there": (
        *(SPEC, "fraud.model:Fraud", "fraud.modle:Fraud"),
        *("model.kind", "the package fraud has no module 'modle'; did you mean 'model'?"),
    ),
    "a class that is not there": (
        *(SPEC, "fraud.model:Fraud", "fraud.model:Frod"),
        *("model.kind", "fraud/model.py has no class 'Frod'; did you mean 'Fraud'?"),
    ),
    "a class that is no model": (
        *(MODEL, "class Fraud(ferryman.Model)", "class Fraud"),
        *("class Fraud", "the class Fraud is no ferryman.Model; write `class Fraud(ferryman.Model):`"),
    ),
    "an option that is not there": (
        *(SPEC, "width: 12", "widht: 12"),
        *("model.widht", "unknown field; did you mean 'width'?"),
    ),
    "an option of the wrong type": (
        *(SPEC, "base: 10", "base: ten"),
        *("data.features.amount.base", 'received "ten", expected a valid number'),
    ),
    "a method that is missing": (
        *(MODEL, "def build", "def built"),
        *("class Fraud(", "the class Fraud has no method build, which it must define"),
    ),
    "a method without its parameter": (
        *(MODEL, "def build(self, inputs, context):", "def build(self, inputs):"),
        *("def build(", "Fraud.build fails: TypeError"),
    ),
    "a line that raises": (
        *(MODEL, "self.options.width,", "self.options.breadth,"),
        *("self.options.breadth", "has no attribute 'breadth'"),
    ),
    "no return": (
        *(MODEL, "        return model\n", ""),
        *("def build(", "Fraud.build returns a NoneType, expected a keras.Model (is a `return` missing?)"),
    ),
    "other inputs": (
        *(MODEL, "Focal(inputs, answer)", "Focal(list(inputs.values()), answer)"),
        *(
            "def build(",
            "the model has the inputs list, expected `inputs` as it was given: keras.Model(inputs, output)",
        ),
    ),
    "another shape": (
        *(MODEL, "Dense(len(context.classes),", "Dense(5,"),
        *("def build(", "the model gives [n, 5], expected [n, 2]: one probability a class"),
    ),
    "another dtype": (
        *(MODEL, 'activation="softmax")', 'activation="softmax", dtype="float16")'),
        *("def build(", "the model gives float16, expected float32"),
    ),
    "logits": (
        *(MODEL, ', activation="softmax"', ""),
        *("def build(", "expected probabilities that add up to 1: are these logits?"),
    ),
    "a layer that calls back into Python": (
        *(MODEL, "answer = keras", "hidden = Python()(hidden)\n        answer = keras"),
        *("def build(", "it calls back into Python (tf.py_function or tf.numpy_function)"),
    ),
    "a layer on a table that nobody keeps": (
        *(MODEL, "answer = keras", "hidden = Loose()(hidden)\n        answer = keras"),
        *("def build(", "the model cannot be exported"),
    ),
    "an endpoint with a name that is taken": (
        *(MODEL, '"embed":', '"core":'),
        *("def endpoints(", "received the name 'core', expected letters, digits and '_', and none of core"),
    ),
    "a metric's class in the place of a metric": (
        *(MODEL, "[Cost()]", "[Cost]"),
        *("def metrics(", "Fraud.metrics gives ABCMeta, expected instances of ferryman.Metric"),
    ),
    "a reference that disagrees": (
        *(FEATURES, ' - np.float32(fitted["shift"])', ""),
        *("def reference(", "LogAmount.reference and transform disagree on the first 64 rows"),
    ),
    "fitted values that are no JSON": (
        *(FEATURES, "float(np.nanmean(self._log(raw)))", "np.nanmean(self._log(raw))"),
        *("def fit(", "LogAmount.fit gives no plain JSON: Object of type float32"),
    ),
    "a tensor of another dtype than declared": (
        *(FEATURES, "tf.cast(gone, tf.float32)", "tf.cast(gone, tf.int32)"),
        *("def transform(", "LogAmount.transform gives 'gone' as int32 ['n'], expected float32 ['n']"),
    ),
    "a tensor that was not declared": (
        *(FEATURES, ', "gone": ("float32", ())', ""),
        *("def transform(", "gives the tensors ['', 'gone'], expected what `device` declares: ['']"),
    ),
    "a metric that gives many numbers": (
        *(METRICS, "float(np.mean(10.0 * missed + 1.0 * alarms))", "10.0 * missed + alarms"),
        *("def compute(", "the metric cost gives a ndarray, expected one number"),
    ),
    "a metric that does not say which way is better": (
        *(METRICS, '"lower"', '"less"'),
        *("class Cost(", "received better 'less', expected 'higher' or 'lower'"),
    ),
    "a metric of the other task": (
        *(METRICS, '"class"', '"number"'),
        *("gate.require.1.metric", "fraud.metrics:Cost judges a number, but the label is a class"),
    ),
    "a training step that fails": (
        *(MODEL, "batch_dims=1", "batch_dims=3"),
        *("batch_dims=3", "the model cannot be fitted"),
    ),
}

LAYERS = """
KEYS, VALUES = tf.constant([0, 1], tf.int64), tf.constant([0.5, 2.0])
ELSEWHERE = [tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(KEYS, VALUES), 1.0)]


class Python(keras.layers.Layer):
    def call(self, rows):
        return tf.ensure_shape(tf.py_function(lambda x: 2.0 * x, [rows], tf.float32), [None, 12])

    def compute_output_shape(self, shape):
        return shape


class Loose(keras.layers.Layer):
    def call(self, rows):
        return rows * ELSEWHERE[0].lookup(tf.cast(rows > 0, tf.int64))

    def compute_output_shape(self, shape):
        return shape


class Fraud("""


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_refused_with_its_place_before_the_first_epoch(
    mistake: Mistake, spec: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, before, after, place, message = mistake
    broken(spec, file, before, after)
    if any(layer in after for layer in ("Python()", "Loose()")):
        broken(spec, MODEL, "class Fraud(", LAYERS.lstrip())
    with pytest.raises(FerrymanError, match=re.escape(message)) as caught:
        fitted(spec)
    assert caught.value.exit_code == 2
    if isinstance(caught.value, SpecError):
        assert caught.value.path == place
    else:
        assert isinstance(caught.value, UserCodeError)
        assert (caught.value.file, caught.value.line) == (file, line_of(spec, file, place))
        assert str(caught.value).startswith(f"{file}:{caught.value.line}: ")
    assert "epoch 1" not in capsys.readouterr().out


def test_a_user_model_is_fitted_by_its_own_step_and_watched_by_its_own_metric(spec: Path) -> None:
    training, card = fitted(spec, epochs=25)
    first, last = training.history.epochs[0], training.history.epochs[-1]
    assert set(first) == {"epoch", "loss", "validation_loss", "validation_accuracy", "validation_cost"}
    # A focal loss with gamma 2 is a quarter of the cross-entropy of an undecided model.
    assert 0.05 < first["loss"] < 0.3
    assert 0 < last["loss"] < first["loss"]
    assert training.history.best == min(training.history.epochs, key=lambda epoch: epoch["validation_cost"])["epoch"]
    assert training.scores["accuracy"] > 0.8
    assert [tensor.name for tensor in card.device] == ["amount", "amount_gone", "country", "hour"]


def test_the_same_code_gives_the_same_content_and_other_code_another(spec: Path, tmp_path: Path) -> None:
    (training, card), (_, again) = fitted(spec), fitted(spec)
    broken(spec, METRICS, '"""What mistakes cost', '"""What all mistakes cost')
    changed = pin_spec(spec, tmp_path / "home")
    with pinned_code(changed.code, tmp_path / "code"):  # type: ignore[arg-type]
        other = model_card(changed, Examples(tmp_path / "examples").schema, training.model)
    assert card.content == again.content != other.content
    assert card.code != other.code != ""


OWN_LOOP = """
    def fit(self, model, train, validation, context):
        assert train.device["amount"].shape == train.target.shape == (len(train),)
        for epoch in range(1, 4):
            for rows, target in train.batches(50):
                loss = model.train_on_batch(rows, target)
            context.report(epoch, {"loss": float(loss), "seen": len(validation)})

    def endpoints"""


def test_an_own_loop_reports_its_epochs_and_its_last_weights_count(spec: Path) -> None:
    broken(spec, MODEL, "\n    def endpoints", OWN_LOOP)
    broken(spec, MODEL, "Focal(inputs, answer)", "keras.Model(inputs, answer)")
    broken(spec, MODEL, "        model.gamma = self.options.gamma\n", "")
    history = fitted(spec)[0].history
    assert [epoch["epoch"] for epoch in history.epochs] == [1, 2, 3]
    assert history.best == 3
    assert history.epochs[0]["seen"] == 36
    assert history.epochs[2]["validation_loss"] < history.epochs[0]["validation_loss"]


def own_loop(spec: Path, epochs: str, report: str = 'context.report(epoch, {"loss": float(loss)})') -> Training:
    """What comes of a loop over these epochs."""
    loop = OWN_LOOP.replace("range(1, 4)", epochs)
    loop = loop.replace('context.report(epoch, {"loss": float(loss), "seen": len(validation)})', report)
    broken(spec, MODEL, "\n    def endpoints", loop)
    broken(spec, MODEL, "Focal(inputs, answer)", "keras.Model(inputs, answer)")
    broken(spec, MODEL, "        model.gamma = self.options.gamma\n", "")
    return fitted(spec)[0]


@pytest.mark.parametrize(
    ("epochs", "report", "told"),
    [
        ("range(3)", None, "after 3 of 3 epochs"),
        ("range(1, 3)", None, "after 2 of 2 epochs"),
        ("(10, 20, 30)", None, "after 30 of 30 epochs"),
        ("range(3)", "pass", "by its own loop"),
    ],
)
def test_epochs_are_told_right_whatever_a_loop_of_ones_own_counts_from(
    spec: Path, epochs: str, report: str | None, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    training = own_loop(spec, epochs, *([report] if report else []))
    text = headline(pin_spec(spec, spec.parent / "home"), training)
    assert re.fullmatch(rf"validation accuracy [0-9.]+ {told} on 132 rows", text)
    assert "epoch 0/" not in capsys.readouterr().out
    assert bool(training.history.epochs) == (report is None)


def test_an_own_loop_that_reports_no_finite_number_is_refused(spec: Path) -> None:
    broken(spec, MODEL, "\n    def endpoints", OWN_LOOP.replace('"seen": len(validation)', '"seen": float("nan")'))
    broken(spec, MODEL, "Focal(inputs, answer)", "keras.Model(inputs, answer)")
    with pytest.raises(UserCodeError, match="expected finite numbers by name") as caught:
        fitted(spec)
    assert caught.value.line == line_of(spec, MODEL, "def fit(")


SUBCLASS = """
class Plain(keras.Model):
    def __init__(self, classes, thing):
        super().__init__()
        self.answer = keras.layers.Dense(classes, activation="softmax")

    def call(self, rows):
        columns = [keras.ops.expand_dims(rows[name], -1) for name in ("amount", "hour")]
        return self.answer(keras.ops.concatenate(columns, axis=-1))


class Fraud(ferryman.Model):
    def build(self, inputs, context):
        model = Plain(len(context.classes), object())
        model.compile("sgd", loss=lambda true, said: 7.0 + 0.0 * said[:, 0])
        return model


class Other("""


def test_a_compiled_model_with_a_call_of_its_own_keeps_its_loss(
    spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken(spec, MODEL, "class Fraud(", SUBCLASS.lstrip())
    broken(spec, SPEC, ", width: 12", "")
    training, _ = fitted(spec)
    assert [epoch["loss"] for epoch in training.history.epochs] == [7.0, 7.0]
    save_keras(training.model, tmp_path / "model.keras")
    assert not (tmp_path / "model.keras").exists()
    assert "no model.keras: NotImplementedError: Object Plain" in capsys.readouterr().out


NUMBER = """
class Weight(ferryman.Model):
    def build(self, inputs, context):
        assert (context.task, context.classes) == ("number", ())
        columns = keras.layers.Concatenate()(list(context.encoded.values()))
        return keras.Model(inputs, keras.layers.Dense(1)(columns))


class Fraud("""


def test_a_number_comes_back_in_the_labels_unit(spec: Path) -> None:
    broken(spec, MODEL, "class Fraud(", NUMBER.lstrip())
    text = spec.read_text().partition("model: {kind:")[0]
    text = text.replace("{kind: class, column: outcome, classes: [honest, theft]}", "{kind: number, column: hour}")
    text = text.replace("    hour: {kind: number}\n", "")
    spec.write_text(
        f'{text}model: {{kind: "fraud.model:Weight"}}\ngate: {{require: [{{metric: rmse, at_most: 20}}]}}\n'
    )
    training, card = fitted(spec, epochs=5)
    assert card.outputs == ["value"]
    answer = training.model.answers(
        {"amount": np.float32([20, np.nan]), "country": np.array(["DE", "PT"], dtype=object)}
    )
    assert answer["value"].shape == (2,)
    # Hours lie between 0 and 22 round a mean of about 12; standardised numbers would lie within 3.
    assert (answer["value"] > 5).all()


def test_the_exported_model_has_the_users_endpoint(spec: Path, tmp_path: Path) -> None:
    import tensorflow as tf

    place = spec.parent.parent
    training, _ = fitted(spec)
    pinned = pin_spec(spec, place / "home")
    with pinned_code(pinned.code, place / "code"):  # type: ignore[arg-type]
        write_model(pinned, Examples(place / "examples"), training, tmp_path / "model")
    signatures = tf.saved_model.load(str(tmp_path / "model" / "saved_model")).signatures
    assert set(signatures) == {"transform", "core", "serving_default", "embed"}
    row = {"amount": [12.5], "country": ["DE"], "hour": [9.0]}
    embedded = signatures["embed"](**{name: tf.constant(value) for name, value in row.items()})["embedding"]
    assert embedded.shape == (1, 12)
