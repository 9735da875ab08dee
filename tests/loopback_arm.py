# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small stand-in for Azure Resource Manager on a loopback port. It is not Azure.

It speaks the lists that the inventory plugin azure_subnet asks for, in the form and with the oddities that recordings and
bug reports of the real service show: pages, resource groups in capitals, retry headers, broken pages. What the real
service does beyond that, it does not know; a test against it proves that the plugin handles these forms, nothing more.

As a program it serves an inventory of the lab, any number of made-up machines, or an empty subscription that takes what is made.
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

Json = dict[str, Any]
SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
TOKEN = "loopback-token"
GROUP = "webcluster"
VNET = "webcluster-vnet"
# Names of the tutorial: host, subnet, last number of the address.
TUTORIAL = (
    ("centoshaproxy", "lb", 52),
    ("centosweb1", "web", 4),
    ("centosweb2", "web", 5),
    ("centosweb3", "web", 6),
    ("centosmysql1", "mysql", 20),
    ("centosmysql2", "mysql", 21),
    ("centosredis1", "redis", 36),
    ("centosredis2", "redis", 37),
)
RANGES = {"lb": "48/28", "web": "0/28", "mysql": "16/28", "redis": "32/28"}
# Pages of the real service are not documented; these are common.
PAGES = {"compute": 250, "network": 1000}
# Paths of our own: what was asked so far, and the end.
COUNTS = "/loopback/counts"
STOP = "/loopback/stop"


def group_id(subscription: str, group: str) -> str:
    return f"/subscriptions/{subscription}/resourceGroups/{group}"


