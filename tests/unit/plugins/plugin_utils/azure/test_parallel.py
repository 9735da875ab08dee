# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import threading
from functools import partial

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import ListError, StoppedError
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.parallel import Runner, Task


def test_results_come_in_the_order_of_the_tasks() -> None:
    tasks = [Task(str(number), partial(pow, number, 2)) for number in range(20)]
    assert Runner(3, 60).run(tasks) == [number**2 for number in range(20)]


def test_nothing_to_do_needs_no_thread() -> None:
    assert Runner(3, 60).run([]) == []


def test_tasks_run_side_by_side() -> None:
    together = threading.Barrier(4, timeout=30)
    assert len(Runner(4, 60).run([Task("wait", together.wait)] * 4)) == 4


def test_the_first_failure_ends_those_that_wait() -> None:
    runner = Runner(2, 60)
    ended = threading.Event()

    def wait() -> None:
        try:
            runner.sleep(60)
        except StoppedError:
            ended.set()
            raise

    def fail() -> None:
        raise ListError("a sentence")

    with pytest.raises(ListError, match="a sentence"):
        runner.run([Task("waits", wait), Task("fails", fail)])
    assert ended.wait(30)


def test_the_deadline_ends_what_hangs_and_names_it() -> None:
    never = threading.Event()
    with pytest.raises(ListError) as failure:
        Runner(2, 0.2).run([Task("virtual machines of X", never.wait), Task("quick", lambda: True)])
    assert str(failure.value) == (
        "Azure did not finish within the 0.2 s of deadline; still missing: virtual machines of X. Ask for fewer"
        " subscriptions, or raise deadline."
    )
    never.set()
