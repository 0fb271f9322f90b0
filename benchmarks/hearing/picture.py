"""The table as a picture: what each way sends and opens, place by place."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from listen import WAYS, Result, Way
from PIL import Image, ImageDraw, ImageFont

ROW, NAME, PANEL, GAP, TOP = 42, 290, 300, 60, 70
INK, FAINT, PAPER = "#222222", "#dddddd", "#ffffff"
COLOURS: Final[dict[Way, str]] = {
    "cascade": "#1b7f4b",
    "no network": "#d9a21b",
    "webrtcvad": "#b7372f",
}
LABELS: Final[dict[Way, str]] = {
    "cascade": "as shipped",
    "no network": "gate.confirm: false",
    "webrtcvad": "webrtcvad alone",
}
PANELS: Final = (  # title, the right end
    ("found, %", 100.0),
    ("whole at its beginning, %", 100.0),
    ("false openings a minute", 10.0),
    ("sound sent, % of the time", 100.0),
)


def draw(path: Path, rows: dict[str, dict[Way, Result]]) -> None:
    """Write it as ``path``, a PNG."""
    size = (NAME + len(PANELS) * (PANEL + GAP), TOP + len(rows) * ROW + 20)
    image = Image.new("RGB", size, PAPER)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(14)
    for n, way in enumerate(WAYS):
        pen.rectangle((10 + 180 * n, 12, 24 + 180 * n, 26), fill=COLOURS[way])
        pen.text((30 + 180 * n, 10), LABELS[way], INK, font)
    for p, (title, _) in enumerate(PANELS):
        pen.text((NAME + p * (PANEL + GAP), TOP - 28), title, INK, font)
    for r, (name, row) in enumerate(rows.items()):
        y = TOP + r * ROW
        pen.line((0, y - 4, size[0], y - 4), FAINT)
        pen.text((10, y + 8), name, INK, font)
        for w, way in enumerate(WAYS):
            for p, value in enumerate(_values(row[way])):
                if value is not None and not (p == 2 and "babble" in name):
                    x = NAME + p * (PANEL + GAP)
                    _bar(pen, (x, y + 11 * w), value, PANELS[p][1], COLOURS[way])
    image.save(path)


def _bar(
    pen: ImageDraw.ImageDraw, at: tuple[int, int], value: float, most: float, colour: str
) -> None:
    x, y = at
    width = round(PANEL * min(value, most) / most)
    pen.rectangle((x, y, x + max(1, width), y + 9), fill=colour)
    pen.text((x + width + 5, y - 2), f"{value:.4g}", INK, ImageFont.load_default(10))


def _values(one: Result) -> tuple[float | None, ...]:
    """Of each panel; None where there is none."""
    whole = sum(ms <= 30 for ms in one.clipped)
    found = 100 * one.found / one.said if one.said else None
    begun = 100 * whole / one.said if one.said else None
    minute = round(60 * len(one.false) / one.seconds, 2)
    return found, begun, minute, round(100 * one.sent_s / one.seconds, 1)
