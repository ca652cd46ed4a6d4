"""grpc.health.v1.Health and server reflection, in messages of their own numbers."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from rpc_bench import Running, Serve, refused

from ferryman.serving.protocol.services import MODELS, PREDICTION

HEALTH = "grpc.health.v1.Health"


def asked(service: str) -> bytes:
    """HealthCheckRequest{service}."""
    return b"\x0a" + bytes([len(service)]) + service.encode() if service else b""


def status(number: int) -> bytes:
    """HealthCheckResponse{status}."""
    return bytes([0x08, number])


@pytest.mark.parametrize("service", ["", "ModelService", "PredictionService"])
def test_the_server_and_its_two_services_are_serving(running: Running, service: str) -> None:
    assert running.send(f"/{HEALTH}/Check", asked(service)) == status(1)


@pytest.mark.parametrize("service", ["m", PREDICTION])
def test_the_health_of_another_name_is_not_found(running: Running, service: str) -> None:
    assert refused(lambda: running.send(f"/{HEALTH}/Check", asked(service))) == ("NOT_FOUND", "service name unknown")


def test_there_is_no_health_service_unless_it_is_asked_for(serve: Serve) -> None:
    assert refused(lambda: serve().send(f"/{HEALTH}/Check", b""))[0] == "UNIMPLEMENTED"


@pytest.mark.parametrize(("service", "number"), [("", 1), ("m", 3)])
def test_a_watcher_is_told_at_once_and_stays(running: Running, service: str, number: int) -> None:
    watching = running.channel.unary_stream(f"/{HEALTH}/Watch")(asked(service), timeout=1)
    assert next(watching) == status(number)
    with pytest.raises(grpc.RpcError) as caught:
        next(watching)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def test_bytes_that_are_no_message_are_refused_in_the_words_of_grpc(running: Running) -> None:
    text = "could not parse request"
    assert refused(lambda: running.send(f"/{HEALTH}/Check", b"\xff")) == ("INVALID_ARGUMENT", text)
    watching = running.channel.unary_stream(f"/{HEALTH}/Watch")(b"\xff", timeout=20)
    assert refused(lambda: next(watching)) == ("INTERNAL", text)


def test_more_watchers_than_threads_leave_threads_to_predict(serve: Serve) -> None:
    running = serve(threads=2, health=True)
    watch = running.channel.unary_stream(f"/{HEALTH}/Watch")
    watching = [watch(b"", timeout=30) for _ in range(8)]
    assert [next(stream) for stream in watching] == [status(1)] * 8
    assert running.predict(1) == [3]
    for stream in watching:
        stream.cancel()


# Reflection


class Reflected:
    """A client of server reflection that knows nothing else, as grpcurl does."""

    def __init__(self, running: Running, version: str) -> None:
        self.call = running.channel.stream_stream(f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo")

    def ask(self, field: int, value: str) -> dict[int, list[Any]]:
        """The answer's fields to the one question in `field`."""
        question = bytes([field << 3 | 2, len(value)]) + value.encode()
        (answer,) = self.call(iter([question]), timeout=20)
        return fields(answer)


def fields(message: bytes) -> dict[int, list[Any]]:
    """Field number -> its values, bytes or numbers."""
    found: dict[int, list[Any]] = {}
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            octet = message[at]
            at += 1
            value |= (octet & 127) << shift
            shift += 7
            if octet < 128:
                return value

    while at < len(message):
        tag = varint()
        value: Any = varint()
        if tag & 7 == 2:
            value, at = message[at : at + value], at + value
        found.setdefault(tag >> 3, []).append(value)
    return found


@pytest.fixture(params=["v1", "v1alpha"])
def reflected(request: pytest.FixtureRequest, running: Running) -> Reflected:
    return Reflected(running, request.param)


def test_reflection_lists_the_services_that_answer(reflected: Reflected) -> None:
    (listed,) = reflected.ask(7, "*")[6]
    names = [fields(service)[1][0].decode() for service in fields(listed)[1]]
    assert names == [
        HEALTH,
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        MODELS,
        PREDICTION,
    ]


@pytest.mark.parametrize(
    "symbol",
    [PREDICTION, f"{PREDICTION}.Predict", "tensorflow.TensorProto", HEALTH, "grpc.reflection.v1.ErrorResponse"],
)
def test_reflection_tells_the_files_of_a_symbol_from_which_its_messages_can_be_built(
    running: Running, symbol: str
) -> None:
    (answer,) = Reflected(running, "v1").ask(4, symbol)[4]
    pool = DescriptorPool()
    for serialized in reversed(fields(answer)[1]):
        pool.AddSerializedFile(serialized)
    assert symbol == f"{PREDICTION}.Predict" or pool.FindFileContainingSymbol(symbol)


def test_reflection_says_not_found_of_what_there_is_not(reflected: Reflected) -> None:
    for field, value in ((3, "none.proto"), (4, "tensorflow.None"), (4, f"{PREDICTION}.None"), (6, "x")):
        (error,) = reflected.ask(field, value)[7]
        assert fields(error)[1] == [5]


def test_a_question_that_is_no_message_ends_the_stream_of_reflection(reflected: Reflected) -> None:
    listing = bytes([7 << 3 | 2, 1]) + b"*"
    answers = list(reflected.call(iter([listing, b"\xff", listing]), timeout=20))
    assert len(answers) == 1
