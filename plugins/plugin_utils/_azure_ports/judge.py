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
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_ports import routes

Json = dict[str, t.Any]
ALLOWED, BLOCKED, UNKNOWN = "allowed", "blocked", "unknown"
INTERNET, NETWORK, BALANCER = "Internet", "VirtualNetwork", "AzureLoadBalancer"
EVERYBODY = ("*", "any", "0.0.0.0/0")
# Azure's own probes; the tag of the network has it in it: azure-docs #38326 and #20619.
PROBE = "168.63.129.16"
INBOUND, OUTBOUND = "inbound", "outbound"
ALWAYS = "alwaysallow"
# Where rules stand; those of a Virtual Network Manager come before all others.
MANAGER, SUBNET, INTERFACE = "network manager", "subnet", "interface"
ROUTE = "route"
GATEWAY_SUBNET = "gatewaysubnet"


@dataclass(frozen=True)
class Endpoint:
    """A machine's interface in its subnet; or a source that is a tag or a network and no machine."""

    name: str
    address: str | None = None
    network: str | None = None
    subnet: str = ""
    group: str = ""
    application_groups: frozenset[str] = frozenset()
    # Id and name of the interface.
    nic: str = ""

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
    # Where Azure says what a tag stands for.
    source_networks: Sequence[str] = ()
    target_networks: Sequence[str] = ()
    # Nobody after it is asked.
    always: bool = False


@dataclass(frozen=True)
class Level:
    """The rules of one place that a connection passes."""

    place: str
    group: str
    rules: Sequence[Rule]


@dataclass(frozen=True)
class Effective:
    """What Azure itself says of an interface, in the order of a connection that comes in; None where it was not asked."""

    levels: Sequence[Level] | None = None
    routes: Sequence[routes.Route] | None = None


@dataclass(frozen=True)
class Space:
    """The ranges of a network and of its peers; `further` where a gateway or a table of routes leads beyond them."""

    ranges: Sequence[str] = ()
    further: bool = False


@dataclass(frozen=True)
class Verdict:
    """What Azure does with a connection, and what decides it."""

    word: str
    group: str = ""
    rule: str = ""
    priority: int | None = None
    level: str = ""
    # It is allowed, and no other level is asked.
    final: bool = False


