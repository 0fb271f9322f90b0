"""The pieces of docs/home-assistant/README.md, exactly as a person copies them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import yaml

DOCS: Final = Path(__file__).resolve().parents[1] / "docs" / "home-assistant"
BLUEPRINT: Final = DOCS / "when_i_say.yaml"
_FENCED: Final = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_BLOCKS: Final = _FENCED.findall((DOCS / "README.md").read_text())


def block(start: str) -> str:
    """The one block of YAML that begins with ``start``."""
    [found] = [text for text in _BLOCKS if text.startswith(start)]
    return str(found)


# The example for the blueprint, and the five.
AUTOMATIONS: Final = "".join(text for text in _BLOCKS if text.startswith("- id: satellite_"))
TOOLS: Final = yaml.safe_load(block("tools:"))
RECORDER: Final = block("recorder:")
