# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dead primary is kept from coming back as one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.fence import (
    FenceError,
    Service,
    fence,
    find_service,
    release,
)

UNIT = "redis-server.service"


class Systemd:
    """Knows one service: whether it runs, and whether it is masked."""

    def __init__(self, root: Path, active: bool = True, fails: str = "") -> None:
        self.mask = root / "etc/systemd/system" / UNIT
        self.mask.parent.mkdir(parents=True, exist_ok=True)
        self.active, self.fails = active, fails
        self.told: list[str] = []

    def run(self, command: Sequence[str]) -> tuple[int, str]:
        verb = command[1]
        if verb == "is-active":
            return 0 if self.active else 3, ""
        self.told.append(" ".join(command[1:]))
        if verb == self.fails:
            return 1, "Access denied"
        if verb == "mask":
            self.mask.symlink_to("/dev/null")
        if verb == "unmask":
            self.mask.unlink()
        if verb == "stop":
            self.active = False
        return 0, ""


@pytest.fixture
def service(tmp_path: Path) -> Service:
    settings = tmp_path / "etc/redis/webcluster.conf"
    settings.parent.mkdir(parents=True)
    settings.touch()
    found = find_service(tmp_path)
    assert found is not None
    return found


def test_it_is_masked_before_it_is_killed(service: Service) -> None:
    systemd = Systemd(service.root)
    assert fence(service, systemd.run)
    assert systemd.told == [f"mask {UNIT}", f"kill --signal=KILL {UNIT}", f"stop {UNIT}"]
    assert service.is_fenced


def test_one_that_does_not_run_is_masked(service: Service) -> None:
    systemd = Systemd(service.root, active=False)
    assert fence(service, systemd.run)
    assert systemd.told == [f"mask {UNIT}", f"stop {UNIT}"]


def test_a_second_time_there_is_nothing_to_do(service: Service) -> None:
    systemd = Systemd(service.root)
    fence(service, systemd.run)
    systemd.told.clear()
    assert not fence(service, systemd.run)
    assert release(service, systemd.run)
    assert not release(service, systemd.run)
    assert systemd.told == [f"unmask {UNIT}"]


def test_a_check_changes_nothing(service: Service) -> None:
    systemd = Systemd(service.root)
    assert fence(service, systemd.run, check_mode=True)
    assert systemd.told == []


def test_what_systemd_refuses_is_told(service: Service) -> None:
    with pytest.raises(FenceError, match=r"'systemctl mask redis-server\.service' failed: Access denied"):
        fence(service, Systemd(service.root, fails="mask").run)


def test_a_host_without_our_server_has_none(tmp_path: Path) -> None:
    assert find_service(tmp_path) is None
