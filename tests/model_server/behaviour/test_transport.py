"""How a server is reached: TLS and mutual TLS, a Unix socket alone, the health service, and what is not registered."""

from __future__ import annotations

import datetime
import ipaddress
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from rests_on import rests_on
from serving_client import Client, refusal, until
from serving_target import HOST, Started, Target

from ferryman.serving.server import listening

CREDENTIALS = "model_servers/server.cc:BuildServerCredentials"
BUILD = "model_servers/server.cc:Server::BuildAndStart"


@dataclass(frozen=True)
class Identity:
    """A certificate and its key, PEM."""

    key: bytes
    certificate: bytes


class Authority:
    """Signs certificates for this machine."""

    def __init__(self) -> None:
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec

        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "tests")])
        self.root = self.sign(self.name, self.key.public_key(), authority=True)

    def sign(self, subject: Any, public_key: Any, *, authority: bool) -> Any:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes

        now = datetime.datetime.now(datetime.UTC)
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(HOST))]
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(self.key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        from cryptography.hazmat.primitives.serialization import Encoding

        return bytes(self.root.public_bytes(Encoding.PEM))

    def identity(self, name: str) -> Identity:
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, name)])
        certificate = self.sign(subject, key.public_key(), authority=False)
        return Identity(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            certificate.public_bytes(Encoding.PEM),
        )


@dataclass(frozen=True)
class Servers:
    """One server with TLS, one with mutual TLS, one on a socket file alone beside REST and with the health service."""

    ours: Authority
    """Who signed the servers and is trusted by the one that asks for certificates."""

    tls: Started
    mutual: Started
    socket: Started
    path: Path

    def channel(self, started: Started, trusted: bytes, client: Identity | None = None) -> grpc.Channel:
        keys = (client.key, client.certificate) if client else (None, None)
        return grpc.secure_channel(started.address, grpc.ssl_channel_credentials(trusted, *keys))


def ssl_config(folder: Path, identity: Identity, authority: bytes = b"") -> str:
    """The flag of an SSLConfig; with `authority`, clients must show a certificate that it signed."""
    folder.mkdir()
    lines = [f"server_key: {identity.key.decode()!r}", f"server_cert: {identity.certificate.decode()!r}"]
    if authority:
        lines += [f"custom_ca: {authority.decode()!r}", "client_verify: true"]
    (folder / "ssl").write_text("\n".join(lines))
    return f"--ssl_config_file={folder / 'ssl'}"


