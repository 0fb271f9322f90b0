"""A button as the kernel tells of it: its bytes, in pieces, with noise between them."""

from __future__ import annotations

import os
import random
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from satellite.adapters.buttons import EVENT, InputButton, Presses
from satellite.errors import DeviceError
from satellite.model.keys import CODES, code_of, name_of

KEY = 148
HEADER = Path("/usr/include/linux/input-event-codes.h")


def event(kind: int, code: int, value: int) -> bytes:
    return EVENT.pack(1, 2, kind, code, value)


REPORT = event(0, 0, 0)
DOWN, UP, REPEAT = (event(1, KEY, value) + REPORT for value in (1, 0, 2))
DROPPED = event(0, 3, 0)
OTHERS = [event(1, 30, 1), event(1, 30, 0), event(4, 4, 589_829), event(17, 0, 1), REPORT, REPEAT]


def presses(held: bool | None = None) -> Presses:
    return Presses(KEY, lambda: held)


def cut(data: bytes, rng: random.Random) -> Iterator[bytes]:
    while data:
        size = rng.randint(1, 70)
        yield data[:size]
        data = data[size:]


def test_an_event_is_as_long_as_the_kernel_has_it() -> None:
    assert EVENT.size == 2 * struct.calcsize("L") + 8


@given(
    st.lists(st.sampled_from(["down", "up", *range(len(OTHERS))]), max_size=40),
    st.randoms(use_true_random=False),
)
def test_presses_and_releases_come_in_turn_however_they_are_cut(
    acts: list[str | int], rng: random.Random
) -> None:
    data, expected = b"", []
    for act in acts:
        data += OTHERS[act] if isinstance(act, int) else DOWN if act == "down" else UP
        if isinstance(act, str) and (act == "down") != bool(expected and expected[-1]):
            expected.append(act == "down")
    watch = presses()
    assert [told for piece in cut(data, rng) for told in watch.feed(piece)] == expected


@given(st.binary(max_size=2000))
def test_garbage_does_no_harm(data: bytes) -> None:
    told = list(presses().feed(data))
    assert told == [n % 2 == 0 for n in range(len(told))]


def test_a_key_that_repeats_is_pressed_once() -> None:
    assert list(presses().feed(DOWN + REPEAT * 30 + UP)) == [True, False]


@pytest.mark.parametrize(("held", "expected"), [(True, [True]), (False, []), (None, [])])
def test_what_was_dropped_is_asked_for(held: bool | None, expected: list[bool]) -> None:
    assert list(presses(held).feed(DROPPED + UP)) == expected, "of what is between nothing counts"


@pytest.mark.parametrize(("held", "expected"), [(True, []), (False, [False]), (None, [False])])
def test_a_release_that_was_dropped_is_told(held: bool | None, expected: list[bool]) -> None:
    watch = presses(held)
    assert list(watch.feed(DOWN)) == [True]
    assert list(watch.feed(DROPPED + event(1, 30, 1) + REPORT)) == expected


# --- the device ----------------------------------------------------------------------------------


@pytest.fixture
def device(tmp_path: Path) -> str:
    path = tmp_path / "button"
    os.mkfifo(path)
    return str(path)


@pytest.fixture
def button(device: str) -> Iterator[InputButton]:
    made = InputButton(device, KEY)
    yield made
    made.close()


def test_what_is_written_is_read(device: str, button: InputButton) -> None:
    button.open()
    with Path(device).open("wb", buffering=0) as keyboard:
        keyboard.write(DOWN + UP)
        keyboard.write(DOWN[:7])
        keyboard.write(DOWN[7:])
        assert [button.read() for _ in range(3)] == [True, False, True]


def test_it_is_woken_once_each_time_also_before_it_waits(button: InputButton) -> None:
    button.open()
    told: list[bool | None] = []
    reader = threading.Thread(target=lambda: told.append(button.read()))
    reader.start()
    button.wake()
    reader.join(5)
    assert told == [None]
    button.wake()
    assert button.read() is None


def test_one_that_goes_says_so_and_comes_back(device: str, button: InputButton) -> None:
    for _ in range(2):
        button.open()
        with Path(device).open("wb", buffering=0) as keyboard:
            keyboard.write(DOWN)
            assert button.read() is True
        with pytest.raises(DeviceError, match="is gone"):
            button.read()
        button.close()
        button.close()


def test_one_that_is_not_there_says_where_to_look(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"there is no button .*none; `ls /dev/input/by-\*`"):
        InputButton(str(tmp_path / "none"), KEY).open()


@pytest.mark.parametrize("path", ["/dev/null", "/dev/zero", __file__, str(Path(__file__).parent)])
def test_what_is_no_button_is_not_listened_to(path: str) -> None:
    button = InputButton(path, KEY)
    with pytest.raises(DeviceError, match=r"is no input device; `ls /dev/input/by-\*`"):
        button.open()
    button.close()


def test_one_that_may_not_be_read_says_who_may(
    button: InputButton, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(DeviceError, match=r"`sudo usermod -aG input \w+`.*docs/hearing.md"):
        button.open()


@pytest.mark.parametrize("keys", [[28], [28, 57, 103, 104, 105, 106, 108], []])
def test_a_device_without_the_key_names_those_that_it_has(
    button: InputButton, monkeypatch: pytest.MonkeyPatch, keys: list[int]
) -> None:
    def ask(_file: int, request: int, bits: bytes) -> bytes:
        assert (len(bits), request & 0xFF) == (96, 0x21)
        return sum(1 << key for key in keys).to_bytes(96, "little")

    monkeypatch.setattr("fcntl.ioctl", ask)
    with pytest.raises(DeviceError, match="has no key KEY_PROG1; it has") as told:
        button.open()
    named = str(told.value).partition("it has ")[2]
    assert named.count("KEY_") == min(5, len(keys))
    assert named.endswith("and others") is (len(keys) > 5)


# --- names ---------------------------------------------------------------------------------------


def test_names_are_those_of_the_kernel() -> None:
    if not HEADER.exists():
        pytest.skip("no linux/input-event-codes.h here")
    words = (line.split() for line in HEADER.read_text().splitlines() if line.startswith("#define"))
    known = {word[1]: word[2] for word in words if len(word) > 2}
    assert {name: int(known[name], 0) for name in CODES} == dict(CODES)


@pytest.mark.parametrize(
    ("key", "code"),
    [("KEY_PROG1", 148), ("key_f13", 183), ("28", 28), ("0", None), ("768", None), ("F13", None)],
)
def test_a_key_is_a_name_or_a_number(key: str, code: int | None) -> None:
    assert code_of(key) == code


def test_a_code_is_told_by_its_name_if_it_has_one() -> None:
    assert (name_of(148), name_of(767)) == ("KEY_PROG1", "767")
