"""Names of a real sound server, and what it does to a stream of ours without a word."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from audio_types import Use
from known_sound import Follower, known_sound
from pulse_card import PulseCard

from satellite.adapters.portaudio import server


def wait_until(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


def opened(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line == b"open\n", (line, process.communicate())


def sentence(process: subprocess.Popen[bytes]) -> str:
    """The last line, after what was heard."""
    out, _ = process.communicate(timeout=20)  # PortAudio has words of its own for stderr
    assert process.returncode == 1
    return out.rstrip(b"\n").rpartition(b"\n")[2].lstrip(b"\0").decode()


def test_a_microphone_and_a_loudspeaker_are_found_by_the_servers_names(
    pulse: PulseCard, use: Use
) -> None:
    with pulse.control() as control:
        control.module_load("module-null-sink", "sink_name=other channels=1 rate=24000")
        control.sink_default_set("other")
        control.source_default_set("other.monitor")
    sound = known_sound()[:19_200]
    mouth = use(pulse.env, "play", "speaker")
    opened(mouth)
    assert pulse.players() == ["speaker"]
    mouth.communicate(sound, timeout=20)
    ear = use(pulse.env, "hear", "mic", "60", "960")
    opened(ear)
    assert pulse.hearers() == ["mic"]
    assert ear.stdout is not None
    heard = b""
    while sound not in heard:
        if not pulse.unheard():  # again where a busy machine lost some of it
            pulse.feed(sound)
        heard = heard[-2 * len(sound) :] + ear.stdout.read(4800)
    follower = Follower()

    def all_is_played() -> bool:  # the server puts silence where a busy machine writes late
        follower.hear(pulse.take_played())
        return follower.tally.right == len(sound) // 2

    wait_until(all_is_played)


@pytest.mark.parametrize("name", ["mic", "default"])
def test_a_stream_that_the_server_moved_is_a_lost_microphone(
    pulse: PulseCard, use: Use, name: str
) -> None:
    ear = use(pulse.env, "hear", name, "60", "960")
    opened(ear)
    pulse.unplug_mic()
    assert pulse.hearers() == ["speaker.monitor"]
    before = time.monotonic()
    told = sentence(ear)
    assert "the microphone 'mic' is gone: the sound server moved us to 'speaker.monitor'" in told
    assert time.monotonic() - before < 3.0
    assert pulse.hearers() == []


def test_the_default_is_never_what_a_loudspeaker_plays(pulse: PulseCard, use: Use) -> None:
    pulse.unplug_mic()
    told = sentence(use(pulse.env, "hear", "default", "1", "960"))
    assert "has no microphone, only what its loudspeakers play ('speaker.monitor')" in told
    opened(use(pulse.env, "hear", "speaker.monitor", "1", "960"))
    pulse.plug_mic()
    opened(use(pulse.env, "hear", "default", "1", "960"))


@pytest.mark.parametrize(
    ("verb", "wanted", "told"),
    [
        ("hear", "Jabra", "no microphone is called 'Jabra'; there are: 'default', 'mic'"),
        ("hear", "speaker", "no microphone is called 'speaker'; there are: 'default', 'mic'"),
        ("play", "mic", "no loudspeaker is called 'mic'; there are: 'default', 'speaker'"),
    ],
)
def test_a_wrong_name_is_answered_with_the_servers_names(
    pulse: PulseCard, use: Use, verb: str, wanted: str, told: str
) -> None:
    more = ("1", "960") if verb == "hear" else ()
    assert sentence(use(pulse.env, verb, wanted, *more)) == told


def test_the_server_is_seen_to_die(pulse: PulseCard, use: Use) -> None:
    ear = use(pulse.env, "hear", "mic", "60", "960")
    opened(ear)
    pulse.kill()
    told = sentence(ear)
    assert "'mic' stopped working" in told or "'mic' is gone: the sound server" in told


def test_without_a_server_or_the_extra_nobody_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "environ", {"PULSE_SERVER": "unix:/nowhere/native"})
    assert server.reach() is None
    monkeypatch.setitem(sys.modules, "pulsectl", None)
    monkeypatch.setattr(server, "is_installed", lambda: False)
    assert server.reach() is None


def test_pulsectl_without_its_library_is_as_without_it_and_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """PipeWire needs no libpulse; pulsectl loads it when it is imported."""

    class NoLibrary:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "pulsectl":
                raise OSError("libpulse.so.0: cannot open shared object file")

    monkeypatch.setattr(os, "environ", {"PULSE_SERVER": "unix:/nowhere/native"})
    monkeypatch.setattr(server, "is_installed", lambda: True)
    monkeypatch.delitem(sys.modules, "pulsectl", raising=False)
    monkeypatch.setattr(sys, "meta_path", [NoLibrary(), *sys.meta_path])
    server.library.cache_clear()
    assert server.reach() is None
    assert server.reach() is None
    server.library.cache_clear()
    (told,) = caplog.messages
    assert "libpulse.so.0" in told
    assert "sudo apt install libpulse0" in told


def test_a_server_that_goes_while_it_is_asked_to_tell_is_gone() -> None:
    class GoneError(Exception):
        pass

    class Pulse:
        def event_mask_set(self, *_: object) -> None:
            raise GoneError

    with pytest.raises(ConnectionError):
        server.Server(Pulse(), (GoneError,)).follow()


def test_a_place_that_may_not_be_looked_at_has_no_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a service, which sees no home and nothing of the people who are logged in."""

    def forbidden(path: object, **_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "stat", forbidden)
    assert not server._may_run({"XDG_RUNTIME_DIR": str(tmp_path)})
