"""A spec's inputs in the store that a cluster reads: a run from the UI or a schedule needs nothing of this machine."""

from __future__ import annotations

from ferryman.data.options import PinnedSource
from ferryman.errors import ArtifactError, UnavailableError, UsageError
from ferryman.models import SavedOptions
from ferryman.spec import Spec
from ferryman.storage.code import PinnedCode
from ferryman.storage.inputs import open_pinned
from ferryman.storage.local import sha256_stream
from ferryman.storage.store import Store, open_store

Pinned = PinnedSource | PinnedCode


def inputs_there(spec: Spec, inputs: str, *, upload: bool) -> Spec:
    """The pinned `spec` with its data, code and saved model named in the input store at the URI `inputs`.

    What lies there already is verified, and only what does not is uploaded.

    Raises:
        UsageError: something is missing there and `upload` is not allowed. ArtifactError: something was altered, here
            or there. UnavailableError: the store cannot be reached.
    """
    store = open_store(inputs)
    pinned = {field: found for field, found in _pinned(spec).items() if not _is_there(store, found)}
    if pinned and not upload:
        names = ", ".join(f"{field} ({_name(found)})" for field, found in pinned.items())
        raise UsageError(f"{names}: not in the input store {inputs}, received no --upload; try: --upload")
    for found in pinned.values():
        _upload(store, found)
    return _renamed(spec, store)


def _pinned(spec: Spec) -> dict[str, Pinned]:
    """Field of the spec -> what it names."""
    model = spec.model.source if isinstance(spec.model, SavedOptions) else None
    found = {"data.source": spec.data.source, "model.source": model, "code": spec.code}
    return {field: value for field, value in found.items() if isinstance(value, Pinned)}


def _renamed(spec: Spec, store: Store) -> Spec:
    changed: dict[str, object] = {}
    if isinstance(spec.data.source, PinnedSource):
        changed["data"] = spec.data.model_copy(update={"source": _there(store, spec.data.source)})
    if isinstance(spec.model, SavedOptions) and isinstance(spec.model.source, PinnedSource):
        changed["model"] = spec.model.model_copy(update={"source": _there(store, spec.model.source)})
    if isinstance(spec.code, PinnedCode):
        changed["code"] = _there(store, spec.code)
    return spec.model_copy(update=changed)


def _there(store: Store, pinned: Pinned) -> Pinned:
    return pinned.model_copy(update={"uri": f"{store.uri}/{_path(pinned)}"})


def _is_there(store: Store, pinned: Pinned) -> bool:
    """Whether the store has it, whole."""
    if not store.exists(_path(pinned)):
        return False
    with store.open(_path(pinned)) as stream:
        found = sha256_stream(stream)
    if found != pinned.sha256:
        place = f"{store.uri}/{_path(pinned)}"
        raise ArtifactError(f"{place}: altered: received SHA-256 {found[:12]}...; remove it and upload it again", place)
    return True


def _upload(store: Store, pinned: Pinned) -> None:
    source = PinnedSource(name=_name(pinned), uri=pinned.uri, sha256=pinned.sha256)
    with open_pinned(source) as stream:
        try:
            store.create(_path(pinned), stream)
        except OSError as error:
            reason = error.strerror or error
            raise UnavailableError(f"{_name(pinned)} could not be put into {store.uri}: {reason}") from error
    # Read back: what a store acknowledged is not yet what it holds.
    if not _is_there(store, pinned):
        raise ArtifactError(f"{store.uri}/{_path(pinned)}: is missing right after its upload", store.uri)


def _path(pinned: Pinned) -> str:
    return f"sha256/{pinned.sha256}"


def _name(pinned: Pinned) -> str:
    return pinned.package if isinstance(pinned, PinnedCode) else pinned.name
