"""``python -m satellite``."""

from __future__ import annotations

from satellite.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
