# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""One report over all tiers: rows for people, keys for machines, a verdict for both."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.siteops.webcluster.plugins.plugin_utils._topology import Topology

# What the rows of the load balancers and web servers say already.
ROW_CHECKS = ("reachable", "servers")
COLUMNS = ("server", "tier", "role", "state", "source", "lag", "canary", "detail")


class Row(t.TypedDict):
    """One server in the report."""

    server: str
    tier: str
    role: str
    state: str
    source: str
    lag: str
    canary: str
    detail: str


class Report(t.TypedDict):
    """The whole cluster at one moment."""

    healthy: bool
    url: str
    reasons: list[str]
    notes: list[str]
    servers: list[Row]
    item: dict[str, t.Any]
    table: str


def _lag(status: Mapping[str, t.Any]) -> str:
    lag = status.get("lag") or {}
    if lag.get("seconds") is not None:
        return f"{float(lag['seconds']):g} s"
    if lag.get("bytes") is not None:
        return f"{lag['bytes']} B"
    return "-"


def _canary(status: Mapping[str, t.Any]) -> str:
    """How long a write took to arrive."""
    canary = status.get("canary") or {}
    if canary.get("latency_ms") is not None:
        return f"{canary['latency_ms']} ms"
    seen = canary.get("seen")
    return "-" if seen is None else "seen" if seen else "not seen"


def errors_of(result: Mapping[str, t.Any]) -> list[Mapping[str, t.Any]]:
    return [reason for reason in result.get("reasons") or [] if reason.get("severity") == "error"]


def sentence(reason: Mapping[str, t.Any]) -> str:
    parts = [str(part) for part in (reason.get("message"), reason.get("hint")) if part]
    return " ".join(part if part[-1] in ".!?" else f"{part}." for part in parts)


def data_row(tier: str, name: str, expected: str, status: Mapping[str, t.Any] | None, names: Mapping[str, str]) -> Row:
    """The row of a MySQL or Redis server."""
    row: Row = {
        "server": name,
        "tier": tier,
        "role": expected,
        "state": "unreachable",
        "source": "-",
        "lag": "-",
        "canary": "-",
        "detail": "",
    }
    if not status or status.get("unreachable"):
        row["detail"] = "cannot be reached over SSH" if status else "was not looked at in this run"
        return row
    row["state"] = str(status.get("state") or "unreachable")
    row["role"] = str(status.get("role") or expected)
    row["canary"] = _canary(status)
    if expected == "replica":
        source = str((status.get("primary") or {}).get("host") or "")
        row["source"] = names.get(source, source or "-")
        row["lag"] = _lag(status)
    if not status.get("healthy"):
        errors = errors_of(status)
        row["detail"] = sentence(errors[0]) if errors else str(status.get("msg") or "")
    else:
        version = ".".join(str(part) for part in status.get("version_info") or [])
        row["detail"] = f"{status.get('flavor') or ''} {version}".strip()
    return row


def front_rows(topology: Topology, doors: Mapping[str, Mapping[str, t.Any]]) -> list[Row]:
    """Rows of the load balancers and web servers, as seen through each front door."""
    rows = []
    missing: dict[str, list[str]] = {}
    for member in topology["load_balancers"]:
        door = doors.get(member["name"]) or {}
        seen, errors = door.get("servers") or {}, errors_of(door)
        for web in topology["web"]:
            if web["name"] not in seen:
                missing.setdefault(web["name"], []).append(member["name"])
        state = "serving" if seen else "not serving"
        detail = f"{len(seen)} of {len(topology['web'])} web servers answer at {door.get('url')}"
        if not seen:
            detail = sentence(errors[0]) if errors else "was not looked at"
        rows.append(plain_row(member["name"], "lb", state, detail))
    for member in topology["web"]:
        absent = missing.get(member["name"])
        state = "not serving" if absent else "serving"
        detail = f"no answer of it came through {', '.join(absent)}" if absent else ""
        rows.append(plain_row(member["name"], "web", state, detail))
    return rows


def _known_as(member: Mapping[str, t.Any], hostvars: Mapping[str, Mapping[str, t.Any]]) -> set[str]:
    """The names by which a MySQL server may call itself."""
    verdict = hostvars[member["name"]].get("__webcluster_mysql_verdict") or {}
    own = ((verdict.get("raw") or {}).get("variables") or {}).get("hostname")
    return {str(member["name"]), str(own or member["name"])}


