# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""One report over all tiers: rows for people, keys for machines, a verdict for both."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from ansible_collections.siteops.webcluster.plugins.plugin_utils._arguments import EngineState, members
from ansible_collections.siteops.webcluster.plugins.plugin_utils._backup_report import backup_reports
from ansible_collections.siteops.webcluster.plugins.plugin_utils._engines import ENGINES
from ansible_collections.siteops.webcluster.plugins.plugin_utils._topology import Topology, looks_of
from ansible_collections.siteops.webcluster.plugins.plugin_utils._variables import said_by, short_list

# What the rows of the load balancers and web servers say already.
ROW_CHECKS = ("reachable", "servers", "site", "certificate")
# States that are no reason against health.
GOOD_STATES = ("serving", "working", "healthy", "open", "not seen")
# Time enough to have a certificate made by hand; those that renew themselves do so earlier.
ENDS_SOON = timedelta(days=21)
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
    summary: list[str]
    table: str


def _lag(status: Mapping[str, t.Any]) -> str:
    lag = status.get("lag") or {}
    if lag.get("seconds") is not None:
        return f"{float(lag['seconds']):g} s"
    if lag.get("bytes") is not None:
        return f"{lag['bytes']} B"
    return "-"


def certificate_end(status: Mapping[str, t.Any]) -> datetime | None:
    """When the certificate of a data server ends, where it showed one."""
    ends = (status.get("certificate") or {}).get("ends")
    return datetime.fromisoformat(ends) if ends else None


def _encryption(status: Mapping[str, t.Any]) -> str:
    """What of a healthy server's connections is encrypted: all between hosts, or those to its primary; until when it has a certificate."""
    ends = certificate_end(status)
    until = f" until {ends:%Y-%m-%d}" if ends else ""
    links = [channel.get("tls") for channel in status.get("channels") or []]
    if links and all(links):
        return ", TLS to its primary" + (f", certificate{until}" if ends else "")
    # Redis is asked over TLS, MySQL tells of its certificate.
    return f", {'certificate' if status.get('engine') == 'mysql' else 'TLS'}{until}" if ends else ""


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


def data_row(
    tier: str,
    name: str,
    expected: str,
    status: Mapping[str, t.Any] | None,
    names: Mapping[str, str],
    disputed: bool = False,
) -> Row:
    """The row of a MySQL or Redis server; where its tier is disputed there is one hint, for the tier."""
    row: Row = {
        "server": name,
        "tier": tier,
        "role": "-" if disputed else expected,
        "state": "unreachable",
        "source": "-",
        "lag": "-",
        "canary": "-",
        "detail": "",
    }
    if not status or status.get("unreachable"):
        row["detail"] = "cannot be reached over SSH" if status else "was not looked at in this run"
        return row
    if "state" not in status:
        row["detail"] = f"could not be looked at: {said_by(status) or 'there is no answer'}"
        return row
    row["state"] = str(status.get("state") or "unreachable")
    row["role"] = str(status.get("role") or row["role"])
    row["canary"] = _canary(status)
    source = str((status.get("primary") or {}).get("host") or "")
    if expected == "replica" or (disputed and source):
        row["source"] = names.get(source, source or "-")
        row["lag"] = _lag(status)
    if not status.get("healthy"):
        errors = [{**reason, "hint": None} if disputed else reason for reason in errors_of(status)]
        row["detail"] = sentence(errors[0]) if errors else str(status.get("msg") or "")
    else:
        version = ".".join(str(part) for part in status.get("version_info") or [])
        row["detail"] = f"{status.get('flavor') or ''} {version}".strip() + _encryption(status)
    return row


def _why(door: Mapping[str, t.Any], check: str) -> str:
    """What a door says of one of its checks: the sentence and what to do."""
    return next((sentence(reason) for reason in errors_of(door) if reason.get("check") == check), "")


