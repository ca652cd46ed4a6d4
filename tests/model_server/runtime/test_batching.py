"""Requests that run together: who is put with whom, what is refused, and in which words."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format

from ferryman.model_server.core import FAILED_PRECONDITION, INVALID_ARGUMENT, Refusal
from ferryman.model_server.runtime.batches import QueueOptions, Scheduler
from ferryman.model_server.runtime.batching import BatchedServable, Batching, batching
from ferryman.model_server.runtime.merging import Merging
from ferryman.model_server.runtime.prediction import found
from ferryman.model_server.runtime.servable import Signature, TensorInfo
from ferryman.serving.protocol import BatchingParameters

SIGNATURE = Signature(
    {"x": TensorInfo("x:0", "float32", (-1, -1))},
    {"y": TensorInfo("y:0", "float32", (-1, -1)), "n": TensorInfo("n:0", "float32", ())},
)

OTHER = Signature(
    {"number": SIGNATURE.inputs["x"]}, {"double": SIGNATURE.outputs["y"], "again": SIGNATURE.outputs["y"]}
)
"""Other aliases of the same tensors."""

SAME = Signature(SIGNATURE.inputs | {"z": SIGNATURE.inputs["x"]}, SIGNATURE.outputs)
"""Two inputs that are one tensor."""


class Doubling:
    """Answers twice its input, and `n` its rows without a dimension; it notes the shapes that it was called with."""

    def __init__(self) -> None:
        self.signatures = {"serving_default": SIGNATURE, "other": OTHER, "same": SAME}
        self.signature_defs = b""
        self.shapes: list[tuple[int, ...]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.closed = False

    def signature(self, name: str, code: int = INVALID_ARGUMENT) -> Signature:
        return found(self.signatures, name, code)

    def run(
        self, signature_name: str, inputs: Mapping[str, np.ndarray], output_filter: Sequence[str] = ()
    ) -> dict[str, np.ndarray]:
        raise Refusal(INVALID_ARGUMENT, "alone")

    def run_tensors(self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str]) -> dict[str, np.ndarray]:
        x = feeds["x:0"]
        self.shapes.append(x.shape)
        assert self.gate.wait(10)
        if (x < 0).any():
            raise Refusal(INVALID_ARGUMENT, "negative")
        outputs = {"y:0": x * 2, "n:0": np.float32(len(x)).reshape(())}
        return {tensor: outputs[tensor] for tensor in fetches}

    def close(self) -> None:
        self.closed = True


def rows(*values: float, width: int = 1) -> np.ndarray:
    return np.repeat(np.array(values, np.float32)[:, None], width, axis=1)


def served(parameters: str, threads: int = 1) -> tuple[Doubling, BatchedServable]:
    inner = Doubling()
    options = batching(text_format.Parse(parameters, BatchingParameters()))
    return inner, BatchedServable(inner, Scheduler(threads), options, owns_scheduler=True)


def ask(servable: BatchedServable, array: np.ndarray, into: list[Any]) -> threading.Thread:
    def run() -> None:
        try:
            into.append(servable.run("", {"x": array}, ["y"])["y"])
        except Refusal as error:
            into.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def busy(inner: Doubling, servable: BatchedServable) -> tuple[threading.Thread, list[Any]]:
    """Keep the only thread busy until the gate opens."""
    inner.gate.clear()
    answers: list[Any] = []
    thread = ask(servable, rows(7), answers)
    until(lambda: inner.shapes != [])
    return thread, answers


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def together(parameters: str, *arrays: np.ndarray) -> tuple[Doubling, list[list[Any]]]:
    """Answers to requests that came, one after the other, while the only thread was busy."""
    inner, servable = served(parameters)
    first, _ = busy(inner, servable)
    answers: list[list[Any]] = [[] for _ in arrays]
    threads = []
    for array, into in zip(arrays, answers, strict=True):
        threads.append(ask(servable, array, into))
        time.sleep(0.03)
    inner.gate.set()
    for thread in (first, *threads):
        thread.join(10)
    servable.close()
    return inner, answers


def test_requests_that_wait_run_in_one_call_and_each_gets_its_own_rows() -> None:
    inner, answers = together("max_batch_size { value: 8 }", rows(1, 2), rows(3), rows(4, 5, 6))
    assert inner.shapes == [(1, 1), (6, 1)]
    assert [answer[0][:, 0].tolist() for answer in answers] == [[2, 4], [6], [8, 10, 12]]


def test_signatures_of_the_same_tensors_share_their_batches_and_runs_of_tensors_do() -> None:
    inner, servable = served("max_batch_size { value: 8 }")
    first, _ = busy(inner, servable)
    calls: list[Callable[[], Mapping[str, np.ndarray]]] = [
        lambda: servable.run("", {"x": rows(1)}, ["y"]),
        lambda: servable.run("other", {"number": rows(2, 3)}),
        lambda: servable.run_tensors({"x:0": rows(4)}, ["y:0"]),
    ]
    with ThreadPoolExecutor() as pool:
        answers = [pool.submit(call) for call in calls]
        until(lambda: sum(len(batch) for queue in servable._queues.values() for batch in queue._batches) == len(calls))
        inner.gate.set()
        found = [{name: array[:, 0].tolist() for name, array in answer.result().items()} for answer in answers]
    first.join(10)
    assert inner.shapes == [(1, 1), (4, 1)]
    assert found == [{"y": [2]}, {"double": [4, 6], "again": [4, 6]}, {"y:0": [8]}]


def test_two_inputs_that_are_one_tensor_are_left_to_the_session() -> None:
    _, servable = served("max_batch_size { value: 8 }")
    with pytest.raises(Refusal, match=r"^alone$"):
        servable.run("same", {"x": rows(1), "z": rows(2)}, ["y"])


def test_a_batch_is_no_larger_than_its_limit_and_a_request_is_not_cut() -> None:
    inner, answers = together("max_batch_size { value: 4 }", rows(1, 2, 3), rows(4, 5), rows(6, 7))
    assert inner.shapes == [(1, 1), (3, 1), (4, 1)]
    assert answers[2][0][:, 0].tolist() == [12, 14]


def test_a_batch_is_filled_up_to_an_allowed_size_and_nobody_sees_it() -> None:
    inner, answers = together(
        "max_batch_size { value: 8 } allowed_batch_sizes: 4 allowed_batch_sizes: 8", rows(1, 2), rows(3, 4, 5)
    )
    assert inner.shapes == [(4, 1), (8, 1)]
    assert [answer[0][:, 0].tolist() for answer in answers] == [[2, 4], [6, 8, 10]]


def test_a_large_request_is_cut_when_that_is_asked_for() -> None:
    text = "max_batch_size { value: 20 } max_execution_batch_size { value: 4 } enable_large_batch_splitting { value: true }"
    inner, answers = together(text, rows(1, 2, 3), rows(*range(4, 14)))
    assert inner.shapes == [(1, 1), (4, 1), (4, 1), (4, 1), (1, 1)]
    assert answers[1][0][:, 0].tolist() == [2 * value for value in range(4, 14)]


def test_too_large_a_request_is_refused() -> None:
    _, servable = served("max_batch_size { value: 2 }")
    with pytest.raises(Refusal, match=r"^Task size 3 is larger than maximum input batch size 2$") as caught:
        servable.run("", {"x": rows(1, 2, 3)})
    assert caught.value.code == INVALID_ARGUMENT


def test_a_full_queue_is_unavailable() -> None:
    _, answers = together("max_batch_size { value: 1 } max_enqueued_batches { value: 2 }", rows(1), rows(2), rows(3))
    assert [answer[0].tolist() for answer in answers[:2]] == [[[2]], [[4]]]
    assert isinstance(answers[2][0], Refusal)
    assert (answers[2][0].code, answers[2][0].text) == (
        14,
        "The batch scheduling queue to which this task was submitted is full; currently 2 batches enqueued and "
        "max_enqueued_batches is 2",
    )


def test_a_batch_waits_for_its_time_and_not_when_it_is_full() -> None:
    inner, servable = served("max_batch_size { value: 2 } batch_timeout_micros { value: 300000 }", threads=2)
    begun = time.perf_counter()
    assert servable.run("", {"x": rows(1)}, ["y"])["y"].tolist() == [[2]]
    assert time.perf_counter() - begun >= 0.3
    begun = time.perf_counter()
    servable.run("", {"x": rows(1, 2)}, ["y"])
    assert time.perf_counter() - begun < 0.25
    assert inner.shapes == [(1, 1), (2, 1)]


def test_other_shapes_in_one_batch_fail_together_or_are_filled_up() -> None:
    _, answers = together("max_batch_size { value: 8 }", rows(1, width=1), rows(2, width=3))
    for answer in answers:
        assert answer[0].code == FAILED_PRECONDITION
        assert answer[0].text.startswith("Tensors with name 'x:0' from different tasks have different shapes")
    inner, answers = together(
        "max_batch_size { value: 8 } pad_variable_length_inputs: true", rows(1, 5, width=1), rows(2, width=3)
    )
    assert inner.shapes[1] == (3, 3)
    # With the first value of the tensor, as Eigen's pad has it there.
    assert answers[0][0].tolist() == [[2, 2, 2], [10, 2, 2]]


def test_other_dtypes_in_one_batch_are_not_converted_to_a_common_one() -> None:
    _, answers = together("max_batch_size { value: 8 }", rows(1), rows(2).astype(np.float64))
    for answer in answers:
        assert answer[0].code == 13
        assert answer[0].text.endswith("different data types. Got float and double.")


def test_an_error_of_a_batch_is_everybodys_and_the_next_batch_runs() -> None:
    inner, servable = served("max_batch_size { value: 8 }")
    first, _ = busy(inner, servable)
    answers: list[list[Any]] = [[], []]
    threads = [ask(servable, rows(value), into) for value, into in zip((-1, 1), answers, strict=True)]
    time.sleep(0.05)
    inner.gate.set()
    for thread in (first, *threads):
        thread.join(10)
    assert [answer[0].text for answer in answers] == ["negative", "negative"]
    assert servable.run("", {"x": rows(4)}, ["y"])["y"].tolist() == [[8]]


def test_an_output_without_rows_cannot_be_shared() -> None:
    _, servable = served("max_batch_size { value: 8 }")
    with pytest.raises(Refusal, match=r"^Batched output tensor has 0 dimensions$"):
        servable.run("", {"x": rows(1)})


@pytest.mark.parametrize(
    ("array", "text"),
    [(np.float32(1).reshape(()), "Batching Run() input tensors must have at least one dimension")],
)
def test_an_input_without_rows_is_refused(array: np.ndarray, text: str) -> None:
    _, servable = served("max_batch_size { value: 8 }")
    with pytest.raises(Refusal) as caught:
        servable.run("", {"x": array})
    assert (caught.value.code, caught.value.text) == (INVALID_ARGUMENT, text)


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        (
            "max_batch_size { value: 8 } allowed_batch_sizes: 2 allowed_batch_sizes: 4",
            "Last entry in allowed_batch_sizes must match max_batch_size; last entry was 4; expected 8",
        ),
        ("max_batch_size { value: 0 }", "input_batch_size_limit must be positive; was 0"),
        ("batch_timeout_micros { value: -1 }", "batch_timeout_micros must be non-negative; was -1"),
        (
            "enable_large_batch_splitting { value: true } max_enqueued_batches { value: 0 }",
            "max_enqueued_batches must be positive; was 0",
        ),
        (
            "enable_large_batch_splitting { value: true } max_batch_size { value: 4 } max_execution_batch_size { value: 5 }",
            "When enable_large_batch_splitting is true, input_batch_size_limit must be greater than or equal to "
            "max_execution_batch_size.",
        ),
    ],
)
def test_parameters_that_do_not_go_together_are_refused(parameters: str, text: str) -> None:
    with pytest.raises(Refusal) as caught:
        batching(text_format.Parse(parameters, BatchingParameters()))
    assert (caught.value.code, caught.value.text) == (INVALID_ARGUMENT, text)


def test_what_is_not_set_is_the_real_servers_default() -> None:
    assert batching(BatchingParameters()) == Batching(QueueOptions(1000, 1000, 0.0, 10, False), Merging())


def test_no_threads_are_refused() -> None:
    with pytest.raises(Refusal, match=r"^num_batch_threads must be positive; was 0$"):
        Scheduler(0)


def test_a_closed_servable_leaves_no_thread_and_no_queue_behind() -> None:
    before = threading.active_count()
    inner, servable = served("max_batch_size { value: 8 }", threads=3)
    servable.run("", {"x": rows(1)}, ["y"])
    servable.close()
    assert inner.closed
    until(lambda: threading.active_count() == before)


def test_many_threads_get_their_own_rows_whatever_they_share_a_batch_with() -> None:
    _, servable = served("max_batch_size { value: 16 } batch_timeout_micros { value: 200 }", threads=2)
    wrong: list[float] = []

    def many(number: int) -> None:
        for value in range(30):
            array = rows(*[number * 100 + value] * (1 + value % 3))
            if not np.array_equal(servable.run("", {"x": array}, ["y"])["y"], array * 2):
                wrong.append(number)

    threads = [threading.Thread(target=many, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_what_clients_think_of_makes_no_more_queues_than_a_limit_and_is_answered_nevertheless(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ferryman.model_server.runtime.batching.MOST_QUEUES", 1)
    _, servable = served("max_batch_size { value: 8 }")
    assert list(servable.run("", {"x": rows(1)}, ["y"])) == ["y"]
    # Alone it may have no rows.
    assert servable.run("", {"x": rows(1)}, ["n", "y"])["n"] == 1
    assert list(servable.run("", {"x": rows(1)}, ["y"])) == ["y"]
    assert len(servable._queues) == 1
