"""A cluster target: usable defaults for each step, and impossible resources refused with their path."""

from __future__ import annotations

from typing import Any

import pytest

from ferryman.errors import SpecError
from ferryman.spec.cluster import DEFAULTS, ClusterTarget
from ferryman.spec.step_names import STEPS
from ferryman.spec.targets import targets_from

PLACES = {"kind": "kubeflow", "run_root": "gs://shop/runs", "inputs": "gs://shop/inputs", "group": "gs://shop/groups/a"}


def target(**said: Any) -> ClusterTarget:
    found = targets_from({"targets": 1, "prod": {**PLACES, **said}}).named("prod")
    assert isinstance(found, ClusterTarget)
    return found


def test_every_step_has_room_and_a_time_limit_without_a_word() -> None:
    assert set(DEFAULTS) == set(STEPS)
    for step in DEFAULTS:
        pod = target().pod(step)
        assert pod.limit >= 600
        assert pod.memory.request is not None
        assert 64 * 2**20 <= pod.memory.request <= pod.memory.limit
        assert (pod.gpu, pod.spot, pod.selector, pod.tolerations) == (None, None, {}, [])


def test_what_a_step_says_holds_for_it_alone_and_what_the_target_says_for_all() -> None:
    said = target(
        steps={"train": {"limit": "4h", "cpu": {"limit": "1500m"}, "nodes": {"selector": {"disk": "fast"}}}},
        nodes={"selector": {"pool": "a"}},
    )
    train, gate = said.pod("train"), said.pod("gate")
    assert (train.limit, train.cpu.limit, train.cpu.request) == (4 * 3600, 1.5, None)
    assert train.memory == DEFAULTS["train"].memory
    assert (train.selector, gate.selector) == ({"pool": "a", "disk": "fast"}, {"pool": "a"})
    assert gate.limit == DEFAULTS["gate"].limit


@pytest.mark.parametrize(
    ("said", "path", "message"),
    [
        ({"steps": {"train": {"cpu": {"request": 4, "limit": 2}}}}, "steps.train.cpu", "request of 4 above the limit"),
        (
            {"steps": {"train": {"memory": {"request": "4Gi", "limit": "2Gi"}}}},
            "steps.train.memory",
            "of 4Gi above the limit of 2Gi; raise",
        ),
        ({"steps": {"train": {"memory": {"limit": "4G"}}}}, "steps.train.memory.limit", "512Mi, 32Gi"),
        ({"steps": {"train": {"cpu": {"limit": "two"}}}}, "steps.train.cpu.limit", "2, 0.5 or 500m"),
        ({"steps": {"train": {"cpu": {"limit": 0}}}}, "steps.train.cpu.limit", "0.001"),
        ({"steps": {"train": {"gpu": {"count": -1}}}}, "steps.train.gpu.count", "received -1"),
        ({"steps": {"train": {"gpu": {"count": 0}}}}, "steps.train.gpu.count", "received 0"),
        ({"steps": {"convert": {"gpu": {"count": 1}}}}, "steps", "a gpu for convert, expected one for train alone"),
        ({"steps": {"trian": {"limit": "4h"}}}, "steps.trian", "'train'"),
        ({"steps": {"train": {"spot": {"retries": 0}}}}, "steps.train.spot.retries", "received 0"),
        ({"nodes": {"tolerations": [{"value": "x"}]}}, "nodes.tolerations.0", "received no key"),
        ({"nodes": {"tolerations": [{"key": "a", "operator": "Exists", "value": "x"}]}}, "nodes.tolerations.0", "any"),
        ({"labels": {"team": "a b"}}, "labels.team", "received 'a b', expected a label's value: at most 63 letters"),
        ({"labels": {"-team": "a"}}, "labels.-team", "received '-team', expected a label's key"),
        ({"labels": {"a..b/team": "a"}}, "labels.a..b/team", "behind a domain"),
        ({"namespace": "shop.prod"}, "namespace", "the name of a namespace"),
        ({"host": "kfp.shop.example"}, "host", "expected http:// or https://"),
        ({"host": "https://me:hunter2@kfp"}, "host", "received an address with a user or password in it"),
        ({"secrets": [{"name": "lake"}]}, "secrets.0", "either `env` or `mount`"),
        ({"secrets": [{"name": "lake", "env": {"A": "a"}, "mount": "/x"}]}, "secrets.0", "either `env` or `mount`"),
        ({"secrets": [{"name": "Lake", "env": {"A": "a"}}]}, "secrets.0.name", "Lake"),
        ({"secrets": [{"name": "lake", "mount": "etc"}]}, "secrets.0.mount", "etc"),
        ({"secrets": [{"name": "lake", "mount": "/a/../b"}]}, "secrets.0.mount", "without '..'"),
        ({"secrets": [{"name": "lake", "mount": "/mnt/"}, {"name": "sea", "mount": "/mnt"}]}, "secrets", "/mnt twice"),
        (
            {
                "volumes": [{"claim": "a", "path": "/a"}, {"claim": "b", "path": "/b"}],
                "secrets": [{"name": "s", "mount": "/b"}],
            },
            "secrets",
            "received the path /b twice in every pod",
        ),
        (
            {"secrets": [{"name": "lake", "env": {"A": "a", "B": "b"}}, {"name": "sea", "env": {"B": "c"}}]},
            "secrets",
            "received the variable B twice in every pod",
        ),
        ({"volumes": [{"claim": "a", "path": "/d"}, {"claim": "b", "path": "/d/"}]}, "volumes", "the path /d twice"),
        ({"security": {"user": 0}}, "security.user", "received 0"),
        ({"run_root": "runs"}, "run_root", "runs"),
        ({"run_root": "/data/runs"}, "run_root", "lies in no volume: each pod would have a folder of its own"),
        ({"volumes": [{"claim": "a", "path": "/data"}], "run_root": "/data/../x"}, "run_root", "lies in no volume"),
        ({"volumes": [{"claim": "a", "path": "/data"}], "inputs": "/database"}, "inputs", "lies in no volume"),
        ({"volumes": [{"claim": "a", "path": "data"}]}, "volumes.0.path", "an absolute path"),
        ({"volumes": [{"claim": "a", "path": "/data", "sub_path": "../x"}]}, "volumes.0.sub_path", "without '.'"),
        ({"inputs": "s3://key:secret@host/inputs"}, "inputs", 'received "s3://...@host/inputs", expected'),
        ({"ttl": "7"}, "ttl", "28d"),
        ({"ttl": "90000d"}, "ttl", "2147483647"),
        ({"steps": {"train": {"spot": {"retries": 11}}}}, "steps.train.spot.retries", "received 11"),
        ({"lint": {"waive": {"image-digest": "because"}}}, "lint.waive.image-digest", "10"),
    ],
)
def test_what_is_impossible_is_refused_with_its_path(said: dict[str, Any], path: str, message: str) -> None:
    with pytest.raises(SpecError) as refused:
        target(**said)
    assert refused.value.path == f"prod.{path}"
    assert message in str(refused.value)


def test_a_cluster_names_where_runs_and_inputs_lie() -> None:
    with pytest.raises(SpecError, match=r"prod\.inputs"):
        targets_from({"targets": 1, "prod": {"kind": "kubeflow", "run_root": "/runs"}})
