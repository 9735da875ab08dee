# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Each resource of an estate as the JSON body that Azure takes, in the order of what needs what."""

from __future__ import annotations

import base64
import hashlib
import typing as t
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.arm import Listing
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate import rules
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.compare import member
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.description import (
    Description,
    Host,
    Place,
)

Json = dict[str, t.Any]
ESTATE_TAG, GROUP_TAG, CLOUD_INIT_TAG = "siteops-estate", "siteops-group", "siteops-cloud-init"
DISK_SKU = "Premium_LRS"
# What stands in no region.
GLOBAL = "global"
# The data disk's place at its machine.
DATA_LUN = 0
# What every machine needs before Ansible can come, and no more.
CLOUD_INIT = "#cloud-config\npackage_update: false\npackages: []\n"
# Seconds for which a name is remembered.
DNS_TTL = 300
FRONT, POOL, PROBE = "front", "balancers", "http"


@dataclass(frozen=True)
class Kind:
    """A kind of resource: where it stands in a path, whose api-version it takes, and in which wave it is made."""

    path: str
    service: str
    title: str
    wave: int


KINDS = {
    "group": Kind("", "resources", "resource group", 0),
    "security_group": Kind("Microsoft.Network/networkSecurityGroups", "network", "security group", 1),
    "public_ip": Kind("Microsoft.Network/publicIPAddresses", "network", "public IP address", 1),
    "availability_set": Kind("Microsoft.Compute/availabilitySets", "compute", "availability set", 1),
    "dns_zone": Kind("Microsoft.Network/dnsZones", "dns", "DNS zone", 1),
    "dns_record": Kind("Microsoft.Network/dnsZones/A", "dns", "DNS record", 2),
    "nat": Kind("Microsoft.Network/natGateways", "network", "NAT gateway", 2),
    "load_balancer": Kind("Microsoft.Network/loadBalancers", "network", "load balancer", 2),
    "network": Kind("Microsoft.Network/virtualNetworks", "network", "virtual network", 3),
    "nic": Kind("Microsoft.Network/networkInterfaces", "network", "network interface", 4),
    "machine": Kind("Microsoft.Compute/virtualMachines", "compute", "virtual machine", 5),
    "disk": Kind("Microsoft.Compute/disks", "disks", "disk", 6),
}


@dataclass(frozen=True)
class Resource:
    """A resource that is wanted."""

    kind: str
    name: str
    id: str
    body: Json

    @property
    def title(self) -> str:
        return f"{KINDS[self.kind].title} {self.name}"

    @property
    def wave(self) -> int:
        return KINDS[self.kind].wave

    @property
    def listing(self) -> Listing:
        return one(self.kind, self.id, self.name)


def one(kind: str, identity: str, name: str) -> Listing:
    """A single resource, for a request."""
    return Listing(f"the {KINDS[kind].title}", KINDS[kind].service, identity, name, single=True)


def every(kind: str, place: Place) -> Listing:
    """All resources of a kind in the estate's group."""
    where = f"resource group {place.resource_group}"
    return Listing(f"{KINDS[kind].title}s", KINDS[kind].service, f"{place.scope}/providers/{KINDS[kind].path}", where)


def identity(place: Place, kind: str, name: str) -> str:
    return f"{place.scope}/providers/{KINDS[kind].path}/{name}"


def data_disk(place: Place, host: str) -> tuple[str, str]:
    """Name and id of a machine's data disk."""
    name = f"{place.name}-{host}-data"
    return name, identity(place, "disk", name)


def cloud_init_mark() -> str:
    """Tells whether a machine was made with another cloud-init, which Azure never shows again."""
    return hashlib.sha256(CLOUD_INIT.encode()).hexdigest()[:16]


def group(place: Place, location: str) -> Resource:
    body = {"location": location, "tags": {ESTATE_TAG: place.name}}
    return Resource("group", place.resource_group, place.scope, body)


def is_ours(held: Json, place: Place) -> bool:
    """Whether a resource carries the tag of this estate."""
    return owner(held) == place.name


def owner(held: Json) -> str | None:
    """The estate that a resource belongs to; DNS records have metadata in place of tags."""
    metadata = member(member(held, "properties") or {}, "metadata")
    value = member(member(held, "tags") or metadata or {}, ESTATE_TAG)
    return None if value is None else str(value)


