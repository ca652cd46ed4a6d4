"""`ferryman lint` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

from lint_cases import SOUND, changed, sound
from newcomer import User


def written(folder: Path, name: str, *changes: tuple[str, object]) -> str:
    documents = changed(sound("pipeline"), *changes)
    (folder / name).write_text("\n---\n".join(map(json.dumps, documents)))
    return name


CACHED = ("0/root/dag/tasks/record/cachingOptions/enableCache", True)
LOST = ("0/root/dag/tasks/record/componentRef/name", "comp-recrod")


def test_an_error_ends_with_2_and_a_warning_with_0(tmp_path: Path) -> None:
    user = User(tmp_path)
    clean = user.types("lint", SOUND / "sound.pipeline.yaml", SOUND / "sound.objects.yaml")
    assert (clean.returncode, clean.stdout.count("nothing found")) == (0, 2)
    assert "not looked at: ConfigMap" in clean.stdout
    warned = user.types("lint", written(tmp_path, "warned.yaml", CACHED))
    assert (warned.returncode, warned.stdout.splitlines()[0]) == (0, "warned.yaml: 0 errors, 1 warning")
    wrong = user.types("lint", written(tmp_path, "wrong.yaml", CACHED, LOST))
    assert wrong.returncode == 2
    assert "wrong.yaml: 1 error, 0 warnings" in wrong.stdout
    assert "error    unknown-component: " in wrong.stdout
    assert "root.dag.tasks.record.componentRef.name: there is no component 'comp-recrod'" in wrong.stdout
    assert not (tmp_path / ".ferryman").exists()


def test_a_program_reads_everything_as_json(tmp_path: Path) -> None:
    bad = written(tmp_path, "bad.yaml", LOST)
    said = User(tmp_path).types("lint", bad, "nowhere.yaml", "-o", "json", "--waive", "image-digest=pinned by a proxy")
    assert said.returncode == 2
    told = json.loads(said.stdout)
    first, second = told["files"]
    assert (told["ok"], first["errors"], first["findings"][0]["rule"]) == (False, 1, "unknown-component")
    assert set(first["findings"][0]) == {"rule", "severity", "where", "what", "reason", "fix", "waived"}
    assert (second["file"], second["error"]) == ("nowhere.yaml", "no such file")


def test_a_waived_finding_is_told_with_its_reason_and_counts_no_more(tmp_path: Path) -> None:
    bad = written(tmp_path, "bad.yaml", LOST)
    user = User(tmp_path)
    said = user.types("lint", bad, "--waive", "unknown-component=tried on purpose", "--waive", "cron=none here")
    assert said.returncode == 0
    assert "waived   unknown-component (1 place): tried on purpose" in said.stdout
    assert "the waiver of cron waives nothing here" in said.stderr
    misspelt = user.types("lint", bad, "--waive", "unknown-componet=x")
    assert (misspelt.returncode, "did you mean 'unknown-component'" in misspelt.stderr) == (2, True)
    bare = user.types("lint", bad, "--waive", "unknown-component")
    assert (bare.returncode, "expected RULE=REASON" in bare.stderr) == (2, True)


def test_rules_are_listed_with_reason_and_fix(tmp_path: Path) -> None:
    user = User(tmp_path)
    text, listed = user.types("lint", "--rules").stdout, json.loads(user.types("lint", "--rules", "-o", "json").stdout)
    assert "warning  image-digest " in text
    assert len(listed) > 30
    assert all(set(rule) == {"id", "severity", "reason", "fix"} and rule["fix"] in text for rule in listed)


def test_what_cannot_be_linted_is_said_and_the_rest_is_linted(tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text("spec: 1\nname: x\n")
    user = User(tmp_path)
    said = user.types("lint", spec, written(tmp_path, "good.yaml"), tmp_path)
    assert said.returncode == 2
    assert (
        "received a spec (ferryman compile makes a pipeline of it), expected a pipeline compiled by KFP v2"
        in said.stdout
    )
    assert "good.yaml: nothing found" in said.stdout
    assert "is a folder" in said.stdout
    nothing = user.types("lint")
    assert (nothing.returncode, "ferryman lint pipeline.yaml" in nothing.stderr) == (2, True)
    no_target = user.types("lint", "good.yaml", "--on", "lokal")
    assert (no_target.returncode, "did you mean 'local'" in no_target.stderr) == (2, True)
