# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action sends an archive to a host that lacks the release, and nothing to one that has it."""

from __future__ import annotations

import copy
import typing as t
from types import SimpleNamespace

from ansible_collections.siteops.webcluster.plugins.action.site_release import ActionModule

SITES = [
    {"name": "shop", "home": "/srv/shop", "release": "abc", "archive": "/cache/shop-abc.tar.gz"},
    {"name": "blog", "home": "/srv/blog", "release": "def", "archive": ""},
]
Result = dict[str, t.Any]


class Host(ActionModule):
    """A host that answers from a list, and remembers what it was told and sent."""

    def __init__(self, *answers: Result, check: bool = False) -> None:
        self._task = SimpleNamespace(
            args={"sites": copy.deepcopy(SITES), "service": "php"}, check_mode=check, async_val=0
        )
        self._connection = SimpleNamespace(
            _shell=SimpleNamespace(tmpdir="/tmp/there", join_path=lambda *parts: "/".join(parts))
        )
        self.answers, self.told, self.sent = list(answers), list[Result](), list[tuple[str, str]]()

    def play(self) -> Result:
        return self.run(task_vars={})

    def _execute_module(self, **more: t.Any) -> Result:
        self.told.append(copy.deepcopy(more["module_args"]))
        return self.answers.pop(0)

    def _make_tmp_path(self, *_more: t.Any) -> str:
        return "/tmp/there"

    def _transfer_file(self, local_path: str, remote_path: str) -> str:
        self.sent.append((local_path, remote_path))
        return remote_path

    def _fixup_perms2(self, *_more: t.Any) -> None:
        """Nothing to do here."""


def test_a_host_that_has_the_releases_is_asked_once_and_sent_nothing() -> None:
    host = Host({"changed": False, "missing": []})
    assert host.play() == {"changed": False, "missing": []}
    assert (len(host.told), host.sent) == (1, [])
    assert host.told[0]["service"] == "php"


def test_a_host_that_lacks_a_release_is_sent_its_archive() -> None:
    host = Host({"changed": True, "missing": ["shop"]}, {"changed": True, "missing": []})
    assert host.play()["changed"] is True
    assert host.sent == [("/cache/shop-abc.tar.gz", "/tmp/there/shop-abc.tar.gz")]
    assert [site.get("archive") for site in host.told[1]["sites"]] == ["/tmp/there/shop-abc.tar.gz", None]


def test_who_runs_it_is_told_for_the_log() -> None:
    host = Host({"changed": False, "missing": []})
    host.run(task_vars={"awx_user_name": "ann"})
    assert host.told[0]["by"].startswith("ann@")
    host = Host({"changed": False, "missing": []})
    host._task.args["by"] = "bob"
    assert (host.play(), host.told[0]["by"]) == ({"changed": False, "missing": []}, "bob")


def test_check_mode_sends_nothing() -> None:
    host = Host({"changed": True, "missing": ["shop"]}, check=True)
    assert host.play()["changed"] is True
    assert host.sent == []


def test_a_release_that_is_nowhere_is_an_error() -> None:
    found = Host({"changed": True, "missing": ["blog"]}).play()
    assert (found["failed"], found["changed"]) == (True, False)
    assert found["msg"].startswith("Site blog: its release is not on this host and no archive was given; expected one")
