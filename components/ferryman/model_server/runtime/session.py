"""A TensorFlow session without Python's graph: what C++ does with a MetaGraphDef, step by step, and calls into it.

Python's own loader makes an object of each operation, refuses models without variables, which C++ loads, and leaves
cycles behind that keep the memory of a version that was unloaded. Here a session is three C objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ferryman.model_server.core import INVALID_ARGUMENT, Refusal

Call = Callable[[Sequence[np.ndarray]], Sequence[Any]]


class Session:
    """A graph that can be run. It is freed with the last reference to it; each of its callables holds one."""

    def __init__(self, graph_def: Any, config: Any, tensors: Iterable[str] = ()) -> None:
        """Make it of a GraphDef and a ConfigProto, and look up the dtypes of `tensors`.

        Raises:
            Refusal: as C++ when it is no graph.
        """
        from tensorflow.python.client import pywrap_tf_session as client
        from tensorflow.python.framework import errors

        self._client, self._errors, self._session = client, errors, None
        self._graph = client.PyGraph()
        self.dtypes: dict[str, int] = {}
        """TensorFlow's DataType of each tensor that was asked for and that the graph has."""
        # Where nobody asks for threads between operations, a request runs in the thread that brought it: a hop to a pool
        # and back costs 50 to 200 us. Threads inside an operation stay.
        self._pool = 0 if config is not None and config.inter_op_parallelism_threads else -1
        self._import(graph_def, tensors)
        options = client.TF_NewSessionOptions(target="", config=config)
        try:
            self._session = self._checked(client.TF_NewSessionRef, self._graph, options)
        finally:
            client.TF_DeleteSessionOptions(options)
        self._checked(client.ExtendSession, self._session)

    def __del__(self) -> None:
        if getattr(self, "_session", None) is not None:
            self._client.TF_CloseSession(self._session)
            self._client.TF_DeleteSession(self._session)
            # Freed as part of a cycle, a callable may hear of it after this.
            self._session = None

    def callable(self, feeds: Sequence[str], fetches: Sequence[str], targets: Sequence[str] = ()) -> Call:
        """A function from the feeds' arrays to the fetched values, that may be called from many threads.

        Raises:
            Refusal: as C++, e.g. when the graph has no such tensor. Calling it raises such, too.
        """
        from tensorflow.core.protobuf import config_pb2

        options = config_pb2.CallableOptions(feed=feeds, fetch=fetches, target=targets)
        options.run_options.inter_op_thread_pool = self._pool
        return _Callable(self, self._client, self._errors, options)

    def run_once(self, feeds: Mapping[str, str], target: str) -> None:
        """Run an operation for its effect, with text fed (loader_util.cc, RunOnce). Refusal as C++."""
        call = self.callable(list(feeds), [], [target])
        call([np.array(text.encode(), dtype=object) for text in feeds.values()])

    def _import(self, graph_def: Any, tensors: Iterable[str]) -> None:
        client, known = self._client, {node.name for node in graph_def.node}
        places = {tensor: _place(tensor) for tensor in tensors}
        names = sorted({name for name, _ in places.values() if name in known})
        options, buffer = (
            client.TF_NewImportGraphDefOptions(),
            client.TF_NewBufferFromString(graph_def.SerializeToString()),
        )
        client.TF_ImportGraphDefOptionsSetPrefix(options, "")
        client.TF_ImportGraphDefOptionsSetUniquifyNames(options, False)
        for name in names:
            client.TF_ImportGraphDefOptionsAddReturnOperation(options, name)
        try:
            results = self._checked(client.TF_GraphImportGraphDefWithResults, self._graph, buffer, options)
            try:
                found = dict(zip(names, client.TF_ImportGraphDefResultsReturnOperations(results), strict=True))
                self.dtypes = _dtypes(client, found, places)
            finally:
                client.TF_DeleteImportGraphDefResults(results)
        finally:
            client.TF_DeleteBuffer(buffer)
            client.TF_DeleteImportGraphDefOptions(options)

    def _checked(self, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except self._errors.OpError as error:
            raise Refusal(error.error_code, str(error.message)) from error


class _Callable:
    """Session::MakeCallable's handle. It is released with the last call of it that runs."""

    __slots__ = ("_client", "_errors", "_handle", "_owner", "_run", "_session")

    def __init__(self, owner: Session, client: Any, errors: Any, options: Any) -> None:
        self._owner, self._client, self._errors, self._handle = owner, client, errors, None
        self._session, self._run = owner._session, client.TF_SessionRunCallable
        buffer = client.TF_NewBufferFromString(options.SerializeToString())
        try:
            self._handle = owner._checked(client.TF_SessionMakeCallable, self._session, buffer)
        finally:
            client.TF_DeleteBuffer(buffer)

    def __call__(self, arrays: Sequence[np.ndarray]) -> Sequence[Any]:
        try:
            values: Sequence[Any] = self._run(self._session, self._handle, arrays, None)
        except self._errors.OpError as error:
            raise Refusal(error.error_code, str(error.message)) from error
        except (TypeError, ValueError, RuntimeError) as error:
            # An array that is no tensor.
            raise Refusal(INVALID_ARGUMENT, " ".join(str(error).split())) from error
        return values

    def __del__(self) -> None:
        if getattr(self, "_handle", None) is not None and self._owner._session is not None:
            self._client.TF_SessionReleaseCallable(self._session, self._handle)


def _place(tensor: str) -> tuple[str, int]:
    """Operation and number of the output, which is 0 when the name has none."""
    name, _, port = tensor.rpartition(":")
    return (name, int(port)) if name and port.isdecimal() else (tensor, 0)


def _dtypes(client: Any, operations: Mapping[str, Any], places: Mapping[str, tuple[str, int]]) -> dict[str, int]:
    found = {}
    for tensor, (name, port) in places.items():
        if name in operations and port < client.TF_OperationNumOutputs(operations[name]):
            output = client.TF_Output()
            output.oper, output.index = operations[name], port
            found[tensor] = int(client.TF_OperationOutputType(output))
    return found
