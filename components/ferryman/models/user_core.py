"""From the model that the user's class builds to `core`: what it returned is checked, then named as every core is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from ferryman.code.place import blaming, wrong
from ferryman.features.base import FeatureOptions, Fitted
from ferryman.models.core import ClassHead, Core, Head, core_inputs, in_unit
from ferryman.models.user import Context, Function, Model

TAKEN: Final = frozenset({"transform", "core", "serving_default"})
"""Endpoints that every model has."""

_ENDPOINT: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")


@dataclass(frozen=True, kw_only=True)
class UserCore(Core):
    """The user's own Keras model as `trained`, and who built it."""

    author: Model
    context: Context

    @property
    def own_loop(self) -> bool:
        """Whether the author wrote `fit`."""
        return type(self.author).fit is not Model.fit


def build_user_core(
    author: Model,
    context: Context,
    features: Mapping[str, FeatureOptions],
    fitted: Mapping[str, Fitted],
    head: Head,
) -> UserCore:
    """The Keras models of the user's class.

    Raises:
        UserCodeError: `build` fails, or returns something else than a Keras model with the inputs and the output wanted.
    """
    import keras

    inputs, encoded = core_inputs(features, fitted)
    sizes = {key: size for name, feature in features.items() for key, size in feature.sizes(name, fitted[name]).items()}
    context = replace(context, sizes=sizes)
    what = f"{type(author).__name__}.build"
    with blaming(author.build, f"{what} fails"):
        model = author.build(dict(inputs), replace(context, encoded=encoded))
    if not isinstance(model, keras.Model):
        message = f"{what} returns a {type(model).__name__}, expected a keras.Model (is a `return` missing?)"
        raise wrong(author.build, message)
    with blaming(author.build, f"the model of {what} cannot be called"):
        output = _output(author, model, inputs)
    _check_output(author, output, head)
    outputs = {"probabilities": output} if isinstance(head, ClassHead) else {"value": in_unit(output, head)}
    exported = keras.Model(inputs, outputs, name="core")
    return UserCore(model, exported, foreign=True, compiled=model.compiled, author=author, context=context)


def user_endpoints(core: UserCore, transform: Function) -> dict[str, Function]:
    """The author's endpoints, each of which answers with a dict of tensors or is refused when it is traced.

    Raises:
        UserCodeError: `endpoints` fails, gives no functions, or takes a name that is taken.
    """
    author, what = core.author, f"{type(core.author).__name__}.endpoints"
    with blaming(author.endpoints, f"{what} fails"):
        given = author.endpoints(core.trained, replace(core.context, transform=transform))
    if not isinstance(given, Mapping) or not all(callable(function) for function in given.values()):
        raise wrong(author.endpoints, f"{what} gives no dict of name -> function")
    for name in given:
        if not isinstance(name, str) or not _ENDPOINT.fullmatch(name) or name in TAKEN:
            expected = f"letters, digits and '_', and none of {', '.join(sorted(TAKEN))}"
            raise wrong(author.endpoints, f"{what}: received the name {name!r}, expected {expected}")
    return {name: _guarded(author, name, function) for name, function in given.items()}


def _guarded(author: Model, name: str, function: Function) -> Function:
    def endpoint(raw: Mapping[str, Any]) -> dict[str, Any]:
        with blaming(function, f"the endpoint {name} fails"):
            answer = function(dict(raw))
        if not isinstance(answer, dict) or not answer:
            message = f"the endpoint {name} gives a {type(answer).__name__}, expected a dict of tensors by name"
            raise wrong(function, message)
        return answer

    return endpoint


def _output(author: Model, model: Any, inputs: Mapping[str, Any]) -> Any:
    try:
        given = model.input
    except (AttributeError, ValueError):
        # A subclass with a `call` of its own: it has no inputs until it is called.
        return model(dict(inputs))
    if not isinstance(given, dict) or given.keys() != inputs.keys():
        received = ", ".join(sorted(given)) if isinstance(given, dict) else type(given).__name__
        message = (
            f"{type(author).__name__}.build: the model has the inputs {received}, expected `inputs` as it was given"
        )
        raise wrong(author.build, f"{message}: keras.Model(inputs, output)")
    return model.output


def _check_output(author: Model, output: Any, head: Head) -> None:
    """Refuse another number of outputs, another shape or dtype."""
    what = f"{type(author).__name__}.build"
    if isinstance(output, dict | list | tuple):
        raise wrong(author.build, f"{what}: the model has {len(output)} outputs, expected one")
    received, dtype = list(output.shape), str(output.dtype)
    if isinstance(head, ClassHead):
        shapes, expected = [[None, len(head.classes)]], f"[n, {len(head.classes)}]: one probability a class"
    else:
        shapes, expected = [[None, 1], [None]], "[n, 1] or [n]: one number a row"
    if received not in shapes:
        raise wrong(author.build, f"{what}: the model gives {_shape(received)}, expected {expected}")
    if dtype != "float32":
        message = f"{what}: the model gives {dtype}, expected float32 (give the last layer dtype='float32')"
        raise wrong(author.build, message)


def _shape(sizes: list[Any]) -> str:
    return f"[{', '.join('n' if size is None else str(size) for size in sizes)}]"