@dataclass
class Estate:
    """What one subscription holds, as Azure writes it."""

    subscription: str = SUBSCRIPTION
    machines: list[Json] = field(default_factory=list)
    states: list[Json] = field(default_factory=list)
    nics: list[Json] = field(default_factory=list)
    public_ips: list[Json] = field(default_factory=list)
    networks: dict[str, Json] = field(default_factory=dict)
    scale_sets: list[Json] = field(default_factory=list)
    # By the name of the set.
    instances: dict[str, list[Json]] = field(default_factory=dict)
    instance_nics: dict[str, list[Json]] = field(default_factory=dict)
    instance_public_ips: dict[str, list[Json]] = field(default_factory=dict)

    def add(
        self,
        name: str,
        subnet: str,
        address: str,
        *,
        vnet: str = VNET,
        group: str = GROUP,
        vnet_group: str = "",
        power: str = "running",
        tags: Mapping[str, str] | None = None,
        public_ip: str = "",
        prefix: str = "",
        location: str = "westeurope",
    ) -> Json:
        """A machine with one interface; its own id shouts the resource group, as the compute lists do."""
        home = group_id(self.subscription, group)
        nic_id = f"{home}/providers/Microsoft.Network/networkInterfaces/{name}-nic"
        machine = self._machine(f"{group_id(self.subscription, group.upper())}/providers", name, location, tags, nic_id)
        self.machines.append(machine)
        self.states.append(status(machine, power))
        network = (
            f"{group_id(self.subscription, vnet_group or group)}/providers/Microsoft.Network/virtualNetworks/{vnet}"
        )
        self._subnet(network, subnet, prefix)
        configuration = ip_configuration(nic_id, address, f"{network}/subnets/{subnet}")
        if public_ip:
            public_id = f"{home}/providers/Microsoft.Network/publicIPAddresses/{name}-ip"
            configuration["properties"]["publicIPAddress"] = {"id": public_id}
            self.public_ips.append(public_address(public_id, public_ip, location))
        self.nics.append(
            interface(nic_id, f"{home}/providers/Microsoft.Compute/virtualMachines/{name}", [configuration])
        )
        return machine

    def _machine(self, base: str, name: str, location: str, tags: Mapping[str, str] | None, nic_id: str) -> Json:
        disk = f"{base}/Microsoft.Compute/disks/{name}_OsDisk_1"
        entry: Json = {
            "name": name,
            "id": f"{base}/Microsoft.Compute/virtualMachines/{name}",
            "type": "Microsoft.Compute/virtualMachines",
            "location": location,
            "properties": {
                "vmId": f"00000000-0000-0000-0000-{len(self.machines):012d}",
                "hardwareProfile": {"vmSize": "Standard_B2s"},
                "provisioningState": "Succeeded",
                "timeCreated": "2026-01-05T08:00:00.0000000+00:00",
                "storageProfile": {
                    "imageReference": {
                        "publisher": "Debian", "offer": "debian-13", "sku": "13-gen2", "version": "latest",
                        "exactVersion": "0.20260101.2000",
                    },
                    "osDisk": {
                        "osType": "Linux", "name": f"{name}_OsDisk_1", "createOption": "FromImage",
                        "caching": "ReadWrite", "deleteOption": "Delete", "diskSizeGB": 30,
                        "managedDisk": {"storageAccountType": "Premium_LRS", "id": disk},
                    },
                    "dataDisks": [],
                    "diskControllerType": "SCSI",
                },
                "osProfile": {
                    "computerName": name, "adminUsername": "ops", "secrets": [], "allowExtensionOperations": True,
                    "requireGuestProvisionSignal": True,
                    "linuxConfiguration": {
                        "disablePasswordAuthentication": True, "provisionVMAgent": True,
                        "ssh": {"publicKeys": [{"path": "/home/ops/.ssh/authorized_keys", "keyData": "ssh-ed25519 " + "A" * 68}]},
                        "patchSettings": {"patchMode": "ImageDefault", "assessmentMode": "ImageDefault"},
                    },
                },
                "securityProfile": {"uefiSettings": {"secureBootEnabled": True, "vTpmEnabled": True}, "securityType": "TrustedLaunch"},
                "networkProfile": {"networkInterfaces": [{"id": nic_id, "properties": {"deleteOption": "Detach"}}]},
                "diagnosticsProfile": {"bootDiagnostics": {"enabled": True}},
            },
        }  # fmt: skip
        if tags:
            entry["tags"] = dict(tags)
        return entry

    def _subnet(self, network: str, name: str, prefix: str) -> None:
        entry = self.networks.setdefault(
            network.lower(),
            {"id": network, "name": network.rsplit("/", 1)[-1], "properties": {"subnets": []}},
        )
        subnets = entry["properties"]["subnets"]
        if all(one["name"] != name for one in subnets):
            subnets.append({"id": f"{network}/subnets/{name}", "name": name, "properties": {"addressPrefix": prefix}})

    def add_scale_set(self, name: str, count: int, *, mode: str = "Uniform", group: str = GROUP) -> None:
        """A scale set whose instances sit in the subnet `web`; those of a flexible one are ordinary machines."""
        home = f"{group_id(self.subscription, group)}/providers/Microsoft.Compute/virtualMachineScaleSets/{name}"
        self.scale_sets.append(
            {"id": home, "name": name, "location": "westeurope", "properties": {"orchestrationMode": mode}}
        )
        instances, nics = self.instances.setdefault(name, []), self.instance_nics.setdefault(name, [])
        for number in range(count):
            own = f"{home}/virtualMachines/{number}"
            nic_id = f"{own}/networkInterfaces/nic"
            entry = self._machine(
                f"{group_id(self.subscription, group)}/providers", f"{name}_{number}", "westeurope", None, nic_id
            )
            entry["id"] = own
            entry["instanceId"] = str(number)
            entry["properties"]["instanceView"] = {"statuses": [{"code": "PowerState/running"}]}
            instances.append(entry)
            network = f"{group_id(self.subscription, group)}/providers/Microsoft.Network/virtualNetworks/{VNET}"
            nics.append(
                interface(nic_id, own, [ip_configuration(nic_id, f"10.0.0.{100 + number}", f"{network}/subnets/web")])
            )


def status(machine: Json, power: str) -> Json:
    """The entry of the list with statusOnly: little but the run-time state."""
    return {
        "name": machine["name"],
        "id": machine["id"],
        "location": machine["location"],
        "properties": {
            "vmId": machine["properties"]["vmId"],
            "provisioningState": "Succeeded",
            "instanceView": {
                "computerName": machine["name"],
                "osName": "debian",
                "osVersion": "13",
                "vmAgent": {
                    "vmAgentVersion": "2.11.1.4",
                    "statuses": [{"code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Ready"}],
                },
                "disks": [
                    {"name": f"{machine['name']}_OsDisk_1", "statuses": [{"code": "ProvisioningState/succeeded"}]}
                ],
                "statuses": [
                    {"code": "ProvisioningState/succeeded", "level": "Info", "time": "2026-01-05T08:01:00+00:00"},
                    {"code": f"PowerState/{power}", "level": "Info", "displayStatus": f"VM {power}"},
                ],
            },
        },
    }


