"""One box for the whole run; for each test a satellite that has just been installed in it."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import tempfile
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest
from box import TREE, Box, Service, until

CONFIG = """\
name: kitchen
mqtt: {{host: 127.0.0.1, username: kitchen, password: !credential mqtt_password, discovery: none}}
realtime: {{provider: compatible, url: "{url}", model: local}}
audio: {{input: {{file: [/opt/satellite/quiet/quiet.wav], loop: true}}, output: {{device: none}}}}
"""
# quicker than the unit's own, so that the tests are; all else is as it is shipped
QUICK = """\
[Service]
WatchdogSec=3
RestartSec=200ms
LoadCredential=mqtt_password:/etc/satellite/credentials/mqtt_password
"""


@pytest.fixture(scope="session")
def box() -> Iterator[Box]:
    path = str(TREE / "scripts/box")
    loader = importlib.machinery.SourceFileLoader("make_box", path)
    spec = importlib.util.spec_from_loader("make_box", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    try:
        root: Path = module.make()
    except module.CannotBeError as error:
        pytest.skip(str(error))
    with tempfile.TemporaryDirectory(prefix="box-") as folder:
        made = Box(root, _quiet(Path(folder)))
        try:
            _install(made)
            yield made
        finally:
            made.end()


def _quiet(folder: Path) -> Path:
    """A second of silence, for a microphone that always works."""
    with wave.open(str(folder / "quiet.wav"), "wb") as file:
        file.setparams((1, 2, 24_000, 0, "NONE", ""))
        file.writeframes(bytes(48_000))
    folder.chmod(0o755)  # the service is another user
    return folder


def _install(box: Box) -> None:
    """As the unit's first lines say, and a Realtime server."""
    box.run("cp /opt/satellite/systemd/*.service /etc/systemd/system/")
    for name in ("satellite", "satellite@"):
        box.write(f"/etc/systemd/system/{name}.service.d/quick.conf", QUICK)
    box.write("/etc/satellite/credentials/mqtt_password", "canary\n", "600")
    box.run("chmod 700 /etc/satellite/credentials && systemctl daemon-reload")
    path = "PYTHONPATH=/opt/satellite/code:/opt/satellite/lib"
    box.run(
        f"systemd-run --unit=answer -E {path} python3 /opt/satellite/answer.py /run/realtime-url"
    )
    until(lambda: box.run("cat /run/realtime-url", may_fail=True).startswith("ws:"), "a server")


@pytest.fixture
def config(box: Box) -> str:
    """A configuration with which all is well."""
    return CONFIG.format(url=box.run("cat /run/realtime-url"))


@pytest.fixture
def installed(box: Box, config: str) -> Iterator[Service]:
    """As after the installation: nothing is kept, and it has not been started."""
    service = Service(box)
    service.systemctl("stop")
    box.run("rm -rf /run/hang /var/lib/private/satellite /var/lib/satellite")
    box.run("journalctl --rotate --vacuum-time=1s; systemctl reset-failed", may_fail=True)
    box.write("/etc/satellite/config.yaml", config)
    yield service
    box.run("rm -f /run/hang")
    service.systemctl("stop")


@pytest.fixture
def service(installed: Service) -> Service:
    """Started, idle in a session, and heard by the broker."""
    installed.systemctl("start")
    installed.wait_for("idle")
    until(lambda: installed.retained("satellite/kitchen/status") == "online", "it is online")
    return installed