@dataclass
class Estate:
    """Everything that decides, by id in lower case."""

    # Machines by their name, each with its first address; and every address of all of them.
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    addresses: list[Endpoint] = field(default_factory=list)
    groups: dict[str, list[Rule]] = field(default_factory=dict)
    # The security group of each subnet, and its network.
    subnet_groups: dict[str, str] = field(default_factory=dict)
    spaces: dict[str, Space] = field(default_factory=dict)
    # What Azure says of interfaces, where it was asked.
    effective: dict[str, Effective] = field(default_factory=dict)


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
    access, protocol = (str(member(properties, key) or "*").lower() for key in ("access", "protocol"))
    return Rule(
        name=str(member(body, "name")),
        priority=int(member(properties, "priority") or 0),
        allows=access in ("allow", ALWAYS),
        always=access == ALWAYS,
        direction=str(member(properties, "direction")).lower(),
        protocol="*" if protocol == "all" else protocol,
        sources=_words(properties, "sourceAddressPrefix", "sourceAddressPrefixes"),
        source_groups=_ids(properties, "sourceApplicationSecurityGroups"),
        targets=_words(properties, "destinationAddressPrefix", "destinationAddressPrefixes"),
        target_groups=_ids(properties, "destinationApplicationSecurityGroups"),
        ports=_words(properties, "destinationPortRange", "destinationPortRanges"),
        source_networks=member(properties, "expandedSourceAddressPrefix") or (),
        target_networks=member(properties, "expandedDestinationAddressPrefix") or (),
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
        peerings = [_properties(peering) for peering in member(properties, "virtualNetworkPeerings") or []]
        for peering in peerings:
            ranges += member(member(peering, "remoteAddressSpace") or {}, "addressPrefixes") or []
        subnets = member(properties, "subnets") or []
        gateway = any(member(peering, "useRemoteGateways") for peering in peerings) or any(
            str(member(subnet, "name")).lower() == GATEWAY_SUBNET for subnet in subnets
        )
        for subnet in subnets:
            own = _properties(subnet)
            estate.spaces[_identity(subnet)] = Space(ranges, gateway or bool(member(own, "routeTable")))
            estate.subnet_groups[_identity(subnet)] = _identity(member(own, "networkSecurityGroup"))
    for one in nics:
        for endpoint in _endpoints(one):
            # The first interface and address of a machine are the ones it is known by.
            estate.endpoints.setdefault(endpoint.name.lower(), endpoint)
            estate.addresses.append(endpoint)
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
                nic=str(member(nic, "id") or ""),
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


def fits(word: str, who: Endpoint, space: Space) -> bool | None:
    """Whether a source or target of a rule has this endpoint in it; None where only Azure knows."""
    if word.lower() in EVERYBODY:
        return True
    if who.tag:
        return _tag_fits(word, who.tag, space.ranges)
    if who.network:
        return _network_fits(word, who.network, space)
    address = who.address or ""
    own = address == PROBE or any(_within(address, one) for one in space.ranges)
    is_private = ipaddress.ip_address(address).is_private
    # What lies behind a gateway belongs to the network too.
    known = {
        NETWORK.lower(): own or (None if space.further and is_private else False),
        BALANCER.lower(): address == PROBE,
    }
    if word.lower() == INTERNET.lower():
        return not own and not is_private
    return known[word.lower()] if word.lower() in known else _within(address, word)


def _network_fits(word: str, network: str, space: Space) -> bool | None:
    """A network that comes from outside, or a part of ours, against a source of a rule."""
    if word.lower() == BALANCER.lower():
        return False
    own, is_private = _any(_parts(network, one) for one in space.ranges), ipaddress.ip_network(network).is_private
    if word.lower() == NETWORK.lower():
        return None if own is False and space.further and is_private else own
    if word.lower() == INTERNET.lower():
        return not own and not is_private
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


def applies(one: Rule, source: Endpoint, target: Endpoint, port: int, protocol: str, space: Space) -> bool | None:
    """Whether a rule is about this connection; None where only Azure knows."""
    if one.protocol not in ("*", protocol) or not _port_fits(one.ports, port):
        return False
    sources = one.sources if source.tag or not one.source_networks else one.source_networks
    targets = one.target_networks or one.targets
    by_source = _any(
        [bool(one.source_groups & source.application_groups), *(fits(word, source, space) for word in sources)]
    )
    by_target = _any(
        [bool(one.target_groups & target.application_groups), *(fits(word, target, space) for word in targets)]
    )
    if by_source is False or by_target is False:
        return False
    return True if by_source and by_target else None


def judge(estate: Estate, source: Endpoint, target: Endpoint, port: int, protocol: str = "tcp") -> Verdict:
    """All rules on the way must allow it, out of the source and into the target; and there must be a way, both there and back."""
    out = [] if source.tag else _levels(estate, source)
    leaving = [*(one for one in out if one.place == MANAGER), *(one for one in reversed(out) if one.place != MANAGER)]
    coming = _levels(estate, target)
    if all(one.place == MANAGER for one in coming) and _is_outside(source):
        # A Standard public address is closed until a group opens it.
        return Verdict(BLOCKED, level="no security group")
    decisive = Verdict(ALLOWED, level="no security group")
    space, settled = estate.spaces.get(target.subnet, Space()), set[str]()
    for level, direction in [*((one, OUTBOUND) for one in leaving), *((one, INBOUND) for one in coming)]:
        verdict = _by_level(level, source, target, port, protocol, space, direction)
        if direction in settled or (level.place == MANAGER and not verdict.rule):
            continue
        if verdict.word == BLOCKED:
            return verdict
        if verdict.final:
            settled.add(direction)
        if decisive.word != UNKNOWN and (direction == INBOUND or verdict.word == UNKNOWN):
            decisive = verdict
    on_the_way = _by_routes(estate, source, target)
    worse = on_the_way and (on_the_way.word == BLOCKED or decisive.word == ALLOWED)
    return on_the_way if on_the_way and worse else decisive


def _levels(estate: Estate, who: Endpoint) -> Sequence[Level]:
    """Whose rules are asked for a connection that comes in; those that Azure itself tells where it was asked."""
    told = estate.effective.get(who.nic.lower(), Effective())
    if told.levels is not None:
        return told.levels
    places = [(SUBNET, estate.subnet_groups.get(who.subnet, "")), (INTERFACE, who.group)]
    return [Level(place, group, estate.groups.get(group) or []) for place, group in places if group]


def _is_outside(source: Endpoint) -> bool:
    return source.tag is not None and source.tag not in (NETWORK, BALANCER)


def _by_level(
    level: Level, source: Endpoint, target: Endpoint, port: int, protocol: str, space: Space, direction: str
) -> Verdict:
    """The rule of the lowest number decides, unless one that only Azure can judge may come before it."""
    name, where = level.group.rsplit("/", 1)[-1], f"{direction}, {level.place}"
    doubtful: list[Rule] = []
    for one in level.rules:
        if one.direction != direction:
            continue
        answer = applies(one, source, target, port, protocol, space)
        if answer is None:
            doubtful.append(one)
        elif answer:
            other = next((found for found in doubtful if found.allows != one.allows), None)
            if other:
                return Verdict(UNKNOWN, name, other.name, other.priority, where)
            return Verdict(ALLOWED if one.allows else BLOCKED, name, one.name, one.priority, where, one.always)
    if doubtful:
        return Verdict(UNKNOWN, name, doubtful[0].name, doubtful[0].priority, where)
    return Verdict(UNKNOWN, name, level=where)


def _by_routes(estate: Estate, source: Endpoint, target: Endpoint) -> Verdict | None:
    """What is wrong with the way there or back; None where nothing is, or nobody asked."""
    found = []
    for who, other in ((source, target), (target, source)):
        told = estate.effective.get(who.nic.lower(), Effective())
        place = routes.ANYWHERE if _is_outside(other) else other.network or other.address
        if told.routes is None or place is None:
            continue
        taken = routes.taken(told.routes, place)
        if taken and taken.is_nowhere:
            return Verdict(BLOCKED, who.name, str(taken), level=ROUTE)
        if taken and (taken.is_through_a_machine or (taken.is_through_a_gateway and (other.subnet or other.tag))):
            found.append(Verdict(UNKNOWN, who.name, str(taken), level=ROUTE))
    return found[0] if found else None