def interface(nic_id: str, machine_id: str, configurations: Sequence[Json]) -> Json:
    return {
        "name": nic_id.rsplit("/", 1)[-1],
        "id": nic_id,
        "etag": 'W/"00000000-0000-0000-0000-000000000000"',
        "location": "westeurope",
        "type": "Microsoft.Network/networkInterfaces",
        "properties": {
            "provisioningState": "Succeeded",
            "resourceGuid": "00000000-0000-0000-0000-000000000000",
            "ipConfigurations": list(configurations),
            "dnsSettings": {
                "dnsServers": [],
                "appliedDnsServers": [],
                "internalDomainNameSuffix": "loopback.ax.internal.cloudapp.net",
            },
            "macAddress": "00-0D-3A-00-00-01",
            "enableAcceleratedNetworking": False,
            "enableIPForwarding": False,
            "primary": True,
            "virtualMachine": {"id": machine_id},
            "hostedWorkloads": [],
            "tapConfigurations": [],
            "nicType": "Standard",
        },
    }


def ip_configuration(
    nic_id: str, address: str, subnet_id: str, *, primary: bool = True, name: str = "ipconfig1"
) -> Json:
    return {
        "name": name,
        "id": f"{nic_id}/ipConfigurations/{name}",
        "type": "Microsoft.Network/networkInterfaces/ipConfigurations",
        "properties": {
            "provisioningState": "Succeeded",
            "privateIPAddress": address,
            "privateIPAllocationMethod": "Dynamic",
            "subnet": {"id": subnet_id},
            "primary": primary,
            "privateIPAddressVersion": "IPv6" if ":" in address else "IPv4",
        },
    }


def public_address(public_id: str, address: str, location: str) -> Json:
    name = public_id.rsplit("/", 1)[-1]
    return {
        "name": name,
        "id": public_id,
        "location": location,
        "properties": {
            "provisioningState": "Succeeded",
            "ipAddress": address,
            "publicIPAddressVersion": "IPv4",
            "dnsSettings": {"domainNameLabel": name, "fqdn": f"{name}.{location}.cloudapp.azure.com"},
        },
        "sku": {"name": "Standard", "tier": "Regional"},
    }


def tutorial(prefix: str = "10.0.0") -> Estate:
    """The eight machines of the tutorial in its four subnets."""
    estate = Estate()
    for name, subnet, number in TUTORIAL:
        address = "192.0.2.52" if subnet == "lb" else ""
        estate.add(name, subnet, f"{prefix}.{number}", public_ip=address, prefix=f"{prefix}.{RANGES[subnet]}")
    return estate


def many(count: int) -> Estate:
    """Made-up machines: 50 resource groups, 20 subnets, every tenth with a public address."""
    estate = Estate()
    for number in range(count):
        estate.add(
            f"vm{number:05d}",
            f"subnet{number % 4}",
            f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
            vnet=f"vnet{number % 5}",
            vnet_group="network",
            group=f"group{number % 50:02d}",
            tags={"environment": "production", "owner": f"team{number % 7}"},
            public_ip=f"198.18.{number >> 8 & 255}.{number & 255}" if number % 10 == 0 else "",
        )
    return estate


def from_hosts(path: Path) -> Estate:
    """The hosts of an inventory file for the lab; `azure_subnet_name` and `azure_tags` stand beside their addresses."""
    import yaml

    estate = Estate()

    def walk(group: Json) -> None:
        for name, variables in (group.get("hosts") or {}).items():
            estate.add(
                name, variables["azure_subnet_name"], variables["ansible_host"], tags=variables.get("azure_tags")
            )
        for child in (group.get("children") or {}).values():
            walk(child or {})

    for top in yaml.safe_load(path.read_text(encoding="utf-8")).values():
        walk(top)
    return estate


