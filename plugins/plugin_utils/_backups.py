# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Who makes copies of the data, who keeps and proves them, and who may reach the store."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.siteops.webcluster.plugins.plugin_utils._arguments import (
    Tiers,
    addresses,
    members,
    own_or,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._engines import BACKUP_STORES, ENGINES
from ansible_collections.siteops.webcluster.plugins.plugin_utils._flows import Flow
from ansible_collections.siteops.webcluster.plugins.plugin_utils._networks import is_loopback
from ansible_collections.siteops.webcluster.plugins.plugin_utils._variables import Settings, short_list

REPOSITORY = "backup_client_repository"


class Backup(t.TypedDict):
    """What a host does with copies. repository: empty where the inventory names it. store: the host that keeps them, if one does."""

    tiers: list[str]
    jobs: list[str]
    repository: str
    store: str
    bind_address: str
    # Whether it removes old copies itself, and how it logs in to a Redis of its own.
    prune: bool
    redis_port: int
    redis_user: str


def data_hosts(tiers: Tiers) -> dict[str, list[str]]:
    """The engines of each data host."""
    found: dict[str, list[str]] = {}
    for key, state in tiers["engines"].items():
        for member in members(state):
            found.setdefault(member["name"], []).append(key)
    return found


def store_place(settings: Settings, store: str, known: Mapping[str, str]) -> tuple[str, str]:
    """The address at which a store listens, and how restic writes it."""
    address = str(own_or(settings, store, "backup_store_bind_address", known[store]))
    host = f"[{address}]" if ":" in address else address
    return address, f"rest:https://{host}:{settings.value(store, 'backup_store_port')}"


def _backup(
    settings: Settings, host: str, keys: list[str], jobs: list[str], repository: str, store: str, bind_address: str
) -> Backup:
    redis = ENGINES["redis"]
    return Backup(
        tiers=keys,
        jobs=jobs,
        repository=repository,
        store=store,
        bind_address=bind_address,
        # A store that only appends lets nobody else do that.
        prune=not store and settings.value(host, "backup_client_prune"),
        redis_port=int(settings.value(host, redis.option("port"))),
        redis_user=str(settings.value(host, redis.option("admin_user"))),
    )


def backups(settings: Settings, tiers: Tiers, stores: Sequence[str], known: Mapping[str, str]) -> dict[str, Backup]:
    """What each host does with copies; nothing where no store is named. `known` are the hosts' addresses."""
    found: dict[str, Backup] = {}
    store = stores[0] if stores else ""
    address, place = store_place(settings, store, known) if store else ("", "")
    for host, keys in data_hosts(tiers).items():
        if store or settings.value(host, REPOSITORY):
            # Without a store of ours each of them proves the copies.
            jobs = ["copy"] if store else ["copy", "drill"]
            found[host] = _backup(settings, host, keys, jobs, place, store, "")
    if store:
        path = str(settings.value(store, "backup_store_path"))
        found[store] = _backup(settings, store, list(tiers["engines"]), ["keep", "drill"], path, store, address)
    return found


def backup_errors(settings: Settings, tiers: Tiers, stores: Sequence[str]) -> Iterator[str]:
    """What cannot be meant, a sentence each."""
    hosts = data_hosts(tiers)
    if len(stores) > 1:
        yield f"Group {BACKUP_STORES} names {len(stores)} hosts ({', '.join(stores)}); expected one: take the others out."
    for store in stores:
        if store in hosts:
            yield (
                f"Host {store} is in group {BACKUP_STORES} and holds {ENGINES[hosts[store][0]].title}; expected a store on a"
                " machine of its own, as copies are lost with the machine that they lie on: move it."
            )
    given = [host for host in hosts if settings.value(host, REPOSITORY)]
    if stores and given:
        yield (
            f"Variable {REPOSITORY} ({short_list(given)}) is set, and group {BACKUP_STORES} has {stores[0]}; expected one"
            " of them: remove the other."
        )


def copied_hosts(
    tiers: Tiers, found: Mapping[str, Backup], looks: Mapping[tuple[str, str], Mapping[str, t.Any]]
) -> dict[str, str]:
    """The host of which a copy is made at once, by engine: a replica that is well, else the primary."""
    copied = {}
    for key, state in tiers["engines"].items():
        if state["primary"]["name"] not in found:
            continue
        # On the first day nobody was well yet, and everybody is by the time.
        new = state["decided_by"] != "live"
        well = [
            member["name"]
            for member in state["replicas"]
            if new or (looks.get((key, member["name"])) or {}).get("healthy")
        ]
        copied[key] = well[0] if well else state["primary"]["name"]
    return copied


def store_flows(
    settings: Settings, tiers: Tiers, stores: Sequence[str], flows: dict[str, list[Flow]]
) -> dict[str, list[Flow]]:
    """The flows with those to the store."""
    sources = [address for state in tiers["engines"].values() for address in addresses(members(state))]
    if not stores or not sources:
        return flows
    store = stores[0]
    if is_loopback(settings.value(store, "backup_store_bind_address")) and settings.given(
        store, "backup_store_bind_address"
    ):
        return flows
    port = int(settings.value(store, "backup_store_port"))
    flow = Flow(protocol="tcp", port=port, sources=list(dict.fromkeys(sources)), purpose="copies of the data")
    return {**flows, store: [*flows.get(store, []), flow]}