def front_rows(topology: Topology, doors: Mapping[str, Mapping[str, t.Any]]) -> list[Row]:
    """Rows of the front doors and web servers, as visitors see them."""
    rows = []
    web = [member["name"] for member in topology["web"]]
    for entry in topology["doors"]:
        door = doors.get(entry["name"]) or {}
        seen = door.get("servers") or {}
        if entry["name"] in web and not topology["load_balancers"]:
            # The server is its own front door, and has its row below.
            continue
        state = "serving" if seen else "not serving"
        detail = f"{len(seen)} of {len(web)} web servers answer at {door.get('url')}"
        if not seen:
            detail = _why(door, "reachable") or "was not looked at"
        rows.append(plain_row(entry["name"], "lb", state, detail))
    return rows + [web_row(topology, name, doors) for name in web]


def web_row(topology: Topology, name: str, doors: Mapping[str, Mapping[str, t.Any]]) -> Row:
    """The row of a web server: it serves where every door that expects it had an answer of it."""
    served = topology["served_as"][name]
    meant = [entry["name"] for entry in topology["doors"] if served in entry["expect_servers"]]
    lacking = [door for door in meant if served not in ((doors.get(door) or {}).get("servers") or {})]
    if lacking == [name]:
        return plain_row(name, "web", "not serving", _why(doors.get(name) or {}, "reachable") or "was not looked at")
    if lacking:
        detail = f"no answer of it came through {', '.join(lacking)}."
        hint = next(
            (
                reason.get("hint")
                for reason in errors_of(doors.get(lacking[0]) or {})
                if reason.get("check") == "servers"
            ),
            "",
        )
        return plain_row(name, "web", "not serving", f"{detail} {hint or ''}".strip())
    if not meant and not any(served in (door.get("servers") or {}) for door in doors.values()):
        return plain_row(name, "web", "not seen", "visitors stick to one server, and this look met another one")
    return plain_row(name, "web", "serving", "")


def _known_as(member: Mapping[str, t.Any], verdicts: Mapping[tuple[str, str], Mapping[str, t.Any]]) -> set[str]:
    """The names by which a MySQL server may call itself."""
    verdict = verdicts.get(("mysql", member["name"])) or {}
    own = ((verdict.get("raw") or {}).get("variables") or {}).get("hostname")
    return {str(member["name"]), str(own or member["name"])}


def split_rows(
    topology: Topology,
    verdicts: Mapping[tuple[str, str], Mapping[str, t.Any]],
    doors: Mapping[str, Mapping[str, t.Any]],
) -> list[Row]:
    """One row for each front door whose item went through the read-write split: where to, and after how long."""
    rows = []
    mysql = topology["engines"].get("mysql")
    for name, door in doors.items():
        item = door.get("item") or {}
        replica = item.get("replica") or {}
        if not mysql or not item.get("written_to") or not replica.get("host"):
            continue
        primary = mysql["primary"]
        wrong = []
        if item["written_to"] not in _known_as(primary, verdicts):
            wrong.append(f"writes go to {item['written_to']}, the primary is {primary['name']}")
        readers = set[str]().union(*(_known_as(member, verdicts) for member in mysql["replicas"]))
        if readers and replica["host"] not in readers:
            wrong.append(f"reads come from {replica['host']}, which is none of the replicas")
        row = plain_row(name, "split", "wrong" if wrong else "working", "; ".join(wrong))
        row["canary"] = f"{replica['latency_ms']} ms" if replica.get("latency_ms") is not None else "-"
        if not wrong:
            row["detail"] = f"an item written to {item['written_to']} was read from {replica['host']}"
        rows.append(row)
    return rows


