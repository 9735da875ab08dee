# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""The estate from Azure Resource Graph: few requests for very many subscriptions, but it may lag behind for hours."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure import read
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.arm import Arm, Json, Listing
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import ListError
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.estate import (
    Estate,
    Report,
    Wanted,
    drop_stopped,
    take_machine,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.parallel import Runner, Task

PATH = "/providers/Microsoft.ResourceGraph/resources"
PAGE = 1000
# So many subscriptions fit into one query.
MOST_SUBSCRIPTIONS = 1000
TYPES = {
    "virtual machines": "microsoft.compute/virtualmachines",
    "network interfaces": "microsoft.network/networkinterfaces",
    "public IP addresses": "microsoft.network/publicipaddresses",
    "virtual networks": "microsoft.network/virtualnetworks",
}


def query(kind: str) -> str:
    """One type a query, without a join: those drop rows silently. Ordered by the id, or pages lose and repeat rows."""
    return (
        f"Resources | where type =~ '{TYPES[kind]}' | project id, name, location, tags, zones, properties"
        " | order by id asc"
    )


def objects(data: t.Any) -> list[Json] | None:
    """The rows as objects, also from an answer in the form of a table; None when it is neither."""
    if isinstance(data, list):
        return [row for row in data if isinstance(row, dict)]
    columns, table = (data.get("columns"), data.get("rows")) if isinstance(data, dict) else (None, None)
    if not isinstance(columns, list) or not isinstance(table, list):
        return None
    names = [str(column.get("name")) for column in columns]
    return [dict(zip(names, row, strict=False)) for row in table]


def entries(arm: Arm, kind: str, subscriptions: Sequence[str]) -> Iterator[Json]:
    """Every row of a query; raises ListError when the graph gave fewer than it counted."""
    listing = Listing(f"{kind} in Azure Resource Graph", "resource_graph", PATH, f"{len(subscriptions)} subscriptions")
    options: Json = {"$top": PAGE, "resultFormat": "objectArray"}
    rows_read, total = 0, 0
    while True:
        answer = arm.post(
            listing, {"subscriptions": list(subscriptions), "query": query(kind), "options": dict(options)}
        )
        found = objects(answer.get("data"))
        if found is None:
            raise ListError(f"The answer of Azure Resource Graph on {kind} holds no rows; expected data: run it again.")
        rows_read += len(found)
        total = max(total, int(answer.get("totalRecords") or 0))
        yield from found
        mark = answer.get("$skipToken")
        if not mark or not found:
            break
        options["$skipToken"] = mark
    if rows_read < total:
        raise ListError(
            f"Azure Resource Graph counts {total} {kind} and gave {rows_read}; expected all of them: run it again, or use"
            " backend: arm."
        )


def collect(arm: Arm, runner: Runner, subscriptions: Sequence[str], wanted: Wanted, report: Report) -> Estate:
    """The same estate as from the lists."""
    estate = Estate()
    kinds = ["virtual machines"]
    if wanted.network:
        kinds += ["network interfaces", *(["public IP addresses"] if wanted.public_ips else [])]
        kinds += ["virtual networks"] if wanted.prefixes else []
    batches = [
        subscriptions[begin : begin + MOST_SUBSCRIPTIONS] for begin in range(0, len(subscriptions), MOST_SUBSCRIPTIONS)
    ]
    tasks = [
        Task(f"{kind} in Azure Resource Graph", partial(_rows, arm, kind, batch, wanted, report))
        for kind in kinds
        for batch in batches
    ]
    for kind, found in runner.run(tasks):
        for entry in found:
            ADD[kind](estate, entry, wanted, report)
    drop_stopped(estate, wanted, report)
    return estate


def _rows(arm: Arm, kind: str, batch: Sequence[str], wanted: Wanted, report: Report) -> tuple[str, list[Json]]:
    found: list[Json] = []
    try:
        found.extend(entries(arm, kind, batch))
    except ListError as failure:
        if not wanted.allow_partial:
            raise
        report.missing(failure)
    return kind, found


def _machine(estate: Estate, entry: Json, wanted: Wanted, report: Report) -> None:
    take_machine(estate, read.machine(entry), entry, wanted, report)


def _nic(estate: Estate, entry: Json, _wanted: Wanted, _report: Report) -> None:
    nic = read.nic(entry)
    if nic:
        estate.nics[nic.id.lower()] = nic


def _public_ip(estate: Estate, entry: Json, _wanted: Wanted, _report: Report) -> None:
    identity = read.text(entry, "id")
    if identity:
        estate.public_ips[identity.lower()] = read.public_ip(entry)


def _network(estate: Estate, entry: Json, _wanted: Wanted, _report: Report) -> None:
    estate.prefixes.update(read.prefixes(entry))


ADD: dict[str, Callable[[Estate, Json, Wanted, Report], None]] = {
    "virtual machines": _machine,
    "network interfaces": _nic,
    "public IP addresses": _public_ip,
    "virtual networks": _network,
}
