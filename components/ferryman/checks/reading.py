"""The spec as it is written, and the rows as they lie in the file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ferryman.artifacts.resolved import check_size
from ferryman.checks.finding import DATA, Finding, error, from_error, note, problem, warning
from ferryman.checks.ground import Ground, given
from ferryman.checks.scan import ENOUGH_BAD, LABEL, BadCells, Scanned, scan
from ferryman.checks.stream import size_of
from ferryman.data.options import PinnedSource
from ferryman.spec import apply_overrides, draft_from, read_document
from ferryman.storage.inputs import open_pinned, open_source
from ferryman.storage.package import SCHEME, PackageFile
from ferryman.storage.uri import scheme_of


def check_spec(ground: Ground) -> Iterator[Finding]:
    """Every mistake in the spec; a block `data` without any is used although another block is wrong."""
    file = Path(ground.request.spec)
    draft = draft_from(read_document(file), file.parent)
    if ground.request.overrides and draft.spec is not None and not draft.problems:
        draft = draft_from(apply_overrides(draft.spec.document(), ground.request.overrides))
    ground.data = draft.data
    if draft.problems:
        for path, message in draft.problems:
            yield problem(path, message)
    elif draft.spec is not None:
        ground.spec = draft.spec
        ground.headline = f"{draft.spec.name}: {draft.spec.model.kind}, {len(draft.spec.data.features)} features"
        check_size(draft.spec)


def check_source(ground: Ground) -> Iterator[Finding]:
    """Whether the source can be had and is fixed, and every cell that is not what its column should hold."""
    source = given(ground.data).source
    if isinstance(source, PinnedSource):
        opened = open_pinned(source)
    else:
        yield from _unpinned(source)
        opened = open_source(source, Path(ground.request.spec).resolve().parent, Path(ground.request.home) / "cache")
    name = source.name if isinstance(source, PinnedSource) else source
    with opened as stream:
        found = scan(stream, size_of(stream), name, ground.reading, ground.request.scan_seconds)
    ground.scan = found
    ground.headline = _headline(found)
    yield from _columns(found)
    yield from _cells(ground, found)
    yield from _seen(found)


def _unpinned(source: str) -> Iterator[Finding]:
    if scheme_of(source) == SCHEME and PackageFile.parse(source).version is None:
        yield warning(
            "data.source",
            f"{source} names no version: another machine may have another one installed, and other rows",
            f"write the version: package://{PackageFile.parse(source).name}@VERSION/...",
        )


def _columns(found: Scanned) -> Iterator[Finding]:
    for absent in found.absent:
        yield from_error(absent, advice="name a column of the file, or leave it out")
    names = found.header.names or ()
    if names and all(_is_number(name) for name in names):
        yield warning(
            "data.format.header",
            f"the first line holds only numbers ({', '.join(names[:4])}, ...) and is taken for the columns' names",
            "if it is a row of data, say `header: false` and name columns by their index from 0",
        )


def _cells(ground: Ground, found: Scanned) -> Iterator[Finding]:
    for name, bad in found.bad.items():
        finding = from_error(bad.first, advice=_advice(ground, name, bad))
        yield finding.model_copy(update={"what": _what(bad)})
    if found.broken is not None:
        advice = f"mend the line; nothing behind it was looked at ({found.seen:,} rows before it were)"
        yield from_error(found.broken, advice=advice)
    if not len(found.rows):
        yield error("data", f"none of the {found.seen:,} rows is right", "mend the columns named above", DATA)


def _what(bad: BadCells) -> str:
    text = from_error(bad.first).what
    if bad.count == 1:
        return text
    many = f"{bad.count:,} or more" if bad.count >= ENOUGH_BAD else f"{bad.count:,}"
    same = f", all {next(iter(bad.texts))!r}" if len(bad.texts) == 1 else ""
    return f"{text}; {many} such cells in this column{same}"


def _advice(ground: Ground, name: str, bad: BadCells) -> str:
    field = "data.label" if name == LABEL else f"data.features.{name}"
    texts = [text for text, _ in bad.texts.most_common(3)]
    nulls = list(ground.reading.format.nulls)
    if all(not text or text in nulls for text in texts):
        return f"say in {field} what a missing value means (`missing: ...`), or mend the cells"
    if len(bad.texts) <= 3 and not any(_is_number(text) for text in texts):
        listed = ", ".join([*(repr(text) for text in nulls), *(repr(text) for text in texts)])
        return f"if it means a missing value, say `nulls: [{listed}]` in data.format; else mend the cells"
    return f"mend the cells, or give {field} another kind or column"


def _seen(found: Scanned) -> Iterator[Finding]:
    if found.complete or found.broken is not None:
        return
    places = f" and {found.spread:,} from places all over the rest" if found.spread else ""
    yield note(
        "data.source",
        f"of about {found.total:,} rows the first {found.seen - found.spread:,}{places} were looked at",
        "a run reads all of them and stops at the first wrong cell",
    )


def _headline(found: Scanned) -> str:
    about = "" if found.complete else f" of about {found.total:,}"
    dropped = f", {found.rows.dropped:,} without a label" if found.rows.dropped else ""
    return f"{found.seen:,}{about} rows, {found.header.width:,} columns{dropped}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
