"""A registry of one's own on loopback: Debian's docker-registry, with or without a password."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from newcomer import eventually

CONFIG = """\
version: 0.1
log: {{level: warn}}
storage:
  filesystem: {{rootdirectory: "{data}"}}
http: {{addr: "127.0.0.1:{port}"}}
{auth}
"""

# `ada`, whose password is `lovelace`, by bcrypt as the registry wants it.
PASSWORDS = "ada:$2y$05$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy\n"


@contextlib.contextmanager
def registry(folder: Path, *, locked: bool = False) -> Iterator[str]:
    """Its address, `127.0.0.1:PORT` (an engine speaks plain HTTP to loopback), while it runs."""
    program = shutil.which("docker-registry")
    assert program, "docker-registry is not on the PATH; apt-get install docker-registry"
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    (folder / "passwords").write_text(PASSWORDS)
    auth = f'auth: {{htpasswd: {{realm: ours, path: "{folder / "passwords"}"}}}}' if locked else ""
    config = folder / "config.yml"
    config.write_text(CONFIG.format(data=folder / "data", port=address.partition(":")[2], auth=auth))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "serve", str(config)], stdout=log, stderr=subprocess.STDOUT)
    try:
        eventually(lambda: _answers(address), 20)
        yield address
    finally:
        process.terminate()
        process.wait(10)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/v2/", timeout=2):
            return True
    except urllib.error.HTTPError as error:
        return error.code == 401
