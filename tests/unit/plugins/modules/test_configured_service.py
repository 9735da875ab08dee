# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module against a systemd that is played, with real files."""

from __future__ import annotations

import json
import os
import pwd
import time
import typing as t
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.siteops.webcluster.plugins.module_utils import _configured_service
from ansible_collections.siteops.webcluster.plugins.modules import (
    configured_service,
    outdated_services,
    redis_settings,
)

ME = pwd.getpwuid(os.getuid()).pw_name
GROUP = str(os.getgid())
Answer = tuple[int, str, str]


class Systemd:
    """Plays systemctl and a checker for one service; what the running service has read is in `read`."""

    def __init__(self, config: Path) -> None:
        self.config = config
        self.calls: list[str] = []
        self.present = self.enabled = True
        self.active = self.masked = self.dies = False
        self.fails: set[str] = set()
        self.starts = 0
        self.started = 0.0
        self.read: str | None = None

    def start(self) -> None:
        # A file that is written after this has a later time.
        time.sleep(0.02)
        self.active = True
        self.starts += 1
        self.started = time.time()
        self.load()
        time.sleep(0.02)

    def load(self) -> None:
        self.read = self.config.read_text() if self.config.exists() else None

    def show(self) -> str:
        moment = datetime.fromtimestamp(self.started, UTC).strftime("%a %Y-%m-%d %H:%M:%S.%f UTC")
        values = {
            "LoadState": "masked" if self.masked else "loaded" if self.present else "not-found",
            "ActiveState": "active" if self.active else "inactive",
            "UnitFileState": "enabled" if self.enabled else "disabled",
            "NeedDaemonReload": "no",
            "InvocationID": f"start{self.starts}" if self.active else "",
            "InactiveExitTimestamp": moment if self.starts else "",
        }
        return "".join(f"{key}={value}\n" for key, value in values.items())

    def run(self, command: str | list[str], **_more: object) -> Answer:
        if isinstance(command, str):
            path = command.removeprefix("checker ")
            bad = "bad" in Path(path).read_text()
            return (1, "", f"{path}: line 1 is bad") if bad else (0, "", "")
        if command[0] == "journalctl":
            return 0, "cannot listen\n", ""
        if command[0] in ("systemd-sysusers", "systemd-tmpfiles"):
            self.calls.append(" ".join(command))
            return 0, "", ""
        verb = command[1]
        if verb == "show":
            return 0, self.show(), ""
        self.calls.append(verb)
        if verb in self.fails:
            return 1, "", "Job failed."
        if verb == "enable":
            self.enabled = True
        elif verb in ("start", "restart"):
            self.start()
        elif verb == "reload":
            self.load()
            self.active = not self.dies
        return 0, "", ""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "etc" / "service.conf"


