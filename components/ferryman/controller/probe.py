"""The probe: a server of its own, without traffic, on which a candidate loads and answers before any other sees it."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

from ferryman.controller.decide import ProbeReport
from ferryman.errors import FerrymanError
from ferryman.serving.agent import golden_difference
from ferryman.serving.client import ServingClient, ServingError
from ferryman.serving.config import ModelConfig
from ferryman.serving.server import ServerProcess, start_server
from ferryman.serving.store import verify_version

LIMIT = 300.0
"""Seconds until the candidate must be available."""


class Probe:
    """One candidate's probe, at work in a thread of its own."""

    def __init__(self, folder: Path, model: str, number: int) -> None:
        self.model, self.number = model, number
        self.report: ProbeReport | None = None
        self._folder, self._place = folder, folder / "agents" / "probe"
        self._server: ServerProcess | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="probe", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the probe and its server."""
        self._stopped.set()
        if self._server:
            self._server.stop()
        self._thread.join(timeout=10.0)

    def _work(self) -> None:
        try:
            why = self._probe()
        except FerrymanError as error:
            why = str(error)
        except Exception as error:  # noqa: BLE001 - whatever it was, the candidate was not proven, and the record must say so
            why = f"{type(error).__name__}: {error}"
        finally:
            if self._server:
                self._server.stop()
        if not self._stopped.is_set():
            self.report = ProbeReport(self.model, self.number, not why, why)

    def _probe(self) -> str:
        verify_version(self._folder, self.model, self.number)
        shutil.rmtree(self._place, ignore_errors=True)
        self._server = start_server([], folder=self._place)
        with ServingClient(self._server.grpc_address) as client:
            why = self._load(client)
            return why or golden_difference(client, self._folder, self.model, self.number)

    def _load(self, client: ServingClient) -> str:
        base = self._folder / "store" / self.model
        try:
            client.reload([ModelConfig(self.model, str(base), (self.number,))], timeout=LIMIT)
        except ServingError as error:
            status = client.status(self.model).get(self.number)
            return (
                f"version {self.number} does not load: {status.message if status and status.failed else error.message}"
            )
        deadline = time.monotonic() + LIMIT
        while not self._stopped.is_set() and time.monotonic() < deadline:
            status = client.status(self.model).get(self.number)
            if status and status.available:
                return ""
            if status and status.failed:
                return f"version {self.number} does not load: {status.message}"
            time.sleep(0.05)
        return f"version {self.number} was not available within {LIMIT:.0f} s"
