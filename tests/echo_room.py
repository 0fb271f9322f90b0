"""Answers that are played in a room, a microphone that hears them, and people who interrupt.

Everything between the loudspeaker's samples and the gate is the real thing: far end, canceller,
discerner, judge, gate. Time is counted in samples, so it runs faster than a clock and always the
same. Both talkers are as loud as each other at the microphone, unless a room says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from satellite.adapters import voice
from satellite.far_end import FarEnd
from satellite.local import vad
from satellite.local.settings import TurnDetection
from satellite.logic.gate import Change, Gate, GateSettings
from satellite.model.audio import FRAME_BYTES, RATE, SAMPLE_BYTES
from satellite.own_voice import OwnVoice

Sound = NDArray[np.float64]

LOUD: Final = 2000.0  # root mean square of speech at the microphone: 24 dB below full scale
PLAYED: Final = 2600.0  # and of what is played: the synthesiser's own, at a volume of 60 %
DELAY_S: Final = 0.12  # from writing a sample to capturing its echo
BUFFER_S: Final = 0.12  # the loudspeaker's
BLOCK: Final = 2 * FRAME_BYTES // SAMPLE_BYTES  # 40 ms, as while an answer sounds
BLOCK_S: Final = BLOCK / RATE
PAUSE_S: Final = 2.0  # an interruption that the server does not hear is over then
QUIET_S: Final = 0.6  # between two answers


@dataclass(frozen=True)
class Place:
    """A room, its noise in dB below speech, and what is wrong with its loudspeaker.

    ``rt60_s``: until it is 60 dB quieter; as much sound comes from the walls as straight.
    ``clips``: in root mean squares of speech. ``early_ms``: each answer comes up to so much early
    or late. ``moves``: somebody moves every so many answers. ``anew``: nothing was learnt before.
    ``asks``: each answer follows a question, so soon that the gate is still open.
    """

    name: str
    rt60_s: float = 0.3
    noise_db: float = -40
    echo_db: float = 0
    clips: float = 0
    ppm: float = 0
    early_ms: float = 0
    moves: int = 0
    volumes: bool = False
    anew: bool = False
    asks: bool = False


@dataclass(frozen=True)
class Heard:
    """What became of one answer. Seconds of the clock that counts the room's samples.

    ``opened_at``: when the block with the verdict was over, each time; ``asked``: where the
    server's detection then heard speech.
    """

    began_at: float
    spoken_at: float | None  # when the person's first loud sample was captured
    opened_at: tuple[float, ...]
    asked: int


def loudness(sound: Sound) -> float:
    """Root mean square of the frames that are loud enough to be speech."""
    each = np.sqrt(np.mean(sound[: len(sound) // 480 * 480].reshape(-1, 480) ** 2, axis=1))
    return float(np.sqrt(np.mean(each[each > each.max() / 20] ** 2)))


def onset(sound: Sound) -> int:
    """The first sample of the first 10 ms that are within 20 dB of the loudest."""
    each = np.sqrt(np.mean(sound[: len(sound) // 240 * 240].reshape(-1, 240) ** 2, axis=1))
    return int(np.flatnonzero(each > each.max() / 10)[0]) * 240


class ServerVad:
    """The local server's detection, as a session has it: called with what is sent to it.

    Says whether speech started in that.
    """

    def __init__(self, silence_ms: int = 500) -> None:
        self._frames = vad.SileroDetector().frames
        self._endpointer = vad.Endpointer()
        self._settings = TurnDetection(0.5, 300, silence_ms, True, True)

    @property
    def speaking(self) -> bool:
        return self._endpointer.speaking

    def __call__(self, pcm: bytes) -> bool:
        events = [self._endpointer.hear(p, self._settings) for p in self._frames(pcm)]
        return any(isinstance(event, vad.SpeechStarted) for event in events)


class _Loudspeaker:
    """One answer. Times and sizes in samples since it began; ``air``: its echo, walls aside."""

    def __init__(self, far: FarEnd, given: Sound, sounding: Sound, delay_s: float) -> None:
        self._far = far
        self._given = given
        self._sounding = sounding
        self._delay = round(delay_s * RATE)
        self._written = 0
        self._moved = 0  # so much later it sounds than it was to
        self._paused_at: int | None = None
        self.stopped = False
        self.air = np.zeros(len(given) + 60 * RATE)

    @property
    def lasts_s(self) -> float:
        """Until all of it has been played."""
        return (len(self._given) + self._moved) / RATE

    def write(self, now: int) -> None:
        """Fill the device."""
        ahead = now + round(BUFFER_S * RATE) + BLOCK - self._moved
        while self._is_playing() and self._written < min(len(self._given), ahead):
            self._far.played(_pcm(self._given[self._written : self._written + BLOCK]))
            piece = self._sounding[self._written : self._written + BLOCK]
            at = self._moved + self._written + self._delay
            self.air[at : at + len(piece)] = piece
            self._written += len(piece)

    def pause(self, now: int) -> None:
        """Somebody interrupts: what is in the device never sounds."""
        if self._is_playing():
            sounded = min(self._written, now - self._moved)
            self._far.dropped((self._written - sounded) * SAMPLE_BYTES)
            self.air[now + self._delay :] = 0
            self._written, self._paused_at = sounded, now

    def has_waited(self, now: int) -> bool:
        """Say whether it was paused long enough."""
        return self._paused_at is not None and now - self._paused_at > PAUSE_S * RATE

    def go_on(self, now: int) -> None:
        """Nobody interrupted: it goes on where it stopped."""
        if self._paused_at is not None and not self.stopped:
            self._moved, self._paused_at = now - self._written, None

    def _is_playing(self) -> bool:
        return self._paused_at is None and not self.stopped


class Room:
    """Satellite, loudspeaker, walls and one person. ``vad``: the server's, called with sound."""

    def __init__(self, place: Place, own_voice: Any, vad: ServerVad | None, seed: int = 1) -> None:
        self.place = place
        self._make = own_voice
        self._vad = vad
        self._rng = np.random.default_rng(seed)
        self.now = 100.0
        self.far = FarEnd(lambda: self.now)
        self._own: OwnVoice | None = own_voice(self.far)
        self._judge = voice.make_judge(2)
        self._gate = Gate(
            GateSettings.from_ms(onset_ms=60, pre_roll_ms=500, hangover_ms=700, limit_ms=30_000)
        )
        self._answers = 0
        self._walls: Sound = np.zeros(0)
        self._tail: Sound = np.zeros(0)

    def answer(self, pcm: Sound, said: Sound | None = None, after_s: float = 0.0) -> Heard:
        """Play an answer; ``said`` begins ``after_s`` after its first echo is captured."""
        self._prepare()
        volume = self._rng.uniform(0.3, 1.0) if self.place.volumes else 1.0
        given = pcm * (PLAYED / loudness(pcm) * volume)
        early_s = self._rng.uniform(-1, 1) * self.place.early_ms / 1000
        began_at = self.now
        speaker = _Loudspeaker(self.far, given, self._sounding(given), DELAY_S - early_s)
        spoken_at, words = None, np.zeros(0)
        if said is not None:
            words = said[onset(said) :] * (LOUD / loudness(said))
            spoken_at = began_at + DELAY_S + after_s
        opened: list[float] = []
        asked = 0
        while self.now < began_at + max(speaker.lasts_s, after_s + len(words) / RATE) + 1.0:
            now = round((self.now - began_at) * RATE)
            speaker.write(now)
            mic = self._echo(_part(speaker.air, now, BLOCK))
            if spoken_at is not None:
                mic = mic + _part(words, round((self.now - spoken_at) * RATE), BLOCK)
            self.now += BLOCK_S
            now += BLOCK
            change, heard = self._hear(_pcm(mic))
            if change is Change.OPENED:
                opened.append(self.now)
                speaker.pause(now)
            if self._is_speech(heard):
                asked += 1
                speaker.stopped = True
            if change is Change.CLOSED or speaker.has_waited(now):
                speaker.go_on(now)
        return Heard(began_at, spoken_at, tuple(opened), asked)

    def listen(self, said: Sound) -> None:
        """Somebody speaks, and nothing is played."""
        words = said[onset(said) :] * (LOUD / loudness(said))
        for start in range(0, len(words), BLOCK):
            self._send(_part(words, start, BLOCK))

    def _send(self, said: Sound) -> None:
        """A block in which nothing is played."""
        self.now += BLOCK_S
        _, heard = self._hear(_pcm(self._echo(np.zeros(BLOCK)) + said))
        self._is_speech(heard)

    def _is_speech(self, sent: bytes) -> bool:
        """Does speech start for the server?"""
        if not sent or self._vad is None:
            return False
        started = self._vad(sent)
        self._gate.hold(self._vad.speaking)
        return started

    def _prepare(self) -> None:
        place = self.place
        if place.anew:
            self._own = self._make(self.far)
        every = place.moves or 1_000_000
        if self._answers % every == 0:
            self._walls = _walls(self._rng, place.rt60_s)
        self._answers += 1
        quiet = self.now + QUIET_S
        while self.now < quiet:
            self._send(np.zeros(BLOCK))

    def _sounding(self, given: Sound) -> Sound:
        """What the loudspeaker makes of it, as loud as speech where the volume is full."""
        place, sound = self.place, given
        if place.ppm:
            at = np.arange(len(sound)) * (1 + place.ppm * 1e-6)
            sound = np.interp(at, np.arange(len(sound)), sound)
        if place.clips:
            most = place.clips * PLAYED
            sound = np.tanh(sound / most) * most
        return sound * (LOUD / PLAYED * 10 ** (place.echo_db / 20))

    def _echo(self, out: Sound) -> Sound:
        """What the microphone captures of it, noise included."""
        size = BLOCK + len(self._walls)
        whole = np.zeros(max(size, len(self._tail)))
        whole[: len(self._tail)] = self._tail
        if out.any():
            width = 1 << (size - 1).bit_length()
            spectrum = np.fft.rfft(out, width) * np.fft.rfft(self._walls, width)
            whole[:size] += np.fft.irfft(spectrum, width)[:size]
        self._tail = whole[BLOCK:]
        noise = self._rng.normal(0, LOUD * 10 ** (self.place.noise_db / 20), BLOCK)
        return np.asarray(whole[:BLOCK] + noise)

    def _hear(self, block: bytes) -> tuple[Change, bytes]:
        """The way of a block through the capture thread."""
        change, passed = Change.NONE, b""
        for start in range(0, len(block), FRAME_BYTES):
            frame, maybe = block[start : start + FRAME_BYTES], True
            end_at = self.now - (len(block) - start - FRAME_BYTES) / FRAME_BYTES * 0.02
            if self._own is not None:
                frame, maybe = self._own.clean(frame, end_at, is_open=self._gate.is_open)
            step = self._gate.step(frame, self._judge(frame) and maybe)
            passed += step.pcm
            if step.change is not Change.NONE:
                change = step.change
        return change, passed


def _walls(rng: np.random.Generator, rt60_s: float) -> Sound:
    """The room's answer to a click: half of it at once, half in noise that fades."""
    count = round(rt60_s * RATE)
    walls = rng.normal(0, 1, count) * 10 ** (-3 * np.arange(count) / count)
    walls[:60] = 0
    walls /= np.sqrt(np.sum(walls**2))
    walls[0] = 1.0
    return np.asarray(walls / np.sqrt(2))


def _part(sound: Sound, first: int, count: int) -> Sound:
    part = np.zeros(count)
    start, stop = max(0, first), min(len(sound), first + count)
    if start < stop:
        part[start - first : stop - first] = sound[start:stop]
    return part


def _pcm(sound: Sound) -> bytes:
    return np.clip(np.rint(sound), -32768, 32767).astype("<i2").tobytes()
