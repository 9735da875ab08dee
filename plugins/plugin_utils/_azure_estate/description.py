# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""What the operator asks for, checked as a whole before Azure is asked anything."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import SettingsError
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.select import checked_subscriptions
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.rules import (
    FRONT_DOOR,
    INTERNET,
    STATISTICS,
    SUBNET_OF,
)

Json = dict[str, t.Any]
Network = ipaddress.IPv4Network
Get = Callable[[str], t.Any]

# The tutorial's cluster.
SUBNETS = {"web": "10.0.0.0/28", "mysql": "10.0.0.16/28", "redis": "10.0.0.32/28", "lb": "10.0.0.48/28"}
PREFIXES = ("10.0.0.0/26",)
HOSTS: tuple[Json, ...] = (
    {"name": "centoshaproxy", "group": "haproxy"},
    {"name": "centosweb1", "group": "apache_php"},
    {"name": "centosweb2", "group": "apache_php"},
    {"name": "centosweb3", "group": "apache_php"},
    {"name": "centosmysql1", "group": "mysql_master"},
    {"name": "centosmysql2", "group": "mysql_replica"},
    {"name": "centosredis1", "group": "redis_master"},
    {"name": "centosredis2", "group": "redis_replica"},
)
# Azure's own words for them.
VISITORS = {"internet": INTERNET, "front_door": FRONT_DOOR}
# Azure keeps the first four addresses of a subnet and the last one.
KEPT_BELOW, KEPT_ABOVE = 4, 1
SMALLEST = 29
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?")
# The names of our resources add to the estate's, and Azure allows 64 and 80 characters.
LONGEST_NAME, LONGEST_HOST = 40, 50
# A name of a subnet.
SUBNET_NAME = re.compile(r"[A-Za-z0-9](?:[\w.-]{0,78}\w)?", re.ASCII)
GROUP_NAME = re.compile(r"[\w.()-]{0,89}[\w()-]")
# Azure refuses these, and more of the kind.
REFUSED_USERS = frozenset(
    {"admin", "administrator", "root", "guest", "test", "user", "sys", "server", "support", "owner"}
)
USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
KEY = re.compile(r"(ssh-rsa|ssh-ed25519) [A-Za-z0-9+/]{40,}={0,3}( [^\r\n]*)?")
# A source this wide is the Internet by another name.
WIDEST = 8
# A domain, and a name in it.
DOMAIN = re.compile(r"(?=.{3,253}$)([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
RECORD = re.compile(r"@|\*|[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?)*")
# What only some may reach, and is never opened to visitors.
NOT_PUBLIC = {22: "SSH", **{port: "HAProxy's statistics" for subnet, port in STATISTICS if subnet == "lb"}}
# The largest premium disk, GiB.
LARGEST_DISK = 32_767
IMAGE_PARTS = ("publisher", "offer", "sku", "version")


@dataclass(frozen=True)
class Host:
    """A machine as it is to be."""

    name: str
    group: str
    subnet: str
    address: str
    # None leaves it to the region.
    zone: str | None
    # Which machine of its subnet it is, from 0.
    rank: int
    size: str
    data_disk_gb: int


@dataclass(frozen=True)
class Place:
    """Where an estate stands: enough to take it away."""

    name: str
    subscription: str
    resource_group: str

    @property
    def scope(self) -> str:
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"


@dataclass(frozen=True)
class Description(Place):
    """The whole estate as it is to be."""

    location: str
    prefixes: Sequence[str]
    subnets: Mapping[str, str]
    hosts: Sequence[Host]
    admin_user: str
    ssh_public_key: str
    admin_sources: Sequence[str]
    monitoring_sources: Sequence[str]
    public_ports: Sequence[int]
    load_balancer: bool
    nat: bool
    image: Mapping[str, str]
    use_zones: bool
    accelerated: bool
    # Where visitors come from, as Azure writes it.
    visitors: str
    # Empty where the domain is somebody else's matter.
    dns_zone: str
    dns_records: Sequence[str]


def place(get: Get) -> Place:
    """Name, subscription and resource group."""
    name = str(get("name") or "")
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise SettingsError(
            f"name is '{name}'; expected 1 to {LONGEST_NAME} letters, digits and hyphens, no hyphen at its ends: correct it."
        )
    group = str(get("resource_group") or name)
    if not GROUP_NAME.fullmatch(group):
        raise SettingsError(
            f"resource_group is '{group}'; expected up to 90 letters, digits and characters of _-.(), no dot at its end:"
            " correct it."
        )
    given = str(get("subscription_id") or "")
    if not given:
        raise SettingsError(
            "subscription_id is empty; expected the id of the subscription that the estate stands in: set it, or the"
            " environment variable AZURE_SUBSCRIPTION_ID."
        )
    return Place(name, checked_subscriptions([given])[0], group)


def describe(get: Get) -> Description:
    """The description of an option reader; raises SettingsError with one sentence."""
    where = place(get)
    prefixes = _prefixes((get("network") or {}).get("prefixes") or PREFIXES)
    subnets = _subnets((get("network") or {}).get("subnets") or SUBNETS, prefixes)
    hosts = _hosts(get, subnets)
    balancers = [host for host in hosts if host.group == "haproxy"]
    if not balancers:
        raise SettingsError(
            "hosts has no machine of the group haproxy; expected at least one, where visitors come in: add it."
        )
    behind_balancer = len(balancers) > 1 if get("front") == "auto" else get("front") == "load_balancer"
    if len(balancers) > 1 and not behind_balancer:
        raise SettingsError(
            f"front is vm_ip, and {balancers[0].name} and {balancers[1].name} are both load balancers; expected Azure's own load"
            " balancer before several: set front to auto. An address that moves between them (keepalived) does not work in"
            " Azure, whose network ignores a foreign machine's ARP."
        )
    jump = [str(subnets["lb"])] if get("jump_host") and not behind_balancer else []
    location = re.sub(r"[\s_-]", "", str(get("location") or "")).lower()
    if not location.isalnum():
        raise SettingsError(f"location is '{get('location') or ''}'; expected a region such as westeurope: set it.")
    return Description(
        name=where.name,
        subscription=where.subscription,
        resource_group=where.resource_group,
        location=location,
        prefixes=[str(one) for one in prefixes],
        subnets={name: str(one) for name, one in subnets.items()},
        hosts=hosts,
        admin_user=_user(str(get("admin_user"))),
        ssh_public_key=_key(str(get("ssh_public_key") or "")),
        admin_sources=[*_sources("admin_cidrs", get("admin_cidrs") or []), *jump],
        monitoring_sources=_sources("monitoring_cidrs", get("monitoring_cidrs") or [], needed=False),
        public_ports=_ports(get("public_ports")),
        load_balancer=behind_balancer,
        nat=get("outbound") == "nat",
        image=_image(str(get("image"))),
        use_zones=get("zones") == "auto",
        accelerated=bool(get("accelerated_networking")),
        visitors=VISITORS[get("visitors")],
        **_domain(get),
    )


def _domain(get: Get) -> dict[str, t.Any]:
    """The zone and the names in it that lead to the front."""
    zone = str(get("dns_zone") or "").lower().rstrip(".")
    records = [str(one).lower() for one in get("dns_records") or []]
    if not zone:
        return {"dns_zone": "", "dns_records": []}
    if not DOMAIN.fullmatch(zone):
        raise SettingsError(f"dns_zone is '{zone}'; expected a domain such as example.org: correct it.")
    if get("visitors") == "front_door":
        raise SettingsError(
            f"dns_zone is {zone}, and visitors is front_door; expected names that lead to Front Door and not to the machines behind"
            " it: leave dns_zone empty, and make the record where you make Front Door."
        )
    for one in records:
        if not RECORD.fullmatch(one) or records.count(one) > 1:
            raise SettingsError(
                f"dns_records has '{one}'; expected different names within {zone}, such as www, or @ for {zone} itself: correct it."
            )
    if not records:
        raise SettingsError("dns_records is empty; expected at least one name that leads to the site: add @.")
    return {"dns_zone": zone, "dns_records": records}


def _network(option: str, given: t.Any) -> Network:
    try:
        return ipaddress.IPv4Network(str(given))
    except ValueError as failure:
        raise SettingsError(
            f"{option} has '{given}' ({failure}); expected an IPv4 network such as 10.0.0.0/26: correct it."
        ) from None


def _prefixes(given: Sequence[t.Any]) -> list[Network]:
    prefixes = [_network("network.prefixes", one) for one in given]
    for number, prefix in enumerate(prefixes):
        if prefix.prefixlen > SMALLEST:
            raise SettingsError(
                f"network.prefixes has {prefix}; Azure takes no network smaller than /{SMALLEST}: make it larger."
            )
        for other in prefixes[:number]:
            if prefix.overlaps(other):
                raise SettingsError(
                    f"network.prefixes has {other} and {prefix}, which overlap; expected ranges of their own: remove one."
                )
    return prefixes


def _subnets(given: Mapping[str, t.Any], prefixes: Sequence[Network]) -> dict[str, Network]:
    subnets = {name: _network(f"network.subnets.{name}", one) for name, one in given.items()}
    for name in sorted({*SUBNET_OF.values()} - set(subnets)):
        raise SettingsError(f"network.subnets has no '{name}'; expected one for each tier: add it.")
    for name, subnet in subnets.items():
        if not SUBNET_NAME.fullmatch(name):
            raise SettingsError(
                f"network.subnets has the name '{name}'; expected up to 80 letters, digits and characters of _-., a letter or digit"
                " first: correct it."
            )
        if subnet.prefixlen > SMALLEST:
            raise SettingsError(
                f"network.subnets.{name} is {subnet}; Azure keeps five addresses of each subnet and takes none smaller than"
                f" /{SMALLEST}: make it larger."
            )
        if not any(subnet.subnet_of(prefix) for prefix in prefixes):
            raise SettingsError(
                f"network.subnets.{name} is {subnet}, outside of network.prefixes ({', '.join(map(str, prefixes))}); expected a"
                " part of one of them: move it, or add a prefix."
            )
        for other, there in subnets.items():
            if other < name and subnet.overlaps(there):
                raise SettingsError(
                    f"network.subnets.{other} ({there}) and {name} ({subnet}) overlap; expected ranges of their own: move one."
                )
    return subnets


def _hosts(get: Get, subnets: Mapping[str, Network]) -> list[Host]:
    given = get("hosts") or HOSTS
    names = Counter(str(one["name"]).lower() for one in given)
    taken = {str(one["address"]): str(one["name"]) for one in given if one.get("address")}
    ranks: Counter[str] = Counter()
    hosts = []
    for one in given:
        name, group = str(one["name"]), str(one["group"])
        if not NAME.fullmatch(name) or len(name) > LONGEST_HOST:
            raise SettingsError(
                f"hosts has the name '{name}'; expected 1 to {LONGEST_HOST} letters, digits and hyphens: correct it."
            )
        if names[name.lower()] > 1:
            raise SettingsError(f"hosts has {name} twice; expected one machine of a name: rename one.")
        if group not in SUBNET_OF:
            raise SettingsError(
                f"The group of {name} is '{group}'; expected one of {', '.join(SUBNET_OF)}: correct it."
            )
        subnet = SUBNET_OF[group]
        address = _address(name, one.get("address"), subnet, subnets[subnet], taken)
        zone = str(one["zone"]) if one.get("zone") else None
        if zone and get("zones") == "none":
            raise SettingsError(
                f"{name} asks for zone {zone}, and zones is none; expected one of both: remove the other."
            )
        hosts.append(
            Host(
                name, group, subnet, address, zone, ranks[subnet], str(one.get("size") or get("size")), _disk(one, get)
            )
        )
        ranks[subnet] += 1
    return hosts


def _disk(one: Json, get: Get) -> int:
    """Only MySQL keeps its data on a disk of its own, unless a machine asks for one."""
    option, size = f"data_disk_gb of {one['name']}", one.get("data_disk_gb")
    if size is None:
        option, size = "mysql_data_disk_gb", get("mysql_data_disk_gb") if SUBNET_OF[str(one["group"])] == "mysql" else 0
    if not 0 <= int(size) <= LARGEST_DISK:
        raise SettingsError(
            f"{option} is {size}; expected GiB from 1 to {LARGEST_DISK}, or 0 for no data disk: correct it."
        )
    return int(size)


def usable(subnet: Network) -> Iterator[str]:
    """The addresses that Azure leaves to machines."""
    for number in range(KEPT_BELOW, subnet.num_addresses - KEPT_ABOVE):
        yield str(subnet[number])


def _address(name: str, given: t.Any, subnet_name: str, subnet: Network, taken: dict[str, str]) -> str:
    """The address that was given, or the first that is left; `taken` says whose each one is."""
    if not given:
        address = next((one for one in usable(subnet) if one not in taken), None)
        if address is None:
            raise SettingsError(
                f"The subnet {subnet_name} ({subnet}) has no address left for {name}; it holds"
                f" {subnet.num_addresses - KEPT_BELOW - KEPT_ABOVE} machines: make it larger."
            )
        taken[address] = name
        return address
    try:
        wanted = ipaddress.IPv4Address(str(given))
    except ValueError:
        raise SettingsError(f"The address of {name} is '{given}'; expected an IPv4 address: correct it.") from None
    if wanted not in subnet:
        raise SettingsError(
            f"The address {wanted} of {name} is outside of its subnet {subnet_name} ({subnet}); expected one inside of it:"
            " correct it."
        )
    number = int(wanted) - int(subnet.network_address)
    if number < KEPT_BELOW or number >= subnet.num_addresses - KEPT_ABOVE:
        raise SettingsError(
            f"The address {wanted} of {name} is one of the five that Azure keeps in {subnet}; expected one from"
            f" {subnet[KEPT_BELOW]} to {subnet[-2]}: take one of those."
        )
    if taken.get(str(wanted)) != name:
        raise SettingsError(
            f"The address {wanted} of {name} is also that of {taken[str(wanted)]}; expected one each: change one."
        )
    return str(wanted)


def _user(name: str) -> str:
    if name in REFUSED_USERS or not USER.fullmatch(name):
        raise SettingsError(
            f"admin_user is '{name}', which Azure or Linux refuses; expected a name such as ops, in small letters: change it."
        )
    return name


def _key(text: str) -> str:
    key = text.strip()
    if not key:
        raise SettingsError(
            "ssh_public_key is empty; machines are reached by key only: set it to the text of your public key."
        )
    if not KEY.fullmatch(key):
        raise SettingsError(
            "ssh_public_key is no key that Azure takes; expected one line that begins with ssh-ed25519 or ssh-rsa, the text of"
            " the .pub file and not its path: correct it."
        )
    return key


def _sources(option: str, given: Sequence[t.Any], needed: bool = True) -> list[str]:
    """Networks that may come; never the whole Internet."""
    if needed and not given:
        raise SettingsError(
            f"{option} is empty, and nobody could reach the machines by SSH; expected the networks that Ansible comes from,"
            " such as [203.0.113.7/32]: set it."
        )
    networks = []
    for one in given:
        if str(one).strip().lower() in ("*", "any", "internet"):
            raise SettingsError(
                f"{option} has '{one}', the whole Internet; expected the networks of administrators: name them."
            )
        network = _network(option, str(one).strip())
        if network.prefixlen < WIDEST:
            raise SettingsError(
                f"{option} has {network}, which is as good as the whole Internet; expected the networks of administrators: name"
                " them."
            )
        networks.append(str(network))
    return networks


def _ports(given: Sequence[t.Any]) -> list[int]:
    ports = [int(one) for one in given]
    for port in ports:
        if not 1 <= port <= 65535 or ports.count(port) > 1:
            raise SettingsError(f"public_ports has {port}; expected different numbers from 1 to 65535: correct it.")
        if port in NOT_PUBLIC:
            raise SettingsError(
                f"public_ports has {port}, which would open {NOT_PUBLIC[port]} to the whole Internet; expected ports of the site, such"
                " as 80 and 443: remove it."
            )
    if not ports:
        raise SettingsError("public_ports is empty; expected at least one port that visitors come to: add 80.")
    return ports


def _image(urn: str) -> dict[str, str]:
    parts = urn.split(":")
    if len(parts) != len(IMAGE_PARTS) or not all(parts):
        raise SettingsError(
            f"image is '{urn}'; expected publisher:offer:sku:version, such as Debian:debian-13:13-gen2:latest: correct it."
        )
    return dict(zip(IMAGE_PARTS, parts, strict=True))
