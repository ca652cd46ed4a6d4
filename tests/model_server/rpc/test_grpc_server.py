"""Where and how the gRPC server listens, and how it ends."""

from __future__ import annotations

import datetime
import os
import socket
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from rpc_bench import HOST, Running, Serve, Tripling, refused, request

from ferryman.model_server.rpc.server import _socket_file, channel_arguments
from ferryman.serving.protocol import SSLConfig
from ferryman.serving.protocol.services import PREDICTION, Stub

# Socket files


@pytest.fixture
def path(tmp_path: Path) -> Iterator[str]:
    """Of a socket, below a folder with a blank and an umlaut; relative, because a socket's path is at most 107 bytes long."""
    folder = tmp_path / "ein Rechner für alle"
    folder.mkdir()
    before = Path.cwd()
    os.chdir(folder)
    yield "s"
    os.chdir(before)


def test_a_socket_file_alone_is_enough_and_its_user_and_group_may_connect(serve: Serve, path: str) -> None:
    assert serve(f"unix:{path}").predict(1.5) == [4.5]
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o660


def test_a_folder_that_another_thread_makes_while_a_socket_is_bound_can_be_entered(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="bound"), _socket_file(str(tmp_path / "s")):
        (tmp_path / "download").mkdir()
        raise RuntimeError("bound")
    assert stat.S_IMODE((tmp_path / "download").stat().st_mode) == 0o760


def test_both_a_port_and_a_socket_file_answer(serve: Serve, path: str, free_address: str) -> None:
    running = serve(free_address, f"unix:{path}")
    assert running.predict(1) == [3]
    with grpc.insecure_channel(f"unix:{path}") as channel:
        assert Stub(channel, PREDICTION).Predict(request(2), timeout=20).outputs["y"].dtype == 1


def test_a_socket_file_that_a_dead_server_left_is_taken_over(serve: Serve, path: str) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(path)
    assert serve(f"unix:{path}").predict(1) == [3]


def test_a_socket_file_of_a_server_that_runs_is_left_to_it(serve: Serve, path: str) -> None:
    first = serve(f"unix:{path}")
    with pytest.raises(RuntimeError, match="s is the socket of a server that runs"):
        serve(f"unix:{path}")
    assert first.predict(1) == [3]


def test_a_file_that_is_no_socket_is_kept_and_named(serve: Serve, path: str) -> None:
    Path(path).write_text("precious")
    with pytest.raises(RuntimeError, match="Failed to bind to address unix:s"):
        serve(f"unix:{path}")
    assert Path(path).read_text() == "precious"


# Ports


def test_a_taken_port_is_refused_and_named(serve: Serve, running: Running) -> None:
    with pytest.raises(RuntimeError, match=f"Failed to bind to address {running.address}"):
        serve(running.address)


def test_channel_arguments_are_numbers_where_they_can_be_and_win_over_ours() -> None:
    options = dict(channel_arguments("grpc.max_connection_age_ms=2000,grpc.so_reuseport=1,a=b=c,big=4294967296"))
    assert options["grpc.max_connection_age_ms"] == 2000
    assert options["grpc.so_reuseport"] == 1
    assert (options["a"], options["big"]) == ("b", "4294967296")
    with pytest.raises(ValueError, match="received 'x', expected key=value"):
        channel_arguments("x")


def test_a_channel_argument_has_its_effect(serve: Serve) -> None:
    small = serve(channel_arguments="grpc.max_receive_message_length=1000")
    assert refused(lambda: small.predict(*[1.0] * 1000))[0] == "RESOURCE_EXHAUSTED"
    assert small.predict(1) == [3]


def test_a_thousand_idle_connections_hinder_nobody(running: Running) -> None:
    host, port = running.address.split(":")
    with ExitStack() as stack:
        for number in range(1000):
            idle = stack.enter_context(socket.create_connection((host, int(port))))
            if number % 2:
                idle.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        assert running.predict(1.5) == [4.5]
        with grpc.insecure_channel(running.address) as late:
            assert Stub(late, PREDICTION).Predict(request(2), timeout=5).model_spec.version.value == 7


def test_what_is_no_http_2_is_hung_up_on_and_the_next_call_is_answered(running: Running) -> None:
    host, port = running.address.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as other:
        other.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + b"\xff" * 10_000)
        while other.recv(4096):
            pass
    assert running.predict(1) == [3]


# The end


