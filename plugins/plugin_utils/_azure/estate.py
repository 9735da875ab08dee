# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Everything that was read, before it is joined, and how it was read."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.arm import Arm, Json, Listing
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import ListError, scrub
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.read import Machine, Nic, PublicIp
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.select import Selection

Item = t.TypeVar("Item")


@dataclass(frozen=True)
class Wanted:
    """What is to be asked for."""

    selection: Selection = field(default_factory=Selection)
    power_states: bool = True
    network: bool = True
    public_ips: bool = True
    prefixes: bool = False
    scale_sets: bool = False
    # Resource groups that are asked one by one; none: the whole subscription at once.
    by_group: Sequence[str] = ()
    nic_lookups: int = 100
    allow_partial: bool = False


@dataclass
class Estate:
    """What was found, by id in lower case: Azure writes the same id in several spellings."""

    machines: dict[str, Machine] = field(default_factory=dict)
    nics: dict[str, Nic] = field(default_factory=dict)
    public_ips: dict[str, PublicIp] = field(default_factory=dict)
    prefixes: dict[str, list[str]] = field(default_factory=dict)


class Report:
    """Where remarks go; `verbosity` spares us the making of those that nobody reads."""

    def __init__(self, note: Callable[[int, str], None], warn: Callable[[str], None], verbosity: int = 0) -> None:
        self._note = note
        self._warn = warn
        self.verbosity = verbosity
        # No remark may hold one of these; what we learn on the way, such as a token, joins them.
        self.secrets: list[str | None] = []
        # Something is missing, so that the result must not be taken for the whole by a later run.
        self.partial = False
        # Machines that exclude_provisioning_states leaves out: a cluster may lack one of its members by it.
        self.unfinished: list[str] = []

    def note(self, level: int, text: str) -> None:
        if self.verbosity >= level:
            self._note(level, scrub(text, self.secrets))

    def warn(self, text: str) -> None:
        self._warn(scrub(text, self.secrets))

    def missing(self, sentence: object) -> None:
        self.partial = True
        self.warn(f"{sentence} The inventory goes on without it, because allow_partial is true.")

    def excluded(self, machine: Machine, reason: str) -> None:
        if self.verbosity >= 2:
            self.note(2, f"leaves out {machine.name} ({machine.facts['resource_group']}): {reason}")


def whole(arm: Arm, listing: Listing, wanted: Wanted, report: Report) -> Iterable[Json]:
    """Every entry of a list; with allow_partial those before the failure, and a warning."""
    try:
        for page in arm.pages(listing):
            yield from page
    except ListError as failure:
        if not wanted.allow_partial:
            raise
        report.missing(failure)


def take_machine(estate: Estate, machine: Machine | None, entry: Json, wanted: Wanted, report: Report) -> None:
    """Keep a machine that is wanted."""
    if machine is None:
        known = ", ".join(f"{key} {entry[key]}" for key in ("name", "location") if entry.get(key)) or "nothing else"
        report.warn(
            f"Azure lists a virtual machine without an id ({known}): it is left out, it may still be in the making."
        )
        return
    reason = wanted.selection.against(machine)
    if reason:
        report.excluded(machine, reason)
    elif wanted.selection.unfinished(machine):
        report.unfinished.append(
            f"{machine.name} in resource group {machine.facts['resource_group']} ({machine.facts['provisioning_state']})"
        )
    else:
        estate.machines[machine.key] = machine


def drop_stopped(estate: Estate, wanted: Wanted, report: Report) -> None:
    """Before anything is asked about their network."""
    for key, machine in list(estate.machines.items()):
        state = machine.state
        power = state.power if state else None
        machine.facts["power_state"] = power
        if state:
            for name, value in (
                ("computer_name", state.computer_name),
                ("os_name", state.os_name),
                ("os_version", state.os_version),
            ):
                machine.facts[name] = machine.facts[name] or value
        reason = wanted.selection.against_state(power)
        if reason:
            report.excluded(machine, reason)
            del estate.machines[key]