def site_rows(
    topology: Topology, doors: Mapping[str, Mapping[str, t.Any]], hosts: Mapping[str, Mapping[str, t.Any]]
) -> list[Row]:
    """One row for each site: whether it works through every front door and on every web server, and which release it runs."""
    on_hosts = {
        member["name"]: (hosts[member["name"]].get("__webcluster_site_looks") or {}).get("sites") or {}
        for member in topology["web"]
        if member["name"] in hosts
    }
    # Without a load balancer a door is the web server itself.
    seen = {
        **{f"through {name}": door.get("sites") or {} for name, door in doors.items() if name not in on_hosts},
        **{f"on {name}": looks for name, looks in on_hosts.items() if looks},
    }
    rows = []
    for site in topology["sites"]:
        name = site["check"]["name"]
        looks = {where: found[name] for where, found in seen.items() if name in found}
        wrong: dict[str, list[str]] = {}
        for where, look in looks.items():
            if not look.get("ok"):
                wrong.setdefault(str(look.get("problem")), []).append(where)
        releases: dict[str, list[str]] = {}
        for host, found in on_hosts.items():
            own = (found.get(name) or {}).get("own") or {}
            if own:
                releases.setdefault(str(own.get("release") or "none"), []).append(host)
        versions = ", ".join(f"release {release} on {', '.join(where)}" for release, where in releases.items())
        if wrong:
            detail = "; ".join(f"{problem} ({', '.join(where)})" for problem, where in wrong.items())
            rows.append(plain_row(name, "site", "not serving", f"{detail}."))
        elif len(releases) > 1:
            rows.append(
                plain_row(
                    name,
                    "site",
                    "mixed",
                    f"{versions}. Run again what was interrupted: release.yml, rollback.yml or site.yml.",
                )
            )
        elif not looks:
            rows.append(plain_row(name, "site", "not serving", "was not looked at"))
        else:
            rows.append(plain_row(name, "site", "serving", versions))
    return rows


def certificate_rows(topology: Topology, doors: Mapping[str, Mapping[str, t.Any]], now: datetime) -> list[Row]:
    """One row for each name that a front door has a certificate for: whether it is shown, and for how long it is good."""
    rows: dict[str, Row] = {}
    for entry in topology["doors"]:
        shown = (doors.get(entry["name"]) or {}).get("certificates") or {}
        for certificate in entry["certificates"]:
            name = certificate["name"]
            problem = shown.get(name, "was not looked at")
            if problem:
                rows[name] = plain_row(name, "tls", "wrong", f"{problem} (through {entry['name']}). Run site.yml.")
                continue
            if not certificate["ends"]:
                rows.setdefault(name, plain_row(name, "tls", "serving", "renewed by the load balancers themselves"))
                continue
            ends = datetime.fromisoformat(certificate["ends"])
            if now >= ends:
                rows[name] = plain_row(
                    name, "tls", "ended", f"its certificate ended on {ends:%Y-%m-%d}: give its successor."
                )
            else:
                left = f"{(ends - now).days} days left"
                rows.setdefault(name, plain_row(name, "tls", "serving", f"until {ends:%Y-%m-%d}, {left}"))
    return list(rows.values())


def ending_certificates(topology: Topology, now: datetime) -> list[str]:
    """Names whose certificate ends soon, and did not yet."""
    ends = {
        one["name"]: datetime.fromisoformat(one["ends"])
        for door in topology["doors"]
        for one in door["certificates"]
        if one["ends"]
    }
    return [
        f"The certificate of {name} ends on {end:%Y-%m-%d}, in {(end - now).days} days: put its successor into the inventory"
        " and run site.yml."
        for name, end in ends.items()
        if timedelta(0) < end - now < ENDS_SOON
    ]


def ending_of_servers(verdicts: Mapping[tuple[str, str], Mapping[str, t.Any]], now: datetime) -> list[str]:
    """The data server whose certificate ends next, where that is soon; a run makes new ones long before."""
    ends = {name: end for (_key, name), status in verdicts.items() if (end := certificate_end(status))}
    name = min(ends, key=lambda each: ends[each], default="")
    if not name or ends[name] - now >= ENDS_SOON:
        return []
    return [
        f"The certificate of {name} ends on {ends[name]:%Y-%m-%d}, in {(ends[name] - now).days} days, and no other server's before:"
        " run site.yml, which makes another one."
    ]


