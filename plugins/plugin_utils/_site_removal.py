# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""What sites leave behind that were taken out of the list: it stays until the inventory says that it may go."""

from __future__ import annotations

import typing as t
from collections.abc import Collection, Iterator, Mapping, Sequence

from ansible_collections.siteops.webcluster.plugins.plugin_utils._cluster_sites import lease_name
from ansible_collections.siteops.webcluster.plugins.plugin_utils._site_consistency import (
    taken_databases,
    taken_prefixes,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._sites import NAME, PREFIX, SCHEMA, Site, home_of
from ansible_collections.siteops.webcluster.plugins.plugin_utils._variables import Settings, short_list

OPTION = "webcluster_sites_remove"


class Removal(t.TypedDict):
    """What is removed of a site, with all that it holds."""

    name: str
    home: str
    databases: list[str]
    prefixes: list[str]


def _values(entry: t.Any) -> dict[str, str]:
    """An entry is a name, or says under which other names a site had its data."""
    return {key: str(value) for key, value in (entry if isinstance(entry, Mapping) else {"name": entry}).items()}


def removals(settings: Settings, host: str) -> list[Removal]:
    """What may go, as one host of the cluster has it; all have the same."""
    found = []
    for values in (_values(entry) for entry in settings.value(host, OPTION) or []):
        name = values.get("name", "")
        # Whether it had cron jobs nobody knows any more.
        leases = lease_name(name)
        found.append(
            Removal(
                name=name,
                home=home_of(name),
                databases=[values.get("database", name), leases],
                prefixes=[values.get("prefix", f"{name}:"), f"{leases}:"],
            )
        )
    return found


def form_errors(entries: Sequence[t.Any]) -> Iterator[str]:
    """Entries that name nothing."""
    for entry in entries:
        values = _values(entry)
        forms = {"name": NAME, "database": SCHEMA, "prefix": PREFIX}
        if (
            set(values) - set(forms)
            or "name" not in values
            or [key for key in values if not forms[key].match(values[key])]
        ):
            yield (
                f"{OPTION} holds {entry!r}; expected the name of a site such as shop, or {{name: shop, database: shop_db,"
                " prefix: 'cart:'} where its data had other names: correct it."
            )


def removal_errors(settings: Settings, tiers: t.Any, sites: Sequence[Site], host: str) -> list[str]:
    """Names that are wrong, and what somebody still needs."""
    errors = list(form_errors(settings.value(host, OPTION) or []))
    if errors:
        return errors
    databases, prefixes = taken_databases(settings, tiers, sites), taken_prefixes(settings, tiers, sites)
    for gone in removals(settings, host):
        if gone["name"] in [site.name for site in sites]:
            errors.append(
                f"Site {gone['name']} is in webcluster_sites and in {OPTION}; expected it in one of them: remove it from the other."
            )
            continue
        errors += [
            f"{OPTION} would remove the database {database}, which belongs to {databases[database]}; expected one that nobody needs:"
            " correct it."
            for database in gone["databases"]
            if database in databases
        ]
        errors += [
            f"{OPTION} would remove the Redis keys that begin with {own}, and those of {whose} begin with {prefix}; expected keys"
            " that nobody needs: correct it."
            for own in gone["prefixes"]
            for prefix, whose in prefixes
            if prefix.startswith(own) or own.startswith(prefix)
        ]
    return errors


def left_notes(others: Mapping[str, Collection[str]], named: Collection[str]) -> list[str]:
    """Say what is still there of sites that nobody is served any more; `others` holds their names by web server."""
    found: dict[str, list[str]] = {}
    for host, names in others.items():
        for name in names:
            found.setdefault(name, []).append(host)
    return [
        f"Site {name} is not in webcluster_sites. What cannot be made again stays: {home_of(name)} and the user site-{name} on"
        f" {short_list(hosts)}, and the database and the Redis keys that it had; {OPTION}: [{name}] removes all of it."
        for name, hosts in found.items()
        if name not in named
    ]
