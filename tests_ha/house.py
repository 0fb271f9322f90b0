"""A real Home Assistant as a process, driven and observed through its public API alone.

Where the environment names one (``HA_ROOT``), it runs in that Debian; else the one of ``.venv-ha``.
Its configuration is a folder that outlives restarts. Nothing is written into its storage by hand.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import shipped
import websocket

from satellite.cli.children import free_port

PROJECT: Final = Path(__file__).resolve().parents[1]
ROOT: Final = os.environ.get("HA_ROOT") or None
PLACE: Final = Path(f"{ROOT}/opt/home-assistant") if ROOT else PROJECT / ".venv-ha"
_INFO: Final = list(PLACE.glob("lib/*/site-packages/homeassistant-*.dist-info"))
VERSION: Final = _INFO[0].stem.split("-")[1] if _INFO else "0.0"
# The forms of discovery that it knows; the best one last.
MODES: Final = ("component", "device")[: 1 + (tuple(map(int, VERSION.split("."))) >= (2024, 11))]
START_S: Final = 90.0
STOP_S: Final = 30.0
WHO: Final = "http://127.0.0.1/"  # an OAuth client names itself by an address
CONFIGURATION: Final = """
homeassistant:
  name: Test home
  latitude: 52.0
  longitude: 5.0
  elevation: 0
  unit_system: metric
  currency: EUR
  time_zone: UTC
http:
  server_host: 127.0.0.1
  server_port: {port}
conversation:
history:
logbook:
logger:
  default: warning
  logs: {{seen: info}}
automation: !include automations.yaml
scene:
  - name: Movie
    entities: {{input_boolean.film: "on"}}
input_boolean:
  film:
input_number:
  loudness: {{min: 0, max: 1, step: 0.01, initial: 0.6}}
media_player:
  - platform: universal
    name: Living room
    state_template: playing
    attributes: {{volume_level: input_number.loudness}}
    commands:
      volume_set:
        service: input_number.set_value
        target: {{entity_id: input_number.loudness}}
        data: {{value: "{{{{ volume_level }}}}"}}
