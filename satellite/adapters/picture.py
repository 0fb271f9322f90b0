"""Draws what a sound did to the gate: Pillow, and nothing else of this program needs it.

Shapes are drawn at SHARP times their size and made smaller, so that their edges are smooth; texts
are written after that. All lengths here are pixels of the picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final

from satellite.errors import SetupError
from satellite.logic.level import FULL
from satellite.logic.tuning import Account, Span
from satellite.model.audio import FRAME_MS
from satellite.model.ports import Judged

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

INSTALL: Final = "pip install 'realtime-satellite[tune]'"
SHARP: Final = 2
A_SECOND: Final = 1000 // FRAME_MS

LEFT, RIGHT, TOP, BOTTOM = 190, 30, 92, 104
NARROW, WIDE, PER_SECOND = 860, 2200, 60  # of what is between LEFT and RIGHT
SPACE: Final = 14

INK, GREY, PALE, WHITE = "#1f2933", "#6b7785", "#e4e8ec", "#ffffff"
WAVE, LOUD, FIRED, CURVE, NEEDED = "#4a5764", "#9aa7b4", "#7b61a8", "#7b3fb5", "#c2185b"
PRE_ROLL, SPEECH, HANGOVER = "#3b8fd4", "#159a6c", "#f0a030"  # apart for the colour-blind too
TINTS: Final = {PRE_ROLL: "#e3f0fa", SPEECH: "#dcf3ea", HANGOVER: "#fdf0da"}

EMPTY: Final = "#f3f4f6"

LOWEST_DB: Final = -90.0
LEAST_FULL: Final = FULL // 32  # a wave that is smaller than -30 dBFS is drawn small


@dataclass(frozen=True, slots=True)
class Drawing:
    """What to draw, one entry a frame: ``peaks`` (lowest and highest sample), ``loud``, ``judged``.

    ``account``: of the same sound. ``needed``: the certainty that opens; None without a network.
    ``lead``: frames before the time that is called 0. ``names``: where each recording begins.
    """

    title: str
    summary: str
    peaks: Sequence[tuple[int, int]]
    loud: Sequence[float]
    judged: Sequence[Judged]
    account: Account
    needed: float | None
    lead: int = 0
    names: Sequence[tuple[int, str]] = ()


@dataclass(frozen=True, slots=True)
class _Panel:
    """A band across the picture. ``name`` and ``about`` stand on its left."""

    top: int
    height: int
    name: str
    about: str

    @property
    def end(self) -> int:
        return self.top + self.height


def is_installed() -> bool:
    """True where a picture can be drawn; nothing is loaded to find that out."""
    return find_spec("PIL") is not None


def draw(drawing: Drawing, path: Path) -> None:
    """Write a PNG. Raises SetupError where that cannot be done."""
    try:
        from PIL import Image, ImageDraw
    except ImportError as exc:
        raise SetupError(f"no picture without Pillow ({exc}); run: {INSTALL}") from exc
    page = _Page(drawing)
    shapes = Image.new("RGB", (page.width * SHARP, page.height * SHARP), WHITE)
    page.shapes(ImageDraw.Draw(shapes))
    picture = shapes.reduce(SHARP)
    page.texts(ImageDraw.Draw(picture))
    small: Image.Image = picture.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    try:
        small.save(path, "PNG", optimize=True)
    except OSError as exc:
        raise SetupError(
            f"{path}: the picture cannot be written: {exc.strerror or exc}; choose another place"
            " with -o"
        ) from exc


def parts(span: Span) -> tuple[tuple[int, int, str], ...]:
    """What an utterance is made of: first frame, one past the last, colour."""
    return (
        (span.first, span.onset, PRE_ROLL),
        (span.onset, span.last + 1, SPEECH),
        (span.last + 1, span.end, HANGOVER),
    )


class _Page:
    """One picture: its size, its panels, and where a frame is."""

    def __init__(self, drawing: Drawing) -> None:
        self.given = drawing
        self.count = max(1, len(drawing.judged))
        seconds = self.count / A_SECOND
        self.plot = round(min(WIDE, max(NARROW, seconds * PER_SECOND)))
        self.width = LEFT + self.plot + RIGHT
        fullest = max((max(-low, high) for low, high in drawing.peaks), default=0)
        self.full = max(fullest, LEAST_FULL)
        peak = f"peak {20 * math.log10(fullest / FULL):.0f} dBFS" if fullest else "silence"
        top = TOP
        panels = []
        for height, name, about in (
            (150, "Sound", f"as it was heard,\n{peak}"),
            (110, "Loudness", "in dB of full scale;\nthe dashed line is the\nroom without words"),
            (30, "webrtcvad", "the cheap detector fires"),
            (110, "Network", "how sure it is of speech;\nno line: it was not asked"),
            (46, "Sent", "what would leave this\nmachine, in seconds"),
        ):
            panels.append(_Panel(top, height, name, about))
            top += height + SPACE
        self.wave, self.loudness, self.fired, self.network, self.sent = panels
        self.panels = panels
        self.height = panels[-1].end + BOTTOM

    def x(self, frame: float) -> float:
        """Where a frame begins."""
        return LEFT + frame * self.plot / self.count

    # --- shapes, in SHARP pixels ---------------------------------------------------------------

    def shapes(self, canvas: ImageDraw.ImageDraw) -> None:
        """Everything but texts."""
        self._backgrounds(canvas)
        self._waveform(canvas)
        self._levels(canvas)
        for start, end in _runs([each.fired for each in self.given.judged]):
            self._box(canvas, start, end, self.fired.top + 5, self.fired.end - 5, FIRED)
        self._certainty(canvas)
        for each in self.given.account.utterances:
            for start, end, colour in parts(each.span):
                self._box(canvas, start, end, self.sent.top, self.sent.end, colour)
        self._axis(canvas)
        for n, (colour, _) in enumerate(_LEGEND):
            x, y = self._legend_at(n)
            canvas.rectangle(_sharp(x, y + 2, x + 14, y + 14), fill=colour)

    def _backgrounds(self, canvas: ImageDraw.ImageDraw) -> None:
        for panel in self.panels:
            box = _sharp(LEFT, panel.top, LEFT + self.plot, panel.end)
            canvas.rectangle(box, fill=EMPTY)
        for each in self.given.account.utterances:
            for start, end, colour in parts(each.span):
                for panel in self.panels[:-1]:
                    self._box(canvas, start, end, panel.top, panel.end, TINTS[colour])
        for frame, _ in self.given.names:
            x = self.x(frame)
            line = _sharp(x, self.wave.top - 16, x, self.sent.end)
            canvas.line(line, fill="#b8c1ca", width=SHARP)

    def _box(
        self,
        canvas: ImageDraw.ImageDraw,
        start: int,
        end: int,
        top: float,
        bottom: float,
        fill: str,
    ) -> None:
        if end > start:
            left, _, right, _ = _sharp(self.x(start), 0, self.x(end), 0)
            box = (left, top * SHARP, max(left, right - 1), bottom * SHARP - 1)
            canvas.rectangle(box, fill=fill)

    def _columns(self) -> Iterator[tuple[int, slice]]:
        """Each column of SHARP pixels with the frames that it shows."""
        columns = self.plot * SHARP
        for n in range(columns):
            start = n * self.count // columns
            yield LEFT * SHARP + n, slice(start, max(start + 1, (n + 1) * self.count // columns))

    def _waveform(self, canvas: ImageDraw.ImageDraw) -> None:
        middle = (self.wave.top + self.wave.height / 2) * SHARP
        scale = (self.wave.height / 2 - 4) * SHARP / self.full
        peaks = self.given.peaks
        for x, which in self._columns():
            low, high = min(p[0] for p in peaks[which]), max(p[1] for p in peaks[which])
            canvas.line((x, middle - high * scale, x, middle - low * scale + 1), fill=WAVE)

    def _db(self, level: float) -> float:
        """Where a level is in its panel."""
        part = min(1.0, max(0.0, 1 - level / LOWEST_DB))
        return self.loudness.end - part * self.loudness.height

    def _levels(self, canvas: ImageDraw.ImageDraw) -> None:
        for x, which in self._columns():
            top = self._db(max(self.given.loud[which]))
            canvas.line((x, top * SHARP, x, self.loudness.end * SHARP - 1), fill=LOUD)
        room = self.given.account.room_db
        if room is not None:
            self._dashes(canvas, self._db(room), INK)

    def _certainty(self, canvas: ImageDraw.ImageDraw) -> None:
        def y(certainty: float) -> float:
            return (self.network.end - 3 - certainty * (self.network.height - 6)) * SHARP

        if self.given.needed is not None:
            self._dashes(canvas, y(self.given.needed) / SHARP, NEEDED)
        known = [each.certainty for each in self.given.judged]
        for start, end in _runs([each is not None for each in known]):
            points = [(self.x(n) * SHARP, y(known[n] or 0.0)) for n in range(start, end)]
            points.append((self.x(end) * SHARP, points[-1][1]))
            canvas.line(points, fill=CURVE, width=2 * SHARP, joint="curve")

    def _dashes(self, canvas: ImageDraw.ImageDraw, y: float, colour: str) -> None:
        for x in range(LEFT, LEFT + self.plot, 9):
            line = _sharp(x, y, min(x + 5, LEFT + self.plot), y)
            canvas.line(line, fill=colour, width=SHARP + 1)

    def _axis(self, canvas: ImageDraw.ImageDraw) -> None:
        y = self.sent.end + 6
        canvas.line(_sharp(LEFT, y, LEFT + self.plot, y), fill=GREY, width=SHARP)
        for frame, _ in self._ticks():
            x = self.x(frame)
            canvas.line(_sharp(x, y, x, y + 5), fill=GREY, width=SHARP)

    def _ticks(self) -> Iterator[tuple[int, str]]:
        """Frames with their time, as many as can be read."""
        seconds = self.count / A_SECOND
        step = next(s for s in (1, 2, 5, 10, 30, 60, 300, 600) if seconds / s * 46 < self.plot)
        first = -(self.given.lead // (step * A_SECOND)) * step
        time = first
        while (frame := time * A_SECOND + self.given.lead) <= self.count:
            minutes = f"{time // 60}:{time % 60:02}" if step >= 30 else f"{time} s"
            yield frame, minutes
            time += step

    # --- texts, in pixels ------------------------------------------------------------------------

    def texts(self, canvas: ImageDraw.ImageDraw) -> None:
        """Everything that is read."""
        write = _pen(canvas)
        write(24, 16, self.given.title, 22, INK)
        write(24, 48, self.given.summary, 14, GREY)
        for panel in self.panels:
            write(24, panel.top - 2, panel.name, 15, INK)
            write(24, panel.top + 18, panel.about, 12, GREY)
        self._numbers(write)
        self._names(write)
        self._scales(write)
        for frame, time in self._ticks():
            write(self.x(frame), self.sent.end + 14, time, 12, GREY, "ma")
        for n, (_, says) in enumerate(_LEGEND):
            x, y = self._legend_at(n)
            write(x + 22, y, says, 13, INK)

    def _numbers(self, write: _Write) -> None:
        """Each utterance by its number in the table, and how long was sent of it."""
        for n, each in enumerate(self.given.account.utterances, 1):
            start, end = self.x(each.span.onset), self.x(each.span.last + 1)
            middle, y = (start + end) / 2, self.sent.top + self.sent.height / 2
            if end - start >= 30:
                write(middle, y - 9, f"{n}", 14, WHITE, "mm")
                write(middle, y + 9, f"{each.sent_ms / 1000:.1f}", 12, WHITE, "mm")
            elif end - start >= 12:
                write(middle, y, f"{n}", 11, WHITE, "mm")

    def _names(self, write: _Write) -> None:
        """The recordings, as far as there is room for their names."""
        starts = [*(frame for frame, _ in self.given.names), self.count]
        for (frame, name), following in zip(self.given.names, starts[1:], strict=True):
            fits = int((self.x(following) - self.x(frame) - 8) / 6)
            if fits >= 4:
                text = name if len(name) <= fits else name[: fits - 1] + "\u2026"
                write(self.x(frame) + 4, self.wave.top - 16, text, 11, GREY)

    def _scales(self, write: _Write) -> None:
        for level in (0, -30, -60):
            y = min(max(self._db(level), self.loudness.top + 6), self.loudness.end - 6)
            write(LEFT - 6, y, f"{level}", 11, GREY, "rm")
        room = self.given.account.room_db
        edge = LEFT + self.plot - 4
        if room is not None:
            write(edge, self._db(room) - 3, f"room {room:.0f} dBFS", 12, INK, "rs", 3)
        for part, text in ((1.0, "1"), (0.0, "0")):
            y = self.network.end - 6 - part * (self.network.height - 12)
            write(LEFT - 6, y, text, 11, GREY, "rm")
        if self.given.needed is None:
            middle = self.network.top + self.network.height / 2
            write(LEFT + self.plot / 2, middle, "it is switched off", 14, GREY, "mm")
        else:
            part = self.given.needed * (self.network.height - 6)
            write(
                edge,
                self.network.end - part - 6,
                f"needed: {self.given.needed}",
                12,
                NEEDED,
                "rs",
                3,
            )

    def _legend_at(self, n: int) -> tuple[int, int]:
        return 24 + n % 2 * ((self.width - 48) // 2), self.sent.end + 46 + n // 2 * 24


_LEGEND: Final = (
    (PRE_ROLL, "pre-roll: sent from before the gate opened, so that no first word is cut"),
    (SPEECH, "speech, with the short pauses in it; its number is that of the table"),
    (HANGOVER, "hang-over: silence that is sent too, so that the server knows you have finished"),
    (FIRED, "webrtcvad takes it for speech; where it does the network is asked"),
)

_Write = Callable[..., None]


def _pen(canvas: ImageDraw.ImageDraw) -> _Write:
    """Write at x, y: text, size, colour, Pillow's anchor, and how far white goes around it."""
    from PIL import ImageFont

    fonts: dict[int, ImageFont.FreeTypeFont | ImageFont.ImageFont] = {}

    def write(
        x: float, y: float, text: str, size: int, colour: str, anchor: str = "la", halo: int = 0
    ) -> None:
        if size not in fonts:
            fonts[size] = ImageFont.load_default(size)
        if "\n" in text:
            canvas.multiline_text((x, y), text, fill=colour, font=fonts[size], spacing=3)
        else:
            canvas.text(
                (x, y),
                text,
                fill=colour,
                font=fonts[size],
                anchor=anchor,
                stroke_width=halo,
                stroke_fill=WHITE,
            )

    return write


def _runs(flags: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Each stretch of what is true: its first and one past its last place."""
    at = 0
    for flag, group in groupby(flags):
        end = at + sum(1 for _ in group)
        if flag:
            yield at, end
        at = end


def _sharp(left: float, top: float, right: float, bottom: float) -> tuple[int, int, int, int]:
    return (
        round(left * SHARP),
        round(top * SHARP),
        round(right * SHARP),
        round(bottom * SHARP),
    )
