"""Telephone sound on the wire, 24 kHz PCM inside: nothing is lost, nothing is heard at an edge."""

from __future__ import annotations

import base64
import builtins
import json
from collections.abc import Callable

import numpy as np
import pytest

from satellite import session_setup
from satellite.adapters.resampler import Resampler
from satellite.config.schema import Config
from satellite.config.session_keys import Realtime
from satellite.errors import SetupError
from satellite.model import commands as cmd
from satellite.model import events as ev
from satellite.model import g711
from satellite.model.audio import RATE
from satellite.model.session import Format, Session
from satellite.wire import realtime, telephone
from satellite.wire.server_events import Decoder

LAWS: list[Format] = ["pcmu", "pcma"]


def tone(hz: float, seconds: float, rate: int = RATE) -> bytes:
    at = np.arange(round(seconds * rate)) / rate
    return bytes((8000 * np.sin(2 * np.pi * hz * at)).astype("<i2").tobytes())


def loudness(pcm: bytes, hz: float, rate: int) -> float:
    """The amplitude of one tone in the sound."""
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    at = np.arange(len(samples)) / rate
    return float(2 * abs(np.mean(samples * np.exp(-2j * np.pi * hz * at))))


def sent(pieces: list[bytes], given: Format) -> list[bytes]:
    sound = telephone.sound(given, Resampler)
    messages = [
        json.loads(message)
        for pcm in pieces
        for message in realtime.encode(cmd.AppendAudio(pcm), "m", sound=sound)
    ]
    return [base64.b64decode(message["audio"]) for message in messages]


@pytest.mark.checklist("C28", "C29")
@pytest.mark.parametrize("given", LAWS)
def test_our_voice_goes_out_as_8_khz_in_pieces_of_at_most_200_ms(given: Format) -> None:
    whole = tone(440, 1.4)
    out = sent([*(whole[i : i + 1920] for i in range(0, 19_200, 1920)), whole[19_200:]], given)
    assert max(map(len, out)) <= 1600
    seconds = sum(map(len, out)) / 8000
    assert 1.4 - 0.03 <= seconds <= 1.4  # the resampler holds 20 ms back
    heard = g711.decode(b"".join(out)[400:8400], telephone.LAWS[given])
    assert loudness(heard, 440, 8000) == pytest.approx(8000, rel=0.02)


def test_what_is_sent_does_not_depend_on_how_it_was_cut() -> None:
    whole = tone(300, 1.0)
    cut = [whole[i : i + 962] for i in range(0, len(whole), 962)]
    assert b"".join(sent(cut, "pcmu"))[:7000] == b"".join(sent([whole], "pcmu"))[:7000]


@pytest.mark.checklist("C28")
def test_pcm_goes_out_as_it_is() -> None:
    assert b"".join(sent([tone(440, 0.5)], "pcm")) == tone(440, 0.5)


def test_a_new_session_hears_nothing_of_the_one_before() -> None:
    sound = telephone.sound("pcmu", Resampler)
    fresh = b"".join(realtime.encode(cmd.AppendAudio(tone(300, 0.2)), "m", sound=sound))
    assert b"".join(realtime.encode(cmd.AppendAudio(tone(300, 0.2)), "m", sound=sound)) != fresh
    change = cmd.Configure("c", Session(), Session(voice="cedar"))
    list(realtime.encode(change, "m", sound=sound))
    assert b"".join(realtime.encode(cmd.AppendAudio(tone(300, 0.2)), "m", sound=sound)) != fresh
    for order in (cmd.Configure("c", Session()), cmd.ClearInput()):
        assert len(list(realtime.encode(order, "m", sound=sound))) == 1
        assert b"".join(realtime.encode(cmd.AppendAudio(tone(300, 0.2)), "m", sound=sound)) == fresh


@pytest.mark.parametrize("given", LAWS)
def test_a_turn_that_we_end_is_whole_and_apart_from_the_next(given: Format) -> None:
    sound = telephone.sound(given, Resampler)
    turns = []
    for _ in range(2):
        orders = [cmd.AppendAudio(tone(300, 0.1)), cmd.AppendAudio(tone(300, 0.1))]
        messages = [
            json.loads(message)
            for order in (*orders, cmd.CommitInput())
            for message in realtime.encode(order, "m", sound=sound)
        ]
        *appends, commit = messages
        assert commit == {"type": "input_audio_buffer.commit", "event_id": "m"}
        turns.append(b"".join(base64.b64decode(body["audio"]) for body in appends))
    assert [len(turn) for turn in turns] == [1600, 1600]
    assert turns[0] == turns[1]


def heard(deltas: list[bytes], given: Format) -> bytes:
    decode = Decoder(None, telephone.ear(given, Resampler))
    events = [decode(said("delta", delta=base64.b64encode(delta).decode())) for delta in deltas]
    events.append(decode(said("done")))
    return b"".join(event.pcm for event in events if isinstance(event, ev.AudioDelta))


def said(what: str, **more: str) -> bytes:
    kind = f"response.output_audio.{what}"
    return json.dumps({"type": kind, "response_id": "r", "item_id": "a", **more}).encode()


@pytest.mark.parametrize("given", LAWS)
def test_an_answer_comes_back_whole_as_24_khz(given: Format) -> None:
    answer = g711.encode(tone(440, 1.0, 8000), telephone.LAWS[given])
    pcm = heard([answer[i : i + 333] for i in range(0, len(answer), 333)], given)
    assert len(pcm) == RATE * 2
    assert loudness(pcm[4800:-4800], 440, RATE) == pytest.approx(8000, rel=0.02)
    assert heard([answer], given) == pcm


def test_each_item_has_an_ear_of_its_own() -> None:
    decode = Decoder(None, telephone.ear("pcmu", Resampler))
    answer = base64.b64encode(g711.encode(tone(440, 0.5, 8000), "ulaw")).decode()
    first, second = (decode(said("delta", item_id=item, delta=answer)) for item in ("a1", "a2"))
    assert isinstance(first, ev.AudioDelta)
    assert isinstance(second, ev.AudioDelta)
    assert first.pcm == second.pcm


@pytest.mark.parametrize("key", ["input_format", "output_format"])
def test_a_missing_extra_is_said_by_the_key_that_needs_it(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builtins, "__import__", without("soxr", builtins.__import__))
    with pytest.raises(SetupError) as caught:
        session_setup.sound(Config(realtime=Realtime(**{key: "pcma"})))
    assert str(caught.value) == (
        f"realtime.{key}: pcma needs what converts between 24000 and 8000 Hz, which is not"
        " installed; run: pip install 'realtime-satellite[resample]',"
        f" or write {key}: pcm"
    )
    assert session_setup.sound(Config()) is realtime.AS_PCM


def without(missing: str, real: Callable[..., object]) -> Callable[..., object]:
    def load(name: str, *args: object, **more: object) -> object:
        if name == missing:
            raise ImportError(name)
        return real(name, *args, **more)

    return load
