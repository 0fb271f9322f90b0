"""The life of the service under a real systemd: it starts, is watched, dies, comes back, stops."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from box import Box, Service, until
from hang import METHODS

STATE = "satellite/kitchen/state"
STATUS = "satellite/kitchen/status"


def test_systemd_understands_the_units(box: Box) -> None:
    told = box.run("systemd-analyze verify --man=no /etc/systemd/system/satellite*.service")
    assert told == ""


def test_it_is_ready_without_network_broker_or_microphone(box: Box, installed: Service) -> None:
    box.write(
        "/etc/satellite/config.yaml",
        "name: kitchen\nmqtt: {host: broker.invalid}\n"
        "realtime: {provider: compatible, url: 'wss://nobody.invalid', model: local}\n",
    )
    installed.systemctl("start")
    told = installed.show("ExecMainStartTimestampMonotonic", "ActiveEnterTimestampMonotonic")
    began, ready = (int(told[name]) / 1e6 for name in sorted(told, reverse=True))
    assert 0 < ready - began <= 5
    assert "microphone" in installed.wait_for("mic_missing")
    pid = installed.pid
    time.sleep(8)  # more than two of its watchdog's times: what is missing is no hang
    assert (installed.pid, installed.show("NRestarts")["NRestarts"]) == (pid, "0")


def test_it_runs_without_any_right(box: Box, service: Service) -> None:
    pid = service.pid
    told = dict(
        line.split(":\t", 1)
        for line in box.run(f"cat /proc/{pid}/status").splitlines()
        if ":\t" in line
    )
    assert int(told["CapBnd"], 16) == int(told["CapEff"], 16) == 0
    assert (told["NoNewPrivs"], told["Seccomp"]) == ("1", "2")
    assert told["Uid"].split()[0] != "0"
    assert box.run(f"chrt -p {pid}").splitlines()[0].endswith("SCHED_RR")
    devices = box.run(f"ls /proc/{pid}/root/dev").split()
    assert not {"mem", "sda", "input", "fuse", "kmsg"} & set(devices)
    assert "canary" not in box.run(f"cat /proc/{pid}/environ") + service.journal


@pytest.mark.parametrize("name", METHODS)
def test_a_thread_that_hangs_has_the_process_replaced(
    box: Box, service: Service, name: str
) -> None:
    pid = service.pid
    box.write("/run/hang", f"{name} {pid}")
    service.replaced(pid)
    service.wait_for("idle")
    assert "Watchdog timeout" in service.journal
    if name != "core":  # that one can say nothing any more
        assert f"the {name} thread has not taken an order" in service.journal
    assert "Fatal Python error: Aborted" in service.journal  # where each thread stood


def test_a_process_that_stands_still_is_replaced(box: Box, service: Service) -> None:
    pid = service.pid
    box.run(f"kill -STOP {pid}")
    service.replaced(pid)
    service.wait_for("idle")


def test_a_process_that_is_killed_comes_back_and_knows_what_it_knew(
    box: Box, service: Service
) -> None:
    box.run("mosquitto_pub -q 1 -t satellite/kitchen/cmd/mute -m ON")
    service.wait_for("muted")
    pid = service.pid
    box.run(f"kill -KILL {pid}")
    service.replaced(pid)
    service.wait_for("muted")


def test_a_crash_loop_ends_in_safe_mode_and_an_order_ends_that(box: Box, service: Service) -> None:
    for _ in range(5):
        pid = service.pid
        box.run(f"kill -KILL {pid}")
        service.replaced(pid)
    assert "it crashed 5 times" in service.wait_for("safe_mode")
    until(lambda: problems(service) == ["safe_mode"], "everybody is told")
    assert service.retained(STATUS) == "online"
    pid = service.pid
    box.run("mosquitto_pub -q 1 -t satellite/kitchen/cmd/restart -n")
    service.replaced(pid)
    service.wait_for("idle")
    until(lambda: problems(service) == [], "everybody is told that it is over")
    assert service.show("Result")["Result"] == "success"


def test_it_stops_within_two_seconds_and_says_good_bye(box: Box, service: Service) -> None:
    until(lambda: service.retained(STATUS) == "online", "it is online")
    told = float(box.run("date +%s.%N; systemctl stop satellite; date +%s.%N").split()[0])
    after = float(box.run("date +%s.%N"))
    assert after - told < 3  # with the time that two shells take
    ended = service.show("InactiveEnterTimestampMonotonic", "ActiveExitTimestampMonotonic")
    exits, gone = (int(ended[name]) / 1e6 for name in sorted(ended))
    assert 0 <= gone - exits <= 2
    assert service.show("Result")["Result"] == "success"
    assert service.retained(STATUS) == "offline"


def test_a_wrong_configuration_is_told_once(box: Box, installed: Service) -> None:
    box.write("/etc/satellite/config.yaml", "name: kitchen\nmqtt: {hots: 127.0.0.1}\n")
    installed.systemctl("start", may_fail=True)
    told = installed.show("ActiveState", "NRestarts", "ExecMainStatus")
    assert told == {"ActiveState": "failed", "NRestarts": "0", "ExecMainStatus": "78"}
    assert "config.yaml:2:" in installed.journal
    assert "host" in installed.journal


def test_a_reload_with_a_wrong_configuration_keeps_the_old_one_and_says_so(
    box: Box, service: Service, config: str
) -> None:
    pid = service.pid
    box.write("/etc/satellite/config.yaml", config.replace("name: kitchen", "nmae: kitchen"))
    service.systemctl("reload")
    said = service.wait_for("config_rejected")
    assert "config.yaml:1:1" in said
    assert said in box.run("systemctl status satellite")
    assert problems(service) == ["config_rejected"]
    box.write("/etc/satellite/config.yaml", config)
    service.systemctl("reload")
    until(lambda: "config_rejected" not in service.said, "it is content again")
    assert (service.pid, service.is_active) == (pid, True)


def problems(service: Service) -> list[str]:
    state: dict[str, Any] = json.loads(service.retained(STATE))
    return [problem["code"] for problem in state["problems"]]
