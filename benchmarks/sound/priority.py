"""A busy machine is no idle one: what is measured can go before whatever else it does."""

from __future__ import annotations

import os
from pathlib import Path


def first(pid: int) -> None:
    """Schedule all threads of a process, and whoever it starts, before others. Needs root."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setscheduler(int(thread.name), os.SCHED_RR, os.sched_param(10))
