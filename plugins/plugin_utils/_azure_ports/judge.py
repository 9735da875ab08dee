# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Whether Azure lets a connection through: its security groups, read from its lists and judged as it judges."""

from __future__ import annotations

import ipaddress
import typing as t
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.compare import member

Json = dict[str, t.Any]
ALLOWED, BLOCKED, UNKNOWN = "allowed", "blocked", "unknown"
INTERNET, NETWORK, BALANCER = "Internet", "VirtualNetwork", "AzureLoadBalancer"
EVERYBODY = ("*", "any", "0.0.0.0/0")
# Azure's own probes; the tag of the network has it in it: azure-docs #38326 and #20619.
PROBE = "168.63.129.16"
INBOUND, OUTBOUND = "inbound", "outbound"


@dataclass(frozen=True)
class Endpoint:
    """A machine's interface in its subnet; or a source that is a tag or a network and no machine."""

    name: str
    address: str | None = None
    network: str | None = None
    subnet: str = ""
    group: str = ""
    application_groups: frozenset[str] = frozenset()

    @property
    def tag(self) -> str | None:
        """The tag that it stands for."""
        return self.name if self.address is None and self.network is None else None


@dataclass(frozen=True)
class Rule:
    """A rule of a security group."""

    name: str
    priority: int
    allows: bool
    direction: str
    protocol: str
    sources: Sequence[str]
    source_groups: frozenset[str]
    targets: Sequence[str]
    target_groups: frozenset[str]
    ports: Sequence[str]


@dataclass(frozen=True)
class Verdict:
    """What Azure does with a connection, and what decides it."""

    word: str
    group: str = ""
    rule: str = ""
    priority: int | None = None
    level: str = ""


@dataclass
class Estate:
    """Everything that decides, by id in lower case."""

    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    groups: dict[str, list[Rule]] = field(default_factory=dict)
    # The security group of each subnet, and the ranges of its network with those of its peers.
    subnet_groups: dict[str, str] = field(default_factory=dict)
    ranges: dict[str, list[str]] = field(default_factory=dict)


def _identity(body: t.Any) -> str:
    return str(member(body, "id") or "").lower() if isinstance(body, Mapping) else ""


def _properties(body: Json) -> Json:
    found = member(body, "properties")
    return found if isinstance(found, dict) else {}


def _words(properties: Json, singular: str, plural: str) -> list[str]:
    """Azure has a field for one and another for several, and either may be filled."""
    one, several = member(properties, singular), member(properties, plural)
    return [str(word) for word in [*([one] if one else []), *(several or [])]]


def _ids(properties: Json, name: str) -> frozenset[str]:
    return frozenset(_identity(one) for one in member(properties, name) or [])


def rule(body: Json) -> Rule:
    """A rule as Azure lists it."""
    properties = _properties(body)
    return Rule(
        name=str(member(body, "name")),
        priority=int(member(properties, "priority") or 0),
        allows=str(member(properties, "access")).lower() == "allow",
        direction=str(member(properties, "direction")).lower(),
        protocol=str(member(properties, "protocol") or "*").lower(),
        sources=_words(properties, "sourceAddressPrefix", "sourceAddressPrefixes"),
        source_groups=_ids(properties, "sourceApplicationSecurityGroups"),
        targets=_words(properties, "destinationAddressPrefix", "destinationAddressPrefixes"),
        target_groups=_ids(properties, "destinationApplicationSecurityGroups"),
        ports=_words(properties, "destinationPortRange", "destinationPortRanges"),
    )


def read(groups: Iterable[Json], networks: Iterable[Json], nics: Iterable[Json]) -> Estate:
    """The estate from its three lists."""
    estate = Estate()
    for one in groups:
        properties = _properties(one)
        every = [*(member(properties, "securityRules") or []), *(member(properties, "defaultSecurityRules") or [])]
        estate.groups[_identity(one)] = sorted(map(rule, every), key=lambda found: found.priority)
    for one in networks:
        properties = _properties(one)
        ranges = list(member(member(properties, "addressSpace") or {}, "addressPrefixes") or [])
        for peering in member(properties, "virtualNetworkPeerings") or []:
            ranges += member(member(_properties(peering), "remoteAddressSpace") or {}, "addressPrefixes") or []
        for subnet in member(properties, "subnets") or []:
            estate.ranges[_identity(subnet)] = ranges
            estate.subnet_groups[_identity(subnet)] = _identity(member(_properties(subnet), "networkSecurityGroup"))
    for one in nics:
        for endpoint in _endpoints(one):
            # The first interface and address of a machine are the ones it is known by.
            estate.endpoints.setdefault(endpoint.name.lower(), endpoint)
    return estate


def _endpoints(nic: Json) -> Iterator[Endpoint]:
    properties = _properties(nic)
    machine = _identity(member(properties, "virtualMachine")).rsplit("/", 1)[-1]
    configurations = [_properties(one) for one in member(properties, "ipConfigurations") or []]
    configurations.sort(key=lambda one: not member(one, "primary"))
    for one in configurations:
        address = member(one, "privateIPAddress")
        if machine and address:
            yield Endpoint(
                name=machine,
                address=str(address),
                subnet=_identity(member(one, "subnet")),
                group=_identity(member(properties, "networkSecurityGroup")),
                application_groups=_ids(one, "applicationSecurityGroups"),
            )


def _within(address: str, network: str) -> bool | None:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        # A tag whose ranges only Azure knows.
        return None


def _covers(network: str, ranges: Sequence[str]) -> bool | None:
    try:
        wide = ipaddress.ip_network(network, strict=False)
        # Ends of the other family are in no network of this one.
        return all(one[0] in wide and one[-1] in wide for one in map(ipaddress.ip_network, ranges))
    except ValueError:
        return None


