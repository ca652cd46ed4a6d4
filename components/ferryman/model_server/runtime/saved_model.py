"""Runs one SavedModel as the real server does: a TensorFlow 1 session and the signatures of its MetaGraph."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ferryman.model_server.core import FAILED_PRECONDITION, INVALID_ARGUMENT, NOT_FOUND, Refusal
from ferryman.model_server.runtime.servable import DEFAULT_SIGNATURE, Signature, TensorInfo
from ferryman.serving.protocol import SignatureDefMap

TAG = "serve"


class SavedModel:
    """A loaded version. `run` may be called from many threads."""

    def __init__(self, folder: Path) -> None:
        """Load it; Refusal with the server's words when it cannot be loaded."""
        if not any((folder / name).is_file() for name in ("saved_model.pb", "saved_model.pbtxt")):
            raise Refusal(
                NOT_FOUND, f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {folder}"
            )
        import tensorflow as tf

        self._errors = tf.errors
        self._tf = tf
        graph = tf.Graph()
        self._session = tf.compat.v1.Session(graph=graph)
        try:
            with graph.as_default():
                self.meta_graph = _load(tf, self._session, folder)
        except tf.errors.OpError as error:
            raise Refusal(error.error_code, str(error.message)) from error
        except (OSError, RuntimeError, ValueError) as error:
            raise Refusal(NOT_FOUND, " ".join(str(error).split())[:1000]) from error
        self.signatures = _signatures(tf, self.meta_graph)
        self.signature_defs = _signature_defs(self.meta_graph)
        self._callables: dict[tuple[str, tuple[str, ...], tuple[str, ...]], Callable[..., Any]] = {}
        self._lock = threading.Lock()

    def run(
        self, signature_name: str, inputs: Mapping[str, np.ndarray], output_filter: Sequence[str] = ()
    ) -> dict[str, np.ndarray]:
        """Outputs by alias (text as object arrays of bytes).

        Raises:
            Refusal: as `predict_util.cc` and the session answer.
        """
        signature = self.signature(signature_name, FAILED_PRECONDITION)
        feeds = tuple(sorted(inputs))
        _check_inputs(signature, feeds)
        wanted = _check_outputs(signature, output_filter)
        arrays = [_typed(alias, inputs[alias], signature.inputs[alias]) for alias in feeds]
        try:
            values = self._callable(signature_name, signature, feeds, wanted)(*arrays)
        except self._errors.OpError as error:
            raise Refusal(error.error_code, str(error.message)) from error
        except (TypeError, ValueError) as error:
            raise Refusal(INVALID_ARGUMENT, str(error)) from error
        return dict(zip(wanted, values, strict=True))

    def signature(self, name: str, code: int = INVALID_ARGUMENT) -> Signature:
        """The signature `name` (empty for the default); Refusal when there is none."""
        found = self.signatures.get(name or DEFAULT_SIGNATURE)
        if found is None:
            key = name or DEFAULT_SIGNATURE
            if code == FAILED_PRECONDITION:
                raise Refusal(code, f'Serving signature key "{key}" not found.')
            raise Refusal(code, f'Serving signature name: "{key}" not found in signature def')
        return found

    def close(self) -> None:
        """Free the session; running requests end first because they hold it."""
        self._session.close()

    def _callable(
        self, name: str, signature: Signature, feeds: tuple[str, ...], wanted: tuple[str, ...]
    ) -> Callable[..., Any]:
        key = (name or DEFAULT_SIGNATURE, feeds, wanted)
        with self._lock:
            if key not in self._callables:
                # A callable feeds as the C++ session does; `Session.run` silently converts dtypes and costs 4 times more.
                options = _callable_options(
                    [signature.inputs[alias].name for alias in feeds],
                    [signature.outputs[alias].name for alias in wanted],
                )
                self._callables[key] = self._session._make_callable_from_options(options)
            return self._callables[key]


def _callable_options(feeds: list[str], fetches: list[str]) -> Any:
    from tensorflow.core.protobuf import config_pb2

    options = config_pb2.CallableOptions()
    options.feed.extend(feeds)
    options.fetch.extend(fetches)
    return options


def _load(tf: Any, session: Any, folder: Path) -> Any:
    from tensorflow.python.saved_model import loader_impl

    loader = loader_impl.SavedModelLoader(str(folder))
    if (folder / "variables" / "variables.index").is_file():
        return loader.load(session, [TAG])
    # The C++ loader skips the restore where there are no variables, Python's raises.
    saver, _ = loader.load_graph(session.graph, [TAG])
    del saver
    meta_graph = loader.get_meta_graph_def_from_tags([TAG])
    loader.run_init_ops(session, [TAG])
    return meta_graph


def _signatures(tf: Any, meta_graph: Any) -> dict[str, Signature]:
    def tensors(entries: Mapping[str, Any]) -> dict[str, TensorInfo]:
        return {
            alias: TensorInfo(info.name, tf.dtypes.as_dtype(info.dtype).name, _shape(info.tensor_shape))
            for alias, info in entries.items()
        }

    return {
        name: Signature(tensors(definition.inputs), tensors(definition.outputs), definition.method_name)
        for name, definition in meta_graph.signature_def.items()
        if not name.startswith("__")
    }


def _shape(proto: Any) -> tuple[int, ...] | None:
    return None if proto.unknown_rank else tuple(dimension.size for dimension in proto.dim)


def _signature_defs(meta_graph: Any) -> bytes:
    found = SignatureDefMap()
    for key, definition in meta_graph.signature_def.items():
        found.signature_def[key].ParseFromString(definition.SerializeToString())
    serialized: bytes = found.SerializeToString()
    return serialized


def _check_inputs(signature: Signature, feeds: tuple[str, ...]) -> None:
    expected = set(signature.inputs)
    if set(feeds) == expected:
        return
    extra, missing = sorted(set(feeds) - expected), sorted(expected - set(feeds))
    if len(feeds) != len(expected):
        raise Refusal(
            INVALID_ARGUMENT,
            f"input size does not match signature: {len(feeds)}!={len(expected)} len({_braced(feeds)}) != "
            f"len({_braced(sorted(expected))}). Sent extra: {_braced(extra)}. Missing but required: {_braced(missing)}.",
        )
    raise Refusal(
        INVALID_ARGUMENT,
        f"input tensor alias not found in signature: {extra[0]}. Inputs expected to be in the set {_braced(sorted(expected))}.",
    )


def _check_outputs(signature: Signature, output_filter: Sequence[str]) -> tuple[str, ...]:
    for number, alias in enumerate(output_filter):
        if alias not in signature.outputs:
            raise Refusal(
                INVALID_ARGUMENT,
                f"output tensor alias not found in signature: {alias} Outputs expected to be in the set "
                f"{_braced(sorted(signature.outputs))}.",
            )
        if alias in output_filter[:number]:
            raise Refusal(INVALID_ARGUMENT, f"duplicate output tensor alias: {alias}")
    return tuple(output_filter) or tuple(sorted(signature.outputs))


def _typed(alias: str, array: np.ndarray, tensor: TensorInfo) -> np.ndarray:
    """The array as the session takes it; dtypes are compared, never converted."""
    received = "string" if array.dtype.kind in "OSU" else array.dtype.name
    if received != tensor.dtype:
        words = {"float32": "float", "float64": "double"}
        actual, expected = (words.get(name, name) for name in (received, tensor.dtype))
        raise Refusal(INVALID_ARGUMENT, f"Type mismatch: actual {actual} vs. expect {expected} (input {alias})")
    return array


def _braced(names: Sequence[str]) -> str:
    return "{" + ",".join(names) + "}"
