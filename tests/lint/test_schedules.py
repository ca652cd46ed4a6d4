"""Cron fields and time zones: Kubernetes and KFP read the same text as different times."""

from __future__ import annotations

import pytest
from lint_cases import GONE, changed, found, sound


def rules(schedule: str, *, kfp: bool) -> list[tuple[str, str]]:
    """Rule and text of what is found in a schedule of a CronJob or of KFP."""
    path = "3/spec/trigger/cronSchedule/cron" if kfp else "2/spec/schedule"
    return [(finding.rule, finding.what) for finding in found(changed(sound("objects"), (path, schedule)))]


@pytest.mark.parametrize(
    "schedule",
    ["0 2 * * 1", "*/15 9-17 * * mon-fri", "0 0 1,15 jan-mar ?", "@daily", "5/10 0 29 2 0", "@every 1h30m"],
)
def test_five_fields_are_what_a_cronjob_wants_and_kfp_reads_otherwise(schedule: str) -> None:
    assert rules(schedule, kfp=False) == []
    if not schedule.startswith("@"):
        ((rule, what),) = rules(schedule, kfp=True)
        assert (rule, "5 fields, expected 6 (second, minute" in what) == ("cron", True)
        assert rules(f"0 {schedule}", kfp=True) == []


@pytest.mark.parametrize(
    ("schedule", "complaint"),
    [
        ("0 0 2 * * 1", "6 fields, expected 5 (minute, hour"),
        ("60 2 * * 1", "'60' is no minute (0 to 59)"),
        ("0 24 * * 1", "'24' is no hour"),
        ("0 2 0 * 1", "'0' is no day of month (1 to 31)"),
        ("0 2 * 13 1", "'13' is no month (1 to 12, or jan to dec)"),
        ("0 2 * * 7", "'7' is no day of week (0 to 6"),
        ("0 2 * * moon", "'moon' is no day of week"),
        ("0 2 * * fri-mon", "'fri-mon' is no day of week"),
        ("*/0 2 * * *", "'*/0' is no minute"),
        ("1-2-3 2 * * *", "'1-2-3' is no minute"),
        ("0,,5 2 * * *", "'' is no minute"),
        ("", "0 fields"),
        ("TZ=Europe/Berlin 0 2 * * 1", "belongs into spec.timeZone"),
        ("@dayly", "1 fields"),
    ],
)
def test_a_wrong_field_is_named(schedule: str, complaint: str) -> None:
    ((rule, what),) = rules(schedule, kfp=False)
    assert rule == "cron"
    assert complaint in what


@pytest.mark.parametrize(
    ("zone", "near"), [("Mars/Olympus", ""), ("Europe/Berln", "did you mean 'Europe/Berlin'"), ("", "")]
)
def test_a_time_zone_that_there_is_not_is_an_error(zone: str, near: str) -> None:
    (finding,) = found(changed(sound("objects"), ("2/spec/timeZone", zone)))
    assert (finding.rule, finding.severity, near in finding.what) == ("time-zone", "error", True)


def test_kfp_takes_its_time_zone_before_the_fields() -> None:
    assert rules("TZ=Asia/Tokyo 0 0 2 * * 1", kfp=True) == []
    assert [rule for rule, _ in rules("TZ=Asia/Tokio 0 0 2 * * 1", kfp=True)] == ["time-zone"]


def test_a_scheduled_workflow_may_have_no_cron() -> None:
    periodic = ("3/spec/trigger", {"periodicSchedule": {"intervalSecond": 3600}})
    assert found(changed(sound("objects"), periodic, ("3/spec/enabled", GONE))) == []
