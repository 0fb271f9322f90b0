"""Why there is no connection: what the network, TLS and the broker say, in sentences."""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass
from typing import Final

from paho.mqtt.reasoncodes import ReasonCode

from satellite.adapters.mqtt_link.broker import Broker

SOON_S: Final = 0.0  # the usual waits
SLOWLY_S: Final = 60.0  # what only a person mends; reliability F16, F19
CERTIFICATE_S: Final = 20.0  # a clock that is set mends it too: told within 30 s, P11

UNREACHABLE: Final = "mqtt_unreachable"
AUTH: Final = "mqtt_auth"
TAKEN: Final = "client_id_in_use"
CLOCK: Final = "clock_wrong"

_NOT_YET_VALID: Final = 9  # OpenSSL, X509_V_ERR_*
_EXPIRED: Final = 10
_HOST: Final = frozenset({62, 64})  # host name, address
_NO_CERTIFICATE: Final = ("CERTIFICATE_REQUIRED", "HANDSHAKE_FAILURE", "BAD_CERTIFICATE")
_ADDRESS: Final = "check mqtt.host and mqtt.port, and that the broker runs"
_TLS: Final = "check mqtt.tls and mqtt.port, and mqtt.cert_file if it wants a certificate of ours"
_SPARE: Final = (
    "let the broker take retained messages and QoS 1 (mosquitto: retain_available, max_qos)"
)


@dataclass(frozen=True, slots=True)
class Ended:
    """Why there is no connection.

    ``pause_s``: not again before; ``too_large``: because of what we sent; ``wordless``: the broker
    closed it and did not say why.
    """

    detail: str
    fix: str
    code: str = UNREACHABLE
    pause_s: float = SOON_S
    too_large: bool = False
    wordless: bool = False


def why(exc: BaseException | None, broker: Broker) -> Ended:
    """What went wrong before or under MQTT, and what to do. No library's text but OpenSSL's."""
    place = broker.place
    match exc:
        case ConnectionRefusedError():
            return Ended(f"no MQTT broker listens at {place}", _ADDRESS)
        case socket.gaierror():
            detail = f"the name {broker.host} of the MQTT broker cannot be resolved"
            return Ended(detail, _ADDRESS)
        case ssl.SSLCertVerificationError():
            return _certificate(exc, broker)
        case ssl.SSLError() if any(word in (exc.reason or "") for word in _NO_CERTIFICATE):
            detail = f"the broker at {place} wants a certificate of us, or another than this one"
            return Ended(detail, "check mqtt.cert_file and mqtt.key_file", AUTH, CERTIFICATE_S)
        case ssl.SSLEOFError() | ConnectionResetError() | BrokenPipeError():
            return _without_a_word(place)
        case ssl.SSLError():
            reason = (exc.reason or "it ended the handshake").replace("_", " ").lower()
            return Ended(f"the broker at {place} speaks no TLS that we understand: {reason}", _TLS)
        case TimeoutError():
            return Ended(f"the MQTT broker at {place} cannot be reached: no answer", _ADDRESS)
        case OSError() if exc.strerror:
            return Ended(f"the MQTT broker at {place} cannot be reached: {exc.strerror}", _ADDRESS)
        case _:
            return _without_a_word(place)


def _without_a_word(place: str) -> Ended:
    detail = f"the broker at {place} ended the connection without a word"
    fix = f"nothing to do unless it does so each time: then {_TLS}"
    return Ended(detail, fix, wordless=True)


def _certificate(exc: ssl.SSLCertVerificationError, broker: Broker) -> Ended:
    """Who must do what about it; it is refused in every case."""
    whose = f"the certificate of the broker at {broker.place}"
    code, pause_s = exc.verify_code, CERTIFICATE_S
    if code == _NOT_YET_VALID:
        today = time.strftime("%Y-%m-%d", time.gmtime())
        detail = f"{whose} is not valid yet on {today}, which is today by this machine's clock"
        return Ended(detail, "set the clock; it sets itself once time servers answer", CLOCK, 10.0)
    if code == _EXPIRED:
        return Ended(f"{whose} has expired", "renew it at the broker", pause_s=pause_s)
    if code in _HOST:
        fix = "write in mqtt.host the name that stands in it"
        return Ended(f"{whose} is not for the name {broker.host}", fix, pause_s=pause_s)
    said = exc.verify_message or "it cannot be checked"
    fix = "give its authority's certificate in mqtt.ca_file"
    return Ended(f"{whose} is of an authority that is not known: {said}", fix, pause_s=pause_s)


def unwelcome(reason: ReasonCode, broker: Broker) -> Ended:
    """The broker's answer to CONNECT, for a person."""
    detail = f"the broker at {broker.place} refused us: {reason}"
    match reason.value:
        case 0x86 | 0x87 | 0x8C:
            fix = "check mqtt.username and mqtt.password"
            return Ended(detail, fix, AUTH, SLOWLY_S)
        case 0x8A:
            return Ended(detail, "lift the ban at the broker", AUTH, SLOWLY_S)
        case 0x84 | 0x01:
            fix = "update the broker: it must speak MQTT 5, mosquitto does since 1.6"
            return Ended(detail, fix, pause_s=SLOWLY_S)
        case 0x85:
            fix = "change name or mqtt.topic_prefix, of which our client id is made"
            return Ended(detail, fix, pause_s=SLOWLY_S)
        case 0x9A | 0x9B:
            return Ended(detail, _SPARE, pause_s=SLOWLY_S)
        case _:
            return Ended(detail, "look into the broker's log")


def sent_away(reason: ReasonCode, broker: Broker) -> Ended:
    """The broker's DISCONNECT, for a person."""
    detail = f"the broker at {broker.place} ended the connection: {reason}"
    match reason.value:
        case 0x8E:
            return taken(broker)
        case 0x95:
            fix = "raise the broker's size limit for messages"
            return Ended(detail, fix, too_large=True)
        case 0x87:
            fix = "check what the broker allows mqtt.username"
            return Ended(detail, fix, AUTH, SLOWLY_S)
        case 0x9A | 0x9B:
            return Ended(detail, _SPARE, pause_s=SLOWLY_S)
        case _:
            return Ended(detail, "nothing to do unless it lasts")


def flooded(size: int, broker: Broker) -> Ended:
    """A broker that does not keep to the limit that we gave it."""
    detail = f"the broker at {broker.place} sends us a message of {size} bytes"
    return Ended(detail, "look at what is published for us, or set max_packet_size at the broker")


def taken(broker: Broker) -> Ended:
    """Another client of our name connects whenever we do. Who fights, fights for ever."""
    detail = f"another client uses our id {broker.client_id} at the broker {broker.place}"
    return Ended(detail, "give each satellite a name of its own", TAKEN, SLOWLY_S)
