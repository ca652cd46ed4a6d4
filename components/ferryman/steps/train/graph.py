"""What a SavedModel's `saved_model.pb` says, read as a message: signatures, operations, assets. Nothing is run.

A SavedModel is a program: TensorFlow's operations read and write files. What none needs to answer a request is refused;
that is a tripwire for accidents and for the obvious, and no sandbox.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from ferryman.errors import SpecError
from ferryman.models.runtime import bare_tensorflow
from ferryman.steps.train.signature import Signature, Tensor
from ferryman.storage.local import sha256_file
from ferryman.storage.uri import is_inside

TAG: Final = "serve"
"""The tag of the graph that TensorFlow Serving loads."""

_INIT: Final = "__saved_model_init_op"

OUTSIDE: Final = frozenset(
    {
        *("ReadFile", "WriteFile", "MatchingFiles", "WholeFileReader", "WholeFileReaderV2", "TextLineReader"),
        *("TextLineReaderV2", "TFRecordReader", "TFRecordReaderV2", "FixedLengthRecordReader"),
        *("FixedLengthRecordReaderV2", "LMDBReader", "TextLineDataset", "TFRecordDataset", "TFRecordDatasetV2"),
        *("FixedLengthRecordDataset", "FixedLengthRecordDatasetV2", "LMDBDataset", "SqlDataset", "CacheDataset"),
        *("CacheDatasetV2", "SaveDataset", "SaveDatasetV2", "LoadDataset", "SnapshotDataset", "SnapshotDatasetV2"),
        *("DatasetToTFRecord", "DistributedSave", "DataServiceDataset", "DataServiceDatasetV2"),
        *("DataServiceDatasetV3", "DataServiceDatasetV4", "RegisterDataset", "RegisterDatasetV2"),
        *("CreateSummaryFileWriter", "CreateSummaryDbWriter", "Print", "PrintV2", "DebugIdentity", "DebugIdentityV2"),
        *("DebugIdentityV3", "LoadAndRemapMatrix", "GenerateVocabRemapping", "DecodeProtoV2", "EncodeProto"),
        *("PyFunc", "PyFuncStateless", "EagerPyFunc", "RpcClient", "RpcServer", "RpcCall", "RemoteCall"),
        *("FileSystemSetConfiguration", "Abort", "Send", "Recv"),
    }
)
"""Operations that reach files, the network, Python or the process itself. Source: tensorflow/core/ops, 2.21."""

CHECKPOINT: Final = frozenset(
    {
        *("Save", "SaveV2", "SaveSlices", "Restore", "RestoreV2", "RestoreSlice", "MergeV2Checkpoints"),
        *("CheckpointHasTensor", "CheckpointReader"),
    }
)
"""Operations of the part that every SavedModel has to save and restore itself, and that belong nowhere else."""

_NAMES: Final = frozenset({"shared_name", "container", "debug_name", "config_proto", "config", "executor_type"})
"""Attributes that hold names given anew by each export (lookup tables get random ones) and change no answer."""


class SavedGraph:
    """The graph of the SavedModel in `folder`.

    Raises:
        SpecError: there is no readable `saved_model.pb`, or no graph with the tag `serve`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._meta = _serving_graph(_message(folder))
        self._functions = {function.signature.name: function for function in self._meta.graph_def.library.function}
        self._nodes = {node.name: node for node in self._meta.graph_def.node}

    @cached_property
    def signatures(self) -> dict[str, Signature]:
        """The signatures by name, without TensorFlow's own."""
        return {
            name: Signature(name, _tensors(definition.inputs), _tensors(definition.outputs))
            for name, definition in sorted(self._meta.signature_def.items())
            if not name.startswith("__")
        }

    def check(self, allowed: Collection[str]) -> None:
        """Refuse operations that no answer needs, and assets that lie elsewhere.

        Raises:
            SpecError: an operation that is not `allowed`, or the path of an asset that leads out.
        """
        found = sorted(self._outside() - set(allowed))
        if found:
            raise SpecError(
                "model.source",
                f"the SavedModel uses {', '.join(found)}, which reach files, the network, Python or the process that "
                f"serves it: take it only from people you trust, and then write `allow_ops: [{', '.join(found)}]`",
            )
        for asset in self._meta.asset_file_def:
            if not is_inside(asset.filename):
                raise SpecError(
                    "model.source",
                    f"the SavedModel reads the asset {asset.filename!r}, expected a file in its `assets`",
                )

    def digest(self, signatures: Iterable[str]) -> str:
        """SHA-256 of all that these signatures compute, apart from the values of variables.

        Nodes count with operation, inputs and attributes; names that each export gives anew do not.
        """
        nodes, functions = self._reach([*self._roots(signatures), *self._initial()])
        total = hashlib.sha256()
        for part in (
            *sorted(_node(self._nodes[name]) for name in nodes),
            *sorted(_function(self._functions[name]) for name in functions),
            *(f"{path.name} {sha256_file(path)}" for path in sorted((self._folder / "assets").glob("*"))),
        ):
            total.update(part.encode() + b"\0")
        return total.hexdigest()

    def _outside(self) -> set[str]:
        saver = self._meta.saver_def
        saving = self._reach([saver.filename_tensor_name, saver.save_tensor_name, saver.restore_op_name])
        asked = self._reach([*self._roots(self._meta.signature_def), *self._initial()])
        apart = [own - others for own, others in zip(saving, asked, strict=True)]
        found = set()
        for place, name, operation in self._operations():
            own = name in apart[0] if place == "" else place in apart[1]
            if operation in OUTSIDE or (operation in CHECKPOINT and not own):
                found.add(operation)
        return found

    def _operations(self) -> Iterator[tuple[str, str, str]]:
        """Function ("" for the graph itself), node and operation of every node."""
        for name, node in self._nodes.items():
            yield "", name, node.op
        for function in self._functions.values():
            for node in function.node_def:
                yield function.signature.name, node.name, node.op

    def _roots(self, signatures: Iterable[str]) -> list[str]:
        found = [self._meta.signature_def[name] for name in signatures]
        return [
            info.name
            for definition in found
            for part in (definition.inputs, definition.outputs)
            for info in part.values()
        ]

    def _initial(self) -> list[str]:
        """What runs once when the model is loaded."""
        collected = [
            name
            for key in ("saved_model_main_op", "legacy_init_op")
            if key in self._meta.collection_def
            for name in self._meta.collection_def[key].node_list.value
        ]
        return [*collected, *(self._roots([_INIT]) if _INIT in self._meta.signature_def else [])]

    def _reach(self, roots: Iterable[str]) -> tuple[set[str], set[str]]:
        """Names of the nodes of the graph, and of the functions, that the tensors `roots` depend on."""
        nodes: set[str] = set()
        functions: set[str] = set()
        waiting = [_node_name(root) for root in roots]
        while waiting:
            name = waiting.pop()
            if name not in nodes and name in self._nodes:
                nodes.add(name)
                waiting += [_node_name(source) for source in self._nodes[name].input]
                self._enter(self._nodes[name], functions)
        return nodes, functions

    def _enter(self, node: Any, functions: set[str]) -> None:
        """Add the functions that a node calls, and what they call."""
        waiting = list(_called(node))
        while waiting:
            name = waiting.pop()
            if name not in functions and name in self._functions:
                functions.add(name)
                waiting += [called for inner in self._functions[name].node_def for called in _called(inner)]


