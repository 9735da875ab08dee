# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""The estate from the lists of Azure Resource Manager: right after a change they are true already."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote, unquote

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure import read
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.arm import (
    Arm,
    Json,
    Listing,
    scope_path,
    scope_title,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import InventoryError, ListError
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.estate import (
    Estate,
    Report,
    Wanted,
    drop_stopped,
    take_machine,
    whole,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.parallel import Runner, Task

VIRTUAL_MACHINES = "/providers/Microsoft.Compute/virtualMachines"
SCALE_SETS = "/providers/Microsoft.Compute/virtualMachineScaleSets"
NETWORK = "/providers/Microsoft.Network"
# What is put into a URL comes from Azure, and must stay a path in it.
RESOURCE_ID = re.compile(r"/subscriptions/[\w.()/-]+")
# A subscription in another state answers nothing.
USABLE = frozenset({"enabled", "warned", "pastdue"})


def visible_subscriptions(arm: Arm, report: Report) -> list[str]:
    """Every subscription that the identity may see."""
    listing = Listing("subscriptions", "subscriptions", "/subscriptions", "this identity")
    found = []
    for page in arm.pages(listing):
        for entry in page:
            identity, state = read.text(entry, "subscriptionId"), str(entry.get("state") or "Enabled")
            if identity and state.lower() in USABLE:
                found.append(identity.lower())
            elif identity:
                report.note(2, f"leaves out subscription {identity}: it is {state}")
    if not found:
        raise InventoryError(
            "This identity sees no subscription; expected at least one: give it the role Reader on one, or check tenant_id"
            " and cloud."
        )
    return sorted(found)


@dataclass(frozen=True)
class Place:
    """A subscription, or one resource group in it."""

    subscription: str
    group: str | None = None

    def listing(self, what: str, service: str, path: str, query: dict[str, str] | None = None) -> Listing:
        where = scope_title(self.subscription, self.group)
        return Listing(what, service, scope_path(self.subscription, self.group) + path, where, query or {})


Part = Callable[[Estate], None]


def collect(arm: Arm, runner: Runner, subscriptions: Sequence[str], wanted: Wanted, report: Report) -> Estate:
    """All lists of all subscriptions side by side, then what they left open."""
    estate = Estate()
    groups: Sequence[str | None] = wanted.by_group or (None,)
    places = [Place(subscription, group) for subscription in subscriptions for group in groups]
    reader = _Reader(arm, wanted, report)
    jobs: list[tuple[Listing, Callable[[Listing], Part]]] = []
    for place in places:
        jobs.append((place.listing("virtual machines", "compute", VIRTUAL_MACHINES), reader.machines))
        if wanted.network:
            jobs.append((place.listing("network interfaces", "network", f"{NETWORK}/networkInterfaces"), reader.nics))
        if wanted.network and wanted.public_ips:
            addresses = place.listing("public IP addresses", "network", f"{NETWORK}/publicIPAddresses")
            jobs.append((addresses, reader.public_ips))
        if wanted.scale_sets:
            jobs.append((place.listing("scale sets", "compute", SCALE_SETS), reader.scale_sets))
    for subscription in subscriptions:
        # Azure gives the states of a whole subscription only; a network may stand in another group than its machines.
        place = Place(subscription)
        if wanted.power_states:
            states = place.listing("states of virtual machines", "compute", VIRTUAL_MACHINES, {"statusOnly": "true"})
            jobs.append((states, reader.states))
        if wanted.network and wanted.prefixes:
            jobs.append((place.listing("virtual networks", "network", f"{NETWORK}/virtualNetworks"), reader.prefixes))
    _run(runner, jobs, estate)
    reader.check_groups()
    _run(runner, reader.scale_set_jobs(), estate)
    for key, state in reader.known_states.items():
        if key in estate.machines and estate.machines[key].state is None:
            estate.machines[key].state = state
    drop_stopped(estate, wanted, report)
    if wanted.network:
        _run(runner, reader.missing_nics(estate), estate)
    return estate


def _run(runner: Runner, jobs: Sequence[tuple[Listing, Callable[[Listing], Part]]], estate: Estate) -> None:
    """The threads only read; their parts are put together here."""
    for add in runner.run([Task(listing.title, partial(work, listing)) for listing, work in jobs]):
        add(estate)


class _Reader:
    """What to do with the entries of each list; each method runs in a thread and returns how to add its part."""

    def __init__(self, arm: Arm, wanted: Wanted, report: Report) -> None:
        self._arm = arm
        self._wanted = wanted
        self._report = report
        self._sets: list[tuple[str, str, str]] = []
        self._groups_found: set[str] = set()
        self.known_states: dict[str, read.State] = {}

    def _entries(self, listing: Listing) -> list[Json]:
        return list(whole(self._arm, listing, self._wanted, self._report))

    def machines(self, listing: Listing) -> Part:
        own = Estate()
        try:
            for entry in whole(self._arm, listing, self._wanted, self._report):
                take_machine(own, read.machine(entry), entry, self._wanted, self._report)
            self._groups_found.add(_group_in(listing.path))
        except ListError as failure:
            # With several subscriptions a group is in one of them; check_groups sees to it that it is in any.
            if not self._wanted.by_group or failure.code != "ResourceGroupNotFound":
                raise
            self._report.note(2, f"{listing.where} does not exist")
        return lambda estate: estate.machines.update(own.machines)

    def check_groups(self) -> None:
        for group in self._wanted.by_group:
            if group.lower() not in self._groups_found:
                raise ListError(
                    f"Resource group {group} of resource_groups is in none of the subscriptions; expected an existing one:"
                    " correct its name, or check subscription_ids."
                )

    def states(self, listing: Listing) -> Part:
        found = {}
        for entry in whole(self._arm, listing, self._wanted, self._report):
            identity, state = read.text(entry, "id"), read.state(entry)
            if identity and state:
                found[identity.lower()] = state
        return lambda _estate: self.known_states.update(found)

    def nics(self, listing: Listing) -> Part:
        found = {}
        for nic in map(read.nic, self._missing_group_ok(listing)):
            if nic:
                found[nic.id.lower()] = nic
        return lambda estate: estate.nics.update(found)

    def public_ips(self, listing: Listing) -> Part:
        found = {}
        for entry in self._missing_group_ok(listing):
            identity = read.text(entry, "id")
            if identity:
                found[identity.lower()] = read.public_ip(entry)
        return lambda estate: estate.public_ips.update(found)

    def prefixes(self, listing: Listing) -> Part:
        found: dict[str, list[str]] = {}
        for entry in self._entries(listing):
            found.update(read.prefixes(entry))
        return lambda estate: estate.prefixes.update(found)

    def scale_sets(self, listing: Listing) -> Part:
        """Flexible sets have ordinary machines; what a uniform one has must be asked for."""
        found = []
        selection = self._wanted.selection
        for entry in self._missing_group_ok(listing):
            identity = read.text(entry, "id")
            subscription, group = read.segment(identity, "subscriptions"), read.segment(identity, "resourceGroups")
            mode = read.text(read.part(entry, "properties"), "orchestrationMode") or "Uniform"
            if not identity or not subscription or not group or mode.lower() != "uniform":
                continue
            reason = selection.against_group(group) or selection.against_place(read.text(entry, "location"))
            if reason:
                self._report.note(2, f"leaves out scale set {read.last(identity)} ({group}): {reason}")
            else:
                found.append((subscription, group, read.last(identity) or ""))
        return lambda _estate: self._sets.extend(found)

    def scale_set_jobs(self) -> list[tuple[Listing, Callable[[Listing], Part]]]:
        jobs: list[tuple[Listing, Callable[[Listing], Part]]] = []
        for subscription, group, name in self._sets:
            base = f"{scope_path(subscription, group)}{SCALE_SETS}/{quote(name, safe='')}"
            where = f"scale set {name} in {scope_title(subscription, group)}"
            machines = Listing("instances", "compute", f"{base}/virtualMachines", where, {"$expand": "instanceView"})
            jobs.append((machines, self.machines))
            if self._wanted.network:
                jobs.append(
                    (Listing("network interfaces", "scale_set_network", f"{base}/networkInterfaces", where), self.nics)
                )
            if self._wanted.network and self._wanted.public_ips:
                addresses = Listing("public IP addresses", "scale_set_network", f"{base}/publicipaddresses", where)
                jobs.append((addresses, self.public_ips))
        return jobs

    def missing_nics(self, estate: Estate) -> list[tuple[Listing, Callable[[Listing], Part]]]:
        """Interfaces that the lists did not have: in a group that was not asked, or made this very moment."""
        missing = {
            nic_id.lower(): nic_id
            for machine in estate.machines.values()
            for nic_id, _primary in machine.nics
            if nic_id.lower() not in estate.nics and RESOURCE_ID.fullmatch(nic_id)
        }
        if len(missing) > self._wanted.nic_lookups:
            sentence = (
                f"The lists of network interfaces lack {len(missing)} of them, such as {next(iter(missing.values()))}; at"
                f" most {self._wanted.nic_lookups} are asked for one by one. Add their resource groups, or raise nic_lookups."
            )
            if not self._wanted.allow_partial:
                raise ListError(sentence)
            self._report.missing(sentence)
            return []
        return [
            (Listing("the network interface", "network", nic_id, nic_id, single=True), self._one_nic)
            for nic_id in missing.values()
        ]

    def _one_nic(self, listing: Listing) -> Part:
        found: dict[str, read.Nic] = {}
        try:
            entry = self._arm.get(listing)
            nic = read.nic(entry) if entry else None
            if nic:
                found[listing.path.lower()] = nic
        except ListError as failure:
            if not self._wanted.allow_partial:
                raise
            self._report.missing(failure)
        return lambda estate: estate.nics.update(found)

    def _missing_group_ok(self, listing: Listing) -> t.Iterator[Json]:
        try:
            yield from whole(self._arm, listing, self._wanted, self._report)
        except ListError as failure:
            if not self._wanted.by_group or failure.code != "ResourceGroupNotFound":
                raise


def _group_in(path: str) -> str:
    return unquote(read.segment(path, "resourceGroups") or "").lower()
