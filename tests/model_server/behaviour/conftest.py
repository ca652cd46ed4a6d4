"""The black-box suite: what a server process does, asked by stock clients; each case says what it rests on.

How to add a case:

1. Read the behaviour in tensorflow/serving's source. Name the place: `@rests_on("core/server.cc:Class::Function")`
   (from `rests_on`; several are allowed; on a function, not in `parametrize`). `test_places.py` checks all of them.
2. Take the fixture `server` (a `serving_client.Client` on a shared process, settled: `m` holds versions 1
   and 2 of `saved_models.line`, factor 0.5, offsets 2 and 3, labels `stable` 1 and `canary` 2), and `models` (the
   folder; `models / "m"` has them). Whatever a case does to the server, the next one is settled again.
3. Own flags for a module's shared server: FLAGS = (...) in the module, and the fixture `own_process` before `server`
   where a case needs them. Own processes: the fixture `start`, called as
   `start(*flags)` or `start(*flags, rest_port=0)` -> `serving_target.Started`; starts cost 4 s, so start several, then wait.
4. A reload that leaves `m` out must wait for its END; else list it: `server.reload(m, own)` with the fixture `m`.
5. Own models: `saved_models.line(scratch / "name" / "1", 0.5, 7.0)` below the fixture `scratch`, a fresh folder that the
   server can read, also when it runs elsewhere.
6. Codes only (`code(call)`) where TensorFlow words the error; `refusal(call) == (code, text)` where the server does.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import saved_models
from serving_client import Client, Model, as_text
from serving_target import FLAGS, Started, Target, target

FACTOR, OFFSETS = 0.5, {1: 2.0, 2: 3.0}
"""What the versions of `m` are: y = FACTOR x + OFFSETS[version]."""


@pytest.fixture(scope="session")
def aim() -> Target:
    """The server that is examined."""
    return target()


@pytest.fixture(scope="session")
def models(aim: Target, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the server reads, with the model `m`."""
    folder = Path(tempfile.mkdtemp(dir=aim.folder)) if aim.folder else tmp_path_factory.mktemp("models")
    for version, offset in OFFSETS.items():
        saved_models.line(folder / "m" / str(version), FACTOR, offset)
    return folder


@pytest.fixture
def m(models: Path) -> Model:
    """What every reload of a case lists as well, unless it is about its end.

    The real server answers UNKNOWN or never to a name that comes back while it is still being unloaded.
    """
    return Model("m", models / "m", (1, 2))


@pytest.fixture
def scratch(models: Path) -> Path:
    """A fresh folder that the server reads."""
    return Path(tempfile.mkdtemp(dir=models))


Start = Callable[..., Started]


@pytest.fixture(scope="session")
def processes(aim: Target, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Client]]:
    """A process with `m` and the flags of a module; modules with the same flags share it."""
    running: dict[tuple[str, ...], Started] = {}

    def process(*flags: str) -> Client:
        if flags not in running:
            folder = tmp_path_factory.mktemp("server")
            (folder / "models.config").write_text(as_text(Model("m", models / "m", (1, 2))))
            running[flags] = aim.start(folder, f"--model_config_file={folder / 'models.config'}", *FLAGS, *flags)
        started = running[flags]
        return started.clients[0] if started.clients else started.client()

    yield process
    for started in running.values():
        started.stop()


@pytest.fixture(scope="module")
def shared(request: pytest.FixtureRequest, aim: Target, processes: Callable[..., Client]) -> Iterator[Client]:
    """The process that a module's cases share."""
    if aim.command:
        yield processes(*getattr(request.module, "FLAGS", ()))
        return
    client = Client(aim.address, aim.rest)
    yield client
    client.empty("m")
    client.close()


@pytest.fixture
def server(shared: Client, models: Path) -> Client:
    """The shared server as every case finds it."""
    shared.hold(Model("m", models / "m", (1, 2), {"stable": 1, "canary": 2}))
    return shared


@pytest.fixture
def own_process(aim: Target, request: pytest.FixtureRequest) -> None:
    """Passes a case over that needs the module's FLAGS, when the server runs already."""
    if not aim.command:
        pytest.skip(f"needs a server with {' '.join(request.module.FLAGS)}")


@pytest.fixture
def start(aim: Target, tmp_path: Path) -> Iterator[Start]:
    """Starts a process with the given flags and does not wait; what runs at the case's end is stopped."""
    running: list[Started] = []
    numbers = itertools.count()

    def start(*flags: str, grpc_port: int | None = None, rest_port: int | None = None) -> Started:
        folder = tmp_path / f"server-{next(numbers)}"
        running.append(aim.start(folder, *flags, grpc_port=grpc_port, rest_port=rest_port))
        return running[-1]

    yield start
    for started in running:
        started.stop()
