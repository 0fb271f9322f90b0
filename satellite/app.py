"""Builds every object once, starts them in order, stops them in reverse within one deadline.

It decides nothing about the conversation: it turns a configuration into settings and owners.
"""

from __future__ import annotations

import functools
import logging
import random
import secrets
import time
from dataclasses import dataclass
from typing import Final

from satellite import builtin, bus_setup, errors, hearing_setup, house_setup, session_setup
from satellite.adapters import buttons, portaudio, realtime_link, recording
from satellite.adapters.resampler import Resampler
from satellite.adapters.systemd import Notifier
from satellite.alive import Alive
from satellite.capture import Capture
from satellite.config.schema import Config
from satellite.core import Core, Outside, Wire
from satellite.house import House
from satellite.inbox import Inbox
from satellite.logic.asked import AskedSettings
from satellite.logic.link import LinkSettings
from satellite.logic.report import ReportSettings
from satellite.logic.satellite import Settings, tuned
from satellite.logic.talk import TalkSettings
from satellite.logic.usage import UsageSettings
from satellite.model.audio import Instant
from satellite.model.ports import Sink, Source, Worker
from satellite.playback import Playback
from satellite.pressing import Pressing
from satellite.wire import discovery, mqtt

STOP_S: Final = 1.8  # and 2 s with the end of the process; reliability P15

log = logging.getLogger(__name__)


@dataclass(slots=True)
class App:
    """The running satellite. Main thread only, but for ``inbox.post``."""

    inbox: Inbox
    core: Core
    capture: Capture
    playback: Playback
    link: realtime_link.RealtimeLink
    bus: bus_setup.MqttBus
    notifier: Notifier
    base_topic: str
    button: Pressing | None = None

    def run(self) -> int:
        """Start, decide until told to stop, stop. Returns the exit code."""
        self.bus.start()
        self.playback.start()
        if self.button is not None:
            self.button.start()
        self.notifier.ready("starting")
        try:
            return self.core.run(self.capture.start)
        finally:
            self._stop()

    def _stop(self) -> None:
        """Close the ears first, say good-bye last; a device that hangs is left behind."""
        self.notifier.stopping()
        end = time.monotonic() + STOP_S
        button = () if self.button is None else (("button", self.button.stop),)
        for name, stop in (
            *button,
            ("microphone", self.capture.stop),
            ("session", self.link.stop),
            ("speaker", self.playback.stop),
        ):
            if not stop(max(0.1, min(0.7, end - time.monotonic()))):
                log.warning("the %s did not stop in time; it ends with the process", name)
        self.bus.stop(max(0.1, end - time.monotonic()))


@dataclass(frozen=True, slots=True)
class Front:
    """What is made first: all that is needed to hear of the house, and to tell it."""

    inbox: Inbox
    house: House
    bus: bus_setup.MqttBus
    base_topic: str


def front(config: Config) -> Front:
    """Claim the state directory, which is ours from now on; nothing else is opened yet.

    Raises SetupError, or TakenError where another daemon has the state directory.
    """
    inbox = Inbox()
    base_topic = mqtt.base(config.mqtt.topic_prefix, config.name)
    closed = (config.mqtt.discovery_prefix,)
    house = House(base_topic, closed, inbox.post, inbox.post_patiently, time.monotonic)
    return Front(inbox, house, bus_setup.build(config, inbox.post, house.on_message), base_topic)


