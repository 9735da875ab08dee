# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Log in, read and join: the part of a run that a cached inventory does without."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure import graph, lists
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.arm import Arm, Send
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import listed
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.estate import Report
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.join import Record, join
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.parallel import Runner, Task
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.plan import Plan
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.session import Login, session


@contextlib.contextmanager
def connect(plan: Plan, runner: Runner, report: Report) -> Iterator[Send]:
    """The clients of azure-mgmt-*, with a token that they all share."""
    network = plan.backend == "arm" and plan.wanted.network
    login = Login(plan.cloud, plan.auth, plan.limits, "azure_subnet", network)
    with session(login, runner, report.secrets.append) as send:
        yield send


def fetch(
    plan: Plan,
    report: Report,
    connector: Callable[[Plan, Runner, Report], contextlib.AbstractContextManager[Send]] = connect,
) -> tuple[list[Record], int]:
    """The records of all machines that are wanted, and the number of requests they took."""
    runner = Runner(plan.workers, plan.deadline)
    with connector(plan, runner, report) as send:
        arm = Arm(send, plan.cloud, report.note, plan.wanted.allow_partial)
        subscriptions: Sequence[str] = plan.subscriptions
        if not subscriptions:
            (subscriptions,) = runner.run([Task("subscriptions", partial(lists.visible_subscriptions, arm, report))])
        collect = graph.collect if plan.backend == "resource_graph" else lists.collect
        estate = collect(arm, runner, subscriptions, plan.wanted, report)
    if report.unfinished:
        report.warn(
            f"Left out, because Azure has not finished making them: {listed(sorted(report.unfinished))} (see"
            " exclude_provisioning_states)."
        )
    return join(estate, plan.wanted.network), arm.requests
