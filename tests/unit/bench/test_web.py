# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the benchmark of the web tier reckons from readings."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.siteops.webcluster.tests.bench import web
from ansible_collections.siteops.webcluster.tests.checkers import check, need
from ansible_collections.siteops.webcluster.tests.error_budget.cluster import ClusterError

PRINTED = """
Running 30s test @ http://10.0.0.52:80/style.css
  1 threads and 8 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.06ms    1.15ms  27.09ms   94.74%
  4003 requests in {seconds}, 21.49MB read
{more}Requests/sec:   7903.04
"""


@pytest.mark.parametrize(
    ("seconds", "more", "wanted"),
    [
        ("506.51ms", "", (4003, 0, 0.50651)),
        ("1.02m", "  Socket errors: connect 1, read 2, write 3, timeout 4\n", (4003, 10, 61.2)),
        ("2.00s", "  Non-2xx or 3xx responses: 7\n", (4003, 7, 2.0)),
    ],
)
def test_what_wrk_prints_is_read(seconds: str, more: str, wanted: tuple[int, int, float]) -> None:
    found = web.read_wrk(PRINTED.format(seconds=seconds, more=more))
    assert (found.requests, found.failed) == wanted[:2]
    assert found.seconds == pytest.approx(wanted[2])


def test_no_result_of_wrk_is_an_error() -> None:
    with pytest.raises(ClusterError, match="gave no result: unable to connect"):
        web.read_wrk("unable to connect to 10.0.0.52")


def test_a_request_costs_what_all_hosts_of_a_part_used_without_what_they_use_anyhow() -> None:
    parts = (web.Part("Apache", "apache2.service", ("web1", "web2")), web.Part("balancer", "haproxy.service", ("lb",)))
    before = {"web1": {"apache2.service": 10}, "web2": {"apache2.service": 20}, "lb": {"haproxy.service": 1000}}
    after = {"web1": {"apache2.service": 1010}, "web2": {"apache2.service": 2020}, "lb": {"haproxy.service": 1100}}
    spent = web.used(parts, before, after)
    assert spent == {"Apache": 3000, "balancer": 100}
    costs = web.per_request(spent, {"Apache": 500.0, "balancer": 100.0}, web.Loaded(100, 0, 2.0))
    assert costs == {"Apache": 20.0, "balancer": 0.0}


def rows(
    balancer: float = 20, journal: float = 2, theirs: float = 90, page: float = 400, bare: float = 15
) -> list[web.Row]:
    def row(name: str, stack: str, **costs: float) -> web.Row:
        return web.Row(name, True, stack, 100, costs)

    return [
        row(web.STATIC, web.CLUSTER, balancer=balancer, **{web.JOURNAL: journal}),
        row(web.STATIC, web.TUTORIAL, balancer=theirs),
        row(web.STATIC, web.BARE, balancer=bare),
        row(web.FROM_REDIS, web.CLUSTER, balancer=100, Apache=100),
        row(web.FROM_REDIS, web.TUTORIAL, balancer=0, Apache=page),
        row(web.FROM_REDIS, f"{web.TUTORIAL}, opcache", balancer=0, Apache=300),
    ]


def test_every_aim_is_reached() -> None:
    said = web.aims(rows())
    assert [kept for _text, kept in said] == [True] * 4
    assert "gives 2.0 times the tutorial's pages from Redis, at least 2.0 (1.5 times where" in said[3][0]


def test_nobody_needs_less_than_a_bare_haproxy_on_the_same_machine() -> None:
    [(text, kept), *_others] = web.aims(rows(balancer=26, bare=26))
    assert kept
    assert "needs 26 us for a kept request of a file, at most 25, or the 26 that one which only passes on needs" in text


def test_haproxy_takes_the_bare_settings(tmp_path: Path) -> None:
    need("haproxy")
    done = check("haproxy -c -f %s", web.bare([("web1", "10.0.0.4")]), tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("found", "missed"),
    [
        (rows(balancer=26), 0),
        (rows(theirs=59), 1),
        (rows(journal=5), 2),
        (rows(page=390), 3),
    ],
)
def test_each_aim_can_be_missed(found: list[web.Row], missed: int) -> None:
    assert [number for number, (_text, kept) in enumerate(web.aims(found)) if not kept] == [missed]