class _Builder:
    """The bodies of one estate; `zones` are those of its region, `disks` the data disks that are there already."""

    def __init__(self, wanted: Description, zones: Sequence[str], disks: Collection[str]) -> None:
        self.wanted = wanted
        self.zones = zones if wanted.use_zones else ()
        self.disks = disks
        self.front_hosts = [host.name for host in wanted.hosts if host.group == "haproxy"]

    def id(self, kind: str, suffix: str) -> str:
        return identity(self.wanted, kind, self.name(suffix))

    def name(self, suffix: str) -> str:
        return f"{self.wanted.name}-{suffix}"

    def make(self, kind: str, name: str, tags: Mapping[str, str] | None = None, **body: t.Any) -> Resource:
        common = {"location": self.wanted.location, "tags": {ESTATE_TAG: self.wanted.name, **(tags or {})}}
        return Resource(kind, name, identity(self.wanted, kind, name), {**common, **body})

    def security_groups(self) -> Iterator[Resource]:
        wanted = self.wanted
        for subnet in wanted.subnets:
            made = rules.rules(
                subnet,
                wanted.subnets,
                wanted.public_ports,
                wanted.admin_sources,
                wanted.monitoring_sources,
                wanted.visitors,
            )
            yield self.make("security_group", self.name(f"{subnet}-nsg"), properties={"securityRules": made})

    def public_ips(self) -> Iterator[Resource]:
        for suffix in ["front-ip", *(["nat-ip"] if self.wanted.nat else [])]:
            yield self.make(
                "public_ip",
                self.name(suffix),
                sku={"name": "Standard", "tier": "Regional"},
                properties={"publicIPAllocationMethod": "Static", "publicIPAddressVersion": "IPv4"},
            )

    def dns(self) -> Iterator[Resource]:
        """The zone, and names that follow the address of the front."""
        if not self.wanted.dns_zone:
            return
        zone = self.make("dns_zone", self.wanted.dns_zone)
        yield Resource(zone.kind, zone.name, zone.id, {**zone.body, "location": GLOBAL})
        for name in self.wanted.dns_records:
            properties = {
                "TTL": DNS_TTL,
                "targetResource": {"id": self.id("public_ip", "front-ip")},
                "metadata": {ESTATE_TAG: self.wanted.name},
            }
            yield Resource("dns_record", f"{zone.name}/{name}", f"{zone.id}/A/{name}", {"properties": properties})

    def availability_sets(self) -> Iterator[Resource]:
        for subnet in dict.fromkeys(host.subnet for host in self.wanted.hosts if not self.zone(host)):
            yield self.make(
                "availability_set",
                self.name(f"{subnet}-set"),
                sku={"name": "Aligned"},
                properties={"platformFaultDomainCount": 2, "platformUpdateDomainCount": 5},
            )

    def nat(self) -> Iterator[Resource]:
        if self.wanted.nat:
            yield self.make(
                "nat",
                self.name("nat"),
                sku={"name": "Standard"},
                properties={"idleTimeoutInMinutes": 4, "publicIpAddresses": [{"id": self.id("public_ip", "nat-ip")}]},
            )

    def load_balancers(self) -> Iterator[Resource]:
        if not self.wanted.load_balancer:
            return
        own = self.id("load_balancer", "lb")
        balanced = [
            {
                "name": f"port-{port}",
                "properties": {
                    "frontendIPConfiguration": {"id": f"{own}/frontendIPConfigurations/{FRONT}"},
                    "backendAddressPool": {"id": f"{own}/backendAddressPools/{POOL}"},
                    "probe": {"id": f"{own}/probes/{PROBE}"},
                    "protocol": "Tcp",
                    "frontendPort": port,
                    "backendPort": port,
                    "idleTimeoutInMinutes": 4,
                    "enableTcpReset": True,
                    # What goes out goes through the NAT gateway.
                    "disableOutboundSnat": True,
                },
            }
            for port in self.wanted.public_ports
        ]
        address = {"publicIPAddress": {"id": self.id("public_ip", "front-ip")}}
        probe = {
            "protocol": "Tcp",
            "port": self.wanted.public_ports[0],
            "intervalInSeconds": 5,
            "probeThreshold": 2,
        }
        yield self.make(
            "load_balancer",
            self.name("lb"),
            sku={"name": "Standard", "tier": "Regional"},
            properties={
                "frontendIPConfigurations": [{"name": FRONT, "properties": address}],
                "backendAddressPools": [{"name": POOL}],
                "probes": [{"name": PROBE, "properties": probe}],
                "loadBalancingRules": balanced,
            },
        )

    def network(self) -> Iterator[Resource]:
        """One request for the network and its subnets: side by side they would refuse each other."""
        gateway = {"natGateway": {"id": self.id("nat", "nat")}} if self.wanted.nat else {}
        subnets = [
            {
                "name": name,
                "properties": {
                    "addressPrefix": prefix,
                    "networkSecurityGroup": {"id": self.id("security_group", f"{name}-nsg")},
                    **gateway,
                    # Said on each version of the interface: what Azure does by itself depends on it.
                    "defaultOutboundAccess": False,
                },
            }
            for name, prefix in self.wanted.subnets.items()
        ]
        space = {"addressPrefixes": [*self.wanted.prefixes]}
        yield self.make("network", self.name("vnet"), properties={"addressSpace": space, "subnets": subnets})

    def nics(self) -> Iterator[Resource]:
        for host in self.wanted.hosts:
            front: Json = {}
            if host.name in self.front_hosts and self.wanted.load_balancer:
                pool = f"{self.id('load_balancer', 'lb')}/backendAddressPools/{POOL}"
                front = {"loadBalancerBackendAddressPools": [{"id": pool}]}
            elif host.name in self.front_hosts[:1]:
                front = {"publicIPAddress": {"id": self.id("public_ip", "front-ip")}}
            address = {
                "primary": True,
                "privateIPAddress": host.address,
                "privateIPAllocationMethod": "Static",
                "privateIPAddressVersion": "IPv4",
                "subnet": {"id": f"{self.id('network', 'vnet')}/subnets/{host.subnet}"},
                **front,
            }
            properties = {
                "enableAcceleratedNetworking": self.wanted.accelerated,
                "ipConfigurations": [{"name": "ipconfig1", "properties": address}],
            }
            yield self.make("nic", f"{host.name}-nic", {GROUP_TAG: host.group}, properties=properties)

    def zone(self, host: Host) -> str | None:
        """Neighbours of a tier stand in different zones."""
        return host.zone or (self.zones[host.rank % len(self.zones)] if self.zones else None)

    def machines(self) -> Iterator[Resource]:
        for host in self.wanted.hosts:
            zone = self.zone(host)
            place: Json = {} if zone else {"availabilitySet": {"id": self.id("availability_set", f"{host.subnet}-set")}}
            nic = identity(self.wanted, "nic", f"{host.name}-nic")
            properties = {
                "hardwareProfile": {"vmSize": host.size},
                "storageProfile": self.storage(host),
                "osProfile": self.system(host),
                "securityProfile": {
                    "securityType": "TrustedLaunch",
                    "uefiSettings": {"secureBootEnabled": True, "vTpmEnabled": True},
                },
                "networkProfile": {
                    "networkInterfaces": [{"id": nic, "properties": {"primary": True, "deleteOption": "Delete"}}]
                },
                "diagnosticsProfile": {"bootDiagnostics": {"enabled": True}},
                **place,
            }
            yield self.make(
                "machine",
                host.name,
                {GROUP_TAG: host.group, CLOUD_INIT_TAG: cloud_init_mark()},
                **({"zones": [zone]} if zone else {}),
                identity={"type": "SystemAssigned"},
                properties=properties,
            )

    def storage(self, host: Host) -> Json:
        managed = {"storageAccountType": DISK_SKU}
        name, disk = data_disk(self.wanted, host.name)
        # Data of a former machine is taken over; Azure refuses to make a disk of the same name.
        found = disk.lower() in self.disks
        data = {
            "lun": DATA_LUN,
            "name": name,
            "createOption": "Attach" if found else "Empty",
            "diskSizeGB": host.data_disk_gb,
            # A cache of the host would lie between a commit and the disk.
            "caching": "None",
            "deleteOption": "Detach",
            "managedDisk": {"id": disk} if found else managed,
        }
        return {
            "imageReference": dict(self.wanted.image),
            "osDisk": {
                "name": f"{self.wanted.name}-{host.name}-os",
                "createOption": "FromImage",
                "caching": "ReadWrite",
                "deleteOption": "Delete",
                "managedDisk": managed,
            },
            "dataDisks": [data] if host.data_disk_gb else [],
        }

    def system(self, host: Host) -> Json:
        user = self.wanted.admin_user
        key = {"path": f"/home/{user}/.ssh/authorized_keys", "keyData": self.wanted.ssh_public_key}
        return {
            "computerName": host.name,
            "adminUsername": user,
            "customData": base64.b64encode(CLOUD_INIT.encode()).decode(),
            "linuxConfiguration": {"disablePasswordAuthentication": True, "ssh": {"publicKeys": [key]}},
        }


def resources(wanted: Description, zones: Sequence[str], disks: Collection[str] = ()) -> list[Resource]:
    """Everything but the resource group, first what others need."""
    builder = _Builder(wanted, zones, disks)
    makers = (
        builder.security_groups,
        builder.public_ips,
        builder.dns,
        builder.availability_sets,
        builder.nat,
        builder.load_balancers,
        builder.network,
        builder.nics,
        builder.machines,
    )
    return [resource for maker in makers for resource in maker()]
