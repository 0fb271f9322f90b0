"""Two satellites on one machine, and one of a person who is logged in."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import pytest
from box import Box, Service

PERSON = "desk"
HOME = f"/home/{PERSON}"


def test_two_satellites_share_nothing(box: Box, installed: Service, config: str) -> None:
    both = [Service(box, f"satellite@{name}") for name in ("kitchen", "study")]
    for one, name in zip(both, ("kitchen", "study"), strict=True):
        box.write(f"/etc/satellite/{name}.yaml", config.replace("name: kitchen", f"name: {name}"))
        one.systemctl("start")
    users = set()
    for one, name in zip(both, ("kitchen", "study"), strict=True):
        one.wait_for("idle")
        users.add(box.run(f"stat -c %u /proc/{one.pid}"))
        assert "outbox" in box.run(f"ls /var/lib/satellite-{name}/")
        assert one.retained(f"satellite/{name}/status") == "online"
    assert len(users) == 2
    pid = both[0].pid
    both[1].systemctl("stop")
    assert (both[0].pid, both[0].is_active) == (pid, True)
    both[0].systemctl("stop")


@pytest.fixture
def person(box: Box, config: str) -> Iterator[Box]:
    """Somebody who is logged in and installed it as the unit's first lines say."""
    box.run(f"id {PERSON} >/dev/null 2>&1 || useradd -m {PERSON}")
    unit = f"{HOME}/.config/systemd/user"
    box.run(f"mkdir -p {unit} {HOME}/.local/bin")
    box.run(f"cp /opt/satellite/systemd/user/satellite.service {unit}/")
    box.run(f"ln -sf /opt/satellite/bin/satellite {HOME}/.local/bin/satellite")
    plain = config.replace("username: kitchen, password: !credential mqtt_password, ", "")
    box.write(f"{HOME}/.config/satellite/config.yaml", plain)
    # this small Debian has no pam_systemd, which says so elsewhere
    where = "[Service]\nEnvironment=XDG_RUNTIME_DIR=/run/user/%i\n"
    box.write("/etc/systemd/system/user@.service.d/where.conf", where)
    box.run(f"systemctl daemon-reload && chown -R {PERSON} {HOME}")
    box.run(f"systemctl start user@$(id -u {PERSON})")
    yield box
    box.run(f"systemctl stop user@$(id -u {PERSON})")


def as_person(box: Box, command: str) -> str:
    own = f"XDG_RUNTIME_DIR=/run/user/$(id -u) {command}"
    return box.run(f"runuser -u {PERSON} -- sh -c {shlex.quote(own)}")


def test_somebody_who_is_logged_in_has_their_own(person: Box, installed: Service) -> None:
    as_person(person, "systemctl --user start satellite")
    pid = as_person(person, "systemctl --user show -P MainPID satellite").strip()
    told = person.run(f"cat /proc/{pid}/status")
    assert "NoNewPrivs:\t1" in told
    assert "Seccomp:\t2" in told
    assert installed.retained("satellite/kitchen/status") == "online"
    kept = f"{HOME}/.local/state/realtime-satellite/kitchen"
    assert "outbox" in person.run(f"ls {kept}")
    as_person(person, "systemctl --user stop satellite")
    assert installed.retained("satellite/kitchen/status") == "offline"
