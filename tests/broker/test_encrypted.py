"""Encrypted connections: whom we trust, whom we do not, and how that is said."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from lookers import Start
from posted import Events

from satellite.adapters.mqtt_link import Broker, MqttLink
from satellite.cli.children import free_port
from satellite.errors import SetupError
from satellite.model import events as ev
from satellite.wire import mqtt

WILL = mqtt.status("satellite/kitchen", mqtt.OFFLINE)
TODAY = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)

pytestmark = pytest.mark.usefixtures("no_thread_left")


@dataclass
class Authority:
    """Makes certificates; ``file`` is its own."""

    folder: Path
    name: str

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        made = self._builder(self.subject, self.key, TODAY - DAY, TODAY + DAY).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.file = self._write(f"{self.name}.pem", made)

    def certificate(
        self, name: str, *hosts: str, since: int = -1, until: int = 1
    ) -> tuple[Path, Path]:
        """A certificate and its key, valid from and to so many days from today."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = self._builder(subject, key, TODAY + since * DAY, TODAY + until * DAY)
        if hosts:
            names = [_general(host) for host in hosts]
            made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
        private = self.folder / f"{name}.key"
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return self._write(f"{name}.pem", made), private

    def _builder(
        self, subject: x509.Name, key: Any, since: dt.datetime, until: dt.datetime
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(since)
            .not_valid_after(until)
        )

    def _write(self, name: str, made: x509.CertificateBuilder) -> Path:
        path = self.folder / name
        signed = made.sign(self.key, hashes.SHA256())
        path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        return path


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "home")


Connect = Callable[..., Events]


@pytest.fixture
def connect() -> Iterator[Connect]:
    made: list[MqttLink] = []

    def begin(port: int, host: str = "127.0.0.1", **more: Any) -> Events:
        events = Events()
        files = {key: str(value) for key, value in more.items()}
        broker = Broker(host, port, "satellite-kitchen", tls=True, **files)  # type: ignore[arg-type]
        link = MqttLink(broker, WILL, (), events.post)
        made.append(link)
        link.start(lambda fact: None, lambda incoming: None)
        return events

    yield begin
    for link in made:
        link.stop(2)


def listener(mosquitto: Start, authority: Authority, *hosts: str, **more: int) -> int:
    certificate, key = authority.certificate("broker", *(hosts or ("127.0.0.1",)), **more)
    return mosquitto(f"certfile {certificate}", f"keyfile {key}")


def refused(events: Events) -> ev.BusDown:
    return events.until(ev.BusDown, 10)


def test_an_authority_of_the_house(
    mosquitto: Start, authority: Authority, connect: Connect
) -> None:
    port = listener(mosquitto, authority)
    connect(port, ca_file=authority.file).until(ev.BusUp)


def test_an_authority_that_nobody_knows(
    mosquitto: Start, authority: Authority, connect: Connect, tmp_path: Path
) -> None:
    port = listener(mosquitto, authority)
    down = refused(connect(port))
    assert "is of an authority that is not known" in down.detail
    assert "mqtt.ca_file" in down.fix
    other = Authority(tmp_path, "other")
    assert "is of an authority that" in refused(connect(port, ca_file=other.file)).detail


def test_a_certificate_for_another_name(
    mosquitto: Start, authority: Authority, connect: Connect
) -> None:
    port = listener(mosquitto, authority, "broker.lan")
    down = refused(connect(port, ca_file=authority.file))
    assert down.detail == (
        f"the certificate of the broker at 127.0.0.1:{port} is not for the name 127.0.0.1"
    )
    down = refused(connect(port, host="localhost", ca_file=authority.file))
    assert "is not for the name localhost" in down.detail


def test_a_certificate_that_has_expired(
    mosquitto: Start, authority: Authority, connect: Connect
) -> None:
    port = listener(mosquitto, authority, since=-9, until=-2)
    down = refused(connect(port, ca_file=authority.file))
    assert "has expired" in down.detail
    assert "renew it" in down.fix