def fits(word: str, who: Endpoint, ranges: Sequence[str]) -> bool | None:
    """Whether a source or target of a rule has this endpoint in it; None where only Azure knows."""
    if word.lower() in EVERYBODY:
        return True
    if who.tag:
        return _tag_fits(word, who.tag, ranges)
    if who.network:
        return _network_fits(word, who.network, ranges)
    address = who.address or ""
    own = address == PROBE or any(_within(address, one) for one in ranges)
    known = {NETWORK.lower(): own, BALANCER.lower(): address == PROBE}
    if word.lower() == INTERNET.lower():
        return not own and not ipaddress.ip_address(address).is_private
    return known[word.lower()] if word.lower() in known else _within(address, word)


def _network_fits(word: str, network: str, ranges: Sequence[str]) -> bool | None:
    """A network that comes from outside, or a part of ours, against a source of a rule."""
    if word.lower() == BALANCER.lower():
        return False
    if word.lower() == NETWORK.lower():
        return _any(_parts(network, one) for one in ranges)
    if word.lower() == INTERNET.lower():
        outside = not _any(_parts(network, one) for one in ranges)
        return outside and not ipaddress.ip_network(network).is_private
    return _parts(network, word)


def _parts(network: str, word: str) -> bool | None:
    """Whether all of a network lies in another one; None where some of it does, or only Azure knows."""
    try:
        inner, outer = ipaddress.ip_network(network), ipaddress.ip_network(word, strict=False)
    except ValueError:
        return None
    if inner.version != outer.version or not inner.overlaps(outer):
        return False
    return True if inner[0] in outer and inner[-1] in outer else None


def _tag_fits(word: str, tag: str, ranges: Sequence[str]) -> bool | None:
    """The whole Internet, the whole network or a service of Azure, against a source of a rule."""
    if word.lower() == tag.lower():
        return True
    if word.lower() in (INTERNET.lower(), NETWORK.lower(), BALANCER.lower()):
        # Services come from public addresses.
        return word.lower() == INTERNET.lower() and tag not in (NETWORK, BALANCER)
    if tag == NETWORK:
        return _covers(word, ranges)
    try:
        # Some of the Internet, or none of it.
        return None if ipaddress.ip_network(word, strict=False).is_global else False
    except ValueError:
        return None


def _port_fits(words: Sequence[str], port: int) -> bool:
    for word in words:
        low, _dash, high = word.partition("-")
        if word == "*" or (low.isdigit() and int(low) <= port <= int(high or low)):
            return True
    return False


def _any(answers: Iterable[bool | None]) -> bool | None:
    found = list(answers)
    return True if True in found else None if None in found else False


def applies(
    one: Rule, source: Endpoint, target: Endpoint, port: int, protocol: str, ranges: Sequence[str]
) -> bool | None:
    """Whether a rule is about this connection; None where only Azure knows."""
    if one.protocol not in ("*", protocol) or not _port_fits(one.ports, port):
        return False
    by_source = _any(
        [bool(one.source_groups & source.application_groups), *(fits(word, source, ranges) for word in one.sources)]
    )
    by_target = _any(
        [bool(one.target_groups & target.application_groups), *(fits(word, target, ranges) for word in one.targets)]
    )
    if by_source is False or by_target is False:
        return False
    return True if by_source and by_target else None


def judge(estate: Estate, source: Endpoint, target: Endpoint, port: int, protocol: str = "tcp") -> Verdict:
    """All security groups on the way must allow it: out of the source, into the target."""
    levels = []
    if not source.tag:
        levels += [
            ("interface", source.group, OUTBOUND),
            ("subnet", estate.subnet_groups.get(source.subnet, ""), OUTBOUND),
        ]
    levels += [("subnet", estate.subnet_groups.get(target.subnet, ""), INBOUND), ("interface", target.group, INBOUND)]
    present = [one for one in levels if one[1]]
    if not any(direction == INBOUND for _level, _group, direction in present) and _is_outside(source):
        # A Standard public address is closed until a group opens it.
        return Verdict(BLOCKED, level="no security group")
    decisive = Verdict(ALLOWED, level="no security group")
    ranges = estate.ranges.get(target.subnet, [])
    for level, group, direction in present:
        verdict = _by_group(
            estate.groups.get(group), source, target, port, protocol, ranges, direction, f"{direction}, {level}", group
        )
        if verdict.word == BLOCKED:
            return verdict
        if decisive.word != UNKNOWN and (direction == INBOUND or verdict.word == UNKNOWN):
            decisive = verdict
    return decisive


def _is_outside(source: Endpoint) -> bool:
    return source.tag is not None and source.tag not in (NETWORK, BALANCER)


def _by_group(
    rules: Sequence[Rule] | None, source: Endpoint, target: Endpoint, port: int, protocol: str,
    ranges: Sequence[str], direction: str, level: str, group: str,
) -> Verdict:  # fmt: skip
    """The rule of the lowest number decides, unless one that only Azure can judge may come before it."""
    name = group.rsplit("/", 1)[-1]
    doubtful: list[Rule] = []
    for one in rules or []:
        if one.direction != direction:
            continue
        answer = applies(one, source, target, port, protocol, ranges)
        if answer is None:
            doubtful.append(one)
        elif answer:
            other = next((found for found in doubtful if found.allows != one.allows), None)
            if other:
                return Verdict(UNKNOWN, name, other.name, other.priority, level)
            return Verdict(ALLOWED if one.allows else BLOCKED, name, one.name, one.priority, level)
    return Verdict(UNKNOWN, name, level=level)