def build(config: Config, notifier: Notifier, begun: Front | None = None) -> App:
    """Make every other object; nothing is opened yet.

    Raises SetupError for a missing extra, and what ``front`` raises where it was not made before.
    """
    begun = begun or front(config)
    inbox, house, bus, base_topic = begun.inbox, begun.house, begun.bus, begun.base_topic
    endpoint = session_setup.endpoint(config)
    link = realtime_link.RealtimeLink(
        endpoint,
        functools.partial(session_setup.decoder, config),
        inbox.post_patiently,
    )
    kept = bus.begun.values
    far = hearing_setup.far_end(config)
    capture = Capture(
        _source(config),
        hearing_setup.ears(config, far),
        hearing_setup.wanted(config),
        hearing_setup.gate(config),
        inbox.post,
        time.monotonic,
    )
    given = config.audio.output
    playback = Playback(
        _sink(config),
        inbox.post,
        time.monotonic,
        volume=given.volume,
        far=far,
        lead_ms=0 if given.file is not None or given.silent else given.lead_ms,
    )
    workers: dict[str, Worker] = {
        "capture": capture,
        "playback": playback,
        "Realtime": link,
        "outbox": bus.outbox,
        "MQTT": bus.link,
    }
    button = _button(config, inbox)
    if button is not None:
        workers["button"] = button
    outside = Outside(
        link=link,
        bus=bus.outbox,
        capture=capture,
        playback=playback,
        alive=Alive(notifier, workers),
        last_frame_at=lambda: capture.last_frame_at,
        run_tool=builtin.run,
        clock=lambda: Instant(time.monotonic(), time.time()),
        limited=lambda: house.limited,
        in_mic_since=lambda: capture.in_device_since,
        in_speaker_since=lambda: playback.in_device_since,
    )
    wire = Wire(
        base_topic,
        config.privacy.retain_text,
        entities=functools.partial(discovery.messages, house_setup.about(config)),
        stale=house_setup.stale(config, kept),
        spell=session_setup.spell(config),
        sound=session_setup.sound(config),
    )
    settings = _settings(config, endpoint.place)
    core = Core(settings, wire, outside, inbox, kept, bus.begun.last_seq)
    return App(inbox, core, capture, playback, link, bus, notifier, base_topic, button)


def _settings(config: Config, place: str) -> Settings:
    realtime_, session = config.realtime, session_setup.session(config)
    price, transcript_price = realtime_.prices
    settings = Settings(
        link=LinkSettings(
            connect_timeout_s=realtime_.connect_timeout_s,
            idle_close_s=realtime_.idle_close_s,
            uniform=random.uniform,
            session=session,
            compare=session_setup.compare(config),
            place=place,
        ),
        talk=TalkSettings(
            report=ReportSettings(
                boot=secrets.token_hex(6),
                device_id=config.name,
                language=realtime_.transcription.language,
                price=price,
                transcript_price=transcript_price,
            ),
            half_duplex=config.audio.duplex == "half",
            recording=bool(config.audio.input.file),
            session=session,
            hold=config.push_to_talk.mode == "hold",
        ),
        asked=AskedSettings(frozenset(config.commands.refuse)),
        chosen=house_setup.chosen(config),
        presence=house_setup.presence(config),
        usage=UsageSettings(house_setup.local_day, config.name),
    )
    return tuned(settings, house_setup.tuning(config))


def _source(config: Config) -> Source:
    given = config.audio.input
    if given.file:
        return recording.RecordingSource(given.file, loop=given.loop)
    return portaudio.MicSource(given.device, Resampler, given.channel)


def _sink(config: Config) -> Sink:
    given = config.audio.output
    if given.file is not None:
        return recording.RecordingSink(given.file)
    if given.silent:
        return recording.NullSink()
    return portaudio.SpeakerSink(given.device, Resampler)


def _button(config: Config, inbox: Inbox) -> Pressing | None:
    given = config.push_to_talk
    if given.device is None:
        return None
    return Pressing(buttons.InputButton(given.device, given.code), inbox.post_patiently)


def check_recordings(config: Config, source: str) -> None:
    """Look at each recording. Raises ConfigError with all that cannot be heard."""
    problems: list[str] = []
    for path in config.audio.input.file:
        try:
            recording.check(path)
        except errors.RecordingError as exc:
            problems.append(f"{source}: audio.input.file: {exc}")
    if problems:
        raise errors.ConfigError(problems)
