"""What the threads and the core ask of the outside world. One Protocol a port, few methods each.

Devices (Source, Sink) are owned by one thread each: only that thread calls them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol

from satellite.model.requests import Reply

NOTHING: Final[Mapping[Any, Any]] = MappingProxyType({})

OnClose = Callable[[Callable[[], None]], None]
"""Takes what ends a wait at once, should the connection be closed meanwhile."""


class Source(Protocol):
    """Where sound comes from: a microphone, or a recording in its place."""

    def open(self) -> None:
        """Begin to capture. Raises DeviceError or RecordingError with a sentence."""

    def read(self, samples: int) -> bytes:
        """Block until ``samples`` samples were captured; return them as PCM of model.audio.

        Empty where that takes much longer than their length: ask again. Raises DeviceError when
        the device is gone or gives nothing any more; then close() and open() again.
        """

    def close(self) -> None:
        """Give the device back. Safe after any error, and twice."""

    @property
    def live(self) -> bool:
        """True where sound passes whether it is read or not; a recording waits for its reader."""

    def pause(self, on: bool) -> None:
        """A recording waits, silence is read meanwhile; a microphone cannot wait and does not."""

    @property
    def ended(self) -> bool:
        """True once a recording is over; silence is read from then on."""


class Sink(Protocol):
    """Where the answer goes: a speaker, a WAV file, or nowhere in real time."""

    def open(self) -> None:
        """Make ready to play. Raises DeviceError with a sentence."""

    def write(self, pcm: bytes) -> None:
        """Play; blocks for about the sound's length once the device's buffer is full.

        Raises DeviceError when the device is gone or takes nothing any more.
        """

    def push(self) -> None:
        """Nothing follows for now: let even the end of what was written sound by itself.

        Raises DeviceError as write does.
        """

    def room_s(self) -> float:
        """Seconds of sound that a write takes without blocking, as far as the device tells.

        Raises DeviceError as write does.
        """

    def delay_s(self) -> float:
        """Seconds of sound that were written and have not sounded; comes down to 0. Never raises.

        Of a device that is gone: when it was asked last.
        """

    def drop(self) -> None:
        """Give the device back at once; what has not sounded never will. Safe as close is."""

    def close(self) -> None:
        """Play out what was written, then give the device back. Safe after any error, and twice."""


class Judge(Protocol):
    """Tells speech from other sound, one frame at a time, in order."""

    def __call__(self, frame: bytes) -> bool:
        """``frame``: one frame of PCM of model.audio."""


class Network(Protocol):
    """Says how sure it is of speech, for sound that a Judge took for it. It hears in order."""

    def hear(self, frame: bytes) -> float | None:
        """``frame``: one frame of PCM of model.audio. 0 to 1 of the newest window of its own; None
        where none was completed."""

    def forget(self) -> None:
        """What follows does not go on where the last frame ended. What it learnt may stay."""

    def renew(self) -> None:
        """Be as it was at first: nothing was heard."""


class Judged(NamedTuple):
    """What is known of one frame.

    ``speech``: the verdict. ``fired``: that of the Judge alone. ``certainty``: the Network's, None
    where it was not asked. ``level``: from the lowest to the highest of its samples; ``floor``: the
    same of the room when nobody speaks, 0 as long as that is not known. ``before``: where speech
    begins with this frame, it began so many frames earlier.
    """

    speech: bool
    fired: bool
    certainty: float | None = None
    level: int = 0
    floor: int = 0
    before: int = 0


class Canceller(Protocol):
    """Takes the assistant's own voice out of what the microphone hears, frame by frame."""

    def clean(self, near: bytes, far: bytes) -> bytes:
        """One frame each of model.audio: what was heard, and what went to the speaker meanwhile.

        Returns one frame: what was heard of everything else, up to 10 ms late.
        """


class Discerned(NamedTuple):
    """What one frame holds beside the loudspeaker's sound.

    ``surprise``: how much louder it is than that explains, in dB summed over the bands of a voice;
    0 as long as that is not known. ``audible``: something of it is left where that is taken out.
    ``echo``: the room may still ring with what was played.
    """

    surprise: float
    audible: bool
    echo: bool


class Discerner(Protocol):
    """Tells the loudspeaker's sound from somebody who speaks against it, frame by frame."""

    def hear(self, near: bytes, far: bytes, cleaned: bytes) -> Discerned:
        """One frame each of model.audio, in order; ``cleaned`` is what a Canceller made of them."""

    def pause(self) -> None:
        """What follows does not go on where the last frame ended."""


class Waker(Protocol):
    """Listens for a wake word, one frame at a time, in order; frames may be left out."""

    def hear(self, frame: bytes) -> str | None:
        """``frame``: one frame of PCM of model.audio. Returns the word, once each time it came."""


