"""A compiled pipeline as rules see it: KFP's own messages, and the tasks, DAGs and executors in them with their places."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ferryman_pipelines.lint import protos
from ferryman_pipelines.lint.container import Container, step_container
from ferryman_pipelines.lint.values import texts

BRANCHES = "comp-condition-branches-"
"""KFP's compiler puts If, Elif and Else of one choice into a component of this name, and a bare If into none."""

VERTEX = re.compile(r"pipeline_google_cloud_|/google-cloud-pipeline-components|docker\.pkg\.dev/vertex-ai/")

VOLUME_IMAGES = ("argostub/createpvc", "argostub/deletepvc")
"""These images run nowhere: the backend makes or deletes a volume instead."""


@dataclass(frozen=True)
class Task:
    """One task of a DAG."""

    where: str
    name: str
    spec: Any
    """A `PipelineTaskSpec`."""

    component: Any
    """The `ComponentSpec` that it runs; an empty one where there is none."""

    executor: Any
    """The `ExecutorSpec` that it starts; an empty one for a DAG."""

    @property
    def is_known(self) -> bool:
        """Whether its component is there, with something to run."""
        return self.component.WhichOneof("implementation") is not None

    @property
    def is_exit(self) -> bool:
        """Whether it runs also after a failure: an exit task, or one that ignores failures before it."""
        return bool(self.spec.trigger_policy.strategy == protos.ExitStrategy)

    @property
    def condition(self) -> str:
        """The condition under which it runs; empty when it always does."""
        return str(self.spec.trigger_policy.condition)

    def constants(self) -> Iterator[tuple[str, str, Any]]:
        """Place, parameter and plain value of each literal argument."""
        for name, given in sorted(self.spec.inputs.parameters.items()):
            if given.WhichOneof("kind") == "runtime_value":
                yield f"{self.where}.inputs.parameters.{name}", name, protos.plain(given.runtime_value.constant)

    def producers(self) -> Iterator[tuple[str, str, str, str]]:
        """Place, `parameters` or `artifacts`, producing task and output of each argument that another task makes."""
        for name, given in sorted(self.spec.inputs.parameters.items()):
            if given.WhichOneof("kind") == "task_output_parameter":
                made = given.task_output_parameter
                yield (
                    f"{self.where}.inputs.parameters.{name}",
                    "parameters",
                    made.producer_task,
                    made.output_parameter_key,
                )
        for name, given in sorted(self.spec.inputs.artifacts.items()):
            if given.WhichOneof("kind") == "task_output_artifact":
                made = given.task_output_artifact
                yield f"{self.where}.inputs.artifacts.{name}", "artifacts", made.producer_task, made.output_artifact_key


@dataclass(frozen=True)
class Dag:
    """A component that is made of tasks: the pipeline itself, a branch, a loop, an exit handler, a nested pipeline."""

    where: str
    name: str
    component: Any
    tasks: dict[str, Task]

    @property
    def waits(self) -> dict[str, set[str]]:
        """Task -> the tasks that it runs after: those that it names, and those whose outputs it reads."""
        return {
            name: {*task.spec.dependent_tasks, *(producer for _, _, producer, _ in task.producers())}
            & self.tasks.keys()
            for name, task in self.tasks.items()
        }

    @property
    def is_branches(self) -> bool:
        """Whether its tasks are the If, Elif and Else of one choice."""
        return self.name.startswith(BRANCHES)


