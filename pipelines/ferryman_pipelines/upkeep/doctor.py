"""The whole look at machine and local state; what has to wait for others waits at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ferryman_pipelines.upkeep.finding import Finding
from ferryman_pipelines.upkeep.machine import (
    PORTS,
    disk_finding,
    docker_finding,
    home_finding,
    index_finding,
    index_url,
    port_finding,
    program_finding,
)
from ferryman_pipelines.upkeep.named import groups
from ferryman_pipelines.upkeep.packages import installed, our_requirements, package_findings, python_finding
from ferryman_pipelines.upkeep.state import group_finding, lock_findings


def look(home: Path) -> Iterator[Finding]:
    """All findings, in the order in which people read them."""
    with ThreadPoolExecutor(2) as threads:
        index, docker = threads.submit(index_finding, index_url()), threads.submit(docker_finding)
        yield python_finding()
        yield from package_findings(installed, our_requirements())
        yield home_finding(home)
        yield disk_finding(home)
        yield index.result()
        yield docker.result()
    yield program_finding("kubectl", "only clusters need it", "install kubectl, or do without")
    yield program_finding(
        "tensorflow_model_server",
        "the embedded server stands in for it, and reports say so",
        "install TensorFlow Serving for evidence from the real server",
    )
    places = groups(home)
    yield from (port_finding(port, places) for port in PORTS)
    yield from map(group_finding, places)
    yield from lock_findings(home, places)
