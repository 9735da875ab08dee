# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service that ends what it works at, against a systemd that is played."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.siteops.webcluster.plugins.module_utils import _clock, _configured_service
from ansible_collections.siteops.webcluster.plugins.modules import retired_service


class Systemd:
    """Plays one service, which ends so many seconds after it was asked to."""

    def __init__(self, ends_after: float = 0) -> None:
        self.present = self.active = self.enabled = True
        self.ends_after, self.time, self.asked_at = ends_after, 0.0, -1.0
        self.calls: list[str] = []

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def run(self, words: list[str]) -> tuple[int, str, str]:
        if words[1] == "show":
            if 0 <= self.asked_at <= self.time - self.ends_after:
                self.active = False
            state = {
                "LoadState": "loaded" if self.present else "not-found",
                "ActiveState": "active" if self.active else "inactive",
                "UnitFileState": "enabled" if self.enabled else "disabled" if self.present else "",
            }
            return 0, "\n".join(f"{key}={value}" for key, value in state.items()), ""
        self.calls.append(" ".join(words[1:]))
        if words[1] == "kill":
            self.asked_at = self.time
        if words[1] == "disable":
            self.active = self.enabled = False
        return 0, "", ""


class Host:
    def __init__(self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.systemd, self.capsys, self.monkeypatch = Systemd(), capsys, monkeypatch
        self.config = tmp_path / "php-fpm.conf"
        self.config.write_text("secret")
        self.stamp = tmp_path / "stamps" / "php8.2-fpm.json"
        self.stamp.parent.mkdir()
        self.stamp.touch()
        monkeypatch.setattr(_configured_service, "STAMPS", str(self.stamp.parent))

    def run(self, check: bool = False) -> dict[str, t.Any]:
        systemd = self.systemd
        self.monkeypatch.setattr(
            retired_service.AnsibleModule, "run_command", lambda _self, words, **_how: systemd.run(words)
        )
        self.monkeypatch.setattr(retired_service, "Clock", lambda: _clock.Clock(lambda: systemd.time, systemd.sleep))
        args = {"name": "php8.2-fpm", "signal": "QUIT", "wait": 31, "files": [str(self.config)]}
        with patch_module_args({**args, "_ansible_check_mode": check}), pytest.raises(SystemExit):
            retired_service.main()
        found: dict[str, t.Any] = json.loads(self.capsys.readouterr().out)
        return found


@pytest.fixture(name="host")
def fixture_host(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, capsys, monkeypatch)


def test_it_ends_by_itself_and_stays_away(host: Host) -> None:
    host.systemd.ends_after = 20
    found = host.run()
    assert (found["changed"], found["stopped"], found["graceful"]) == (True, True, True)
    assert host.systemd.calls == ["kill --signal=QUIT php8.2-fpm", "disable --now php8.2-fpm"]
    assert not host.config.exists()
    assert not host.stamp.exists()
    again = host.run()
    assert (again["changed"], again["stopped"]) == (False, False)
    assert len(host.systemd.calls) == 2


def test_one_that_does_not_end_is_stopped(host: Host) -> None:
    host.systemd.ends_after = 1000
    found = host.run()
    assert (found["stopped"], found["graceful"]) == (True, False)
    assert host.systemd.time >= 31
    assert "disable --now php8.2-fpm" in host.systemd.calls


def test_check_mode_tells_and_changes_nothing(host: Host) -> None:
    found = host.run(check=True)
    assert (found["changed"], found["removed"]) == (True, [str(host.config)])
    assert host.systemd.calls == []
    assert host.config.exists()


def test_files_of_a_service_that_was_removed_go(host: Host) -> None:
    host.systemd.present = host.systemd.active = host.systemd.enabled = False
    assert host.run()["changed"] is True
    assert host.systemd.calls == []
    assert not host.config.exists()