def split_rows(
    topology: Topology, hostvars: Mapping[str, Mapping[str, t.Any]], doors: Mapping[str, Mapping[str, t.Any]]
) -> list[Row]:
    """One row for each front door whose item went through the read-write split: where to, and after how long."""
    rows = []
    for name, door in doors.items():
        item = door.get("item") or {}
        replica = item.get("replica") or {}
        if not item.get("written_to") or not replica.get("host"):
            continue
        primary = topology["mysql"]["primary"]
        wrong = []
        if primary and item["written_to"] not in _known_as(primary, hostvars):
            wrong.append(f"writes go to {item['written_to']}, the primary is {primary['name']}")
        readers = set[str]().union(*(_known_as(member, hostvars) for member in topology["mysql"]["replicas"]))
        if readers and replica["host"] not in readers:
            wrong.append(f"reads come from {replica['host']}, which is none of the replicas")
        row = plain_row(name, "split", "wrong" if wrong else "working", "; ".join(wrong))
        row["canary"] = f"{replica['latency_ms']} ms" if replica.get("latency_ms") is not None else "-"
        if not wrong:
            row["detail"] = f"an item written to {item['written_to']} was read from {replica['host']}"
        rows.append(row)
    return rows


def plain_row(server: str, tier: str, state: str, detail: str) -> Row:
    """A row without replication."""
    return Row(server=server, tier=tier, role="-", state=state, source="-", lag="-", canary="-", detail=detail)


def render(rows: Sequence[Row], verdict: str) -> str:
    """A plain table that fits a terminal."""
    cells = [tuple(column.upper() for column in COLUMNS)] + [tuple(str(row[key]) for key in COLUMNS) for row in rows]  # type: ignore[literal-required]
    widths = [max(len(line[index]) for line in cells) for index in range(len(COLUMNS) - 1)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]).rstrip()
        for line in cells
    ]
    return "\n".join([*lines, "", verdict])


def cluster_report(
    topology: Topology,
    hostvars: Mapping[str, Mapping[str, t.Any]],
    doors: Mapping[str, Mapping[str, t.Any]],
    elsewhere: Sequence[Mapping[str, t.Any]] = (),
) -> Report:
    """Judge the cluster; healthy only where every part is."""
    outside = {str(look["item"]): look for look in elsewhere if "item" in look}
    rows = front_rows(topology, doors)
    reasons = [f"{row['server']}: {row['state']}, {row['detail']}" for row in rows if row["state"] != "serving"]
    for name, door in doors.items():
        reasons += [
            f"{name}: {sentence(reason)}" for reason in errors_of(door) if reason.get("check") not in ROW_CHECKS
        ]
    for tier in ("mysql", "redis"):
        engine = topology[tier]
        members = [(engine["primary"], "primary")] if engine["primary"] else []
        members += [(member, "replica") for member in engine["replicas"]]
        names = {member["address"]: member["name"] for member, role in members}
        for member, role in members:
            verdict_of = hostvars[member["name"]].get(f"__webcluster_{tier}_verdict")
            row = data_row(tier, member["name"], role, verdict_of or outside.get(member["name"]), names)
            rows.append(row)
            if row["state"] != "healthy":
                reasons.append(f"{row['server']}: {row['state']}, {row['detail']}")
    split = split_rows(topology, hostvars, doors)
    rows += split
    reasons += [f"{row['server']}: {row['detail']}" for row in split if row["state"] != "working"]
    reasons = [*topology["errors"], *reasons]
    healthy = not reasons
    verdict = (
        "VERDICT healthy" if healthy else "\n".join(["VERDICT not healthy", *(f"  - {reason}" for reason in reasons)])
    )
    if topology["notes"]:
        verdict = "\n".join([*(f"NOTE {note}" for note in topology["notes"]), verdict])
    return {
        "healthy": healthy,
        "url": next((str(door.get("url")) for door in doors.values() if door.get("url")), ""),
        "reasons": reasons,
        "notes": list(topology["notes"]),
        "servers": rows,
        "item": next((dict(door["item"]) for door in doors.values() if door.get("item")), {}),
        "table": render(rows, verdict),
    }
