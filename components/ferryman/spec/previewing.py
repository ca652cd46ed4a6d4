"""What can be known of a spec's inputs in an instant, before any of them is copied and any step starts."""

from __future__ import annotations

from pathlib import Path

from ferryman.code.naming import check_named
from ferryman.data.formats import open_table
from ferryman.data.options import PinnedSource
from ferryman.features.columns import FeatureColumns
from ferryman.spec.blocks import CodeFolder
from ferryman.spec.spec import Data, Spec
from ferryman.storage.inputs import open_source
from ferryman.storage.uri import scheme_of


def preview(spec: Spec, base: Path) -> None:
    """Refuse columns and classes that are surely not there; `base` is the spec's folder.

    Raises:
        DataError: a local file is not there, or a local CSV file has no column of that name.
        SpecError, UserCodeError: the package in `code` has no such class.
    """
    if isinstance(spec.code, CodeFolder) and (base / spec.code.path).is_dir():
        for where, reference in spec.references.items():
            check_named(reference, where, (base / spec.code.path).absolute().parent)
    _check_columns(spec.data, base)


def _check_columns(data: Data, base: Path) -> None:
    source = data.source
    if isinstance(source, PinnedSource) or scheme_of(source):
        return
    with open_source(source, base, base) as stream:
        if data.format.kind != "csv":
            return
        header = open_table(stream, data.format, source).header
        columns = FeatureColumns(header, data.features, data.format.missing)
        columns.refuse(header.position(data.label.column, "label"))
