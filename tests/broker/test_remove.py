"""``satellite remove`` against a real mosquitto: nothing of the satellite is left there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from lookers import Onlooker, Start

from satellite import house_setup
from satellite.adapters import mqtt_link, outbox, state_directory
from satellite.adapters.mqtt_link.sweep import Sweep
from satellite.cli.main import EX_CONFIG, EX_TEMPFAIL, main
from satellite.config.schema import Config, Mqtt
from satellite.wire import discovery

Look = Callable[[int], Onlooker]
DEVICE = "homeassistant/device/satellite/kitchen/config"


@pytest.fixture
def remove(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run the command for satellite ``kitchen`` at a port; further lines go below ``mqtt:``."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))

    def run(port: int, *lines: str) -> int:
        file = tmp_path / "config.yaml"
        mqtt = "".join(f"  {line}\n" for line in ("host: 127.0.0.1", f"port: {port}", *lines))
        realtime = "realtime: {provider: local}\n"
        file.write_text(f"name: kitchen\nstate_dir: {tmp_path / 'state'}\n{realtime}mqtt:\n{mqtt}")
        return main(["remove", "-c", str(file)])

    return run


def retain(looker: Onlooker, **payloads: str) -> None:
    """Publish retained messages; keyword ``a__b`` is topic a/b below the base."""
    for name, payload in payloads.items():
        topic = f"satellite/kitchen/{name.replace('__', '/')}"
        looker.client.publish(topic, payload, 1, retain=True).wait_for_publish(5)


def kept(port: int) -> dict[str, bytes]:
    """What the broker retains."""
    with contextlib.closing(Sweep(mqtt_link.Broker("127.0.0.1", port, "looker"))) as sweep:
        return sweep.retained(["#"])


def test_everything_retained_of_this_satellite_goes_and_nothing_else(
    mosquitto: Start,
    onlooker: Look,
    remove: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    port = mosquitto()
    looker = onlooker(port)
    retain(looker, status="offline", state="{}", cmd__say="an old order", odd__one="x")
    for topic in (DEVICE, "homeassistant/sensor/satellite_kitchen/state/config"):
        looker.client.publish(topic, "{}", 1, retain=True).wait_for_publish(5)
    others = ("satellite/bedroom/state", "homeassistant/device/satellite/bedroom/config")
    for topic in others:
        looker.client.publish(topic, "{}", 1, retain=True).wait_for_publish(5)
    assert remove(port) == 0
    said = capsys.readouterr().out
    assert f"emptied {DEVICE}\n" in said
    assert "6 topics emptied" in said
    assert said.index("/config") < said.index("satellite/kitchen/state"), "the entities first"
    assert set(kept(port)) == set(others)
    assert remove(port) == 0
    assert "0 topics emptied" in capsys.readouterr().out


def test_a_satellite_that_runs_is_not_removed(
    mosquitto: Start,
    onlooker: Look,
    remove: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    port = mosquitto()
    retain(onlooker(port), status="online")
    assert remove(port) == EX_TEMPFAIL
    assert "stop it first" in capsys.readouterr().err
    lock = state_directory.claim(tmp_path / "state")
    assert remove(port) == EX_TEMPFAIL
    assert lock
    assert set(kept(port)) == {"satellite/kitchen/status"}


def test_what_the_broker_does_not_show_is_emptied_all_the_same(
    mosquitto: Start,
    remove: Callable[..., int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The recommended access list lets a satellite write its entities but not read them."""
    acl = tmp_path / "acl"
    acl.write_text(
        f"pattern readwrite satellite/%c/#\ntopic write {DEVICE}\nuser admin\ntopic readwrite #\n"
    )
    port = mosquitto(f"acl_file {acl}")
    admin = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    admin.username_pw_set("admin")
    admin.connect("127.0.0.1", port)
    admin.loop_start()
    old = "homeassistant/sensor/satellite_old/state/config"
    for topic in (DEVICE, old):
        admin.publish(topic, "{}", 1, retain=True).wait_for_publish(5)
    store, _ = outbox.open_outbox(_folder(tmp_path), 3600)
    with contextlib.closing(store):
        store.write((), {}, {"announced": [old]})
    assert remove(port) == EX_CONFIG
    assert f"does not let us write {old};" in capsys.readouterr().err
    sweep = Sweep(mqtt_link.Broker("127.0.0.1", port, "admin", username="admin"))
    with contextlib.closing(sweep):
        assert set(sweep.retained(["homeassistant/#"])) == {old}
    admin.disconnect()
    admin.loop_stop()


def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    return folder


def test_no_broker_is_a_sentence(
    remove: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert remove(1) == EX_CONFIG
    assert "no MQTT broker listens at 127.0.0.1:1" in capsys.readouterr().err


def test_an_earlier_configuration_is_known_by_what_it_announced() -> None:
    announced = [*discovery.topics(house_setup.about(Config(name="kitchen"))), 5]
    none = Config(name="kitchen", mqtt=Mqtt(discovery="none"))
    (message,) = house_setup.stale(none, {"announced": announced})
    assert message.topic == DEVICE
    assert (message.payload, message.retain, message.qos) == (b"", True, 1)
    renamed = house_setup.stale(Config(name="hall"), {"announced": announced})
    assert len(renamed) == len(announced) - 1
    assert not house_setup.stale(Config(name="kitchen"), {"announced": announced})
    assert not house_setup.stale(Config(), {"announced": "nonsense"})
    assert not house_setup.stale(Config(), {})
