# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a rolling update, and when a web server may be taken out."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _update
from ansible_collections.siteops.webcluster.tests.unit.plugins.plugin_utils.sample import (
    ADDRESSES,
    Groups,
    groups,
    hostvars,
    topology,
)

UP: dict[str, t.Any] = {"state": "ready", "status": "UP", "up": True}
DOWN = {"state": "ready", "status": "DOWN", "up": False}
DRAINED = {"state": "drain", "status": "DRAIN", "up": False}
MAINTAINED = {"state": "maint", "status": "MAINT", "up": False}

Servers = dict[str, dict[str, t.Any]]


def look(balancer: str = "lb", /, **servers: dict[str, t.Any]) -> dict[str, t.Any]:
    """What a loop of haproxy_server_info says of a load balancer; the web servers are up unless said otherwise."""
    return {"item": {"name": balancer}, "backends": {"web": {"web1": UP, "web2": UP, **servers}, "other": {}}}


def plan(
    of: Groups | None = None,
    run: t.Sequence[str] | None = None,
    looks: t.Sequence[dict[str, t.Any]] | None = None,
    **variables: t.Any,
) -> _update.UpdatePlan:
    of = of or groups()
    known = [look(name) for name in of["haproxy"]] if looks is None else looks
    hosts = hostvars(of, webcluster=variables)
    return _update.update_plan(topology(of), hosts, known, of["webcluster"] if run is None else run)


@pytest.fixture(autouse=True)
def _more_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    more = {"lb2": "10.0.0.53", "web3": "10.0.0.6", "web4": "10.0.0.7"}
    for name, address in more.items():
        monkeypatch.setitem(ADDRESSES, name, address)


FOUR = ["web1", "web2", "web3", "web4"]


def test_web_servers_come_one_by_one_and_load_balancers_after_them() -> None:
    found = plan()
    assert (found["web"], found["load_balancers"], found["serial"]) == (["web1", "web2"], ["lb"], [1, 1])
    assert (found["drain"], found["drain_timeout"], found["packages"]) == (True, 60, True)
    assert found["tiers"]["web1"] == ["apache_php", "haproxy"]
    assert found["tiers"]["lb"] == ["haproxy"]
    assert found["urls"] == {"lb": "http://10.0.0.52/", "web1": "http://10.0.0.4/", "web2": "http://10.0.0.5/"}
    assert found["text"][0] == "Order: web1, then web2, then lb."
    assert "Expected downtime of the web servers: none, 1 of 2 serve meanwhile." in found["text"]


@pytest.mark.parametrize("out", [DOWN, DRAINED, MAINTAINED])
def test_who_is_out_comes_first(out: dict[str, t.Any]) -> None:
    found = plan(looks=[look(web2=out)])
    assert found["web"] == ["web2", "web1"]
    assert found["text"][:2] == ["Order: web2, then web1, then lb.", "First because it is out already: web2."]


@pytest.mark.parametrize(("share", "serial"), [("2", [1, 2]), ("50%", [1, 2]), ("10%", [1, 1]), (3, [1, 3])])
def test_a_share_of_the_tier_follows_after_the_first_one(share: str, serial: list[int]) -> None:
    found = plan(groups(apache_php=FOUR), webcluster_update_share=share)
    assert found["serial"] == serial
    assert found["errors"] == []


def test_the_plan_names_who_goes_together() -> None:
    found = plan(groups(apache_php=FOUR), webcluster_update_share="2")
    assert found["text"][0] == "Order: web1, then web2 and web3, then web4, then lb."
    assert "Expected downtime of the web servers: none, 2 of 4 serve meanwhile." in found["text"]


def test_sessions_are_waited_for_as_long_as_a_request_may_take() -> None:
    assert plan(webcluster_request_time_limit=300)["drain_timeout"] == 310


def test_configuration_alone_may_be_updated() -> None:
    found = plan(webcluster_update_packages=False)
    assert found["packages"] is False
    assert not any("packages and configuration" in line for line in found["text"])


def test_only_the_hosts_of_the_run_are_updated() -> None:
    found = plan(run=["web2", "db1"])
    assert (found["web"], found["load_balancers"]) == (["web2"], [])
    assert found["text"][0] == "Order: web2."