def test_a_certificate_of_the_future_is_a_matter_of_our_clock(
    mosquitto: Start, authority: Authority, connect: Connect
) -> None:
    port = listener(mosquitto, authority, since=2, until=9)
    down = refused(connect(port, ca_file=authority.file))
    days = {f"{day:%Y-%m-%d}" for day in (TODAY, dt.datetime.now(dt.UTC))}  # it may be midnight
    assert any(f"is not valid yet on {day}" in down.detail for day in days)
    assert "set the clock" in down.fix
    assert down.code == "clock_wrong"


def test_a_broker_that_wants_a_certificate_of_ours(
    mosquitto: Start, authority: Authority, connect: Connect, tmp_path: Path
) -> None:
    certificate, key = authority.certificate("broker", "127.0.0.1")
    port = mosquitto(
        f"certfile {certificate}",
        f"keyfile {key}",
        f"cafile {authority.file}",
        "require_certificate true",
        "use_identity_as_username true",
    )
    down = refused(connect(port, ca_file=authority.file))
    assert "mqtt.cert_file" in down.fix  # whether its reason arrives before its end is chance
    ours, our_key = authority.certificate("kitchen")
    connect(port, ca_file=authority.file, cert_file=ours, key_file=our_key).until(ev.BusUp)
    theirs, their_key = Authority(tmp_path, "other").certificate("stranger")
    events = connect(port, ca_file=authority.file, cert_file=theirs, key_file=their_key)
    assert "mqtt.cert_file" in refused(events).fix


def test_tls_where_there_is_none_and_none_where_there_is(
    mosquitto: Start, authority: Authority, connect: Connect
) -> None:
    assert "mqtt.tls" in refused(connect(mosquitto())).fix
    events = Events()
    broker = Broker("127.0.0.1", listener(mosquitto, authority), "satellite-kitchen")
    link = MqttLink(broker, WILL, (), events.post)
    link.start(lambda fact: None, lambda incoming: None)
    down = refused(events)
    link.stop(2)
    assert "mqtt.tls" in down.fix


def test_what_is_older_than_tls_1_2_is_not_spoken(authority: Authority) -> None:
    from satellite.adapters.mqtt_link.broker import tls_context

    context = tls_context(Broker("h", 1, "c", tls=True, ca_file=str(authority.file)))
    assert context.minimum_version.name == "TLSv1_2"
    assert context.check_hostname
    assert context.verify_mode.name == "CERT_REQUIRED"


def test_files_that_are_no_certificates(authority: Authority, tmp_path: Path) -> None:
    text = tmp_path / "hello.pem"
    text.write_text("hello\n")
    port = free_port()
    with pytest.raises(SetupError, match=r"mqtt.ca_file: .* holds no certificate in PEM form"):
        MqttLink(Broker("h", port, "c", tls=True, ca_file=str(text)), WILL, (), lambda _: None)
    ours, _ = authority.certificate("kitchen")
    _, other_key = authority.certificate("hall")
    for cert, key in ((ours, text), (text, other_key), (ours, other_key)):
        broker = Broker("h", port, "c", tls=True, cert_file=str(cert), key_file=str(key))
        with pytest.raises(SetupError, match=r"are not a certificate and its key in PEM form"):
            MqttLink(broker, WILL, (), lambda _: None)


def test_a_handshake_that_never_ends_does_not_hold_the_end() -> None:
    import socket
    import time

    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        link = MqttLink(Broker("127.0.0.1", port, "x", tls=True), WILL, (), lambda event: None)
        link.start(lambda fact: None, lambda incoming: None)
        connection, _ = silent.accept()
        connection.recv(100)  # it has begun
        before = time.monotonic()
        assert link.stop(1)
        assert time.monotonic() - before < 0.5
        connection.close()