def data_rows(topology: Topology, verdicts: Mapping[tuple[str, str], Mapping[str, t.Any]]) -> list[Row]:
    """Rows of the data servers, the primary of each engine first."""
    rows = []
    for key, engine in topology["engines"].items():
        names = {member["address"]: member["name"] for member in members(engine)}
        for member in (engine["primary"], *engine["replicas"]):
            role = "primary" if member == engine["primary"] else "replica"
            verdict = verdicts.get((key, member["name"]))
            rows.append(data_row(key, member["name"], role, verdict, names, engine["disputed"]))
    return rows


def backup_rows(topology: Topology, hosts: Mapping[str, Mapping[str, t.Any]]) -> list[Row]:
    """One row for each tier that is copied, where its copies were asked for."""
    found = {name: (hosts[name].get("__webcluster_backups") or {}).get("results") or [] for name in topology["backups"]}
    return [
        plain_row(one.server, "backup", one.state, one.detail) for one in backup_reports(topology["backups"], found)
    ]


def port_row(ports: Mapping[str, t.Any]) -> Row | None:
    """The row of the network's own rules, where the inventory is Azure's: what they let through of what is needed."""
    if ports.get("problem"):
        return plain_row("azure", "ports", "not seen", f"could not be looked at: {ports['problem']}")
    if "flows" not in ports:
        return None
    words = [row["verdict"] for row in ports["flows"]]
    if ports["blocked"]:
        return plain_row("azure", "ports", "blocked", " ".join(ports["blocked"]))
    doubt = f", {words.count('unknown')} can be judged by Azure only" if "unknown" in words else ""
    return plain_row(
        "azure", "ports", "open", f"{words.count('allowed')} of {len(words)} connections are allowed{doubt}"
    )


def port_notes(ports: Mapping[str, t.Any]) -> list[str]:
    """What Azure did not tell, what only it can judge, and what is open that nobody needs."""
    unknown = [row["advice"] for row in ports.get("flows") or [] if row["verdict"] == "unknown"]
    return list(dict.fromkeys([*(ports.get("not_asked") or []), *unknown, *(ports.get("excess") or [])]))


def plain_row(server: str, tier: str, state: str, detail: str) -> Row:
    """A row without replication."""
    return Row(server=server, tier=tier, role="-", state=state, source="-", lag="-", canary="-", detail=detail)


def outdated_services(hosts: Mapping[str, Mapping[str, t.Any]]) -> list[str]:
    """Services that run an older configuration than their files, where their hosts were asked."""
    return [
        f"{host}: {found['service']} has not been given {found['file']} as it is now and runs an older configuration. Run site.yml."
        for host, variables in hosts.items()
        for found in (variables.get("__webcluster_services") or {}).get("outdated") or []
    ]


def waiting_services(hosts: Mapping[str, Mapping[str, t.Any]]) -> list[str]:
    """Services that were not restarted for what they take at a start only."""
    names: dict[tuple[str, str], list[str]] = {}
    for host, variables in hosts.items():
        for found in (variables.get("__webcluster_services") or {}).get("waiting") or []:
            names.setdefault((found["service"], found["file"]), []).append(host)
    return [
        f"{service} ({short_list(on)}) takes {file} at its next start: restart it when a moment without it does no harm."
        for (service, file), on in names.items()
    ]


def unseen_services(hosts: Mapping[str, Mapping[str, t.Any]]) -> list[str]:
    """Hosts whose services nobody could look at, though they may serve well."""
    asked = {host: variables.get("__webcluster_services") or {} for host, variables in hosts.items()}
    return [
        f"{host}: its services could not be looked at: {said_by(answer)}."
        for host, answer in asked.items()
        if answer.get("failed") or answer.get("unreachable")
    ]