@dataclass
class Fault:
    """What goes wrong with answers of one kind; `page` counts from 1, `times` is None for always."""

    kind: str
    page: int | None = None
    times: int | None = None
    status: int = 200
    code: str = ""
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    # Seconds before the answer, and between each 1,000 bytes of it.
    delay: float = 0.0
    dribble: float = 0.0
    # Bytes of the body after which the connection breaks off.
    cut: int | None = None
    body: bytes | None = None
    method: str = "GET"


@dataclass(frozen=True)
class Seen:
    """A request that came in."""

    method: str
    kind: str
    path: str
    query: Mapping[str, str]
    authorization: str


KINDS = (
    ("subscriptions", r"/subscriptions"),
    ("machines", r"{scope}/providers/Microsoft\.Compute/virtualMachines"),
    ("scale_sets", r"{scope}/providers/Microsoft\.Compute/virtualMachineScaleSets"),
    ("instances", r"{scope}/providers/Microsoft\.Compute/virtualMachineScaleSets/(?P<set>[^/]+)/virtualMachines"),
    ("instance_nics", r"{scope}/providers/Microsoft\.Compute/virtualMachineScaleSets/(?P<set>[^/]+)/networkInterfaces"),
    (
        "instance_public_ips",
        r"{scope}/providers/Microsoft\.Compute/virtualMachineScaleSets/(?P<set>[^/]+)/publicipaddresses",
    ),
    ("nics", r"{scope}/providers/Microsoft\.Network/networkInterfaces"),
    ("nic", r"{scope}/providers/Microsoft\.Network/networkInterfaces/(?P<nic>[^/]+)"),
    ("public_ips", r"{scope}/providers/Microsoft\.Network/publicIPAddresses"),
    ("networks", r"{scope}/providers/Microsoft\.Network/virtualNetworks"),
    ("graph", r"/providers/Microsoft\.ResourceGraph/resources"),
)
SCOPE = r"/subscriptions/(?P<subscription>[^/]+)(?:/resourceGroups/(?P<group>[^/]+))?"
ROUTES = [(kind, re.compile(f"(?i){pattern.replace('{scope}', SCOPE)}")) for kind, pattern in KINDS]
VERSIONED = {"networks": "network", "nics": "network", "nic": "network", "public_ips": "network", "graph": "graph",
             "subscriptions": "subscriptions", "instance_nics": "scale_set_network",
             "instance_public_ips": "scale_set_network"}  # fmt: skip
GRAPH_TYPES = {
    "microsoft.compute/virtualmachines": "machines",
    "microsoft.network/networkinterfaces": "nics",
    "microsoft.network/publicipaddresses": "public_ips",
    "microsoft.network/virtualnetworks": "networks",
}


class Ledger(Protocol):
    """The half that makes and removes: tests/loopback_estate.py."""

    def answer(
        self, method: str, path: str, query: str, body: Json | None, headers: Mapping[str, str], base: str
    ) -> tuple[int, dict[str, str], Any]: ...

    def of_type(self, kind: str, scope: str = "") -> Iterator[Json]: ...


def empty() -> Ledger:
    """A subscription that takes what is made."""
    # As a program this file must do without the collection, unless this is asked for.
    from ansible_collections.siteops.webcluster.tests import loopback_estate

    return loopback_estate.Ledger(retry_after=0.01)


# Which lists of a subscription show what a ledger holds.
HELD_TYPES = {
    "machines": "Microsoft.Compute/virtualMachines",
    "nics": "Microsoft.Network/networkInterfaces",
    "public_ips": "Microsoft.Network/publicIPAddresses",
    "networks": "Microsoft.Network/virtualNetworks",
}


