"""Turns of the user: appended sound, server VAD, commits, and the idle timeout. Pure.

Turns knows one wall clock only: the Wake it asks for after an answer, when the settings have an
idle timeout. All else happens on the clock of appended samples.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from satellite.local import conversation, settings, sound
from satellite.local.conversation import Conversation, Item
from satellite.local.input_buffer import InputBuffer
from satellite.local.outputs import Outbox, Wake
from satellite.local.responses import Responses
from satellite.local.schema import Refusal
from satellite.local.settings import TurnDetection
from satellite.local.transcripts import Transcripts
from satellite.local.vad import Detector, Endpointer, SpeechStarted, SpeechStopped, Voiced

_SHORTEST_MS: Final = 100  # of a commit: realtime-protocol.md 3.1
_GROWING_MS: Final = 640  # of new sound between two hearings of a live transcription model
_GROWING_LIMIT_MS: Final = 30_000  # then it hears no more until the commit: it hears all each time
_ARE_YOU_THERE: Final = "Are you still there?"


class Turns:
    """``current`` gives the session's settings of the moment; ``add`` puts an item in and tells."""

    def __init__(
        self,
        outbox: Outbox,
        items: Conversation,
        transcripts: Transcripts,
        responses: Responses,
        detector: Detector,
        current: Callable[[], dict[str, Any]],
        add: Callable[[Item], None],
    ) -> None:
        self._outbox = outbox
        self._items = items
        self._transcripts = transcripts
        self._responses = responses
        self._detector = detector
        self._current = current
        self._add = add
        self._buffer = InputBuffer(settings.input_format(current()))
        self._decode = sound.Decoder(self._buffer.format)
        self._endpointer = Endpointer()
        self._voiced = Voiced()
        self._item_id: str | None = None  # told to the client, not yet committed
        self._start_ms = 0  # where that item begins
        self._grown_ms = 0.0  # of the buffer, at the last hearing of a live model
        self._wake = 0
        self._wake_from_ms = 0

    @property
    def has_unheard(self) -> bool:
        return self._buffer.has_unheard

    @property
    def announced(self) -> str | None:
        """The id of the item that the next commit makes, once the client was told of it."""
        return self._item_id

    def append(self, data: bytes) -> None:
        self._buffer.append(data)

    def settings_changed(self) -> None:
        """The settings have other values from here on."""
        source = settings.input_format(self._current())
        if source != self._buffer.format:
            self._judge(self._decode.finish())
            self._buffer.become(source)
            self._decode = sound.Decoder(source)
        if settings.turn_detection(self._current()) is None:
            self._start_ms = 0  # the client ends the turn, and says all of it is one
            self._endpointer.forget()  # and its detection begins anew, if it is turned on again

    def clear(self) -> None:
        self._buffer.clear()
        self._drop_turn()
        self._outbox.send("input_audio_buffer.cleared")

    def listen(self) -> None:
        """Judge at most 128 ms of appended sound."""
        self._judge(self._decode(self._buffer.hear()))
        self._grow()

    def commit(self) -> None:
        """By the client. Raises Refusal when there is too little."""
        if self._buffer.ms < _SHORTEST_MS:
            raise Refusal(
                "input_audio_buffer_commit_empty",
                "Error committing input audio buffer: buffer too small. Expected at least "
                f"100ms of audio, but buffer only has {self._buffer.ms:.2f}ms of audio.",
            )
        voiced = self._voiced.any or self._item_id is not None
        self._commit(self._buffer.take(self._start_ms, None), voiced=voiced)

    def _judge(self, pcm: bytes) -> None:
        for probability in self._detector.frames(pcm):
            wanted = settings.turn_detection(self._current())
            self._voiced.hear(probability)
            match self._endpointer.hear(probability, wanted):
                case SpeechStarted(start_ms):
                    self._speech_started(start_ms, wanted)
                case SpeechStopped(end_ms):
                    self._speech_stopped(end_ms, wanted)

    def _speech_started(self, start_ms: int, wanted: TurnDetection | None) -> None:
        self._stay_awake()
        self._item_id, self._start_ms = self._item_id or self._outbox.new_id("item"), start_ms
        keys = {"audio_start_ms": start_ms, "item_id": self._item_id}
        self._outbox.send("input_audio_buffer.speech_started", **keys)
        if wanted is not None and wanted.interrupt_response:
            self._responses.interrupt()

    def _speech_stopped(self, end_ms: int, wanted: TurnDetection | None) -> None:
        keys = {"audio_end_ms": end_ms, "item_id": self._item_id}
        self._outbox.send("input_audio_buffer.speech_stopped", **keys)
        self._commit(self._buffer.take(self._start_ms, end_ms), voiced=True)
        if wanted is not None and wanted.create_response:
            self._respond()

    def _respond(self, saying: str | None = None) -> None:
        try:
            wanted = settings.response_settings(self._current(), {})
            self._responses.create({}, wanted, saying)
        except Refusal as refusal:  # the old answer goes on while the user talked: 5.1
            self._outbox.refuse(refusal, None)

    def _commit(self, data: bytes, *, voiced: bool) -> None:
        item_id = self._item_id or self._outbox.new_id("item")
        item = conversation.user_audio(item_id, data, self._buffer.format, voiced=voiced)
        self._item_id = None
        self._drop_turn()
        keys = {"previous_item_id": self._items.last_id, "item_id": item.id}
        self._outbox.send("input_audio_buffer.committed", **keys)
        self._add(item)
        self._transcripts.want(item, settings.transcription(self._current()))

    def _drop_turn(self) -> None:
        """What was said so far belongs to no turn any more; the clock goes on (S23)."""
        if self._item_id is not None:
            self._transcripts.forget(self._item_id)
        self._item_id, self._start_ms, self._grown_ms = None, 0, 0.0
        self._endpointer.forget()
        self._voiced.forget()
        self._stay_awake()

    def _grow(self) -> None:
        """A live transcription model hears what is not committed yet (S37)."""
        style = settings.transcription(self._current())
        ms = self._buffer.ms
        if style is None or not style.live or not self._voiced.any or ms > _GROWING_LIMIT_MS:
            return
        self._item_id = self._item_id or self._outbox.new_id("item")
        if ms - self._grown_ms >= _GROWING_MS and not self._transcripts.growing(self._item_id):
            self._grown_ms = ms
            pcm = sound.decoded(self._buffer.peek(), self._buffer.format)
            self._transcripts.grow(self._item_id, pcm, style)

    def _stay_awake(self) -> None:
        """The Wake that was asked for, if any, means nothing any more."""
        self._wake += 1

    def answered(self, spoken_ms: int) -> None:
        """A response of the conversation ended: the idle timeout begins to count (S40)."""
        idle_ms = self._idle_ms()
        if idle_ms is None or self._endpointer.speaking:
            return
        self._stay_awake()
        self._wake_from_ms = self._buffer.end_ms + spoken_ms
        self._outbox.work(Wake(idle_ms + spoken_ms, self._wake))

    def _idle_ms(self) -> int | None:
        wanted = settings.turn_detection(self._current())
        return None if wanted is None else wanted.idle_ms

    def woken(self, number: int) -> None:
        """Nobody said anything since the answer was played: 4.10."""
        if number != self._wake or self._responses.active or self._idle_ms() is None:
            return
        self._item_id = self._outbox.new_id("item")
        end_ms = self._buffer.end_ms
        start_ms = min(self._wake_from_ms, end_ms)
        keys = {"audio_start_ms": start_ms, "audio_end_ms": end_ms, "item_id": self._item_id}
        self._outbox.send("input_audio_buffer.timeout_triggered", **keys)
        self._commit(self._buffer.take(start_ms, end_ms), voiced=False)
        self._respond(_ARE_YOU_THERE)