def _message(folder: Path) -> Any:
    with bare_tensorflow():
        from google.protobuf.message import DecodeError
        from tensorflow.core.protobuf import saved_model_pb2
    message = saved_model_pb2.SavedModel()
    try:
        message.ParseFromString((folder / "saved_model.pb").read_bytes())
    except FileNotFoundError as error:
        there = ", ".join(sorted(path.name for path in folder.iterdir())[:5]) or "nothing"
        raise SpecError("model.source", f"no SavedModel: there is no saved_model.pb in it, but {there}") from error
    except DecodeError as error:
        raise SpecError("model.source", f"no SavedModel: its saved_model.pb cannot be read: {error}") from error
    return message


def _serving_graph(message: Any) -> Any:
    for meta in message.meta_graphs:
        if list(meta.meta_info_def.tags) == [TAG]:
            return meta
    found = [list(meta.meta_info_def.tags) for meta in message.meta_graphs]
    raise SpecError(
        "model.source", f"its graphs have the tags {found}, expected one with [{TAG!r}], which servers load"
    )


def _tensors(entries: Any) -> dict[str, Tensor]:
    return {alias: _tensor(info) for alias, info in sorted(entries.items())}


def _tensor(info: Any) -> Tensor:
    with bare_tensorflow():
        from tensorflow.core.framework import types_pb2
    name = types_pb2.DataType.Name(info.dtype).removeprefix("DT_").lower()
    dtype = {"float": "float32", "double": "float64", "half": "float16"}.get(name, name)
    shape = info.tensor_shape
    return Tensor(dtype, None if shape.unknown_rank else tuple(None if d.size < 0 else d.size for d in shape.dim))


def _node_name(tensor: str) -> str:
    return tensor.removeprefix("^").partition(":")[0]


def _called(node: Any) -> Iterator[str]:
    # Older graphs call a function by naming it as the operation.
    yield node.op
    for value in node.attr.values():
        yield value.func.name
        yield from (function.name for function in value.list.func)


def _node(node: Any) -> str:
    attributes = {
        key: _attribute(value) for key, value in node.attr.items() if not key.startswith("_") and key not in _NAMES
    }
    return repr((node.name, _stable(node.op), [_stable(name) for name in node.input], sorted(attributes.items())))


def _attribute(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "func":
        return _stable(value.func.name)
    if kind == "list" and value.list.func:
        return [_stable(function.name) for function in value.list.func]
    return value.SerializeToString(deterministic=True)


def _function(function: Any) -> str:
    arguments = [(argument.name, argument.type) for argument in function.signature.input_arg]
    nodes = sorted(_node(node) for node in function.node_def)
    return repr((_stable(function.signature.name), arguments, nodes, sorted(function.ret.items())))


def _stable(name: str) -> str:
    """The name of a function without the counter that makes it unique in its process."""
    return re.sub(r"_[0-9]+$", "", name) if name.startswith("__") else name
