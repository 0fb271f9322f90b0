"""What a configuration means for MQTT: the connection, the outbox behind it, and what is kept.

It opens the state directory, and so is the first thing that a start does.
"""

from __future__ import annotations

import functools
import os
import time
from dataclasses import dataclass

from satellite import delivery
from satellite.adapters import mqtt_link, outbox, state_directory
from satellite.adapters.starts import Starts
from satellite.config.schema import Config
from satellite.inbox import Post
from satellite.logic import drain
from satellite.model import events as ev
from satellite.model.audio import Instant
from satellite.model.ports import Incoming, OnMessage
from satellite.wire import mqtt

HOUSE: dict[bytes, bool] = {b"online": True, b"offline": False}


@dataclass(slots=True)
class MqttBus:
    """The two threads. ``begun`` is what the last start left behind, ``starts`` who crashed.

    ``lock`` keeps others out of the state directory, until ``release`` or the process's end.
    """

    link: mqtt_link.MqttLink
    outbox: delivery.Delivery
    begun: delivery.Begun
    house_topic: str
    post: Post
    on_message: OnMessage
    lock: int | None
    starts: Starts

    def start(self) -> None:
        """Begin to connect and to deliver; what the last start left behind is first."""
        self.outbox.start()
        self.link.start(self.outbox.tell, self._hear)

    def stop(self, timeout_s: float) -> bool:
        """Deliver what can be, write all down, say good-bye; False when that takes too long."""
        end = time.monotonic() + timeout_s
        written = self.outbox.stop(timeout_s * 0.6)
        return self.link.stop(max(0.1, end - time.monotonic())) and written

    def release(self) -> None:
        """Let another have the state directory."""
        if self.lock is not None:
            os.close(self.lock)
            self.lock = None

    def _hear(self, incoming: Incoming) -> None:
        """In the MQTT thread."""
        if incoming.topic != self.house_topic:
            self.on_message(incoming)
            return
        online = HOUSE.get(incoming.payload)
        if online is None:
            return
        self.outbox.tell(drain.House(online, kept=incoming.retain))
        if online and not incoming.retain:  # what was kept says that it started some time ago
            self.post(ev.HouseUp())


def build(config: Config, post: Post, on_message: OnMessage) -> MqttBus:
    """Claim the state directory, open what is in it, make the threads; nothing is connected yet.

    Raises SetupError or TakenError. ``on_message`` is called in the MQTT thread with what comes
    on the topics for commands and for results of tools.
    """
    folder = state_directory.find(config.state_dir, config.name, os.environ)
    lock = state_directory.claim(folder)
    journal_s = config.privacy.journal_hours * 3600.0
    open_store = functools.partial(outbox.open_outbox, folder, journal_s)
    try:
        return _build(config, post, on_message, open_store, lock, Starts(folder))
    except BaseException:
        os.close(lock)
        raise


def _build(
    config: Config,
    post: Post,
    on_message: OnMessage,
    open_store: delivery.Open,
    lock: int,
    starts: Starts,
) -> MqttBus:
    base_topic = mqtt.base(config.mqtt.topic_prefix, config.name)
    house_topic = f"{config.mqtt.discovery_prefix}/status"
    topics = (f"{base_topic}/cmd/+", f"{base_topic}/tool/result", house_topic)
    will = mqtt.status(base_topic, mqtt.OFFLINE)
    link = mqtt_link.MqttLink(broker(config), will, topics, post)
    begun = delivery.begin(open_store, time.time())
    thread = delivery.Delivery(
        begun,
        open_store,
        link,
        post,
        base_topic,
        lambda: Instant(time.monotonic(), time.time()),
        _drain(config),
    )
    return MqttBus(link, thread, begun, house_topic, post, on_message, lock, starts)


def _drain(config: Config) -> drain.Drain:
    """Entities that are announced need time until they are heard."""
    if config.mqtt.discovery == "none":
        return drain.Drain()
    return drain.Drain(drain.SETTLE_S, drain.GAP_S)


def broker(config: Config) -> mqtt_link.Broker:
    """Where the broker is and who we are to it."""
    m = config.mqtt
    return mqtt_link.Broker(
        host=m.host,
        port=m.port_number,
        client_id=f"{m.topic_prefix.replace('/', '-')}-{config.name}",
        username=m.username,
        password=m.password,
        tls=m.use_tls,
        ca_file=m.ca_file,
        cert_file=m.cert_file,
        key_file=m.key_file,
    )
