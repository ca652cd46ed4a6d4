"""Predict calls over REST, and what a refused one looks like."""

from __future__ import annotations

from typing import Any

from serving_client import Answered, Client


def ask(served: Client, body: Any, signature: str = "", model: str = "m/versions/1") -> Answered:
    """A predict call; a dict gets the signature's name, other bodies go as they are."""
    if signature and isinstance(body, dict):
        body = {"signature_name": signature, **body}
    return served.http("POST", f"/v1/models/{model}:predict", body)


def refused(answer: Answered, text: str, status: int = 400) -> None:
    """The answer is this error; its text is compared as JSON reads it."""
    assert (answer.body, answer.status) == ({"error": text}, status)
    assert answer.headers["content-type"] == "application/json"