"""
# What it says in any case here: no pip, an old Python, no programs for pictures, no network.
OWN_MATTERS: Final = (
    "[homeassistant.components.network]",
    "nalytics",
    "marketplace",
    "[homeassistant.bootstrap]",
    "[aiohttp_fast_zlib]",
    "[haffmpeg.",
    "[homeassistant.components.camera.img_util]",
)
Found = TypeVar("Found")


def until(what: Callable[[], Found], why: str, timeout_s: float = 15.0) -> Found:
    """The first true value of ``what``; AssertionError with ``why`` where none comes in time."""
    deadline = time.monotonic() + timeout_s
    while not (found := what()):
        assert time.monotonic() < deadline, f"not within {timeout_s:.0f} s: {why}"
        time.sleep(0.05)
    return found


class House:
    """One Home Assistant. ``start`` and ``stop`` may be called again and again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._token = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: websocket.WebSocket | None = None
        self._ids = itertools.count(1)
        configuration = CONFIGURATION.format(port=self.port) + shipped.RECORDER
        (folder / "configuration.yaml").write_text(configuration)
        blueprints = folder / "blueprints/automation/realtime-satellite"
        blueprints.mkdir(parents=True)
        shutil.copy(shipped.BLUEPRINT, blueprints)
        (folder / "automations.yaml").write_text("[]\n")

    # --- life

    def start(self) -> None:
        """Start it and wait until it has finished starting."""
        command = [f"{PLACE}/bin/hass", "-c", str(self.folder)]
        if ROOT:
            command = ["chroot", ROOT, *(word.removeprefix(ROOT) for word in command)]
        with (self.folder / "stdout.log").open("ab") as out:
            self._process = subprocess.Popen(
                [*command, "--skip-pip"], stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        until(self._answers, f"Home Assistant answers:\n{self.log[-3000:]}", START_S)
        if not self._token:
            self._onboard()
        until(lambda: self.get("config")["state"] == "RUNNING", "it is up", START_S)

    def stop(self) -> None:
        """End it in order, as a restart of the machine does."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut does."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is not None:
            self._process.send_signal(number)
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"Home Assistant ended:\n{self.log[-3000:]}"
        try:
            self._ask("GET", "/manifest.json")
        except OSError:
            return False
        return True

    def _onboard(self) -> None:
        """The owner's account, and a token for us; the other steps call out, so they are left."""
        user = {"name": "Owner", "username": "owner", "password": "owner", "language": "en"}
        code = until(lambda: self._onboarding_code(user), "onboarding is offered", 30.0)
        form = urllib.parse.urlencode(
            {"client_id": WHO, "grant_type": "authorization_code", "code": code}
        )
        self._token = self._ask("POST", "/auth/token", form.encode())["access_token"]
        self._token = self.call("auth/long_lived_access_token", client_name="tests", lifespan=1)

    def _onboarding_code(self, user: dict[str, str]) -> str:
        try:
            told = self.post("onboarding/users", {"client_id": WHO, **user})
        except urllib.error.HTTPError as error:
            if error.code == 404:  # that part of it is not up yet
                return ""
            raise
        return str(told["auth_code"])

    # --- the HTTP API

    def get(self, path: str) -> Any:
        """GET /api/<path>."""
        return self._ask("GET", f"/api/{path}")

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """POST /api/<path>."""
        return self._ask("POST", f"/api/{path}", json.dumps(body or {}).encode(), as_json=True)

    def _ask(
        self, method: str, path: str, body: bytes | None = None, *, as_json: bool = False
    ) -> Any:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        if as_json:
            headers["Content-Type"] = "application/json"
        address = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(address, body, headers, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            text = answer.read().decode()
        return json.loads(text) if text.startswith(("{", "[", '"')) else text

    def service(self, name: str, data: dict[str, Any]) -> None:
        """Call a service (an action), such as ``switch.turn_on``; its refusal is an error here."""
        domain, _, verb = name.partition(".")
        self.call("call_service", domain=domain, service=verb, service_data=data)

    # --- the WebSocket API

    def call(self, kind: str, **body: Any) -> Any:
        """One command; its result. Raises AssertionError with what Home Assistant said."""
        if self._socket is None:
            self._socket = websocket.create_connection(
                f"ws://127.0.0.1:{self.port}/api/websocket", timeout=20, skip_utf8_validation=True
            )
            self._ids = itertools.count(1)
            self._socket.recv()
            self._socket.send(json.dumps({"type": "auth", "access_token": self._token}))
            assert json.loads(self._socket.recv())["type"] == "auth_ok"
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "type": kind, **body}))
        while True:
            told = json.loads(self._socket.recv())
            if told["id"] == number and told["type"] == "result":
                assert told["success"], f"{kind} {body}: {told['error']}\n{self.log[-3000:]}"
                return told["result"]

    # --- what is in it

    def state(self, entity_id: str) -> dict[str, Any] | None:
        """The state with its attributes, or None where there is no such entity."""
        try:
            return dict(self.get(f"states/{entity_id}"))
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def until_state(
        self,
        entity_id: str,
        true: Callable[[dict[str, Any]], Any],
        why: str,
        timeout_s: float = 15.0,
    ) -> dict[str, Any]:
        """Wait until an entity's state is as wanted; return it."""

        def look() -> dict[str, Any] | None:
            state = self.state(entity_id)
            return state if state is not None and true(state) else None

        try:
            found = until(look, why, timeout_s)
        except AssertionError as error:
            raise AssertionError(f"{error}; {entity_id} is {self.state(entity_id)}") from None
        assert found is not None
        return found

    def converse(self, text: str) -> str:
        """Say something to its own assistant; how that ended, such as action_done."""
        told = self.post("conversation/process", {"text": text, "language": "en"})
        return str(told["response"]["response_type"])

    def automations(self, text: str) -> None:
        """Make ``text`` the whole of automations.yaml and load it."""
        (self.folder / "automations.yaml").write_text(text)
        self.service("automation.reload", {})

    def complaints(self) -> list[str]:
        """The first lines of warnings and errors in its log that are not about its own matters."""
        found = re.findall(r"^20\S+ \S+ (?:WARNING|ERROR|CRITICAL) .*$", self.log, re.MULTILINE)
        return [line for line in found if not any(own in line for own in OWN_MATTERS)]

    @property
    def log(self) -> str:
        """All that it ever said, restarts included."""
        path = self.folder / "stdout.log"
        return path.read_text(errors="replace") if path.exists() else ""

    # --- its broker

    def use_broker(self, port: int, username: str = "", password: str = "") -> None:
        """Set up its MQTT integration as a person does, in a dialogue."""
        told = self.post("config/config_entries/flow", {"handler": "mqtt"})
        assert told["type"] == "form", told
        known = {entry["name"] for entry in told["data_schema"]}
        answers: dict[str, Any] = {"broker": "127.0.0.1", "port": port}
        if username:
            answers |= {"username": username, "password": password}
        if "protocol" in known:  # 2026
            answers["protocol"] = "5"
        if "other_settings" in known:
            other = {"set_client_cert": False, "set_ca_cert": "off", "transport": "tcp"}
            answers["other_settings"] = other
        told = self.post(f"config/config_entries/flow/{told['flow_id']}", answers)
        assert told["type"] == "create_entry", told