@pytest.fixture
def systemd(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Systemd:
    played = Systemd(config)
    monkeypatch.setattr(configured_service.ConfiguredServiceModule, "run_command", played.run)
    monkeypatch.setattr(_configured_service, "STAMPS", str(tmp_path / "stamps"))
    monkeypatch.setattr(configured_service, "SETTLE_SECONDS", 0)
    return played


Run = t.Callable[..., dict[str, t.Any]]
Outdated = t.Callable[..., list[dict[str, str]]]


@pytest.fixture
def run(systemd: Systemd, config: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def once(
        text: str = "one\n", check: bool = False, secret: bool = False, mode: str = "0644", **more: t.Any
    ) -> dict[str, t.Any]:
        systemd.calls.clear()
        key = "secret_content" if secret else "content"
        file = {"path": str(config), key: text, "owner": ME, "group": GROUP, "mode": mode, "validate": "checker %s"}
        args = {"name": "service", "files": [file], "_ansible_check_mode": check, "_ansible_diff": True, **more}
        with patch_module_args(args), pytest.raises(SystemExit):
            configured_service.main()
        out = capsys.readouterr().out
        return {**json.loads(out), "out": out}

    return once


@pytest.fixture
def outdated(systemd: Systemd, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Outdated:
    """What status says of the services of this host."""
    monkeypatch.setattr(outdated_services.AnsibleModule, "run_command", systemd.run)

    def look(key: str = "outdated") -> list[dict[str, str]]:
        with patch_module_args({}), pytest.raises(SystemExit):
            outdated_services.main()
        found: list[dict[str, str]] = json.loads(capsys.readouterr().out)[key]
        return found

    return look


def test_b5_a_service_that_has_read_its_files_is_not_named(run: Run, outdated: Outdated, systemd: Systemd) -> None:
    assert outdated() == []
    run()
    run("two\n")
    assert outdated() == []
    systemd.start()
    assert outdated() == []


def test_b5_a_file_that_was_written_and_never_read_is_named(
    run: Run, outdated: Outdated, systemd: Systemd, config: Path
) -> None:
    run()
    systemd.fails = {"reload"}
    run("two\n")
    named = [{"service": "service", "file": str(config)}]
    assert outdated() == named
    # By a start of somebody else it is read.
    systemd.start()
    assert outdated() == []
    config.write_text("theirs\n")
    assert outdated() == named
    # A service that does not run has nothing to read; others say that it is down.
    systemd.active = False
    assert outdated() == []


def test_b5_a_stamp_of_an_older_release_is_no_finding(run: Run, outdated: Outdated, tmp_path: Path) -> None:
    run()
    (tmp_path / "stamps" / "service.json").write_text('{"invocation": "start1", "sum": "x"}')
    assert outdated() == []


def test_b5_redis_leaves_word_that_it_is_as_its_files_say(
    run: Run, outdated: Outdated, systemd: Systemd, config: Path
) -> None:
    run(on_change="nothing")
    assert outdated() == []
    run("two\n", on_change="nothing")
    assert [found["file"] for found in outdated()] == [str(config)]

    class Module:
        params: t.ClassVar[dict[str, str]] = {"service": "service", "config_file": str(config), "acl_file": str(config)}
        run_command = systemd.run

    redis_settings.remember(t.cast("t.Any", Module))
    assert outdated() == []


def test_a_fresh_service_is_written_enabled_and_started(run: Run, systemd: Systemd, config: Path) -> None:
    systemd.enabled = False
    first = run()
    assert (first["changed"], first["action"], first["written"]) == (True, "start", [str(config)])
    assert systemd.calls == ["enable", "start"]
    assert systemd.read == "one\n"
    assert config.stat().st_mode & 0o777 == 0o644
    second = run()
    assert (second["changed"], second["action"], second["written"], systemd.calls) == (False, "nothing", [], [])


@pytest.mark.parametrize("how", ["reload", "restart"])
def test_a_changed_text_is_read_at_once(run: Run, systemd: Systemd, how: str) -> None:
    run(on_change=how)
    changed = run("two\n", on_change=how)
    assert (changed["action"], systemd.calls, systemd.read) == (how, [how], "two\n")
    assert changed["diff"][0]["before"] == "one\n"
    assert not run("two\n", on_change=how)["changed"]


@pytest.mark.parametrize("how", ["reload", "restart"])
def test_what_an_earlier_run_could_not_tell_is_told_by_the_next(run: Run, systemd: Systemd, how: str) -> None:
    run(on_change=how)
    systemd.fails = {how}
    failed = run("two\n", on_change=how)
    assert failed["failed"]
    assert "Job failed. cannot listen" in failed["msg"]
    assert systemd.read == "one\n"
    assert run("two\n", check=True, on_change=how)["action"] == how
    systemd.fails = set()
    assert run("two\n", on_change=how)["action"] == how
    assert systemd.read == "two\n"


def test_a_file_that_somebody_else_wrote_is_read(run: Run, systemd: Systemd, config: Path) -> None:
    run()
    config.write_text("two\n")
    assert run("two\n")["action"] == "reload"
    assert systemd.read == "two\n"


def test_a_run_that_dies_after_writing_leaves_no_wrong_stamp(run: Run, systemd: Systemd, config: Path) -> None:
    run()
    # Somebody tries another text; our run puts the old one back and ends before the reload.
    config.write_text("theirs\n")
    systemd.load()
    systemd.fails = {"reload"}
    run()
    systemd.fails = set()
    assert run()["action"] == "reload"
    assert systemd.read == "one\n"


def test_a_service_that_somebody_else_started_has_read_the_older_files(run: Run, systemd: Systemd) -> None:
    run(on_change="restart")
    systemd.start()
    result = run(on_change="restart")
    assert (result["changed"], result["action"]) == (False, "nothing")


def test_without_a_stamp_the_times_decide(run: Run, systemd: Systemd, config: Path) -> None:
    config.parent.mkdir()
    config.write_text("old\n")
    systemd.start()
    config.write_text("one\n")
    assert run()["action"] == "reload"
    assert systemd.read == "one\n"


def test_further_files_that_it_reads_count(run: Run, tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    (pages / "inner").mkdir(parents=True)
    (pages / "inner" / "page.php").write_text("one")
    run(reads=[str(pages)])
    assert not run(reads=[str(pages)])["changed"]
    (pages / "inner" / "page.php").write_text("two")
    assert run(reads=[str(pages)])["action"] == "reload"


def test_a_refused_text_changes_nothing(run: Run, systemd: Systemd, config: Path) -> None:
    run()
    result = run("bad\n")
    assert result["msg"] == f"{config} failed to validate, nothing was changed: {config}: line 1 is bad"
    assert (config.read_text(), systemd.calls) == ("one\n", [])
    assert run("bad\n", check=True)["failed"]


def test_b9_no_half_of_a_change_is_taken_where_another_service_refuses_the_other(
    run: Run, systemd: Systemd, config: Path, tmp_path: Path
) -> None:
    run()
    path = tmp_path / "other.conf"
    other = {"path": str(path), "content": "bad\n", "validate": "checker %s"}
    result = run("two\n", goes_with=[other])
    assert result["msg"] == f"{path} failed to validate, nothing was changed: {path}: line 1 is bad"
    assert (config.read_text(), systemd.calls) == ("one\n", [])
    result = run("two\n", goes_with=[{**other, "content": "good\n"}])
    assert result["written"] == [str(config)]
    assert not path.exists()


@pytest.mark.parametrize("present", [True, False])
def test_check_mode_changes_nothing(run: Run, systemd: Systemd, config: Path, present: bool) -> None:
    systemd.present = present
    result = run(check=True)
    assert (result["changed"], result["action"], result["written"]) == (True, "start", [str(config)])
    assert not config.exists()
    assert systemd.calls == []


def test_check_mode_tells_what_would_be_done(run: Run, systemd: Systemd) -> None:
    run()
    assert run("two\n", check=True)["action"] == "reload"
    result = run(check=True)
    assert (result["changed"], result["action"], systemd.calls) == (False, "nothing", [])


def restricted(config: Path, drop_in: str, text: str = "one\n") -> list[dict[str, t.Any]]:
    """The service's file, and one that it takes at its next start."""
    usual = {"owner": ME, "group": GROUP}
    unit = {"path": f"{config}.d", "content": drop_in, "at_start": True}
    return [{"path": str(config), "content": text, **usual}, {**unit, **usual}]


@pytest.mark.parametrize("how", ["reload", "restart", "tell"])
def test_p8_what_waits_for_a_start_neither_reloads_nor_restarts(
    run: Run, outdated: Outdated, systemd: Systemd, config: Path, how: str
) -> None:
    assert run(files=restricted(config, "a\n"), on_change=how)["action"] == "start"
    assert outdated("waiting") == []
    assert run(files=restricted(config, "b\n"), on_change=how, check=True)["action"] == "nothing"
    changed = run(files=restricted(config, "b\n"), on_change=how)
    assert (changed["changed"], changed["action"], systemd.calls) == (True, "nothing", [])
    assert not run(files=restricted(config, "b\n"), on_change=how)["changed"]
    assert outdated() == []
    assert outdated("waiting") == [{"service": "service", "file": f"{config}.d"}]
    systemd.start()
    assert outdated("waiting") == []


def test_p8_a_text_that_changes_with_it_is_read_at_once(
    run: Run, outdated: Outdated, systemd: Systemd, config: Path
) -> None:
    run(files=restricted(config, "a\n"))
    assert run(files=restricted(config, "b\n", "two\n"))["action"] == "reload"
    assert systemd.read == "two\n"
    # A reload gave it the text, and not what waits for a start.
    assert outdated("waiting") == [{"service": "service", "file": f"{config}.d"}]


def test_secret_text_is_never_shown(run: Run) -> None:
    result = run("password\n", secret=True)
    assert result["changed"]
    assert "password" not in result["out"]


def test_b8_a_text_that_was_secret_is_not_shown_when_it_becomes_plain(run: Run) -> None:
    run("password\n", secret=True, mode="0640")
    result = run("plain\n")
    assert result["diff"][0]["before"] == "(not readable by others, not shown)\n"
    assert "password" not in result["out"]


def test_mode_is_mended_without_a_reload(run: Run, systemd: Systemd, config: Path) -> None:
    run()
    config.chmod(0o600)
    result = run()
    assert (result["changed"], systemd.calls) == (True, [])
    assert config.stat().st_mode & 0o777 == 0o644


def test_users_are_made_before_the_start(run: Run, systemd: Systemd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configured_service, "present_text", configured_service.text_of)
    monkeypatch.setattr(configured_service, "readable_by_all", lambda _: True)
    monkeypatch.setattr(configured_service, "set_attributes", lambda *_: False)
    run(files=[{"path": "/etc/sysusers.d/web.conf", "content": "u web"}])
    assert systemd.calls == ["systemd-sysusers /etc/sysusers.d/web.conf", "start"]
    run(files=[{"path": "/etc/sysusers.d/web.conf", "content": "u web"}], check=True)
    assert systemd.calls == []


def test_users_come_before_files_that_are_theirs_and_folders_before_the_start(
    run: Run, systemd: Systemd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(configured_service, "USERS", f"{tmp_path}/sysusers.d/")
    monkeypatch.setattr(configured_service, "FOLDERS", f"{tmp_path}/tmpfiles.d/")
    own = tmp_path / "own.env"
    files = [
        {"path": str(path), "content": "one\n", "owner": ME, "group": GROUP}
        for path in (own, tmp_path / "tmpfiles.d/web.conf", tmp_path / "sysusers.d/web.conf")
    ]
    seen: list[bool] = []
    played = systemd.run

    def look(_module: object, command: str | list[str], **more: object) -> Answer:
        if command[0] == "systemd-sysusers":
            seen.append(own.exists())
        return played(command, **more)

    monkeypatch.setattr(configured_service.ConfiguredServiceModule, "run_command", look)
    run(files=files)
    assert seen == [False]
    assert systemd.calls == [
        f"systemd-sysusers {tmp_path}/sysusers.d/web.conf",
        f"systemd-tmpfiles --create {tmp_path}/tmpfiles.d/web.conf",
        "start",
    ]
    assert run(files=files)["changed"] is False


def test_files_that_are_no_longer_ours_are_removed_where_all_are_ours(
    run: Run, systemd: Systemd, config: Path, tmp_path: Path
) -> None:
    run()
    left, other = config.with_name("left.conf"), config.with_name("other.txt")
    left.write_text("x")
    other.write_text("x")
    checked = run(owns=[f"{config.parent}/*.conf"], check=True)
    assert (checked["changed"], checked["removed"], left.exists()) == (True, [str(left)], True)
    result = run(owns=[f"{config.parent}/*.conf"])
    assert (result["changed"], result["removed"], systemd.calls) == (True, [str(left)], [])
    assert (left.exists(), other.exists(), config.exists()) == (False, True, True)
    assert run(owns=[f"{config.parent}/*.conf", f"{tmp_path}/none/*"])["changed"] is False
    others = config.parent / "others.conf"
    others.touch()
    assert run(owns=[f"{config.parent}/*.conf"], leaves=[str(others)])["removed"] == []
    assert run(owns=[f"{config.parent}/*.conf"])["removed"] == [str(others)]


def test_folders_that_are_ours_go_when_they_are_empty(run: Run, tmp_path: Path) -> None:
    run()
    gone, kept = tmp_path / "mail/shop/msmtprc", tmp_path / "mail/blog/msmtprc"
    for path in (gone, kept, kept.with_name("own"), tmp_path / "plain/left.conf"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    owns = [f"{tmp_path}/mail/*/msmtprc", f"{tmp_path}/plain/*.conf"]
    assert run(owns=owns, check=True)["changed"] is True
    assert gone.exists()
    assert run(owns=owns)["removed"] == sorted([str(gone), str(kept), str(tmp_path / "plain/left.conf")])
    # Somebody else's file is in one, and the last one is no pattern's folder.
    assert sorted(path.name for path in tmp_path.glob("mail/*")) == ["blog"]
    assert (tmp_path / "plain").is_dir()
    assert run(owns=owns)["changed"] is False


def test_a_unit_that_starts_something_is_stopped_before_it_is_removed_and_what_it_started_is_not(
    run: Run, systemd: Systemd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    units = tmp_path / "units"
    units.mkdir()
    monkeypatch.setattr(configured_service, "UNITS", str(units))
    run()
    timer, service = units / "old.timer", units / "old.service"
    timer.write_text("x")
    service.write_text("x")
    stamp = tmp_path / "stamps/old.timer.json"
    stamp.write_text("{}")
    commands: list[tuple[list[str], bool]] = []

    def look(_module: object, command: list[str], **more: object) -> Answer:
        commands.append((command, timer.exists()))
        return systemd.run(command, **more)

    monkeypatch.setattr(configured_service.ConfiguredServiceModule, "run_command", look)
    assert run(owns=[f"{units}/*"])["removed"] == [str(service), str(timer)]
    changing = [(command, there) for command, there in commands if command[1] != "show"]
    assert changing == [
        (["systemctl", "disable", "--now", "old.timer"], True),
        (["systemctl", "daemon-reload"], False),
    ]
    assert not list(units.iterdir())
    assert not stamp.exists()


def test_on_change_nothing_leaves_the_reading_to_others(run: Run, systemd: Systemd) -> None:
    run(on_change="nothing")
    result = run("two\n", on_change="nothing")
    assert (result["changed"], result["action"], systemd.calls) == (True, "nothing", [])


def test_e3_a_service_that_ends_at_its_reload_fails_the_run(run: Run, systemd: Systemd) -> None:
    run()
    systemd.dies = True
    result = run("two\n")
    assert result["msg"] == "service ended at its reload: cannot listen See 'journalctl -u service'."
    systemd.dies = False
    assert run("two\n")["action"] == "start"


def test_b2_a_restart_can_be_told_of_before_it_is_done(run: Run, systemd: Systemd) -> None:
    assert run(on_change="tell")["action"] == "start"
    assert run(on_change="tell")["action"] == "nothing"
    assert run("two\n", check=True, on_change="tell")["action"] == "tell"
    for _run in range(2):
        result = run("two\n", on_change="tell")
        assert (result["action"], result["changed"], systemd.calls, systemd.read) == ("tell", True, [], "one\n")
    assert run("two\n", on_change="restart")["action"] == "restart"
    assert systemd.read == "two\n"
    assert not run("two\n", on_change="tell")["changed"]


@pytest.mark.parametrize(
    ("state", "words"),
    [({"present": False}, "There is no service service on this host"), ({"masked": True}, "is masked and cannot run")],
)
def test_a_service_that_cannot_run_is_named(run: Run, systemd: Systemd, state: dict[str, bool], words: str) -> None:
    for name, value in state.items():
        setattr(systemd, name, value)
    assert words in run()["msg"]


def naming(config: Path, text: str, named: Path) -> list[dict[str, t.Any]]:
    """A file, and one that it names."""
    own = {"owner": ME, "group": GROUP}
    return [
        {**own, "path": str(named), "secret_content": "key\n", "mode": "0600", "first": True},
        {**own, "path": str(config), "content": text, "validate": "checker %s"},
    ]


def test_what_a_text_names_is_there_when_the_text_is_checked(
    run: Run, config: Path, tmp_path: Path, systemd: Systemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    named, seen = tmp_path / "named", []

    def look(_module: object, command: str | list[str], **more: object) -> Answer:
        seen.extend([named.exists()] if isinstance(command, str) else [])
        return systemd.run(command, **more)

    monkeypatch.setattr(configured_service.ConfiguredServiceModule, "run_command", look)
    assert run(files=naming(config, "good\n", named))["written"] == [str(named), str(config)]
    assert seen == [True]
    assert named.stat().st_mode & 0o777 == 0o600


def test_nothing_stays_of_it_where_the_text_is_refused(run: Run, config: Path, tmp_path: Path) -> None:
    named = tmp_path / "named"
    assert "nothing was changed" in run(files=naming(config, "bad\n", named))["msg"]
    assert not named.exists()
    named.write_text("theirs\n")
    assert "nothing was changed" in run(files=naming(config, "bad\n", named))["msg"]
    assert named.read_text() == "theirs\n"


def test_a_check_run_looks_at_no_text_that_names_what_is_not_there(run: Run, config: Path, tmp_path: Path) -> None:
    named = tmp_path / "named"
    assert run(check=True, files=naming(config, "bad\n", named))["written"] == [str(named), str(config)]
    assert not named.exists()
    named.write_text("theirs\n")
    assert run(check=True, files=naming(config, "bad\n", named))["failed"]
