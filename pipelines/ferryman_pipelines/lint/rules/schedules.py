"""When our own objects start runs: cron expressions and time zones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from zoneinfo import available_timezones

from ferryman.problems import nearest
from ferryman_pipelines.lint.container import under
from ferryman_pipelines.lint.manifest import Manifest
from ferryman_pipelines.lint.rule import Places, rule
from ferryman_pipelines.lint.values import short

MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

Field = tuple[str, int, int, tuple[str, ...]]
"""Name, lowest and highest number, and names in their order."""

SECOND: Final[Field] = ("second", 0, 59, ())
FIELDS: Final[tuple[Field, ...]] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of month", 1, 31, ()),
    ("month", 1, 12, MONTHS),
    ("day of week", 0, 6, DAYS),
)
"""What Kubernetes has; KFP wants the second before them."""

SHORTHANDS: Final = {"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"}

ZONE: Final = re.compile(r"(?:CRON_)?TZ=(\S*)\s+(.*)")


@rule(
    "cron",
    "error",
    Manifest,
    reason="Kubernetes reads five fields from the minute on; KFP reads six, the second first, and five of them as something else",
    fix="CronJob: `0 2 * * 1`; ScheduledWorkflow: `0 0 2 * * 1` (both: Mondays at two)",
)
def cron(manifest: Manifest) -> Places:
    """Cron expressions with the wrong fields."""
    for where, text in _expressions(manifest):
        zone = ZONE.fullmatch(text)
        if zone and manifest.kind == "CronJob":
            yield where, f"received {short(text)}: the time zone belongs into spec.timeZone"
        for complaint in _complaints(zone[2] if zone else text, seconds=manifest.kind == "ScheduledWorkflow"):
            yield where, f"received {short(text)}: {complaint}"


def _expressions(manifest: Manifest) -> Iterator[tuple[str, str]]:
    if manifest.kind == "CronJob":
        yield f"{manifest.where}spec.schedule", str(manifest.spec.get("schedule", ""))
    schedule = under(manifest.spec, "trigger", "cronSchedule")
    if manifest.kind == "ScheduledWorkflow" and schedule:
        yield f"{manifest.where}spec.trigger.cronSchedule.cron", str(schedule.get("cron", ""))


def _complaints(text: str, *, seconds: bool) -> Iterator[str]:
    """What is wrong with a cron expression."""
    if text in SHORTHANDS or re.fullmatch(r"@every ([0-9.]+(h|m|s))+", text):
        return
    expected = (SECOND, *FIELDS) if seconds else FIELDS
    words = text.split()
    if len(words) != len(expected):
        yield f"{len(words)} fields, expected {len(expected)} ({', '.join(name for name, *_ in expected)})"
        return
    for word, (name, low, high, names) in zip(words, expected, strict=True):
        for part in word.split(","):
            if not _is_range(part, low, high, names):
                yield f"{part!r} is no {name} ({low} to {high}{f', or {names[0]} to {names[-1]}' if names else ''})"


def _is_range(part: str, low: int, high: int, names: tuple[str, ...]) -> bool:
    """Whether one part of a field is `*`, a number or a range, with or without a step."""
    span, slash, step = part.partition("/")
    if slash and not (step.isdecimal() and int(step) > 0):
        return False
    if span in ("*", "?"):
        return True
    ends = [_number(end, low, names) for end in span.split("-")]
    return (
        len(ends) <= 2
        and all(end is not None and low <= end <= high for end in ends)
        and ends == sorted(ends, key=_or_zero)
    )


def _number(text: str, low: int, names: tuple[str, ...]) -> int | None:
    if text.lower() in names:
        return names.index(text.lower()) + low
    return int(text) if text.isdecimal() and text.isascii() else None


def _or_zero(number: int | None) -> int:
    return number or 0


@rule(
    "time-zone",
    "error",
    Manifest,
    reason="a schedule in a time zone that there is not is refused by the cluster (or by `apply`, long after review)",
    fix="take a name of the IANA database, e.g. Etc/UTC or Europe/Berlin",
)
def time_zone(manifest: Manifest) -> Places:
    """Names that are no time zone."""
    zones = [(where, found[1]) for where, text in _expressions(manifest) if (found := ZONE.fullmatch(text))]
    if manifest.kind == "CronJob" and "timeZone" in manifest.spec:
        zones.append((f"{manifest.where}spec.timeZone", str(manifest.spec["timeZone"])))
    known = available_timezones()
    for where, zone in zones:
        # A machine without the database knows none.
        if known and zone not in known:
            near = nearest(zone, sorted(known)) if len(zone) > 2 else ""
            yield where, f"received {zone!r}, expected a time zone{near if near.startswith('; did') else ''}"


@rule(
    "missing-time-zone",
    "warning",
    Manifest,
    reason="without a time zone a CronJob runs by the clock of whatever machine the controller is on",
    fix="add `timeZone: Etc/UTC` (or your own) beside `schedule`",
)
def missing_time_zone(manifest: Manifest) -> Places:
    """CronJobs that name no time zone."""
    if manifest.kind == "CronJob" and "timeZone" not in manifest.spec:
        yield f"{manifest.where}spec", "no timeZone"
