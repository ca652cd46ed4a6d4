"""Secrets where everybody who sees a run can read them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from ferryman_pipelines.lint.manifest import Manifest
from ferryman_pipelines.lint.pipeline import Pipeline
from ferryman_pipelines.lint.rule import Places, rule
from ferryman_pipelines.lint.values import texts

TOKENS: Final = {
    "an AWS access key": r"\b(AKIA|ASIA)[0-9A-Z]{16}\b",
    "a GitHub token": r"\b(gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})",
    "a GitLab token": r"\bglpat-[A-Za-z0-9_-]{20,}",
    "a Slack token": r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
    "a Slack webhook": r"https://hooks\.slack\.com/services/T[A-Za-z0-9]+/B[A-Za-z0-9]+/[A-Za-z0-9]{16,}",
    "a Google API key": r"\bAIza[A-Za-z0-9_-]{35}\b",
    "a Google OAuth secret": r"\bGOCSPX-[A-Za-z0-9_-]{20,}",
    "a Hugging Face token": r"\bhf_[A-Za-z0-9]{30,}",
    "an OpenAI or Anthropic key": r"\bsk-[A-Za-z0-9_-]{30,}",
    "an npm token": r"\bnpm_[A-Za-z0-9]{36}\b",
    "a PyPI token": r"\bpypi-AgE[A-Za-z0-9_-]{50,}",
    "a JSON web token": r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    "a private key": r"-----BEGIN ([A-Z0-9]+ )*PRIVATE KEY-----",
    "a password in an address": r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@'\"{}$]{1,100}:[^\s/:@'\"{}$]{3,100}@[A-Za-z0-9]",
}
"""The forms by which issuers make their secrets recognisable."""

_TOKEN: Final = [(what, re.compile(form)) for what, form in TOKENS.items()]

ALONE: Final = {"password", "passwd", "passphrase", "pwd", "token", "credential", "credentials", "apikey"}
"""Last words of a name that say by themselves that the value is a secret; `max_tokens` and `secret_name` do not."""

QUALIFIED: Final = {
    "key": {"api", "access", "secret", "private", "auth", "signing", "encryption"},
    "secret": {"client", "app", "api", "shared", "oauth", "webhook", "consumer"},
}
"""Last words that do so behind certain words only: `primary_key` is none, `minio_secret` often names a Secret object."""


@rule(
    "secret-value",
    "error",
    Pipeline,
    Manifest,
    reason="whoever may see a run, its logs or this file reads the secret, for as long as any of them is kept",
    fix="revoke it, and give it to the step by kubernetes.use_secret_as_env or use_secret_as_volume",
)
def secret_value(carrier: Pipeline | Manifest) -> Places:
    """Texts that have the form of a token, whatever their name."""
    for where, text in _texts(carrier):
        for what, form in _TOKEN:
            if found := form.search(text):
                yield where, f"it holds what looks like {what} ({found[0][:4]}...)"


@rule(
    "secret-parameter",
    "warning",
    Pipeline,
    Manifest,
    reason="KFP keeps and shows every parameter and environment variable in the clear",
    fix="give it to the step by kubernetes.use_secret_as_env or use_secret_as_volume; pass at most the secret's name",
)
def secret_parameter(carrier: Pipeline | Manifest) -> Places:
    """Parameters and variables that are secrets by their name."""
    for where, name, value in _named(carrier):
        if is_secret_name(name) and _is_literal(value):
            yield where, f"{name!r} is a secret by its name, and its value stands here"
    if isinstance(carrier, Pipeline):
        for name, parameter in sorted(carrier.spec.root.input_definitions.parameters.items()):
            if is_secret_name(name) and not parameter.HasField("default_value"):
                yield f"{carrier.where}root.inputDefinitions.parameters.{name}", f"{name!r} is a secret by its name"


def is_secret_name(name: str) -> bool:
    """Whether a name says that its value is a secret: `db_password`, `apiKey`, not `max_tokens` or `secret_name`."""
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", name)]
    *before, last = words or [""]
    return last in ALONE or words == ["secret"] or (bool(before) and before[-1] in QUALIFIED.get(last, ()))


def _is_literal(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and "{{" not in value


def _named(carrier: Pipeline | Manifest) -> Iterator[tuple[str, str, Any]]:
    """Place, name and value of every literal that has a name."""
    if isinstance(carrier, Pipeline):
        yield from carrier.defaults
        yield from (constant for task in carrier.tasks for constant in task.constants())
    yield from (variable for container in carrier.containers for variable in container.environment)


def _texts(carrier: Pipeline | Manifest) -> Iterator[tuple[str, str]]:
    for where, _, value in _named(carrier):
        yield from texts(where, value)
    yield from (word for container in carrier.containers for word in container.words)