class LoopbackArm:
    """The server; `faults` may change while it runs, `seen` is what was asked."""

    def __init__(
        self,
        *estates: Estate,
        pages: Mapping[str, int] | None = None,
        latency: float = 0.0,
        versions: Mapping[str, Sequence[str]] | None = None,
        trailing_link: str = "",
        unlisted_nics: int = 0,
        ledger: Ledger | None = None,
    ) -> None:
        self.estates = {estate.subscription: estate for estate in estates}
        self.pages = {**PAGES, **(pages or {})}
        self.latency = latency
        # Api-versions by service; any is good where none is given.
        self.versions = dict(versions or {})
        # A kind of list whose last page names one more page, which is empty.
        self.trailing_link = trailing_link
        # So many interfaces at the end exist, but are in no list, as if they had been made this moment.
        self.unlisted_nics = unlisted_nics
        self.hidden_subscriptions: list[Json] = []
        # Takes what is made and removed; the lists then show what it holds.
        self.ledger = ledger
        self.faults: list[Fault] = []
        self.seen: list[Seen] = []
        self._lock = threading.Lock()
        self._bodies: dict[tuple[str, ...], bytes] = {}
        handler = type("Handler", (_Handler,), {"arm": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> LoopbackArm:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def serve(self, lifetime: float) -> None:
        """Serve in this thread until the end is asked for, or the time is over."""
        timer = threading.Timer(lifetime, self._server.shutdown)
        timer.daemon = True
        timer.start()
        self._server.serve_forever(poll_interval=0.05)
        self._server.server_close()

    def end(self) -> None:
        threading.Thread(target=self._server.shutdown, daemon=True).start()

    @property
    def counts(self) -> dict[str, int]:
        return dict(Counter(one.kind for one in self.seen))

    def note(self, seen: Seen) -> None:
        with self._lock:
            self.seen.append(seen)

    def fault(self, kind: str, page: int, method: str) -> Fault | None:
        with self._lock:
            for fault in self.faults:
                if fault.kind == kind and fault.page in (None, page) and fault.method == method and fault.times != 0:
                    if fault.times:
                        fault.times -= 1
                    return fault
        return None

    def refused_version(self, kind: str, given: str) -> Json | None:
        service = VERSIONED.get(kind, "compute")
        offered = self.versions.get(service)
        if not offered or given in offered:
            return None
        return error(
            "NoRegisteredProviderFound",
            f"No registered resource provider found for location 'westeurope' and API version '{given}' for type"
            f" '{kind}'. The supported api-versions are '{', '.join(offered)}'. The supported locations are 'westeurope'.",
        )

    def entries(self, kind: str, where: Mapping[str, str]) -> list[Json] | None:
        """What a list holds; None where its subscription, group or set does not exist."""
        if kind == "subscriptions":
            known = [{"subscriptionId": one, "state": "Enabled"} for one in self.estates]
            return [*known, *self.hidden_subscriptions]
        if self.ledger and kind in (*HELD_TYPES, "states"):
            scope = group_id(where["subscription"], where["group"]) if where.get("group") else ""
            found = list(self.ledger.of_type(HELD_TYPES["machines" if kind == "states" else kind], scope))
            return [status(machine, "running") for machine in found] if kind == "states" else found
        estate = self.estates.get(where["subscription"].lower())
        if estate is None:
            return None
        if kind.startswith("instance"):
            held: dict[str, list[Json]] = getattr(estate, kind)
            return held.get(where["set"], [] if kind == "instance_public_ips" else None)
        found = list(estate.networks.values()) if kind == "networks" else list(getattr(estate, kind))
        if kind == "nics":
            found = found[: len(found) - self.unlisted_nics]
        group = where.get("group")
        if not group:
            return found
        every = [*estate.machines, *estate.nics, *estate.networks.values()]
        mark = f"/resourcegroups/{group.lower()}/"
        if not any(mark in one["id"].lower() for one in every):
            return None
        return [one for one in found if mark in str(one.get("id")).lower()]

    def page(self, kind: str, where: Mapping[str, str], path: str, query: Mapping[str, str]) -> tuple[int, bytes]:
        begin = int(query.get("$skiptoken", "0").rsplit("-", 1)[-1])
        key = (kind, path.lower(), str(begin), query.get("api-version", ""))
        if key not in self._bodies or self.ledger:
            found = self.entries(kind, where)
            if found is None:
                code = "ResourceGroupNotFound" if where.get("group") else "SubscriptionNotFound"
                return 404, json.dumps(error(code, "It could not be found.")).encode()
            size = self.pages["network" if kind in ("nics", "public_ips", "networks") else "compute"]
            answer: Json = {"value": found[begin : begin + size]}
            further = begin + size < len(found)
            if further or (kind == self.trailing_link and begin < len(found)):
                kept = "&".join(f"{name}={value}" for name, value in query.items() if name != "$skiptoken")
                answer["nextLink"] = f"{self.url}{path}?{kept}&$skiptoken=opaque-mark-{begin + size}"
            self._bodies[key] = json.dumps(answer).encode()
        return 200, self._bodies[key]

    def one_nic(self, where: Mapping[str, str], path: str) -> tuple[int, bytes]:
        for nic in self.estates[where["subscription"].lower()].nics:
            if nic["id"].lower() == path.lower():
                return 200, json.dumps(nic).encode()
        return 404, json.dumps(error("ResourceNotFound", "The interface was not found.")).encode()

    def graph(self, body: Json) -> Json:
        """The rows of a query for one type, with the state that the graph holds for machines."""
        found = re.search(r"type =~ '([^']+)'", body["query"])
        kind = GRAPH_TYPES[found.group(1)] if found else ""
        rows: list[Json] = []
        for subscription in body["subscriptions"]:
            estate = self.estates.get(subscription)
            if estate is None:
                continue
            states = {one["id"]: one["properties"]["instanceView"]["statuses"][-1] for one in estate.states}
            for entry in self.entries(kind, {"subscription": subscription}) or []:
                row = {key: entry.get(key) for key in ("id", "name", "location", "tags", "zones", "properties")}
                if kind == "machines":
                    view = {"powerState": states[entry["id"]], "computerName": entry["name"]}
                    row["properties"] = {**entry["properties"], "extended": {"instanceView": view}}
                rows.append(row)
        rows.sort(key=lambda row: row["id"])
        begin, size = int(body["options"].get("$skipToken", "0")), int(body["options"]["$top"])
        answer: Json = {"totalRecords": len(rows), "count": len(rows[begin : begin + size]),
                        "resultTruncated": "false", "data": rows[begin : begin + size]}  # fmt: skip
        if begin + size < len(rows):
            answer["$skipToken"] = str(begin + size)
        return answer


def error(code: str, message: str) -> Json:
    return {"error": {"code": code, "message": message}}


class _Handler(BaseHTTPRequestHandler):
    arm: LoopbackArm
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *_words: object) -> None:
        """Be quiet."""

    def do_GET(self) -> None:
        self._handle("GET", None)

    def do_POST(self) -> None:
        self._handle("POST", self._body() or {})

    def do_PUT(self) -> None:
        self._handle("PUT", self._body())

    def do_PATCH(self) -> None:
        self._handle("PATCH", self._body())

    def do_DELETE(self) -> None:
        self._handle("DELETE", self._body())

    def _body(self) -> Json | None:
        sent = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        body: Json | None = json.loads(sent) if sent else None
        return body

    def _handle(self, method: str, body: Json | None) -> None:
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        path = unquote(parts.path)
        if path in (COUNTS, STOP):
            self._answer(200, json.dumps(self.arm.counts).encode())
            if path == STOP:
                self.arm.end()
            return
        kind, where = "unknown", {}
        for name, pattern in ROUTES:
            match = pattern.fullmatch(path)
            if match:
                kind, where = name, {key: value for key, value in match.groupdict().items() if value}
        if kind == "machines" and query.get("statusOnly") == "true":
            kind = "states"
        self.arm.note(Seen(method, kind, path, query, self.headers.get("Authorization", "")))
        time.sleep(self.arm.latency)
        # How machines run is told by this half.
        of_the_ledger = method != "GET" or kind in ("unknown", "nic") or (where.get("group") and kind != "states")
        if self.arm.ledger and of_the_ledger:
            self._ask_ledger(self.arm.ledger, method, parts.path, parts.query, body)
            return
        number = int(query.get("$skiptoken", "0").rsplit("-", 1)[-1])
        size = self.arm.pages["network" if kind in ("nics", "public_ips", "networks") else "compute"]
        fault = self.arm.fault(kind, number // size + 1, method)
        status_code, content = self._content(kind, where, path, query, body)
        if fault:
            self._fail(fault, status_code, content)
        else:
            self._answer(status_code, content)

    def _ask_ledger(self, ledger: Ledger, method: str, path: str, query: str, body: Json | None) -> None:
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._answer(401, json.dumps(error("InvalidAuthenticationToken", "The access token is invalid.")).encode())
            return
        status_code, headers, answer = ledger.answer(
            method, path, query, body, dict(self.headers.items()), self.arm.url
        )
        self._answer(status_code, b"" if answer is None else json.dumps(answer).encode(), headers)

    def _content(
        self, kind: str, where: Mapping[str, str], path: str, query: Mapping[str, str], body: Json | None
    ) -> tuple[int, bytes]:
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, json.dumps(error("InvalidAuthenticationToken", "The access token is invalid.")).encode()
        wrong = self.arm.refused_version(kind, query.get("api-version", ""))
        if wrong:
            return 400, json.dumps(wrong).encode()
        if kind == "graph":
            return 200, json.dumps(self.arm.graph(body or {})).encode()
        if kind == "nic":
            return self.arm.one_nic(where, path)
        if kind == "unknown":
            return 404, json.dumps(error("NotFound", f"No such path: {path}")).encode()
        return self.arm.page(kind, where, path, query)

    def _fail(self, fault: Fault, status_code: int, content: bytes) -> None:
        time.sleep(fault.delay)
        if fault.status != 200:
            status_code, content = fault.status, json.dumps(error(fault.code, fault.message)).encode()
        content = content if fault.body is None else fault.body
        self._answer(status_code, content, fault.headers, fault.cut, fault.dribble)

    def _answer(
        self,
        status_code: int,
        content: bytes,
        headers: Mapping[str, str] | None = None,
        cut: int | None = None,
        dribble: float = 0.0,
    ) -> None:
        self.send_response(status_code)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("x-ms-ratelimit-remaining-subscription-reads", "11999")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if cut is not None:
            self.wfile.write(content[:cut])
            self.close_connection = True
        elif dribble:
            try:
                for begin in range(0, len(content), 1000):
                    self.wfile.write(content[begin : begin + 1000])
                    self.wfile.flush()
                    time.sleep(dribble)
            except OSError:
                # The client has lost its patience, which is what the test wants.
                self.close_connection = True
        else:
            self.wfile.write(content)
        self.wfile.flush()


@contextmanager
def serving(*estates: Estate, **options: Any) -> Iterator[LoopbackArm]:
    with LoopbackArm(*estates, **options) as arm:
        yield arm


def ask(port_file: Path, path: str, method: str = "GET") -> bytes | None:
    """The answer of the server that wrote the file; None where there is none any more."""
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", int(port_file.read_text()), timeout=5)) as connection:
            connection.request(method, path)
            return connection.getresponse().read()
    except (OSError, ValueError, http.client.HTTPException):
        return None


def start(argv: Sequence[str], port_file: Path) -> int:
    """Serve in the background, and return once the server answers."""
    stop(port_file)
    command = [sys.executable, __file__, "serve", *argv]
    log = port_file.with_suffix(".log")
    # Whoever waits for the end of our output must not wait for that of the server.
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, start_new_session=True
        )
    ends = time.monotonic() + 60
    while ask(port_file, COUNTS) is None:
        if process.poll() is not None or time.monotonic() > ends:
            raise SystemExit(f"loopback_arm: the server did not start, see {log}")
        time.sleep(0.1)
    return 0


def stop(port_file: Path) -> None:
    """End that server, if it still runs."""
    ask(port_file, STOP, "POST")
    port_file.unlink(missing_ok=True)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "action", choices=["serve", "start", "stop"], help="in the foreground, in the background, no more"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--hosts", type=Path, metavar="FILE", help="serve the hosts of this inventory file")
    what.add_argument(
        "--empty",
        action="store_true",
        help="serve an empty subscription that takes what is made; needs the collection's path",
    )
    what.add_argument(
        "--machines", type=int, metavar="N", help="serve N made-up machines (default: the tutorial's eight)"
    )
    parser.add_argument("--port-file", type=Path, required=True, help="where the port stands while the server runs")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument(
        "--lifetime", type=float, default=4 * 3600, help="seconds after which the server ends by itself"
    )
    options = parser.parse_args(argv)
    if options.action == "stop":
        stop(options.port_file)
        return 0
    if options.action == "start":
        return start([word for word in argv if word != "start"], options.port_file)
    estate = many(options.machines) if options.machines else tutorial()
    if options.hosts:
        estate = from_hosts(options.hosts)
    arm = LoopbackArm(estate, latency=options.latency, ledger=empty() if options.empty else None)
    options.port_file.write_text(str(arm.port), encoding="utf-8")
    arm.serve(options.lifetime)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
