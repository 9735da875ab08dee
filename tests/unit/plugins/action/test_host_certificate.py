# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action signs where the authority's key is, sends what is needed, and never sends that key."""

from __future__ import annotations

import copy
import typing as t
from datetime import UTC, datetime
from types import SimpleNamespace

from ansible_collections.siteops.webcluster.plugins.action.host_certificate import ActionModule
from ansible_collections.siteops.webcluster.plugins.module_utils._pem import certificates
from ansible_collections.siteops.webcluster.plugins.plugin_utils._cluster_ca import (
    ends_of,
    issue,
    make_authority,
    read_authority,
    why_anew,
)

NOW = datetime.now(UTC)
CERTIFICATE, KEY = make_authority(NOW)
AUTHORITY = read_authority(CERTIFICATE, KEY, NOW)
NAMES = ["r1", "10.0.0.36"]
SERVER = certificates(issue(AUTHORITY, NAMES, NOW))
Result = dict[str, t.Any]


class Host(ActionModule):
    """A host with these files, that remembers what it was told."""

    def __init__(self, certificate: str = "", authority: str = "", check: bool = False, **arguments: t.Any) -> None:
        given = {"path": "/etc/tls", "names": NAMES, "group": "redis"}
        given |= {"authority_certificate": CERTIFICATE, "authority_private_key": KEY, **arguments}
        self._task = SimpleNamespace(args=given, check_mode=check, async_val=0)
        self._connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="/tmp/there"))
        self.there = {"changed": False, "certificate": certificate, "authority": authority}
        self.told: dict[str, Result] = {}

    def play(self) -> Result:
        return self.run(task_vars={})

    def _execute_module(self, **more: t.Any) -> Result:
        self.told[more["module_name"].rpartition(".")[2]] = copy.deepcopy(more["module_args"])
        return dict(self.there) if more["module_name"].endswith("host_certificate") else {"changed": True, "diff": []}


def test_a_host_without_a_certificate_gets_one_that_fits() -> None:
    host = Host()
    result = host.play()
    assert (result["changed"], result["reason"]) == (True, "it has none")
    written = host.told["file_tree"]
    assert written["files"] == {"ca.pem": CERTIFICATE}
    assert why_anew(written["secret_files"]["server.pem"], AUTHORITY, NAMES, NOW) == ""
    assert (written["group"], written["mode"], written["directory_mode"]) == ("redis", "0640", "0750")


def test_a_host_that_has_all_is_only_looked_at() -> None:
    host = Host(SERVER, CERTIFICATE)
    result = host.play()
    assert (result["changed"], result["reason"], list(host.told)) == (False, "", ["host_certificate"])
    assert result["ends"] == ends_of(SERVER).isoformat()


def test_a_new_trusted_authority_is_brought_without_a_new_certificate() -> None:
    other, _key = make_authority(NOW)
    host = Host(SERVER, CERTIFICATE, authority_certificate=CERTIFICATE + other)
    assert host.play()["changed"] is True
    assert (host.told["file_tree"]["files"], host.told["file_tree"]["secret_files"]) == (
        {"ca.pem": CERTIFICATE + other},
        {},
    )


def test_the_key_of_the_authority_never_goes_to_a_host() -> None:
    host = Host()
    host.play()
    assert KEY not in str(host.told)
    assert "authority_private_key" not in str(host.told)


def test_check_mode_makes_no_key_and_needs_no_group() -> None:
    host = Host(check=True)
    result = host.play()
    assert (result["changed"], result["ends"]) == (True, "")
    assert "group" not in host.told["file_tree"]
    assert "PRIVATE" not in str(host.told)


def test_a_wrong_authority_ends_it_before_the_host_is_asked() -> None:
    host = Host(authority_private_key="")
    result = host.play()
    assert result["failed"] is True
    assert "authority_private_key holds no PEM private key" in result["msg"]
    assert host.told == {}
