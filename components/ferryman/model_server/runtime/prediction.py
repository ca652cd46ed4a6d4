"""What is checked of a request before it runs.

Source, in whose order the checks come: tensorflow_serving/servables/tensorflow/predict_util.cc (2.21) and, for the
inputs, tensorflow/cc/saved_model/util.cc (2.21, GetInputValues).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ferryman.model_server.core import FAILED_PRECONDITION, INTERNAL, INVALID_ARGUMENT, Refusal
from ferryman.model_server.runtime.dtypes import TYPE_NAMES
from ferryman.model_server.runtime.servable import CLASSIFY, DEFAULT_SIGNATURE, PREDICT, REGRESS, Checks, Signature


def found(signatures: Mapping[str, Signature], name: str, code: int) -> Signature:
    """The signature `name`, empty for the default.

    Raises:
        Refusal: there is none, in gRPC's words (FAILED_PRECONDITION) or in REST's (INVALID_ARGUMENT).
    """
    key = name or DEFAULT_SIGNATURE
    signature = signatures.get(key)
    if signature is not None:
        return signature
    if code == FAILED_PRECONDITION:
        raise Refusal(code, f'Serving signature key "{key}" not found.')
    raise Refusal(code, f'Serving signature name: "{key}" not found in signature def')


def completed(signature: Signature, inputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """The inputs, with the signature's defaults where some are left out.

    Raises:
        Refusal: too many, too few, or of other names; or the signature is of no known method, where that is checked.
    """
    _check_method(signature)
    _check_size(signature, inputs)
    values = {alias: inputs.get(alias, signature.defaults.get(alias)) for alias in signature.inputs}
    for alias, value in sorted(values.items()):
        if value is None:
            raise Refusal(INVALID_ARGUMENT, _missing(signature, alias, inputs))
    used = sorted(alias for alias in inputs if alias in values)
    if len(used) != len(inputs):
        received = ",".join(sorted(inputs))
        text = f"Inputs contains invalid name. Used request inputs: {','.join(used)}, request input: {received}"
        raise Refusal(INVALID_ARGUMENT, text)
    return {alias: value for alias, value in values.items() if value is not None}


def wanted_outputs(signature: Signature, output_filter: Sequence[str]) -> tuple[str, ...]:
    """The aliases of the outputs to compute, all when none is asked for.

    Raises:
        Refusal: an unknown one, or one twice.
    """
    for number, alias in enumerate(output_filter):
        if alias not in signature.outputs:
            text = f"output tensor alias not found in signature: {alias} Outputs expected to be in the set "
            raise Refusal(INVALID_ARGUMENT, f"{text}{_braced(signature.outputs)}.")
        if alias in output_filter[:number]:
            raise Refusal(INVALID_ARGUMENT, f"duplicate output tensor alias: {alias}")
    return tuple(output_filter) or tuple(sorted(signature.outputs))


def check_dtype(number: int, array: np.ndarray, expected: str) -> None:
    """Refuse an array of another dtype; nothing is converted. `number` is its place among the feeds.

    Source: tensorflow/core/framework/function.cc (2.21, FunctionCallFrame::SetArgs), which `Session::Run` asks first.
    """
    received = "string" if array.dtype.kind in "OSU" else array.dtype.name
    if received != expected:
        actual, wanted = (TYPE_NAMES.get(name, name) for name in (received, expected))
        raise Refusal(INVALID_ARGUMENT, f"Expects arg[{number}] to be {wanted} but {actual} is provided")


def _check_method(signature: Signature) -> None:
    if Checks.method_names and signature.method_name not in {PREDICT, CLASSIFY, REGRESS}:
        known = f"{PREDICT}, {CLASSIFY}, {REGRESS}"
        text = f"Expected prediction signature method_name to be one of {{{known}}}. Was: {signature.method_name}"
        raise Refusal(INTERNAL, text)


def _check_size(signature: Signature, inputs: Mapping[str, np.ndarray]) -> None:
    given, expected = len(inputs), len(signature.inputs)
    if given == expected or (given < expected and signature.defaults):
        return
    extra, missing = set(inputs) - set(signature.inputs), set(signature.inputs) - set(inputs)
    raise Refusal(
        INVALID_ARGUMENT,
        f"input size does not match signature: {given}!={expected} len({_braced(inputs)}) != "
        f"len({_braced(signature.inputs)}). Sent extra: {_braced(extra)}. Missing but required: {_braced(missing)}.",
    )


def _missing(signature: Signature, alias: str, inputs: Iterable[str]) -> str:
    return (
        f"Signature input alias: {alias}(feed name: {signature.inputs[alias].name}) not found in request and no default "
        f"value provided. Inputs expected to be in the request {_braced(inputs)}, or default input alias set: "
        f"{','.join(sorted(signature.defaults))}"
    )


def _braced(names: Iterable[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"