@pytest.fixture(scope="module")
def servers(aim: Target, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder, authority = tmp_path_factory.mktemp("transport"), Authority()
    base, identity = f"--model_base_path={models / 'm'}", authority.identity("server")
    # Paths of sockets are short: 107 bytes on Linux.
    path = Path(tempfile.mkdtemp()) / "s"
    tls = aim.start(folder / "tls", base, ssl_config(folder / "a", identity))
    mutual = aim.start(folder / "mutual", base, ssl_config(folder / "b", identity, authority.pem))
    socket = aim.start(
        folder / "socket", base, f"--grpc_socket_path={path}", "--enable_grpc_healthcheck_service=true", grpc_port=0
    )
    started = (tls, mutual, socket)
    try:
        for server in started:
            server.client()
        until(path.exists)
        yield Servers(authority, tls, mutual, socket, path)
    finally:
        for server in started:
            server.stop()
        shutil.rmtree(path.parent)


def answer(channel: grpc.Channel) -> list[float]:
    with channel:
        return list(Client("", channel=channel).predict({"x": 2.0}, name="default").outputs["y"].float_val)


@rests_on(CREDENTIALS)
def test_a_client_that_trusts_the_servers_authority_is_answered(servers: Servers) -> None:
    assert answer(servers.channel(servers.tls, servers.ours.pem)) == [4.0]


@rests_on(CREDENTIALS)
def test_a_client_that_trusts_another_authority_is_not(servers: Servers) -> None:
    assert refusal(lambda: answer(servers.channel(servers.tls, Authority().pem)))[0] == "UNAVAILABLE"


@rests_on(CREDENTIALS)
def test_a_client_without_tls_is_not_answered_by_a_server_with_it(servers: Servers) -> None:
    assert refusal(lambda: answer(grpc.insecure_channel(servers.tls.address)))[0] == "UNAVAILABLE"


@rests_on(CREDENTIALS)
def test_without_client_verify_a_clients_own_certificate_does_not_matter(servers: Servers) -> None:
    stranger = Authority().identity("stranger")
    assert answer(servers.channel(servers.tls, servers.ours.pem, stranger)) == [4.0]


@rests_on(CREDENTIALS)
def test_mutual_tls_answers_a_client_with_a_certificate_of_its_authority(servers: Servers) -> None:
    assert answer(servers.channel(servers.mutual, servers.ours.pem, servers.ours.identity("client"))) == [4.0]


@rests_on(CREDENTIALS)
@pytest.mark.parametrize("known", [True, False])
def test_mutual_tls_refuses_no_certificate_and_one_of_somebody_else(servers: Servers, known: bool) -> None:
    client = Authority().identity("stranger") if known else None
    assert refusal(lambda: answer(servers.channel(servers.mutual, servers.ours.pem, client)))[0] == "UNAVAILABLE"


@rests_on("model_servers/http_server.cc:CreateAndStartHttpServer")
def test_rest_stays_plain_http_beside_tls(servers: Servers) -> None:
    client = Client("", servers.mutual.rest)
    assert client.http("GET", "/v1/models/default").status == 200


@rests_on(BUILD)
def test_a_socket_file_alone_serves_grpc_and_rest_works_without_the_grpc_port(servers: Servers) -> None:
    assert answer(grpc.insecure_channel(f"unix:{servers.path}")) == [4.0]
    assert Client("", servers.socket.rest).http("GET", "/v1/models/default").status == 200


@rests_on(BUILD)
def test_a_socket_file_takes_reloads_too(servers: Servers, models: Path) -> None:
    from serving_client import Model

    with grpc.insecure_channel(f"unix:{servers.path}") as channel:
        client = Client("", channel=channel)
        held = Model("default", models / "m", (1, 2))
        assert client.reload(held).status.error_code == 0
        client.await_states("default", {1: "AVAILABLE", 2: "AVAILABLE"})


def health(channel: grpc.Channel, service: str) -> bytes:
    """The bytes of a HealthCheckResponse, asked without any package of it: b"\\x08\\x01" is SERVING."""
    request = b"\n" + bytes([len(service)]) + service.encode() if service else b""
    with channel:
        return bytes(channel.unary_unary("/grpc.health.v1.Health/Check")(request, timeout=10))


@rests_on(BUILD)
@pytest.mark.parametrize("service", ["", "ModelService", "PredictionService"])
def test_the_health_service_says_serving_for_the_server_and_its_two_services(servers: Servers, service: str) -> None:
    assert health(grpc.insecure_channel(f"unix:{servers.path}"), service) == b"\x08\x01"


@rests_on(BUILD)
@pytest.mark.parametrize("service", ["tensorflow.serving.PredictionService", "m"])
def test_the_health_service_knows_no_other_names(servers: Servers, service: str) -> None:
    channel = grpc.insecure_channel(f"unix:{servers.path}")
    assert refusal(lambda: health(channel, service))[0] == "NOT_FOUND"


@rests_on(BUILD)
def test_without_its_flag_there_is_no_health_service(server: Client) -> None:
    channel = grpc.insecure_channel(server.address)
    assert refusal(lambda: health(channel, ""))[0] == "UNIMPLEMENTED"


@rests_on(BUILD)
def test_the_session_service_is_not_registered(server: Client) -> None:
    call = server.channel.unary_unary("/tensorflow.serving.SessionService/SessionRun")
    assert refusal(lambda: call(b"", timeout=10))[0] == "UNIMPLEMENTED"


@rests_on(CREDENTIALS, "util/proto_util.h:ParseProtoTextFile")
def test_an_ssl_file_that_cannot_be_parsed_ends_the_start_with_an_abort(
    aim: Target, models: Path, tmp_path: Path
) -> None:
    (tmp_path / "ssl").write_text("server_key: unquoted")
    started = aim.start(tmp_path, f"--model_base_path={models / 'm'}", f"--ssl_config_file={tmp_path / 'ssl'}")
    try:
        # The real server's check aborts it (134); any end but 0 before it listens is the same to who starts it.
        assert started.ended() not in (0, 143)
        assert not listening(started.address)
    finally:
        started.stop()
