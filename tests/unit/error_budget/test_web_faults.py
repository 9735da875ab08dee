# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the events of the web tier are made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.tests.checkers import check, need
from ansible_collections.siteops.webcluster.tests.error_budget import load, tutorial, web_faults
from ansible_collections.siteops.webcluster.tests.error_budget.cluster import CHECKOUT, ClusterError, Lab
from ansible_collections.siteops.webcluster.tests.error_budget.faults import Cluster
from ansible_collections.siteops.webcluster.tests.error_budget.load import Answer

WEB = ("web1", "web2", "web3")


def test_haproxy_takes_the_tutorials_settings(tmp_path: Path) -> None:
    need("haproxy")
    text = tutorial.configuration({8081: [("web1", "10.0.0.4:80"), ("web2", "10.0.0.5:80")]})
    done = check("haproxy -c -f %s", text, tmp_path)
    assert done.returncode == 0, done.stderr
    assert check("haproxy -c -f %s", text.replace("balance source", "balance sources"), tmp_path).returncode != 0


def test_a_host_leaves_an_inventory_whose_keys_and_passwords_stay(tmp_path: Path) -> None:
    copy = web_faults.without(CHECKOUT / "inventory/lab", "centosweb3", tmp_path)
    assert Lab(copy).groups()["apache_php"] == ["centosweb1", "centosweb2"]
    assert Lab(CHECKOUT / "inventory/lab").groups()["apache_php"] == ["centosweb1", "centosweb2", "centosweb3"]
    assert (copy / "group_vars/webcluster/secrets.yml").is_file()
    assert (copy / ".secrets").readlink() == CHECKOUT / "inventory/lab/.secrets"


def test_a_web_server_that_still_serves_without_its_entry_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[Any] = []
    monkeypatch.setattr(Lab, "converge", lambda lab: runs.append(lab.inventory))
    cluster = Cluster(Lab(), "10.0.0.1", ("centosweb1", "centosweb2", "centosweb3"), {})
    monkeypatch.setattr(Cluster, "serving", lambda _cluster: {"centosweb1", "centosweb2"})
    web_faults.scale_in_and_out(cluster)
    assert runs[-1] == Lab().inventory
    assert runs[0] != Lab().inventory
    monkeypatch.setattr(Cluster, "serving", lambda _cluster: {"centosweb1", "centosweb2", "centosweb3"})
    with pytest.raises(
        ClusterError, match="Without centosweb3 in the inventory centosweb1, centosweb2, centosweb3 serve"
    ):
        web_faults.scale_in_and_out(cluster)


def test_figures_tell_requests_failures_and_times() -> None:
    answers = [Answer("read", 0.0, 0.01, 200)] * 98 + [Answer("read", 0.0, 2.0, 503)] * 2
    assert load.figures(answers) == [100, 2, "10 ms", "2000 ms"]


def test_a_kill_may_cost_one_write_in_ten_thousand_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Cluster, "fpm", lambda _cluster: "php8.4-fpm")
    monkeypatch.setattr(Lab, "groups", lambda _lab: {"haproxy": ["centoshaproxy1"]})
    members = {"mysql": ("centosmysql1", "centosmysql2"), "redis": ("centosredis1", "centosredis2")}
    events = web_faults.events(Cluster(Lab(), "10.0.0.1", ("centosweb1", "centosweb2", "centosweb3"), members))
    killed = {event.name: (event.reads, event.writes, event.requests) for event in events if event.requests}
    assert killed == dict.fromkeys(web_faults.KILLED, (0, 1, 10_000))
