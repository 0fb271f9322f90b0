"""Runs in the box: the scripted Realtime server of the tests, until it is ended.

Writes its address into the file that is named.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from scripted_server import Script, running

with running(Script()) as url:
    Path(sys.argv[1]).write_text(url)
    threading.Event().wait()
