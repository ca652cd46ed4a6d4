"""The block of a spec that names a feature of the user's own: it feeds the class, and checks all that it gives."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from pydantic import ConfigDict

from ferryman.code.loading import load_class, load_options
from ferryman.code.place import blaming, wrong
from ferryman.code.reference import Reference
from ferryman.data.options import Column
from ferryman.features.base import FeatureOptions, Fitted, TensorSpec
from ferryman.features.category import CategoryOptions
from ferryman.features.number import NumberOptions
from ferryman.features.user import Feature

if TYPE_CHECKING:
    import pyarrow as pa

DTYPES: Final = ("float32", "int32", "uint8")
"""What a device takes on every rung of the conversion."""

_SUFFIX: Final = re.compile(r"[A-Za-z0-9_]{0,62}")


class UserFeatureOptions(FeatureOptions):
    """A class of the user's own; the fields that are not listed here are its options, judged where its code is."""

    model_config = ConfigDict(extra="allow")

    kind: Reference
    """The class, e.g. `fraud.features:LogAmount`; its package is named in `code`."""

    reads: Literal["number", "category"]
    """How the cells are read, and what the class gets: float32 or text."""

    column: Column | None = None
    """The source column; by default the feature's own name."""

    missing: Literal["refuse", "keep"] = "refuse"
    """What a missing cell means: an error, or NaN (numbers) and "" (categories) for the class to handle."""

    def source_columns(self, name: str) -> list[int | str]:
        return self._cells.source_columns(name)

    def parse(self, cells: Sequence[Sequence[str | None]]) -> pa.Array:
        return self._cells.parse(cells)

    def raw_spec(self, name: str) -> TensorSpec:
        return self._cells.raw_spec(name)

    def raw(self, column: pa.Array | pa.ChunkedArray) -> np.ndarray:
        return self._cells.raw(column)

    def claimed_names(self, name: str) -> list[str]:
        return [name]  # the others are known only where the code is

    def fit(self, raw: np.ndarray) -> Fitted:
        made = self.load()
        with blaming(made.fit, f"{self._name}.fit fails"):
            fitted = made.fit(self._texts(raw))
        try:
            document = json.loads(json.dumps(fitted, allow_nan=False))
        except (TypeError, ValueError) as error:
            message = f"{self._name}.fit gives no plain JSON: {error} (try float(x) or x.tolist())"
            raise wrong(made.fit, message) from error
        if not isinstance(document, dict):
            raise wrong(made.fit, f"{self._name}.fit gives a {type(fitted).__name__}, expected a dict of plain JSON")
        return document

    def device_specs(self, name: str, fitted: Fitted) -> list[TensorSpec]:
        return [TensorSpec(_joined(name, suffix), *form) for suffix, form in self._device(self.load(), fitted).items()]

    def transform(self, name: str, fitted: Fitted, raw: Any) -> dict[str, Any]:
        made = self.load()
        with blaming(made.transform, f"{self._name}.transform fails"):
            given = made.transform(raw, fitted)
        return self._checked(made, made.transform, name, fitted, given)

    def reference(self, name: str, fitted: Fitted, raw: np.ndarray) -> dict[str, np.ndarray]:
        made = self.load()
        with blaming(made.reference, f"{self._name}.reference fails"):
            given = made.reference(self._texts(np.asarray(raw)), fitted)
        return self._checked(made, made.reference, name, fitted, given)

    def encode(self, name: str, fitted: Fitted, device: Mapping[str, Any]) -> Any:
        made = self.load()
        tensors = {suffix: device[_joined(name, suffix)] for suffix in self._device(made, fitted)}
        with blaming(made.encode, f"{self._name}.encode fails"):
            encoded = made.encode(tensors, fitted)
        if len(getattr(encoded, "shape", ())) not in (2, 4):
            received = getattr(encoded, "shape", type(encoded).__name__)
            message = f"{self._name}.encode gives {received}, expected a Keras tensor [n, c] or [n, h, w, c]"
            raise wrong(made.encode, message)
        return encoded

    def load(self, where: str = "data.features") -> Feature:
        """The user's feature with its options; `where` is the place of its block in the spec, for messages.

        Raises:
            SpecError: there is no such class, or an option is wrong.
            UserCodeError: its import fails, or it is no feature.
        """
        kind = load_class(self.kind, Feature, f"{where}.kind")  # type: ignore[type-abstract]
        options = load_options(kind, self.model_extra or {}, where)
        with blaming(kind, f"{self._name}() fails"):
            return kind(options)

    @property
    def _name(self) -> str:
        return self.kind.partition(":")[2]

    @property
    def _cells(self) -> NumberOptions | CategoryOptions:
        """The built-in kind that reads the cells."""
        keep = self.missing == "keep"
        if self.reads == "number":
            return NumberOptions(kind="number", column=self.column, missing="mean" if keep else "refuse")
        return CategoryOptions(kind="category", column=self.column, missing="category" if keep else "refuse")

    def _texts(self, raw: np.ndarray) -> np.ndarray:
        """Text as str, whatever it was stored as: a golden set keeps UTF-8 bytes."""
        if self.reads == "number":
            return raw
        texts = np.empty(len(raw), dtype=object)
        texts[:] = [value.decode() if isinstance(value, bytes) else str(value) for value in raw.tolist()]
        return texts

    def _device(self, made: Feature, fitted: Fitted) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Suffix -> dtype and row shape, as the class declares them."""
        with blaming(made.device, f"{self._name}.device fails"):
            declared = {suffix: (str(dtype), tuple(row)) for suffix, (dtype, row) in made.device(fitted).items()}
        if not declared:
            raise wrong(made.device, f"{self._name}.device gives no tensor, expected at least one")
        for suffix, (dtype, row) in declared.items():
            if not _SUFFIX.fullmatch(suffix) or dtype not in DTYPES or not all(size > 0 for size in row):
                expected = f"a suffix of letters, digits and '_', one of {', '.join(DTYPES)}, and the shape of one row"
                message = f"{self._name}.device: received {suffix!r}: ({dtype!r}, {row}), expected {expected}"
                raise wrong(made.device, message)
        return declared

    def _checked(self, made: Feature, method: Any, name: str, fitted: Fitted, given: Any) -> dict[str, Any]:
        """The tensors by name, which must be those that `device` declares."""
        what = f"{self._name}.{method.__name__}"
        tensors = given if isinstance(given, dict) else {"": given}
        declared = self._device(made, fitted)
        if tensors.keys() != declared.keys():
            names, expected = sorted(map(str, tensors)), sorted(declared)
            raise wrong(method, f"{what} gives the tensors {names}, expected what `device` declares: {expected}")
        for suffix, (dtype, row) in declared.items():
            received, shape = _form(tensors[suffix])
            if (received, shape) != (dtype, row):
                shown = f"{received} {['n', *shape]}" if shape is not None else received
                raise wrong(method, f"{what} gives {suffix!r} as {shown}, expected {dtype} {['n', *row]}")
        return {_joined(name, suffix): tensor for suffix, tensor in tensors.items()}


def _joined(name: str, suffix: str) -> str:
    return f"{name}_{suffix}" if suffix else name


def _form(tensor: Any) -> tuple[str, tuple[int | None, ...] | None]:
    """The dtype's name and the shape of a row; the type's name and None for what is no tensor with a known shape."""
    name = getattr(getattr(tensor, "dtype", None), "name", type(tensor).__name__)
    try:
        shape = tuple(tensor.shape)
    except (AttributeError, ValueError):
        return name, None
    return name, shape[1:] if shape else None
