# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import threading
from pathlib import Path

from ansible_collections.siteops.webcluster.tests.bench import haproxy_log
from ansible_collections.siteops.webcluster.tests.bench.haproxy_log import Cost


def costs(file: float) -> dict[str, Cost]:
    return {"none": Cost(20.0, 0.0), "file": Cost(file, 0.0), "journal": Cost(24.0, 16.0)}


def test_a_fifth_on_top_is_allowed_and_no_more() -> None:
    assert haproxy_log.complaints(costs(24.0)) == []
    assert haproxy_log.complaints(costs(24.3)) == [
        "the log in a file needs 22 % on top of a request, at most 20 % are allowed"
    ]


def test_who_takes_the_lines_counts() -> None:
    head, *rows = haproxy_log.table(costs(21.0))
    assert head.split() == ["LOG", "HAPROXY", "TAKER", "WHOLE", "ON", "TOP"]
    assert rows[-1].split() == ["journal", "24.0", "µs", "16.0", "µs", "40.0", "µs", "100", "%"]


def test_the_cheapest_turn_counts_of_each_process() -> None:
    assert haproxy_log.cheapest([Cost(3.0, 9.0), Cost(5.0, 2.0)]) == Cost(3.0, 2.0)


def test_the_cpu_of_all_threads_counts() -> None:
    before, stop = haproxy_log.cpu(os.getpid()), threading.Event()

    def work() -> None:
        while not stop.is_set():
            pass

    def drive() -> None:
        worker = threading.Thread(target=work)
        worker.start()
        threading.Timer(0.2, stop.set).start()
        worker.join()
        # A thread that has ended is counted no more.
        assert Path(f"/proc/{os.getpid()}/task").exists()

    assert haproxy_log.measured(os.getpid(), 0, drive, 1).taker == 0
    assert haproxy_log.cpu(os.getpid()) > before
