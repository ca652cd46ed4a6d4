"""A client of TensorFlow Serving's REST API."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException
from typing import Any
from urllib.parse import quote

from ferryman.serving.client import TIMEOUT, ServerAwayError, ServingError

CODES = {400: "INVALID_ARGUMENT", 404: "NOT_FOUND", 501: "UNIMPLEMENTED", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}


class RestClient:
    """Speaks to one server at `url`, e.g. `http://127.0.0.1:8501`."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        # A proxy of the environment has no business between us and a server beside us.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def predict(
        self,
        model: str,
        instances: Sequence[Any],
        *,
        version: int | None = None,
        label: str | None = None,
        signature: str = "serving_default",
        timeout: float = TIMEOUT,
    ) -> list[Any]:
        """One prediction per instance, in TensorFlow Serving's row format (NaN and Infinity are written bare)."""
        which = (
            f"/versions/{version}" if version is not None else f"/labels/{quote(label)}" if label is not None else ""
        )
        body = json.dumps({"signature_name": signature, "instances": list(instances)}).encode()
        found = self._call(f"/v1/models/{quote(model)}{which}:predict", body, timeout)
        if not isinstance(found, dict) or not isinstance(found.get("predictions"), list):
            raise ServingError("INTERNAL", f"{self.url} answered without predictions")
        return list(found["predictions"])

    def status(self, model: str, timeout: float = TIMEOUT) -> Any:
        """The JSON of the model's versions."""
        return self._call(f"/v1/models/{quote(model)}", None, timeout)

    def _call(self, path: str, body: bytes | None, timeout: float) -> Any:
        request = urllib.request.Request(self.url + path, body, {"Content-Type": "application/json"})  # noqa: S310 - our own http URL
        try:
            with self._opener.open(request, timeout=timeout) as response:
                return json.loads(response.read())
        except urllib.error.HTTPError as error:
            raise ServingError(CODES.get(error.code, "UNKNOWN"), _error_text(error.read())) from error
        except (OSError, HTTPException, ValueError) as error:
            raise ServerAwayError("UNAVAILABLE", f"{self.url}: {error}") from error


def _error_text(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace")[:200]
