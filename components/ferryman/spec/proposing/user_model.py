"""The files of a user's own model: a package with one small model, and its test."""

from __future__ import annotations

import importlib.machinery
import keyword
import re
import sys
from typing import Final, Literal

from ferryman.errors import UsageError
from ferryman.spec.proposing.writing import UserModel

_MODEL: Final = '''\
"""The model of {spec}: what stands between the encoded columns and the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ferryman
import keras
from pydantic import Field


class {name}(ferryman.Model):
    """Dense layers over all features side by side: a start, to be changed."""

    class Options(ferryman.Options):
        """What the spec may say under `model`, beside `kind`."""

        units: int = Field(default=64, ge=1)
        """Units of the hidden layer."""

    def build(self, inputs: Mapping[str, Any], context: ferryman.Context) -> keras.Model:
        """The network from `inputs` (Keras inputs by name) to one output: probabilities [n, k], or a number [n, 1].

        `context.encoded` has a Keras tensor for each feature: [n, c] for columns, [n, h, w, c] for images.
        `context.classes` are the names of the classes; without any, the label is a number of mean 0 and deviation 1.
        """
        columns = [keras.layers.Flatten()(tensor) for tensor in context.encoded.values()]
        # An embedding of your own: of a category `inputs` has the ids (0 missing, 1 unknown, 2 and more the names).
        # columns.append(keras.layers.Embedding(context.sizes["{category}"], 8)(inputs["{category}"]))
        hidden = keras.layers.Concatenate()(columns) if len(columns) > 1 else columns[0]
        hidden = keras.layers.Dense(self.options.units, activation="relu", name="hidden")(hidden)
        if context.classes:
            answer = keras.layers.Dense(len(context.classes), activation="softmax", name="answer")(hidden)
        else:
            answer = keras.layers.Dense(1, name="answer")(hidden)
        return keras.Model(inputs, answer)

    # Uncomment what you need; `help(ferryman.Model)` and `help(ferryman.Context)` say all there is.

    # A training loop of your own, in the place of Ferryman's, which fits as `train` in the spec says.
    # def fit(self, model: Any, train: ferryman.FitRows, validation: ferryman.FitRows, context: ferryman.Context) -> None:
    #     for epoch in range(context.epochs):
    #         for rows, target in train.batches(context.batch_size):
    #             loss = model.train_on_batch(rows, target)
    #         context.report(epoch + 1, {{"loss": float(loss)}})

    # Metrics of your own, measured beside the built-in ones.
    # def metrics(self) -> list[ferryman.Metric]:
    #     return [{metric}()]

{classes}'''

_METRICS: Final = {
    "class": """
# In a spec: `require: [{{metric: "{package}.model:Sure", at_least: 0.5}}]`.
# class Sure(ferryman.Metric):
#     \"\"\"The share of the rows that are answered rightly, with a probability above one half.\"\"\"
#
#     name, task, better = "sure", "class", "higher"
#
#     def compute(self, target: Any, answer: Any) -> float:
#         return float(((answer.argmax(axis=1) == target) & (answer.max(axis=1) > 0.5)).mean())
""",
    "number": """
# In a spec: `require: [{{metric: "{package}.model:Typical", at_most: 10}}]`.
# class Typical(ferryman.Metric):
#     \"\"\"The error that half of the rows stay below.\"\"\"
#
#     name, task, better = "typical_error", "number", "lower"
#
#     def compute(self, target: Any, answer: Any) -> float:
#         return float(sorted(abs(answer - target))[len(target) // 2])
""",
}

_FEATURE: Final = """

# In a spec: `{number}: {{kind: "{package}.model:Log", reads: number}}`.
# class Log(ferryman.Feature):
#     \"\"\"The logarithm of a number: the server computes `transform`, a device `reference`, and both must agree.\"\"\"
#
#     def transform(self, raw: Any, fitted: Mapping[str, Any]) -> Any:
#         return keras.ops.sign(raw) * keras.ops.log1p(keras.ops.abs(raw))
#
#     def reference(self, raw: Any, fitted: Mapping[str, Any]) -> Any:
#         import numpy as np
#
#         return np.sign(raw) * np.log1p(np.abs(raw))
"""

TEST: Final = "python -m pytest {package}"
INSTALL: Final = "python -m pip install pytest pytest-xdist"
"""What the test takes that is in no extra for users; the settings of a clone of Ferryman ask for the second one too."""

_TEST: Final = '''\
"""Builds, trains, exports and converts the model on the first rows of its data, in under a minute.

Run it, beside the spec, with: {test}
which takes once, in Ferryman's environment: {install}
"""

from __future__ import annotations

from pathlib import Path

from ferryman.testing import check

SPEC = Path(__file__).resolve().parents[1] / "{spec}"


def test_the_model_goes_the_whole_road() -> None:
    check(SPEC, rows=200)
'''


def user_model(package: str) -> UserModel:
    """The spec's words for the model of a package of this name.

    Raises:
        UsageError: no name that Python can import, or one that is taken.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", package) or keyword.iskeyword(package):
        raise UsageError(
            f"--model received {package!r}, expected the name of a new folder in lower case that Python can import, "
            "e.g. my_model"
        )
    if package in sys.stdlib_module_names or importlib.machinery.PathFinder.find_spec(package, sys.path[1:]):
        raise UsageError(f"--model received {package!r}, which is a Python package already: choose another name")
    return UserModel(package, f"{package}.model:{_class_name(package)}", {"units": 64})


def package_files(
    package: str, spec: str, task: Literal["class", "number"] = "class", category: str = "brand", number: str = "price"
) -> dict[str, str]:
    """File name -> content of the package; `spec` is the name of the spec's file beside it.

    `category` and `number` are features that its examples name.
    """
    name, words = _class_name(package), {"package": package, "number": number}
    classes = (_METRICS[task] + _FEATURE).format(**words)
    metric = "Sure" if task == "class" else "Typical"
    return {
        "__init__.py": f'"""The model of {spec}."""\n',
        "model.py": _MODEL.format(name=name, spec=spec, category=category, metric=metric, classes=classes),
        f"test_{package}.py": _TEST.format(spec=spec, test=TEST.format(package=package), install=INSTALL),
    }


def _class_name(package: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in package.split("_"))
