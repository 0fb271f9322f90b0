"""Python reads this at its start in the box, as sitecustomize: any thread of ours can be hung.

/run/hang holds a name of METHODS and the number of a process; in that process the thread that
comes by sleeps until the process ends. The program under test knows nothing of it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

ORDER = Path("/run/hang")
# Where each thread passes when it has been woken, and is in no device.
METHODS = {
    "core": ("satellite.core", "Core", "run_once"),
    "capture": ("satellite.capture", "Capture", "_is_to_stop"),
    "playback": ("satellite.playback", "Playback", "_play_on"),
    "outbox": ("satellite.delivery.thread", "Delivery", "_deliver"),
    "MQTT": ("satellite.adapters.mqtt_link.link", "MqttLink", "_take"),
    "Realtime": ("satellite.adapters.realtime_link", "_Connection", "_flush"),
}


def _may_hang(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    order = f"{name} {os.getpid()}"

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        while ORDER.exists() and ORDER.read_text() == order:
            time.sleep(0.1)
        return method(*args, **kwargs)

    return wrapped


for _name, (_module, _class, _method) in METHODS.items():
    _owner = getattr(import_module(_module), _class)
    setattr(_owner, _method, _may_hang(_name, getattr(_owner, _method)))