@dataclass(frozen=True)
class Pipeline:
    """A pipeline and, where a file has one, its platform settings."""

    where: str
    """What the places of this document begin with."""

    spec: Any
    deployment: Any
    settings: dict[str, Any] = field(default_factory=dict)
    """Executor -> its `KubernetesExecutorConfig`."""

    deadline: bool = False
    """Whether the platform ends the whole run after a while."""

    platform_where: str = ""
    spec_problems: tuple[tuple[str, str], ...] = ()
    platform_problems: tuple[tuple[str, str], ...] = ()

    @property
    def is_broken(self) -> bool:
        """Whether its messages could not be read, and are empty in part."""
        return bool(self.spec_problems or self.platform_problems)

    @cached_property
    def dags(self) -> tuple[Dag, ...]:
        """The root and every component that is a DAG."""
        components = [(f"components.{name}", name, self.spec.components[name]) for name in sorted(self.spec.components)]
        return tuple(
            Dag(self.where + where, name, component, self._tasks(self.where + where, component))
            for where, name, component in [("root", "root", self.spec.root), *components]
            if component.WhichOneof("implementation") == "dag"
        )

    @cached_property
    def for_vertex(self) -> bool:
        """Whether it is made for Vertex AI Pipelines: it uses Google's own components or placeholders."""
        found = [container.image for container in self.containers]
        found += [text for where, _, value in self.defaults for _, text in texts(where, value)]
        return any(VERTEX.search(text) for text in found)

    @property
    def tasks(self) -> Iterator[Task]:
        """All tasks of all DAGs."""
        return (task for dag in self.dags for task in dag.tasks.values())

    @cached_property
    def defaults(self) -> tuple[tuple[str, str, Any], ...]:
        """Place, name and plain value of each parameter's default, the pipeline's own first."""
        owners = [
            ("root", self.spec.root),
            *((f"components.{name}", self.spec.components[name]) for name in sorted(self.spec.components)),
        ]
        return tuple(
            (
                f"{self.where}{where}.inputDefinitions.parameters.{name}.defaultValue",
                name,
                protos.plain(parameter.default_value),
            )
            for where, component in owners
            for name, parameter in sorted(component.input_definitions.parameters.items())
            if parameter.HasField("default_value")
        )

    @cached_property
    def containers(self) -> tuple[Container, ...]:
        """The containers that its executors start."""
        return tuple(
            step_container(
                f"{self.where}deploymentSpec.executors.{name}.container", executor.container, self._ends(name)
            )
            for name, executor in sorted(self.deployment.executors.items())
            if executor.WhichOneof("spec") == "container" and executor.container.image not in VOLUME_IMAGES
        )

    def _tasks(self, where: str, component: Any) -> dict[str, Task]:
        return {
            name: self._task(f"{where}.dag.tasks.{name}", name, spec)
            for name, spec in sorted(component.dag.tasks.items())
        }

    def _task(self, where: str, name: str, spec: Any) -> Task:
        # `get`: to index a map of messages would add what is not there.
        component = self.spec.components.get(spec.component_ref.name, protos.ComponentSpec())
        executor = self.deployment.executors.get(component.executor_label, protos.ExecutorSpec())
        return Task(where, name, spec, component, executor)

    def _ends(self, executor: str) -> bool:
        return self.deadline or bool(executor in self.settings and self.settings[executor].active_deadline_seconds)


def read_pipeline(where: str, document: Any, platform_where: str = "", platform: Any = None) -> Pipeline:
    """The pipeline of plain data; what its messages do not allow becomes problems that a rule tells."""
    spec, complaint = protos.parsed(document, protos.PipelineSpec())
    problems = [(where.rstrip(".") or "(the document)", complaint)] if complaint else []
    deployment, complaint = protos.parsed(protos.plain(spec.deployment_spec), protos.DeploymentConfig())
    problems += [(f"{where}deploymentSpec", complaint)] if complaint else []
    settings, deadline, wrong = _platform(platform_where, platform) if platform is not None else ({}, False, ())
    return Pipeline(where, spec, deployment, settings, deadline, platform_where, tuple(problems), wrong)


def _platform(where: str, document: Any) -> tuple[dict[str, Any], bool, tuple[tuple[str, str], ...]]:
    """Settings by executor, whether the run has a deadline, and what is wrong."""
    message, complaint = protos.parsed(document, protos.PlatformSpec())
    if complaint:
        return {}, False, ((where.rstrip(".") or "(the document)", complaint),)
    kubernetes = message.platforms.get("kubernetes")
    if kubernetes is None:
        return {}, False, ()
    settings, problems = {}, []
    for name, body in sorted(kubernetes.deployment_spec.executors.items()):
        settings[name], complaint = protos.parsed(protos.plain(body), protos.ExecutorConfig())
        place = f"{where}platforms.kubernetes.deploymentSpec.executors.{name}"
        problems += [(place, complaint)] if complaint else []
    return settings, bool(kubernetes.pipelineConfig.active_deadline_seconds), tuple(problems)
