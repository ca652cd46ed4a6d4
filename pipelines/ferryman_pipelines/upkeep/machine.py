"""The machine: disk, package index, programs on the PATH, ports. Nothing is written, and nothing is waited for long."""

from __future__ import annotations

import configparser
import http.client
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from ferryman.controller.lock import read_endpoints
from ferryman.errors import UnavailableError
from ferryman.serving.server import check_free, listening_ports
from ferryman_pipelines.upkeep.finding import Finding

PATIENCE: Final = 1.5
"""Seconds that a package index or a container daemon gets to answer: a person waits for the whole look."""

LITTLE, TOO_LITTLE = 5e9, 5e8
"""Free bytes below which a person should know, and below which no environment and hardly a run fits."""

WITHOUT_LINKS: Final = frozenset({"vfat", "msdos", "exfat"})
"""File systems that know no hard links; a try would have to write."""

PORTS: Final = (8500, 8501)
"""What `ferryman serve` takes when it is not told otherwise."""


def home_finding(home: Path) -> Finding:
    """Whether local state can be kept in `home`, which need not exist."""
    place = next(path for path in (home, *home.parents) if path.exists())
    fix = "set FERRYMAN_HOME to a folder where you may write, on a disk of this machine"
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        return Finding("home", "fail", f"{home}: you may not write in {place}", fix)
    kind = _file_system(place)
    if kind in WITHOUT_LINKS:
        return Finding("home", "fail", f"{home}: a {kind} file system knows no hard links, which new files need", fix)
    return Finding("home", "ok", f"{home}{'' if home.exists() else ' (not there yet; the first command makes it)'}")


def disk_finding(home: Path) -> Finding:
    """Free space where local state lies."""
    place = next(path for path in (home, *home.parents) if path.exists())
    free = shutil.disk_usage(place).free
    text, fix = f"{free / 1e9:.1f} GB free in {place}", "ferryman clean --dry-run shows what ferryman itself could free"
    if free >= LITTLE:
        return Finding("disk", "ok", text)
    return Finding("disk", "fail" if free < TOO_LITTLE else "warn", text, fix)


def index_finding(url: str) -> Finding:
    """Whether the package index answers; any answer will do."""
    parts = urlsplit(url)
    # Without what stands before the `@`: it may be a secret.
    shown = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    fix = "without it only sources from files and packages that are fetched already can be read"
    if parts.scheme not in ("http", "https"):
        return Finding("package index", "ok", f"{shown}, which needs no network")
    request = urllib.request.Request(f"{shown.rstrip('/')}/pip/", method="HEAD")  # noqa: S310 - http or https, see above
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE):  # noqa: S310
            return Finding("package index", "ok", f"{shown} answers")
    except urllib.error.HTTPError as error:
        return Finding("package index", "ok", f"{shown} answers ({error.code})")
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        return Finding("package index", "warn", f"{shown} does not answer: {reason}", fix)


def index_url() -> str:
    """Where pip looks for packages, as its environment variable or its files say."""
    places = [Path("/etc/pip.conf"), Path.home() / ".pip" / "pip.conf", Path.home() / ".config" / "pip" / "pip.conf"]
    found = configparser.RawConfigParser(strict=False)
    for place in [*places, Path(sys.prefix) / "pip.conf", Path(os.environ.get("PIP_CONFIG_FILE") or os.devnull)]:
        try:
            found.read(place, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue
    written = found.get("global", "index-url", fallback="https://pypi.org/simple")
    return os.environ.get("PIP_INDEX_URL") or written


def docker_finding() -> Finding:
    """Docker, and whether its daemon answers."""
    found = shutil.which("docker")
    if not found:
        return Finding("docker", "warn", "not on the PATH; only --on docker needs it", "install Docker, or do without")
    command = [found, "version", "--format", "{{.Server.Version}}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        said = done.stdout.strip() if done.returncode == 0 else ""
    except (OSError, subprocess.TimeoutExpired):
        said = ""
    if said:
        return Finding("docker", "ok", f"{found}, its daemon is {said}")
    text = f"{found}, but its daemon does not answer; only --on docker needs it"
    return Finding("docker", "warn", text, "start it (systemctl start docker), or join the group `docker`")


def program_finding(name: str, without: str, fix: str) -> Finding:
    """A program on the PATH; `without` says what is not to be had where it is missing."""
    found = shutil.which(name)
    return Finding(name, "ok", found) if found else Finding(name, "warn", f"not on the PATH; {without}", fix)


def port_finding(port: int, groups: Iterable[Path]) -> Finding:
    """Whether `ferryman serve` can have a port, or who has it."""
    try:
        check_free("127.0.0.1", port)
        return Finding(f"port {port}", "ok", "free")
    except UnavailableError:
        pass
    for group in groups:
        endpoints = read_endpoints(group)
        if endpoints and str(port) in {url.rpartition(":")[2] for url in (endpoints.grpc, endpoints.rest)}:
            return Finding(f"port {port}", "ok", f"the group {group.name} is served on it (pid {endpoints.pid})")
    fix = "stop that one, or choose others: ferryman serve --port 0 --rest-port 0"
    return Finding(f"port {port}", "warn", f"taken by {_listener(port)}", fix)


def _listener(port: int) -> str:
    """Who listens on a port, as far as this user may see."""
    for entry in Path("/proc").glob("[0-9]*"):
        if port in (listening_ports(int(entry.name)) or ()):
            try:
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            except OSError:
                continue
            return f"pid {entry.name} ({words[:60]})"
    return "another process"


def _file_system(path: Path) -> str:
    """The kind of file system that `path` lies on; empty where the system does not tell."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    found = {}
    for words in (line.split(" ") for line in mounts):
        # Blanks in a mount point are written as octal. Source: fstab(5).
        point = Path(words[1].replace("\\040", " "))
        if path.resolve().is_relative_to(point):
            found[len(point.parts)] = words[2]
    return found[max(found)] if found else ""