def render(rows: Sequence[Row], verdict: str) -> str:
    """A plain table that fits a terminal."""
    cells = [tuple(column.upper() for column in COLUMNS)] + [
        tuple(str(dict(row)[key]) for key in COLUMNS) for row in rows
    ]
    widths = [max(len(line[index]) for line in cells) for index in range(len(COLUMNS) - 1)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]).rstrip()
        for line in cells
    ]
    return "\n".join([*lines, "", verdict])


def engine_line(title: str, engine: EngineState | None) -> str:
    if engine is None:
        return f"{title}: none in this inventory"
    replicas = ", ".join(member["name"] for member in engine["replicas"])
    return f"{title}: {engine['primary']['name']} " + (f"-> {replicas}" if replicas else "(no replica)")


def summary(topology: Topology, url: str) -> list[str]:
    """What the cluster consists of, tier by tier; how it is stands in the table."""
    web = ", ".join(member["name"] for member in topology["web"])
    balanced = topology["load_balancers"] or not web
    lines = [f"The site: {url} (answered by {web})" if web else "The site: no web server in this inventory"]
    lines += [] if balanced else ["Load balancer: none in this inventory; visitors come to the web servers themselves"]
    lines += [engine_line(ENGINES[key].title, topology["engines"].get(key)) for key in ENGINES]
    return [*lines, *(f"Statistics: {page}" for page in topology["statistics"][:1])]


def cluster_report(
    topology: Topology,
    hostvars: Mapping[str, Mapping[str, t.Any]],
    looks_at_doors: Sequence[Mapping[str, t.Any]],
    elsewhere: Sequence[Mapping[str, t.Any]] = (),
    now: datetime | None = None,
    ports: Mapping[str, t.Any] | None = None,
) -> Report:
    """Judge the cluster; healthy only where every part is."""
    now = now or datetime.now(UTC)
    hosts = {server["host"]: hostvars[server["host"]] for server in topology["servers"]}
    verdicts = looks_of(hosts, ("__webcluster_verdicts",), elsewhere)
    doors = {str(look["__webcluster_door"]["name"]): look for look in looks_at_doors}
    rows = [*front_rows(topology, doors), *data_rows(topology, verdicts), *split_rows(topology, verdicts, doors)]
    rows += site_rows(topology, doors, hostvars)
    rows += certificate_rows(topology, doors, now)
    rows += backup_rows(topology, hostvars)
    rows += [row] if (row := port_row(ports or {})) else []
    reasons = list(topology["errors"])
    reasons += [f"{row['server']}: {row['state']}, {row['detail']}" for row in rows if row["state"] not in GOOD_STATES]
    for name, door in doors.items():
        reasons += [
            f"{name}: {sentence(reason)}" for reason in errors_of(door) if reason.get("check") not in ROW_CHECKS
        ]
    asked = {name: hostvars[name] for name in dict.fromkeys(row["server"] for row in rows) if name in hostvars}
    reasons += outdated_services(asked)
    notes = [*topology["notes"], *waiting_services(asked), *unseen_services(asked)]
    notes += [*ending_certificates(topology, now), *ending_of_servers(verdicts, now), *port_notes(ports or {})]
    healthy = not reasons
    verdict = (
        "VERDICT healthy" if healthy else "\n".join(["VERDICT not healthy", *(f"  - {reason}" for reason in reasons)])
    )
    if notes:
        verdict = "\n".join([*(f"NOTE {note}" for note in notes), verdict])
    url = next((entry["url"] for entry in topology["doors"]), "")
    return {
        "healthy": healthy,
        "url": url,
        "reasons": reasons,
        "notes": notes,
        "servers": rows,
        "item": next((dict(door["item"]) for door in doors.values() if door.get("item")), {}),
        "summary": summary(topology, url),
        "table": render(rows, verdict),
    }
