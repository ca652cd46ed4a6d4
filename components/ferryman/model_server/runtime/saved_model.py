"""Loads and runs one SavedModel as the real server does: a TensorFlow 1 session and the signatures of its MetaGraph."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ferryman.model_server import metrics
from ferryman.model_server.core import FAILED_PRECONDITION, INVALID_ARGUMENT, UNAVAILABLE, Refusal
from ferryman.model_server.runtime import bundle, dtypes, prediction
from ferryman.model_server.runtime.enclosure import check_assets, check_links
from ferryman.model_server.runtime.enough_dimensions import Shape, check_dimensions, shapes_to_keep
from ferryman.model_server.runtime.servable import Signature
from ferryman.model_server.runtime.session import Call, Session
from ferryman.model_server.runtime.session_options import config_of

TAG = "serve"

CALLS = 64
"""Combinations of tensors that a version keeps ready; each has a copy of a part of the graph."""


Key = tuple[str | tuple[str, ...], tuple[str, ...]]
"""A signature and the outputs that are asked for, or the tensors that are fed and those that are fetched."""


class SavedModel:
    """A loaded version. `run` may be called from many threads."""

    def __init__(self, folder: Path, tags: Sequence[str] = (TAG,), config: Any = None) -> None:
        """Load the graph with exactly these tags, with the session's ConfigProto.

        Raises:
            Refusal: with the server's words when it cannot be loaded.
        """
        begun = time.perf_counter()
        try:
            session, definitions, shapes = _load(folder, tags, config)
        except Refusal:
            metrics.LOAD_ATTEMPT_COUNT.add(str(folder), "fail")
            raise
        metrics.LOAD_ATTEMPT_COUNT.add(str(folder), "success")
        metrics.LOAD_LATENCY.add(str(folder), by=_microseconds(begun))
        self.signatures = bundle.signatures(definitions)
        self.signature_defs = bundle.signature_defs(definitions)
        self._session: Session | None = session
        self._shapes = shapes
        self._calls: dict[Key, _Prepared] = {}
        self._lock = threading.Lock()

    def run(
        self, signature_name: str, inputs: Mapping[str, np.ndarray], output_filter: Sequence[str] = ()
    ) -> dict[str, np.ndarray]:
        """Outputs by alias (text as object arrays of bytes).

        Raises:
            Refusal: as `predict_util.cc` and the session answer.
        """
        prepared = self._calls.get((signature_name, tuple(output_filter)))
        if prepared is not None and prepared.names == inputs.keys():
            return prepared.run(inputs)
        signature = self.signature(signature_name, FAILED_PRECONDITION)
        complete = prediction.completed(signature, inputs)
        wanted = prediction.wanted_outputs(signature, output_filter)
        feeds = {alias: tensor.name for alias, tensor in signature.inputs.items()}
        fetches = {alias: signature.outputs[alias].name for alias in wanted}
        return self._prepared((signature_name, tuple(output_filter)), feeds, fetches).run(complete)

    def run_tensors(self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str]) -> dict[str, np.ndarray]:
        """Values by tensor, all of one run of the session.

        Raises:
            Refusal: as the session answers.
        """
        key = tuple(feeds), tuple(fetches)
        prepared = self._calls.get(key)
        if prepared is None:
            prepared = self._prepared(key, *(dict(zip(tensors, tensors, strict=True)) for tensors in key))
        return prepared.run(feeds)

    def signature(self, name: str, code: int = INVALID_ARGUMENT) -> Signature:
        """The signature `name` (empty for the default); Refusal when there is none."""
        return prediction.found(self.signatures, name, code)

    def close(self) -> None:
        """Free the session, at once or with the last request that runs."""
        with self._lock:
            self._session = None
            self._calls = {}

    def _prepared(self, key: Key, feeds: Mapping[str, str], fetches: Mapping[str, str]) -> _Prepared:
        with self._lock:
            if key not in self._calls:
                if self._session is None:
                    raise Refusal(UNAVAILABLE, "This version was unloaded")
                while len(self._calls) >= CALLS:
                    del self._calls[next(iter(self._calls))]
                self._calls[key] = _Prepared(self._session, feeds, fetches, self._shapes)
            return self._calls[key]


class _Prepared:
    """A call that feeds some tensors and fetches others, each by the name that the caller has for it."""

    def __init__(
        self, session: Session, feeds: Mapping[str, str], fetches: Mapping[str, str], shapes: Mapping[str, Shape]
    ) -> None:
        """`feeds` and `fetches` are tensors by the caller's names, such as a signature's aliases; `shapes` are those, by
        tensor, of which a feed must have all dimensions."""
        # By the tensors' names, as the real session numbers them in its words.
        ordered = sorted(feeds.items(), key=lambda item: item[1])
        self.names = feeds.keys()
        # The graph's dtypes, not the signature's, which nobody looks at.
        self._dtypes = [dtypes.name_of(session.dtypes.get(tensor, 0)) for _, tensor in ordered]
        self._feeds = [
            (name, dtypes.numpy_dtype(dtype)) for (name, _), dtype in zip(ordered, self._dtypes, strict=True)
        ]
        # Two aliases may name one tensor, which can be fetched once.
        tensors = list(dict.fromkeys(fetches.values()))
        self._fetches = [(name, tensors.index(tensor)) for name, tensor in fetches.items()]
        self._shapes = {name: shapes[tensor] for name, tensor in ordered if tensor in shapes}
        self._call: Call = session.callable([tensor for _, tensor in ordered], tensors)

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Values by the caller's names. Refusal as the session answers."""
        arrays = [inputs[name] for name, _ in self._feeds]
        for number, (_, dtype) in enumerate(self._feeds):
            if arrays[number].dtype != dtype:
                prediction.check_dtype(number, arrays[number], self._dtypes[number])
        check_dimensions(inputs, self._shapes)
        values = self._call(arrays)
        return {name: _array(values[place]) for name, place in self._fetches}