def test_a_call_that_runs_is_answered_before_the_server_ends_and_new_ones_are_refused(
    serve: Serve, model: Tripling
) -> None:
    running = serve()
    model.entered.clear()
    model.go_on.clear()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(running.predict, 2, signature="slow")
        assert model.entered.wait(10)
        ended = running.server.stop(10)
        with grpc.insecure_channel(running.address) as late:
            call = Stub(late, PREDICTION).Predict
            # The second where its connection was taken in the moment in which the port closed.
            assert refused(lambda: call(request(1), timeout=20))[0] in {"UNAVAILABLE", "CANCELLED"}
        assert not ended.is_set()
        model.go_on.set()
        assert answer.result(10) == [6]
    assert ended.wait(10)


def test_a_call_whose_deadline_passes_is_given_up_and_its_thread_comes_back(serve: Serve, model: Tripling) -> None:
    running = serve(threads=1)
    model.entered.clear()
    model.go_on.clear()
    call = running.prediction.Predict
    assert refused(lambda: call(request(1, signature="slow"), timeout=0.3))[0] == "DEADLINE_EXCEEDED"
    model.go_on.set()
    assert running.predict(1) == [3]


# TLS


class Authority:
    """Signs certificates for 127.0.0.1."""

    def __init__(self, name: str) -> None:
        from cryptography.hazmat.primitives.asymmetric import ec

        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = _named(name)
        self.pem = _pem(self._certificate(self.name, self.key.public_key()))

    def issue(self, name: str) -> tuple[str, str]:
        """A key and its certificate."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return private.decode(), _pem(self._certificate(_named(name), key.public_key()))

    def _certificate(self, subject: Any, public: Any) -> Any:
        import ipaddress

        from cryptography import x509
        from cryptography.hazmat.primitives import hashes

        now = datetime.datetime.now(datetime.UTC)
        day = datetime.timedelta(days=1)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - day)
            .not_valid_after(now + day)
            .add_extension(x509.BasicConstraints(ca=subject == self.name, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False)
            .sign(self.key, hashes.SHA256())
        )


def _named(name: str) -> Any:
    from cryptography import x509

    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _pem(certificate: Any) -> str:
    from cryptography.hazmat.primitives import serialization

    return str(certificate.public_bytes(serialization.Encoding.PEM).decode())


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("house")


@contextmanager
def asking(address: str, authority: Authority, key: str = "", certificate: str = "") -> Iterator[Any]:
    """A client that trusts the authority, with a certificate of its own or without."""
    credentials = grpc.ssl_channel_credentials(
        authority.pem.encode(), key.encode() or None, certificate.encode() or None
    )
    with grpc.secure_channel(address, credentials) as channel:
        yield lambda: Stub(channel, PREDICTION).Predict(request(1), timeout=5)


def test_tls_answers_who_trusts_its_authority_and_nobody_in_plain_text(serve: Serve, authority: Authority) -> None:
    key, certificate = authority.issue("server")
    running = serve(ssl=SSLConfig(server_key=key, server_cert=certificate))
    with asking(running.address, authority) as call:
        assert call().model_spec.version.value == 7
    with asking(running.address, Authority("strangers")) as call:
        assert refused(call)[0] == "UNAVAILABLE"
    assert refused(lambda: running.predict(1))[0] == "UNAVAILABLE"


def test_mutual_tls_answers_only_who_shows_a_certificate_of_the_authority(serve: Serve, authority: Authority) -> None:
    key, certificate = authority.issue("server")
    ssl = SSLConfig(server_key=key, server_cert=certificate, custom_ca=authority.pem, client_verify=True)
    running = serve(ssl=ssl)
    with asking(running.address, authority, *authority.issue("client")) as call:
        assert call().model_spec.version.value == 7
    with asking(running.address, authority, *Authority("strangers").issue("client")) as call:
        assert refused(call)[0] == "UNAVAILABLE"
    with asking(running.address, authority) as call:
        assert refused(call)[0] == "UNAVAILABLE"


@pytest.mark.parametrize("ssl", [SSLConfig(), SSLConfig(server_key="k"), SSLConfig(server_cert="c")], ids=repr)
def test_tls_without_a_key_or_a_certificate_is_refused(serve: Serve, ssl: Any) -> None:
    with pytest.raises(ValueError, match="received no server_key or no server_cert"):
        serve(ssl=ssl)


def test_a_certificate_that_is_none_ends_the_start(serve: Serve) -> None:
    with pytest.raises(RuntimeError, match="Failed to bind"):
        serve(ssl=SSLConfig(server_key="no key", server_cert="no certificate"))
