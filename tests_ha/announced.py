"""A satellite as Home Assistant sees one: its messages, made by the daemon's own code, sent by us.

For what no daemon on a test bench can bring about, such as a wake word, or when it is wanted, such
as words. The tests with a whole daemon are elsewhere.
"""

from __future__ import annotations

import itertools
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from broker import Client

from satellite.model import records as rec
from satellite.model.ports import Message
from satellite.wire import discovery, mqtt

NAME: Final = "kitchen"
BASE: Final = f"satellite/{NAME}"
SETTINGS: Final = rec.Settings(
    muted=False,
    volume=60,
    voice="marin",
    language="en",
    transcription_prompt="names of lamps",
    instructions_sha256="00",
    sensitivity=2,
    activation="wake_word",
    turn_detection="server_vad",
)
_numbers = itertools.count(1)


def now(ago_s: float = 0.0) -> str:
    """RFC 3339, UTC, milliseconds."""
    moment = datetime.now(UTC) - timedelta(seconds=ago_s)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def about(mode: discovery.Mode, name: str = NAME) -> discovery.About:
    """Of a satellite that has every entity there is."""
    return discovery.About(
        name,
        f"satellite/{name}",
        mode=mode,
        version="0.1.0",
        voices=("cedar", "marin"),
        languages=("de", "en"),
        activations=("open_mic", "wake_word", "push_to_talk"),
    )


class Announced:
    """Sends what a satellite sends."""

    def __init__(self, client: Client, name: str = NAME) -> None:
        self.client = client
        self.name = name
        self.base = f"satellite/{name}"

    def send(self, *messages: Message) -> None:
        for message in messages:
            self.client.publish(
                message.topic, message.payload, retain=message.retain, expiry_s=message.expiry_s
            )

    def say(self, record: rec.Record) -> None:
        self.send(mqtt.encode(record, self.base, retain_text=False))

    def appear(self, mode: discovery.Mode) -> None:
        """Discovery, then every state, as at each connect."""
        self.send(*discovery.messages(about(mode, self.name), SETTINGS))
        self.send(mqtt.status(self.base, mqtt.ONLINE))
        self.state("idle")
        self.say(SETTINGS)
        self.say(USAGE)
        self.say(DIAGNOSTICS)

    def disappear(self, mode: discovery.Mode) -> None:
        """Take the announcement back."""
        topics = discovery.topics(about(mode, self.name))
        self.send(*(mqtt.empty(topic) for topic in topics if not topic.startswith(self.base)))

    def forget(self, mode: discovery.Mode) -> None:
        """Nothing of it stays at the broker. Entities that are not gone yet would complain."""
        topics = discovery.topics(about(mode, self.name))
        self.send(*(mqtt.empty(topic) for topic in topics if topic.startswith(self.base)))

    def state(self, state: Any, **more: Any) -> None:
        self.say(rec.State(state=state, since=now(), **more))

    def transcript(self, text: str, *, ago_s: float = 0.0, **more: Any) -> str:
        """Somebody says ``text``; return the id."""
        number = next(_numbers)
        record = rec.Transcript(
            **{
                "event_type": "final",
                "id": uuid.uuid4().hex,
                "seq": number,
                "turn_id": f"turn-{number}",
                "device_id": self.name,
                "ts": now(ago_s),
                "item_id": f"item-{number}",
                "text": text,
                **more,
            }
        )
        self.say(record)
        return record.id

    def response(self, text: str, **more: Any) -> None:
        number = next(_numbers)
        self.say(
            rec.Response(
                **{
                    "event_type": "completed",
                    "id": uuid.uuid4().hex,
                    "seq": number,
                    "turn_id": f"turn-{number}",
                    "device_id": self.name,
                    "ts": now(),
                    "text": text,
                    **more,
                }
            )
        )

    def ask_tool(self, text: str, **more: Any) -> None:
        """The model wants something of the home."""
        values = {"name": "home_assistant", "call_id": uuid.uuid4().hex, "deadline": now(-10)}
        self.say(
            rec.ToolCall(
                turn_id="turn-1",
                device_id=self.name,
                arguments={"text": text},
                ts=now(),
                **{**values, **more},
            )
        )


USAGE: Final = rec.Usage(
    day="2026-11-21",
    month="2026-11",
    turns_today=3,
    tokens_today=1234,
    sent_today_s=56.7,
    cost_today_usd=0.1234,
    cost_month_usd=1.5,
    cost_exact=True,
    cap_day_usd=1.0,
    cap_month_usd=None,
    ts=now(),
)
DIAGNOSTICS: Final = rec.Diagnostics(
    session_connected=True,
    started_at="2026-11-21T08:00:00.000Z",
    uptime_s=60,
    outbox_depth=0,
    outbox_oldest_s=0.0,
    outbox_expired=0,
    mqtt_reconnects=0,
    session_reconnects=0,
    echoes=0,
    underruns=0,
    mic_gaps=0,
    gate_opened=0,
    gate_refused=0,
    sent_in_vain_s=0.0,
    version="0.1.0",
    ts=now(),
)
