"""The unit file: systemd understands every line of it, and the lines that matter are there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from satellite.cli import main
from satellite.model import commands as cmd

UNITS = Path(__file__).parents[2] / "systemd"
UNIT = UNITS / "satellite.service"
SEVERAL = UNITS / "satellite@.service"
DESKTOP = UNITS / "user/satellite.service"
MOST_EXPOSURE = 1.2  # of 10; a service with no limits at all has 9.6


@pytest.fixture(scope="module")
def unit() -> dict[str, list[str]]:
    return read(UNIT)


def read(path: Path) -> dict[str, list[str]]:
    """``Section.Key`` to its values, in order."""
    values: dict[str, list[str]] = defaultdict(list)
    section = ""
    for line in path.read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            values[f"{section}.{key}"].append(value)
    return values


def copied(unit: Path, folder: Path) -> Path:
    """The unit with a program that is installed here: systemd looks for it."""
    copy = folder / unit.name.replace("@.", "@kitchen.")
    copy.write_text(
        re.sub("=(/opt/satellite|%h/.local)/bin/satellite", "=/bin/true", unit.read_text())
    )
    return copy


def _analyze(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is missing (Debian package systemd): unit file not looked at")
    return subprocess.run(
        [analyze, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **variables},
    )


@pytest.mark.parametrize("unit", [UNIT, SEVERAL, DESKTOP], ids=lambda path: path.parent.name)
def test_systemd_understands_every_line(unit: Path, tmp_path: Path) -> None:
    manager = ["--user"] if unit is DESKTOP else []
    copy = str(copied(unit, tmp_path))
    done = _analyze(*manager, "verify", "--man=no", copy, XDG_RUNTIME_DIR=str(tmp_path))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("unit", [UNIT, SEVERAL], ids=lambda path: path.stem)
def test_what_a_stranger_in_the_process_could_do_is_little(unit: Path, tmp_path: Path) -> None:
    copy = copied(unit, tmp_path)
    done = _analyze("security", "--offline=true", "--no-pager", str(copy))
    score = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
    assert score is not None, done.stdout + done.stderr
    assert float(score[1]) <= MOST_EXPOSURE, done.stdout


def test_systemd_waits_for_ready_and_watches(unit: dict[str, list[str]]) -> None:
    assert unit["Service.Type"] == ["notify"]
    assert unit["Service.WatchdogSec"] == ["30"]
    assert unit["Service.ExecStart"] == [
        "/opt/satellite/bin/satellite run -c /etc/satellite/config.yaml"
    ]


def test_it_starts_again_unless_starting_again_cannot_help(unit: dict[str, list[str]]) -> None:
    assert unit["Service.Restart"] == ["on-failure"]
    assert unit["Service.RestartSec"] == ["5"]
    assert unit["Service.RestartForceExitStatus"] == [str(cmd.START_AGAIN)]
    assert unit["Service.SuccessExitStatus"] == [str(cmd.START_AGAIN)]
    assert unit["Service.RestartPreventExitStatus"] == [f"{main.EX_USAGE} {main.EX_CONFIG}"]
    limit_s = int(unit["Unit.StartLimitIntervalSec"][0])
    burst = int(unit["Unit.StartLimitBurst"][0])
    # a limit that RestartSec alone can never reach would be none
    assert burst * int(unit["Service.RestartSec"][0]) < limit_s


def test_it_starts_without_a_network(unit: dict[str, list[str]]) -> None:
    assert "network-online.target" in unit["Unit.Wants"]
    assert "network-online.target sound.target" in unit["Unit.After"]
    assert not {"Unit.Requires", "Unit.BindsTo", "Unit.Requisite"} & unit.keys()


def test_it_runs_as_nobody_in_particular_and_leaves_no_trace(unit: dict[str, list[str]]) -> None:
    assert unit["Service.DynamicUser"] == ["yes"]
    assert unit["Service.SupplementaryGroups"] == ["audio"]
    assert unit["Service.StateDirectory"] == ["satellite"]
    assert unit["Service.LimitCORE"] == ["0"]
    assert unit["Service.Environment"] == ["MALLOC_ARENA_MAX=1"]


def test_sound_cards_are_reached_also_those_plugged_in_later(unit: dict[str, list[str]]) -> None:
    assert unit["Service.PrivateDevices"] == ["yes"]
    assert unit["Service.BindPaths"] == ["-/dev/snd"]
    assert unit["Service.DeviceAllow"] == ["char-alsa rw"]
    # the kernel knows no such devices before its module is there, and then all are refused
    assert "modprobe@snd.service" in unit["Unit.Wants"]
    assert "modprobe@snd.service" in unit["Unit.After"]


def test_it_looks_for_cards_where_the_kernel_tells_of_them(unit: dict[str, list[str]]) -> None:
    assert "Service.ProcSubset" not in unit  # or /proc/asound would be gone


def test_several_satellites_share_nothing_but_the_program(unit: dict[str, list[str]]) -> None:
    several = read(SEVERAL)
    own = {key for key in unit | several if unit[key] != several[key]}
    assert own == {
        "Unit.Description",
        "Service.ExecStart",
        "Service.User",
        "Service.StateDirectory",
    }
    assert all("%i" in several[key][0] for key in own)


def test_on_a_desktop_it_is_watched_and_started_again_as_elsewhere(
    unit: dict[str, list[str]],
) -> None:
    desktop = read(DESKTOP)
    kinds = ("Type", "WatchdogSec", "Restart", "Exit", "Timeout", "StartLimit", "ExecReload")
    for key, value in unit.items():
        if any(kind in key for kind in kinds):
            assert desktop[key] == value, key
    assert desktop["Install.WantedBy"] == ["default.target"]
    # what only the manager of the machine can do would keep it from starting
    assert not {"Service.DynamicUser", "Service.CPUSchedulingPolicy"} & desktop.keys()