class Button(Protocol):
    """A button that a person presses to talk. One thread owns it, but for ``wake``."""

    def open(self) -> None:
        """Begin to listen for it. Raises DeviceError with a sentence."""

    def read(self) -> bool | None:
        """Block until it is pressed (True) or let go (False), in turn; None after ``wake``.

        Raises DeviceError when the button is gone; then close() and open() again.
        """

    def wake(self) -> None:
        """Have ``read`` return None once, now or when it is next called. From any thread."""

    def close(self) -> None:
        """Give the button back. Safe after any error, and twice."""


class RealtimeLink(Protocol):
    """The connection to the Realtime server. All methods return at once."""

    def connect(self, link: int) -> None:
        """Open connection number ``link``; FromServer events or LinkDown follow."""

    def send(self, message: bytes) -> bool:
        """Queue one text message; False when the peer takes too little for too long."""

    def disconnect(self) -> None:
        """Drop the connection, if any; no event is owed for it."""


@dataclass(frozen=True, slots=True)
class Message:
    """One publication. ``expiry_s`` is the MQTT 5 message expiry, None for never.

    ``seq``: it is kept on disk and waits until somebody has it; one without is a state, of which
    only the present one is worth sending, or not worth waiting for. ``correlation`` is what a
    requester gave us to know the answer by. ``theirs``: on a topic that the requester chose;
    whether the broker lets us write there is their affair.
    """

    topic: str
    payload: bytes = field(repr=False)
    qos: int
    retain: bool
    expiry_s: int | None
    seq: int | None = None
    correlation: bytes | None = field(default=None, repr=False)
    theirs: bool = False


@dataclass(frozen=True, slots=True)
class Stored:
    """A message with a ``seq`` on the disk. ``created`` is in epoch seconds."""

    message: Message
    created: float


class Store(Protocol):
    """What outlasts us. One thread; each method raises StoreError with a sentence."""

    def last_seq(self) -> int:
        """The highest that was ever used, though its message may be forgotten."""

    def values(self) -> dict[str, object]:
        """What is kept, by name."""

    def waiting(self) -> list[Stored]:
        """What nobody has yet, in order."""

    def since(self, seq: int, most: int) -> list[Stored]:
        """At most ``most`` of what has ``seq`` or more, delivered or not, in order."""

    def write(
        self,
        rows: Sequence[Stored] = (),
        fates: Mapping[int, str] = NOTHING,
        values: Mapping[str, object] = NOTHING,
    ) -> None:
        """Keep new rows, what became of others by ``seq``, and values by name; None forgets one.

        All or nothing. Returns when rows and values are on the disk. Fates alone may be forgotten
        in a power cut: at worst a message is delivered twice.
        """

    def tidy(self, now: float) -> float | None:
        """Do what can wait for a quiet moment. Epoch seconds when there is more to do, if known."""

    def close(self) -> None:
        """Give everything back. Never raises; nothing may be asked of it afterwards."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message that the broker handed to us, as it came; nothing of it is checked yet.

    ``retain``: the broker had kept it, it may be old. ``reply`` is the response topic, and what to
    know the answer by, where the sender gave one.
    """

    topic: str
    payload: bytes = field(repr=False)
    retain: bool = False
    reply: Reply | None = None


OnMessage = Callable[[Incoming], None]
"""Called in the MQTT thread; returns soon and never raises."""


class Bus(Protocol):
    """MQTT, and what must outlast us. All methods return at once."""

    def publish(self, message: Message) -> None:
        """Send one message; without a connection it waits on disk if it has a ``seq``."""

    def keep(self, name: str, value: object) -> None:
        """Remember a value of JSON's kinds over restarts; None forgets it."""

    def replay(
        self,
        since: int,
        most: int,
        reply: Reply | None,
        id: str | None = None,  # noqa: A002 - of the request, for its result
    ) -> None:
        """Tell again what has ``since`` or more as its ``seq``; then publish the Result."""


class Sender(Protocol):
    """What carries messages to the broker. All methods return at once, from any thread."""

    def send(self, message: Message) -> None:
        """Publish what is worth sending only now; without a connection it is dropped."""

    def hand(self, message: Message, link: int, number: int) -> None:
        """Publish on connection ``link`` or not at all; its answer is told with ``number``."""


@dataclass(frozen=True, slots=True)
class Knock:
    """An order for any of our threads: call ``answer``, to show that orders are taken."""

    answer: Callable[[], None]


class Worker(Protocol):
    """A thread of ours, seen by whoever watches over it. Any thread may ask; nothing waits."""

    def knock(self, answer: Callable[[], None]) -> None:
        """Have the thread call ``answer`` as soon as it takes orders; one that has ended has."""

    @property
    def held_since(self) -> float | None:
        """Monotonic seconds since when a device or a name server holds it; None where none does."""


class Mailbox(Protocol):
    """A queue into another thread; commands go in, nothing comes back."""

    def put(self, item: object) -> None:
        """Returns at once, from any thread."""