def _load(folder: Path, tags: Sequence[str], config: Any) -> tuple[Session, Mapping[str, Any], Mapping[str, Shape]]:
    """A session with variables and tables, the SignatureDefs by name, and shapes to keep by tensor.

    Source: loader.cc, LoadSavedModelInternal.
    """
    check_links(folder)
    begun = time.perf_counter()
    meta_graph = bundle.read_meta_graph(folder, tags)
    assets = bundle.assets(meta_graph)
    check_assets(folder, (name for _, name in assets))
    inputs = [tensor.name for signature in meta_graph.signature_def.values() for tensor in signature.inputs.values()]
    session = Session(meta_graph.graph_def, config_of(folder, config), inputs)
    paths = {tensor: f"{folder}/assets/{name.lstrip('/')}" for tensor, name in assets}
    _restore(session, folder, meta_graph.saver_def, paths)
    restored = time.perf_counter()
    if init := bundle.init_op(folder, meta_graph):
        session.run_once(paths, init)
    metrics.LOAD_LATENCY_BY_STAGE.add(str(folder), "restore_graph", of=_microseconds(begun, restored))
    metrics.LOAD_LATENCY_BY_STAGE.add(str(folder), "init_graph", of=_microseconds(restored))
    # Copies: the message holds the whole graph.
    definitions = {name: type(found).FromString(found.SerializeToString()) for name, found in _definitions(meta_graph)}
    return session, definitions, shapes_to_keep(meta_graph.graph_def, definitions.values())


def _definitions(meta_graph: Any) -> list[tuple[str, Any]]:
    return list(meta_graph.signature_def.items())


def _restore(session: Session, folder: Path, saver: Any, assets: Mapping[str, str]) -> None:
    """Read the variables; where the index is missing C++ takes the model for one without (loader.cc, RunRestore)."""
    if (folder / "variables" / "variables.index").exists():
        feeds = {saver.filename_tensor_name: f"{folder}/variables/variables", **assets}
        session.run_once(feeds, saver.restore_op_name)


def _array(value: Any) -> np.ndarray:
    if type(value) is np.ndarray:
        return value
    # The session gives a tensor without dimensions as a number or as bytes.
    return np.array(value, dtype=object) if isinstance(value, bytes) else np.asarray(value)


def _microseconds(begun: float, ended: float | None = None) -> int:
    return int(((time.perf_counter() if ended is None else ended) - begun) * 1e6)
