"""A real systemd as process 1 of a box (systemd-nspawn), and the satellite as its service.

The box is a Debian whose changes live in memory; the program under test and what .venv holds are
bound into it. It has a network of its own with nothing but loopback, and no sound card.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
TREE = Path(__file__).parents[1]
PACKAGES = Path(sys.prefix) / f"lib/python3.{sys.version_info[1]}/site-packages"
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
BINDS = {
    TREE / "satellite": "/opt/satellite/code/satellite",
    TREE / "tests/e2e/scripted_server.py": "/opt/satellite/code/scripted_server.py",
    TREE / "systemd": "/opt/satellite/systemd",
    TREE / "tests_box/hang.py": "/opt/satellite/hang/sitecustomize.py",
    TREE / "tests_box/answer.py": "/opt/satellite/answer.py",
    PACKAGES: "/opt/satellite/lib",
}
PYTHONPATH = "/opt/satellite/hang:/opt/satellite/code:/opt/satellite/lib"
PROGRAM = f'#!/bin/sh\nPYTHONPATH={PYTHONPATH} exec /usr/bin/python3 -m satellite "$@"\n'


def until(found: Callable[[], T], what: str, timeout_s: float = 30.0) -> T:
    """Wait until ``found`` gives something that is true; return it."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = found()
        if value:
            return value
        assert time.monotonic() < deadline, f"it never came: {what}"
        time.sleep(0.1)


class Box:
    """Started from ``root``, which is not changed; ``end`` it in any case."""

    def __init__(self, root: Path, folder: Path) -> None:
        program = folder / "program"
        program.write_text(PROGRAM)
        program.chmod(0o755)
        binds = [f"--bind-ro={here}:{there}" for here, there in BINDS.items()]
        for name in ("inaccessible", "nspawn"):  # a host whose own process 1 is systemd has them
            Path("/run/systemd", name).mkdir(parents=True, exist_ok=True)
        command = ["systemd-nspawn", "-D", str(root), "--volatile=overlay", "--boot"]
        command += ["--register=no", "--keep-unit", "-M", f"satellite-{os.getpid()}"]
        command += ["--private-network", "--console=pipe", "--capability=all"]
        # without that the rules about devices and addresses are silently not enforced
        command += ["--system-call-filter=@known"]
        self._log = folder / "console"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *command,
                    *binds,
                    f"--bind-ro={program}:/opt/satellite/bin/satellite",
                    f"--bind-ro={folder}:/opt/satellite/quiet",
                ],
                env={"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1", "PATH": os.environ["PATH"]},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self._leader = until(self._find_leader, "process 1 of the box", 60)
            self._wait_for_boot()
        except BaseException:
            self.end()
            raise

    def run(self, command: str, *, may_fail: bool = False) -> str:
        """What a command prints, run as root in the box by a shell."""
        enter = ["nsenter", "-t", str(self._leader), "-m", "-u", "-i", "-n", "-p", "-C", "--"]
        done = subprocess.run(
            [*enter, "/bin/sh", "-c", command],
            capture_output=True,
            text=True,
            timeout=90,
            env={"PATH": PATH, "LANG": "C.UTF-8", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"},
        )
        assert may_fail or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def write(self, path: str, text: str, mode: str = "644") -> None:
        """Make a file in the box, and the folders above it."""
        where = shlex.quote(path)
        self.run(
            f"mkdir -p $(dirname {where}) && printf %s {shlex.quote(text)} >{where}"
            f" && chmod {mode} {where}"
        )

    def end(self) -> None:
        """Halt it."""
        if self._process.poll() is None:
            self._process.terminate()  # nspawn has its process 1 halt
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(20)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _find_leader(self) -> int | None:
        assert self._process.poll() is None, self._log.read_text(errors="replace")
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        for pid in children.read_text().split():
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/comm").read_text().strip() == "systemd":
                    return int(pid)
        return None

    def _wait_for_boot(self) -> None:
        def is_up() -> bool:
            told = self.run("systemctl is-system-running", may_fail=True).strip()
            return told in {"running", "degraded"}

        until(is_up, "the box is up", 60)


class Service:
    """One unit in a box."""

    def __init__(self, box: Box, name: str = "satellite") -> None:
        self.box = box
        self.name = name

    def show(self, *names: str) -> dict[str, str]:
        """Properties of the unit, by name."""
        told = self.box.run(f"systemctl show {self.name} -p {','.join(names)}")
        return dict(line.split("=", 1) for line in told.splitlines())

    @property
    def pid(self) -> str:
        """Its main process; "0" where there is none."""
        return self.show("MainPID")["MainPID"]

    @property
    def is_active(self) -> bool:
        return self.show("ActiveState")["ActiveState"] == "active"

    @property
    def said(self) -> str:
        """What it says of itself in `systemctl status`."""
        return self.show("StatusText")["StatusText"]

    @property
    def journal(self) -> str:
        return self.box.run(f"journalctl -u {self.name} -o cat --no-pager")

    def systemctl(self, verb: str, *, may_fail: bool = False) -> str:
        try:
            return self.box.run(f"systemctl {verb} {self.name}", may_fail=may_fail)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.journal}") from None

    def replaced(self, pid: str, timeout_s: float = 30.0) -> str:
        """Wait until another process is ready; return its number."""

        def other() -> str | None:
            now = self.show("MainPID", "ActiveState")
            ready = now["ActiveState"] == "active" and now["MainPID"] not in {"0", pid}
            return now["MainPID"] if ready else None

        try:
            return until(other, f"another process than {pid}", timeout_s) or ""
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.journal}") from None

    def wait_for(self, words: str, timeout_s: float = 30.0) -> str:
        """Wait until `systemctl status` says these words."""
        try:
            return until(lambda: self.said if words in self.said else "", words, timeout_s)
        except AssertionError as error:
            raise AssertionError(f"{error}\nit says {self.said}\n{self.journal}") from None

    def retained(self, topic: str) -> Any:
        """What the broker in the box retains for a topic of the satellite."""
        return self.box.run(f"mosquitto_sub -t {topic} -C 1 -W 5", may_fail=True).strip()