def test_a_host_that_is_both_is_updated_once() -> None:
    found = plan(groups(haproxy=["lb", "web1"]))
    assert (found["web"], found["load_balancers"]) == (["web1", "web2"], ["lb"])


def test_a_single_load_balancer_is_said_to_be_single() -> None:
    alone = "It is the only one: were it to end, the site would be down until it is mended."
    assert any(alone in line for line in plan()["text"])
    assert not any(alone in line for line in plan(groups(haproxy=["lb", "lb2"]))["text"])


@pytest.mark.parametrize(
    ("of", "variables", "said"),
    [
        ({}, {"webcluster_update_share": "half"}, "Variable webcluster_update_share is 'half'; expected a number"),
        ({}, {"webcluster_update_share": "0"}, "Variable webcluster_update_share is '0'; expected a number"),
        ({}, {"webcluster_update_share": "2"}, "Variable webcluster_update_share is 2, which is 2 of 2 web servers;"),
        ({"apache_php": ["web1"]}, {}, "web1 is the only web server; expected another one that serves meanwhile:"),
        ({"haproxy": []}, {}, "There is no load balancer that a web server could be taken out of; expected one:"),
    ],
)
def test_what_cannot_work_is_refused(of: Groups, variables: dict[str, t.Any], said: str) -> None:
    found = plan(groups(**of), **variables)
    assert [error[: len(said)] for error in found["errors"]] == [said]
    assert found["text"] == []


def test_a_run_without_a_host_to_update_is_refused() -> None:
    assert plan(run=["db1"])["errors"] == [
        "No web server or load balancer is in this run; expected one of those: correct --limit, data servers are updated"
        " with -e tier=mysql or -e tier=redis."
    ]


@pytest.mark.parametrize("of", [{"apache_php": ["web1"]}, {"haproxy": []}])
def test_who_accepts_downtime_gets_it_and_is_told(of: Groups) -> None:
    found = plan(groups(**of), webcluster_update_downtime=True)
    assert (found["errors"], found["drain"]) == ([], False)
    assert "Expected downtime: some seconds of each web server, while its services restart." in found["text"]


def errors(*batch: str, run: t.Sequence[str] = ("web1", "web2"), **servers: dict[str, t.Any]) -> list[str]:
    return _update.update_errors(topology(), [look(**servers)], batch, run)


def test_a_server_may_go_while_the_others_serve() -> None:
    assert errors("web1") == []
    assert errors("web1", web1=DOWN) == []


@pytest.mark.parametrize(("state", "said"), [(DOWN, "DOWN"), (MAINTAINED, "in maintenance")])
def test_no_server_may_go_while_another_does_not_serve(state: dict[str, t.Any], said: str) -> None:
    [error] = errors("web1", web2=state)
    assert error.startswith(
        f"On lb web2 is {said}; expected every web server but web1 to serve before that is taken out:"
    )


def test_a_drained_server_may_wait_for_its_turn_but_somebody_must_serve() -> None:
    three = topology(groups(apache_php=["web1", "web2", "web3"]))
    known = [look(web2=DRAINED, web3=UP)]
    assert _update.update_errors(three, known, ["web1"], ["web1", "web2"]) == []
    [error] = _update.update_errors(three, known, ["web1"], ["web1"])
    assert error.startswith("On lb web2 is drained; expected")
    assert errors("web1", web2=DRAINED) == [
        "On lb nobody serves but web1; expected another web server that does: mend one first."
    ]


def test_every_load_balancer_counts() -> None:
    both = topology(groups(haproxy=["lb", "lb2"]))
    [error] = _update.update_errors(both, [look("lb"), look("lb2", web2=DOWN)], ["web1"], ["web1", "web2"])
    assert error.startswith("On lb2 web2 is DOWN;")


def test_a_server_that_a_load_balancer_does_not_know_is_named() -> None:
    of = topology(groups(apache_php=["web1", "web2", "web3"]))
    assert _update.update_errors(of, [look()], ["web1"], ["web1"]) == [
        "HAProxy on lb has no server web3; expected every web server of the inventory: run site.yml first."
    ]
