# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of an event, and when one of two load balancers counts as back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.lab.cluster import find_cluster
from ansible_collections.siteops.webcluster.tests.error_budget import balancers
from ansible_collections.siteops.webcluster.tests.error_budget.cluster import ClusterError, Lab
from ansible_collections.siteops.webcluster.tests.error_budget.load import Answer

EVENT = balancers.Event("stopped", balancers.stop("haproxy"), 2)
GOOD = Answer("read", 0.0, 0.01, 200)
BAD = Answer("read", 1.0, 4.0, 0, "ConnectionResetError: cut")
SHARED = "10.94.6.60"


def test_an_event_within_its_budget_and_beyond() -> None:
    line, wrong = balancers.judge(EVENT, [GOOD] * 98 + [BAD] * 2, [GOOD] + [BAD] * 7, 20.4)
    assert (line[:4], line[7:10], wrong) == (["stopped", "20", 100, 2], ["2 requests", 8, 7], [])
    assert len(line) == len(balancers.HEAD)
    line, wrong = balancers.judge(EVENT, [GOOD] * 98 + [BAD] * 3, [], 20.4)
    assert line[7] == "exceeded"
    assert wrong == ["stopped: 3 requests failed, allowed are 2: 3 x 0 ConnectionResetError: cut"]


def test_the_shared_address_is_a_free_one_beside_the_load_balancers() -> None:
    assert balancers.shared_address() == SHARED
    hosts = find_cluster(balancers.INVENTORY, {}).hosts
    assert SHARED not in {str(host.address) for host in hosts}
    assert len({host.subnet for host in hosts if host.name in Lab(balancers.INVENTORY).groups()["haproxy"]}) == 1


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Lab:
    """Two load balancers, of which the second one has the address."""

    def on(_lab: Lab, host: str, *_words: str) -> str:
        return f"2: eth0    inet {SHARED if host == 'balancer2' else '10.94.6.52'}/28 scope global eth0"

    monkeypatch.setattr(Lab, "on", on)
    monkeypatch.setattr(Lab, "addresses", lambda _lab: {"balancer1": "10.94.6.52", "balancer2": "10.94.6.53"})
    monkeypatch.setattr(balancers, "PATIENCE", 0.0)
    return Lab(balancers.INVENTORY)


def test_it_is_whole_where_one_has_the_address_and_all_serve(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(balancers, "serving", lambda _address, _requests: {"web1", "web2"})
    assert balancers.wait_until_whole(lab, SHARED) == "balancer2"


@pytest.mark.parametrize("lacking", [SHARED, "10.94.6.52", "10.94.6.53"])
def test_it_is_not_where_a_way_in_does_not_lead_to_all(lab: Lab, lacking: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        balancers, "serving", lambda address, _requests: {"web1"} if address == lacking else {"web1", "web2"}
    )
    with pytest.raises(ClusterError, match=lacking):
        balancers.wait_until_whole(lab, SHARED)


def test_it_is_not_where_both_have_the_address(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(balancers, "serving", lambda _address, _requests: {"web1", "web2"})
    monkeypatch.setattr(Lab, "on", lambda *_words: f"2: eth0    inet {SHARED}/28 scope global eth0")
    with pytest.raises(ClusterError, match="'balancer1', 'balancer2'"):
        balancers.wait_until_whole(lab, SHARED)


def test_events_of_others_need_no_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(Lab, "lab", lambda _lab, *words: told.append(words))
    assert balancers.play(["--inventory", str(Path("inventory/lab")), "--only", "rolling update"]) == 0
    assert told == []
