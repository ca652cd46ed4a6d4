"""The probe: a server of its own, without traffic, on which a candidate loads and answers before any other sees it."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

from ferryman.controller.decide import ProbeReport
from ferryman.errors import ArtifactError, FerrymanError
from ferryman.process import last_line
from ferryman.serving.client import ServerAwayError, ServingClient
from ferryman.serving.loading import load_alone
from ferryman.serving.proof import golden_difference
from ferryman.serving.server import ServerProcess, start_server
from ferryman.serving.startup import model_config
from ferryman.serving.store import verify_version

LIMIT = 300.0
"""Seconds until the candidate must be available."""

ATTEMPTS = 2
"""A server that cannot be started says nothing about the candidate; it is tried once more before that counts."""


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
        why = ""
        for _ in range(ATTEMPTS):
            try:
                why = self._probe()
                break
            except ArtifactError as error:
                why = str(error)
                break
            except (FerrymanError, OSError) as error:
                why = f"no answer from the probe's server: {error}"
            except Exception as error:  # whatever it was, the candidate was not proven, and the record must say so
                why = f"{type(error).__name__}: {error}"
            finally:
                if self._server:
                    self._server.stop()
            if self._stopped.is_set():
                return
        if not self._stopped.is_set():
            self.report = ProbeReport(self.model, self.number, not why, why)

    def _probe(self) -> str:
        """Why the candidate is not fit to serve; empty when it is."""
        verify_version(self._folder, self.model, self.number)
        shutil.rmtree(self._place, ignore_errors=True)
        self._server = server = start_server([], folder=self._place)
        if self._stopped.is_set():
            return "stopped"
        with ServingClient(server.grpc_address) as client:
            try:
                return self._load(client) or golden_difference(client, self._folder, self.model, self.number)
            except ServerAwayError as error:
                if error.code != "DEADLINE_EXCEEDED" and not server.process.wait(limit=5.0).timed_out:
                    return f"the server ended while it held version {self.number}: {last_line(server.process.log)}"
                raise

    def _load(self, client: ServingClient) -> str:
        config = model_config(self._folder, self.model, frozenset({self.number}), None)
        why = load_alone(client, config, LIMIT, self._stopped.is_set)
        return f"version {self.number} does not load: {why}" if why else ""
