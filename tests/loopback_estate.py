# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The half of Azure Resource Manager that makes and removes, as far as an estate needs it. It is not Azure.

It keeps the bodies that were PUT, finishes them after a while, and knows the oddities that bug reports and documentation
tell of; each is named beside its source. What the real service does beyond that, it does not know.
"""

from __future__ import annotations

import copy
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

Json = dict[str, Any]
SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
GROUP = re.compile(r"(?i)(?P<scope>/subscriptions/[^/]+/resourceGroups/(?P<group>[^/]+))")
ONE = re.compile(
    GROUP.pattern + r"/providers/(?P<type>Microsoft\.\w+/\w+)/(?P<name>[^/]+)(?:/(?P<action>\w+))?", re.IGNORECASE
)
# Records are parts of their zone, and no resources of their own in a group.
RECORD = re.compile(
    GROUP.pattern
    + r"/providers/(?P<type>Microsoft\.Network/dnsZones)/(?P<zone>[^/]+)/(?:recordsets|A/(?P<name>[^/]+))",
    re.IGNORECASE,
)
ZONE = "microsoft.network/dnszones"
LIST = re.compile(GROUP.pattern + r"/providers/(?P<type>Microsoft\.\w+/\w+)")
WHOLE = re.compile(r"(?i)/subscriptions/[^/]+/providers/(?P<type>Microsoft\.Network/\w+)")
PROVIDER = re.compile(r"(?i)/subscriptions/[^/]+/providers/(?P<name>Microsoft\.\w+)(?P<action>/register)?")
OPERATION = re.compile(r"/subscriptions/[^/]+/providers/Loopback/operations/(?P<number>\d+)")
# What of a machine Azure never changes: azure-sdk-for-node #2297, terraform-provider-azurerm #8796, azure-powershell #7621.
UNCHANGEABLE = (
    "osProfile.customData",
    "osProfile.adminUsername",
    "osProfile.computerName",
    "storageProfile.imageReference",
)
MACHINE, NIC, DISK = (
    "microsoft.compute/virtualmachines",
    "microsoft.network/networkinterfaces",
    "microsoft.compute/disks",
)
NETWORK, SECURITY = "microsoft.network/virtualnetworks", "microsoft.network/networksecuritygroups"
# Actions of an interface: its rules and its routes.
EFFECTIVE = ("effectivenetworksecuritygroups", "effectiveroutetable")
# Azure's words where something is used: the code, by the type that is to go.
IN_USE = {
    NIC: "NicInUse",
    SECURITY: "InUseNetworkSecurityGroupCannotBeDeleted",
    NETWORK: "InUseSubnetCannotBeDeleted",
    "microsoft.network/publicipaddresses": "PublicIPAddressCannotBeDeleted",
    "microsoft.network/natgateways": "InUseNatGatewayCannotBeDeleted",
    "microsoft.network/loadbalancers": "InUseLoadBalancerCannotBeDeleted",
    "microsoft.compute/availabilitysets": "OperationNotAllowed.BeingUsed",
    DISK: "DiskIsAttachedToVM",
}


# The rules that every security group has.
DEFAULT_RULES = (
    ("AllowVnetInBound", 65000, "Allow", "Inbound", "VirtualNetwork", "VirtualNetwork"),
    ("AllowAzureLoadBalancerInBound", 65001, "Allow", "Inbound", "AzureLoadBalancer", "*"),
    ("DenyAllInBound", 65500, "Deny", "Inbound", "*", "*"),
    ("AllowVnetOutBound", 65000, "Allow", "Outbound", "VirtualNetwork", "VirtualNetwork"),
    ("AllowInternetOutBound", 65001, "Allow", "Outbound", "*", "Internet"),
    ("DenyAllOutBound", 65500, "Deny", "Outbound", "*", "*"),
)


class RefusalError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, code: str, message: str = "As the loopback server has it.") -> None:
        super().__init__(code)
        self.status = status
        self.body = {"error": {"code": code, "message": message}}


class BrokenConnectionError(Exception):
    """The request was accepted, and nobody will hear of it."""


@dataclass
class Operation:
    """Something that ends later."""

    ends: float
    finish: Callable[[], None]
    error: Json | None = None
    # What an action answers with in the end.
    result: Json | None = None
    over: bool = False


@dataclass
class Ledger:
    """One subscription; the oddities may change while it is used."""

    clock: Callable[[], float] = time.monotonic
    # Seconds that an operation takes, and what Retry-After says.
    seconds: float = 0.0
    retry_after: float = 1.0
    zones: tuple[str, ...] = ("1", "2", "3")
    unregistered: set[str] = field(default_factory=set)
    # bosh-azure-cpi-release #765: a list lacks for some seconds what was just made.
    list_lag: float = 0.0
    # bosh-azure-cpi-release #366: an interface stays reserved for 180 s after its machine is gone.
    nic_reserved: float = 0.0
    # Machines that fail while they are polled: SkuNotAvailable, OverconstrainedZonalAllocationRequest, quota.
    failing: dict[str, str] = field(default_factory=dict)
    # Refusals by method and a part of the path: how often, status, code.
    refusals: list[tuple[str, str, int, int, str]] = field(default_factory=list)
    # The number of the PUT after which the connection breaks off, although it was accepted.
    break_after: int | None = None
    # Something that happens once before the next PUT of a path that contains this text: a race.
    before_put: dict[str, Callable[[], None]] = field(default_factory=dict)
    permissions: list[Json] = field(default_factory=lambda: [{"actions": ["*"], "notActions": []}])
    sizes: tuple[str, ...] = ("Standard_D2as_v5", "Standard_D4as_v5")
    restrictions: dict[str, Json] = field(default_factory=dict)
    quota: int = 1000
    network_quota: dict[str, int] = field(default_factory=lambda: {"PublicIPAddresses": 1000})
    # What sizes say of themselves besides their cores.
    capabilities: dict[str, str] = field(default_factory=dict)
    # Rules of a Virtual Network Manager, and routes of interfaces by their name beside those that each has.
    manager_rules: list[Json] = field(default_factory=list)
    routes: dict[str, list[Json]] = field(default_factory=dict)
    # Whether an action tells how far it is at one place, and what came of it at another.
    two_links: bool = False
    images: tuple[str, ...] = ("debian-13/13-gen2", "debian-12/12-gen2")
    held: dict[str, Json] = field(default_factory=dict)
    made: dict[str, float] = field(default_factory=dict)
    reserved: dict[str, float] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    bodies: list[tuple[str, Json]] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    lock: Any = field(default_factory=threading.RLock)

    def count(self, *methods: str) -> int:
        return sum(method in methods for method, _path in self.requests)

    def answer(
        self,
        method: str,
        raw_path: str,
        query: str,
        body: Json | None,
        headers: Mapping[str, str],
        base: str = "https://management.azure.com",
    ) -> tuple[int, dict[str, str], Any]:
        """Status, headers and body."""
        path = unquote(raw_path)
        with self.lock:
            self.requests.append((method, path))
            if body is not None:
                self.bodies.append((path, copy.deepcopy(body)))
            self._advance()
            try:
                self._refuse(method, path)
                return self._route(method, path, query, body, headers, base)
            except RefusalError as refusal:
                return refusal.status, {}, refusal.body

    def _advance(self) -> None:
        for operation in self.operations:
            if not operation.over and operation.ends <= self.clock():
                operation.over = True
                operation.finish()

    def settle(self) -> None:
        """All operations at their end."""
        for operation in self.operations:
            operation.ends = min(operation.ends, self.clock())
        self._advance()

    def _refuse(self, method: str, path: str) -> None:
        for number, (one, part, times, status, code) in enumerate(self.refusals):
            if one == method and part.lower() in path.lower() and times:
                self.refusals[number] = (one, part, times - 1, status, code)
                raise RefusalError(status, code)

    def _route(
        self, method: str, path: str, query: str, body: Json | None, headers: Mapping[str, str], base: str
    ) -> tuple[int, dict[str, str], Any]:
        if found := OPERATION.fullmatch(path):
            return self._operation(int(found["number"]), query)
        if found := PROVIDER.fullmatch(path):
            return self._provider(found["name"], method)
        if found := WHOLE.fullmatch(path):
            return 200, {}, {"value": list(self.of_type(found["type"]))}
        if (method == "GET" and not GROUP.match(path)) or path.lower().endswith("/permissions"):
            return 200, {}, self._catalogue(path, query)
        if found := GROUP.fullmatch(path):
            return self._group(method, found["scope"], found["group"], body, base)
        if method == "GET" and path.lower().endswith("/resources"):
            scope = path.lower().removesuffix("/resources")
            return 200, {}, {"value": [one for key, one in self.held.items() if is_resource(key, scope)]}
        if found := LIST.fullmatch(path):
            self._need_group(found["scope"])
            return 200, {}, {"value": list(self.of_type(found["type"], found["scope"]))}
        if found := RECORD.fullmatch(path):
            return self._record(method, path, found, body)
        if found := ONE.fullmatch(path):
            return self._one(method, path, found, body, headers, base)
        raise RefusalError(404, "NotFound", path)

    def of_type(self, kind: str, scope: str = "") -> Iterator[Json]:
        """What a list of a type shows, lagging behind."""
        for key, one in self.held.items():
            young = self.clock() - self.made.get(key, -1e9) < self.list_lag
            if f"/providers/{kind.lower()}/" in key and is_resource(key, scope.lower()) and not young:
                yield one

    def _need_group(self, scope: str) -> None:
        if scope.lower() not in self.held:
            raise RefusalError(404, "ResourceGroupNotFound")

    def _provider(self, name: str, method: str) -> tuple[int, dict[str, str], Json]:
        if method == "POST" and name in self.unregistered:
            self.operations.append(Operation(self.clock() + self.seconds, lambda: self.unregistered.discard(name)))
        state = "NotRegistered" if name in self.unregistered else "Registered"
        places = ["West Europe", "North Europe", "China North 3"]
        mappings = [{"location": place, "zones": list(self.zones)} for place in places if self.zones]
        machines = {"resourceType": "virtualMachines", "locations": places, "zoneMappings": mappings}
        return 200, {}, {"namespace": name, "registrationState": state, "resourceTypes": [machines]}

    def _catalogue(self, path: str, query: str) -> Any:
        """Sizes, quota, image and rights; and what carries a tag, wherever it stands."""
        if path.endswith("/permissions"):
            return {"value": self.permissions}
        if path.endswith("/resources"):
            mark = dict(re.findall(r"(tagName|tagValue) eq '([^']*)'", parse_qs(query).get("$filter", [""])[0]))
            every = [one for key, one in self.held.items() if is_resource(key, "/subscriptions/")]
            return {
                "value": [one for one in every if one.get("tags", {}).get(mark.get("tagName")) == mark.get("tagValue")]
            }
        if path.endswith("/skus"):
            return {"value": [self._size(name) for name in self.sizes]}
        if path.endswith("/usages"):
            limits = self.network_quota
            if "/Microsoft.Compute/" in path:
                limits = dict.fromkeys(("cores", "virtualMachines", "standardDASv5Family"), self.quota)
            return {
                "value": [
                    {"name": {"value": name}, "currentValue": 0, "limit": limit} for name, limit in limits.items()
                ]
            }
        found = re.search(r"/offers/([^/]+)/skus/([^/]+)/versions$", path)
        if found and f"{found[1]}/{found[2]}" in self.images:
            return [{"name": "0.20260914.2601"}]
        raise RefusalError(404, "NotFound", path)

    def _size(self, name: str) -> Json:
        cores = re.search(r"\d+", name)
        return {
            "resourceType": "virtualMachines",
            "name": name,
            "family": "standardDASv5Family",
            "locationInfo": [{"location": "westeurope", "zones": list(self.zones)}],
            "capabilities": [
                {"name": "vCPUs", "value": cores[0] if cores else "1"},
                *({"name": key, "value": value} for key, value in self.capabilities.items()),
            ],
            "restrictions": [self.restrictions[name]] if name in self.restrictions else [],
        }

    def _group(
        self, method: str, scope: str, name: str, body: Json | None, base: str
    ) -> tuple[int, dict[str, str], Any]:
        key = scope.lower()
        if method == "GET":
            self._need_group(scope)
            return 200, {}, self.held[key]
        if method == "PUT":
            known = key in self.held
            self.held[key] = {
                "id": scope,
                "name": name,
                **(body or {}),
                "properties": {"provisioningState": "Succeeded"},
            }
            return 200 if known else 201, {}, self.held[key]
        self._need_group(scope)

        def gone() -> None:
            for one in [one for one in self.held if one == key or one.startswith(f"{key}/")]:
                del self.held[one]

        return self._later(gone, base, location=True)

    def _later(
        self,
        finish: Callable[[], None],
        base: str,
        error: Json | None = None,
        location: bool = False,
        body: Json | None = None,
        status: int = 202,
    ) -> tuple[int, dict[str, str], Any]:
        """Begin an operation; docs of asynchronous operations: Azure-AsyncOperation if it is there, else Location."""
        self.operations.append(Operation(self.clock() + self.seconds, finish, error))
        url = f"{base}/subscriptions/{SUBSCRIPTION}/providers/Loopback/operations/{len(self.operations) - 1}?api-version=1"
        header = {"Location": f"{url}&as=location"} if location else {"Azure-AsyncOperation": url}
        return status, {**header, "Retry-After": f"{self.retry_after:g}"}, body

    def _operation(self, number: int, query: str) -> tuple[int, dict[str, str], Any]:
        operation = self.operations[number]
        wait = {"Retry-After": f"{self.retry_after:g}"}
        if parse_qs(query).get("as") == ["location"]:
            if not operation.over:
                return 202, {**wait, "Location": ""}, None
            if operation.result is not None:
                return 200, {}, operation.result
            return (400, {}, {"error": operation.error}) if operation.error else (204, {}, None)
        if not operation.over:
            return 200, wait, {"status": "InProgress"}
        if operation.error:
            return 200, {}, {"status": "Failed", "error": operation.error}
        return 200, {}, {"status": "Succeeded"}

    def _record(
        self, method: str, path: str, found: re.Match[str], body: Json | None
    ) -> tuple[int, dict[str, str], Any]:
        """Records of a zone; nothing of them takes time."""
        zone, key = path.rsplit("/", 1 if found["name"] is None else 2)[0], path.lower()
        if zone.lower() not in self.held:
            raise RefusalError(404, "ParentResourceNotFound")
        if found["name"] is None:
            own = [
                {"name": "@", "type": f"Microsoft.Network/dnszones/{kind}", "id": f"{zone}/{kind}/@"}
                for kind in ("NS", "SOA")
            ]
            return (
                200,
                {},
                {"value": own + [one for each, one in self.held.items() if each.startswith(f"{zone.lower()}/")]},
            )
        known = key in self.held
        if method == "DELETE":
            self.held.pop(key, None)
            return 200 if known else 204, {}, None
        if method == "PUT":
            properties = {**copy.deepcopy((body or {})["properties"]), "fqdn": f"{found['name']}.{found['zone']}."}
            for identity in references(properties):
                if self._owner_of(identity) is None:
                    raise RefusalError(400, "InvalidResourceReference", identity)
            kind = "Microsoft.Network/dnszones/A"
            made = {
                "id": path,
                "name": found["name"],
                "type": kind,
                "etag": f"{len(self.requests)}",
                "properties": properties,
            }
            self.held[key] = {**made, "properties": {**properties, "provisioningState": "Succeeded"}}
        elif not known:
            raise RefusalError(404, "NotFound")
        return 200 if known else 201, {}, self.held[key]

    def _one(
        self, method: str, path: str, found: re.Match[str], body: Json | None, headers: Mapping[str, str], base: str
    ) -> tuple[int, dict[str, str], Any]:
        key, kind = path.lower(), found["type"].lower()
        self._need_group(found["scope"])
        held = self.held.get(key)
        if found["action"]:
            return self._act(found["action"].lower(), self.held.get(key.rsplit("/", 1)[0]), base)
        if method == "GET":
            if held is None:
                raise RefusalError(404, "ResourceNotFound")
            return 200, {}, held
        if method == "DELETE":
            if held is None:
                return 204, {}, None
            return self._delete(key, kind, held, base)
        if found["type"].split("/")[0] in self.unregistered:
            raise RefusalError(409, "MissingSubscriptionRegistration")
        race = next((part for part in self.before_put if part in key), None)
        if race:
            self.before_put.pop(race)()
            held = self.held.get(key)
        given = {name.lower(): value for name, value in headers.items()}.get("if-match")
        if given and (held is None or given != held["etag"]):
            raise RefusalError(412, "PreconditionFailed")
        made = self._made(path, found, body or {}, held, method)
        self._check(key, kind, made, held)
        answer = self._store(key, kind, made, held, base)
        if self.break_after is not None and self.count("PUT") == self.break_after:
            self.break_after = None
            raise BrokenConnectionError
        return answer

    def _act(self, action: str, target: Json | None, base: str) -> tuple[int, dict[str, str], Any]:
        """An action of a resource; those of an interface answer with what is in force there."""
        answer = self._later(lambda: None, base, location=True)
        if action in EFFECTIVE and target:
            entries = self._groups_at(target) if action == EFFECTIVE[0] else self._routes_at(target)
            self.operations[-1].result = {"value": list(entries)}
            if self.two_links:
                answer[1]["Azure-AsyncOperation"] = answer[1]["Location"].removesuffix("&as=location")
        return answer

    def _groups_at(self, nic: Json) -> Iterator[Json]:
        """The form of the specification's example NetworkInterfaceEffectiveNSGList."""
        (configuration,) = nic["properties"]["ipConfigurations"]
        subnet = configuration["properties"]["subnet"]["id"]
        network = self.held[subnet.rpartition("/subnets/")[0].lower()]
        own = {one["id"].lower(): one for one in network["properties"]["subnets"]}[subnet.lower()]
        places = {"subnet": (subnet, own["properties"]), "networkInterface": (nic["id"], nic["properties"])}
        for place, (identity, properties) in places.items():
            if "networkSecurityGroup" in properties:
                group = self.held[properties["networkSecurityGroup"]["id"].lower()]
                rules = group["properties"]["securityRules"] + group["properties"]["defaultSecurityRules"]
                yield {
                    "networkSecurityGroup": {"id": group["id"]},
                    "association": {place: {"id": identity}},
                    "effectiveSecurityRules": [effective_rule(one, network) for one in rules],
                }
        if self.manager_rules:
            yield {
                "networkSecurityGroup": {"id": "/x/networkManagers/headquarters"},
                "association": {"networkManager": {"id": "/x/networkManagers/headquarters"}},
                "effectiveSecurityRules": self.manager_rules,
            }

    def _routes_at(self, nic: Json) -> Iterator[Json]:
        """The form of the specification's example NetworkInterfaceEffectiveRouteTableList."""
        (configuration,) = nic["properties"]["ipConfigurations"]
        network = self.held[configuration["properties"]["subnet"]["id"].rpartition("/subnets/")[0].lower()]
        for prefix in network["properties"]["addressSpace"]["addressPrefixes"]:
            yield route(prefix, "VnetLocal")
        yield route("0.0.0.0/0", "Internet")
        yield route("10.0.0.0/8", "None")
        yield from self.routes.get(nic["name"], [])

    def _made(self, path: str, found: re.Match[str], body: Json, held: Json | None, method: str) -> Json:
        """The resource as it will be shown."""
        new = copy.deepcopy(body)
        if method == "PATCH" and held:
            new = {
                **copy.deepcopy(held),
                **new,
                "properties": {**copy.deepcopy(held["properties"]), **new.get("properties", {})},
            }
        compute = found["type"].lower().startswith("microsoft.compute/")
        # Compute shouts the group where the network whispers it: recordings of 2019 to 2025.
        identity = (
            path.replace(f"/resourceGroups/{found['group']}/", f"/resourceGroups/{found['group'].upper()}/")
            if compute
            else path
        )
        new |= {"id": identity, "name": found["name"], "type": found["type"]}
        new["etag"] = f'W/"{len(self.requests):08d}"'
        new.setdefault("properties", {})["provisioningState"] = "Updating" if held else "Creating"
        _defaults(found["type"].lower(), identity, new, held)
        return new

    def _check(self, key: str, kind: str, made: Json, held: Json | None) -> None:
        if held and held["properties"]["provisioningState"] not in ("Succeeded", "Failed"):
            raise RefusalError(409, "AnotherOperationInProgress")
        for identity in references(made["properties"]):
            there = self._owner_of(identity)
            if there is None:
                raise RefusalError(400, "InvalidResourceReference", f"{identity} of {key} was not found.")
            state = there["properties"]["provisioningState"]
            if state not in ("Succeeded", "Updating") and kind == NIC:
                # terraform-provider-azurerm #7986.
                raise RefusalError(429, "ReferencedResourceNotProvisioned")
        if kind == MACHINE and held:
            for name in UNCHANGEABLE:
                new, old = _at(made["properties"], name), _at(held["properties"], name)
                if new is not None and old is not None and new != old:
                    raise RefusalError(409, "PropertyChangeNotAllowed", f"Changing property '{name}' is not allowed.")
        if kind == NIC:
            self._check_nic(key, made)

    def _check_nic(self, key: str, made: Json) -> None:
        mine = {one["properties"]["privateIPAddress"] for one in made["properties"]["ipConfigurations"]}
        for other, nic in self.held.items():
            taken = {one["properties"]["privateIPAddress"] for one in nic["properties"].get("ipConfigurations", [])}
            if other != key and f"/{NIC}/" in other and taken & mine:
                raise RefusalError(400, "PrivateIPAddressIsAllocated")
        if self.reserved.get(key, 0) > self.clock():
            raise RefusalError(400, "NicReservedForAnotherVm")

    def _owner_of(self, identity: str) -> Json | None:
        """The resource that an id belongs to; a subnet belongs to its network and must be in it."""
        found = ONE.match(identity)
        owner = self.held.get(found[0].lower()) if found else None
        if owner is None and found and found["action"]:
            owner = self.held.get(found[0].rsplit("/", 1)[0].lower())
        subnet = re.search(r"/subnets/([^/]+)$", identity, re.IGNORECASE)
        if owner and subnet and all(one["name"] != subnet[1] for one in owner["properties"]["subnets"]):
            return None
        return owner

    def _store(self, key: str, kind: str, made: Json, held: Json | None, base: str) -> tuple[int, dict[str, str], Any]:
        self.held[key] = made
        self.made.setdefault(key, self.clock())
        if kind == MACHINE:
            self._disks(made)
        code = self.failing.get(made["name"]) if kind == MACHINE else None

        def finish() -> None:
            if self.held.get(key) is made:
                made["properties"]["provisioningState"] = "Failed" if code else "Succeeded"
                if not held and kind == "microsoft.network/publicipaddresses":
                    made["properties"]["ipAddress"] = f"192.0.2.{len(self.made) % 250}"
                if kind == MACHINE and not code:
                    self._attach(made)

        error = {"code": code, "message": "Allocation failed."} if code else None
        status = 200 if held else 201
        if self.seconds == 0 and not code:
            # No provisioningState of its own means that it is done: docs of asynchronous operations.
            finish()
            return status, {}, copy.deepcopy(made)
        return self._later(finish, base, error, body=copy.deepcopy(made), status=status)

    def _disks(self, machine: Json) -> None:
        storage = machine["properties"]["storageProfile"]
        for disk in [storage["osDisk"], *storage["dataDisks"]]:
            scope = GROUP.match(machine["id"])
            identity = f"{scope[0] if scope else ''}/providers/Microsoft.Compute/disks/{disk['name']}"
            known = self.held.get(identity.lower())
            if (
                disk["createOption"] == "Empty"
                and known
                and known.get("managedBy", "").lower() != machine["id"].lower()
            ):
                raise RefusalError(409, "ConflictingUserInput", "A disk of this name exists.")
            properties = {"provisioningState": "Succeeded", "diskSizeGB": disk.get("diskSizeGB", 30)}
            entry = known or {
                "id": identity,
                "name": disk["name"],
                "location": machine["location"],
                "properties": properties,
            }
            self.held[identity.lower()] = {**entry, "managedBy": machine["id"], "etag": "-"}
            disk["managedDisk"] = {"storageAccountType": "Premium_LRS", **disk["managedDisk"], "id": identity}

    def _attach(self, machine: Json) -> None:
        for one in machine["properties"]["networkProfile"]["networkInterfaces"]:
            if one["id"].lower() in self.held:
                self.held[one["id"].lower()]["properties"]["virtualMachine"] = {"id": machine["id"]}

    def users(self, key: str) -> list[str]:
        """Who refers to a resource."""
        return [
            other
            for other, one in self.held.items()
            if other != key
            and any(f"{identity}/".lower().startswith(f"{key}/") for identity in references(one.get("properties", {})))
        ]

    def _delete(self, key: str, kind: str, held: Json, base: str) -> tuple[int, dict[str, str], Any]:
        users = [one for one in self.users(key) if kind != MACHINE and not (kind == NETWORK and f"/{NIC}/" not in one)]
        if kind == NIC:
            # The machine names it for as long as it is there; the balancer's pool does not hold it.
            users = [one for one in users if f"/{MACHINE}/" in one]
        if users or (kind == DISK and held.get("managedBy")):
            raise RefusalError(409 if kind == DISK else 400, IN_USE.get(kind, "InUse"), f"Used by {users}")
        if self.reserved.get(key, 0) > self.clock():
            raise RefusalError(400, "NicReservedForAnotherVm")

        def gone() -> None:
            self.held.pop(key, None)
            for part in [one for one in self.held if kind == ZONE and one.startswith(f"{key}/")]:
                del self.held[part]
            if kind == MACHINE:
                self._go_along(held)

        return self._later(gone, base, location=True)

    def _go_along(self, machine: Json) -> None:
        """Interfaces and disks that are to go with their machine; the others are let go."""
        for one in machine["properties"]["networkProfile"]["networkInterfaces"]:
            nic = one["id"].lower()
            if self.nic_reserved:
                self.reserved[nic] = self.clock() + self.nic_reserved
                if nic in self.held:
                    self.held[nic]["properties"].pop("virtualMachine", None)
            elif one["properties"].get("deleteOption") == "Delete":
                self.held.pop(nic, None)
        storage = machine["properties"]["storageProfile"]
        for disk in [storage["osDisk"], *storage["dataDisks"]]:
            identity = disk["managedDisk"]["id"].lower()
            if disk["deleteOption"] == "Delete":
                self.held.pop(identity, None)
            elif identity in self.held:
                self.held[identity].pop("managedBy", None)


def is_resource(key: str, scope: str) -> bool:
    """Whether it stands in a group by itself, and is no part of another one."""
    return key.startswith(scope) and key.rpartition("/providers/")[2].count("/") == 2


def references(value: Any) -> Iterator[str]:
    """The ids that a body refers to; its own parts and the back references of Azure are none."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            if key in ("ipConfigurations", "networkInterfaces", "subnets", "loadBalancingRules") and isinstance(
                one, list
            ):
                yield from (found for part in one for found in references(part.get("properties", {})))
                yield from (part["id"] for part in one if key == "networkInterfaces" and "id" in part)
            elif key in (
                "virtualMachine",
                "backendIPConfigurations",
                "frontendIPConfiguration",
                "backendAddressPool",
                "probe",
            ):
                continue
            elif key == "id" and isinstance(one, str) and one.startswith("/subscriptions/"):
                yield one
            else:
                yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(
                {"id": one["id"]}
                if isinstance(one, Mapping) and set(one) == {"id"}
                else one.get("properties", {})
                if isinstance(one, Mapping) and "properties" in one
                else one
            )


def _at(body: Any, path: str) -> Any:
    for part in path.split("."):
        body = body.get(part) if isinstance(body, Mapping) else None
    return body


def default_rule(name: str, priority: int, access: str, direction: str, source: str, target: str) -> Json:
    words = {"sourceAddressPrefix": source, "destinationAddressPrefix": target, "protocol": "*"}
    ports = {"sourcePortRange": "*", "destinationPortRange": "*"}
    return {
        "name": name,
        "properties": {"priority": priority, "access": access, "direction": direction, **words, **ports},
    }


def effective_rule(body: Json, network: Json) -> Json:
    """A rule in force: ports as ranges, and the networks that the tag of the network stands for."""
    made = {key: one for key, one in body["properties"].items() if one != []}
    made["name"] = f"{'securityRules' if made['priority'] < 65000 else 'defaultSecurityRules'}/{body['name']}"
    made["protocol"] = "All" if made["protocol"] == "*" else made["protocol"]
    made["sourcePortRange"] = "0-65535"
    port = made["destinationPortRange"]
    made["destinationPortRange"] = "0-65535" if port == "*" else f"{port}-{port}"
    for end in ("source", "destination"):
        word = made.get(f"{end}AddressPrefix")
        if word == "VirtualNetwork":
            ranges = network["properties"]["addressSpace"]["addressPrefixes"]
            made[f"expanded{end.capitalize()}AddressPrefix"] = [*ranges, "168.63.129.16/32"]
        if word == "*":
            made[f"{end}AddressPrefix"] = "0.0.0.0/0"
    return made


def route(prefix: str, hop: str, source: str = "Default", *addresses: str) -> Json:
    """A route in force."""
    return {
        "source": source,
        "state": "Active",
        "addressPrefix": [prefix],
        "nextHopType": hop,
        "nextHopIpAddress": [*addresses],
    }


def _defaults(kind: str, identity: str, new: Json, held: Json | None) -> None:
    """What the service adds by itself, and what it never shows."""
    properties = new["properties"]
    if kind == MACHINE:
        if held and "customData" not in properties.get("osProfile", {}):
            properties.setdefault("osProfile", {})
        properties["vmId"] = "00000000-0000-0000-0000-000000000001"
        image = properties["storageProfile"].get("imageReference")
        if image:
            image["exactVersion"] = "0.20260914.2601"
        properties["storageProfile"]["osDisk"]["osType"] = "Linux"
        properties["osProfile"] |= {
            "secrets": [],
            "allowExtensionOperations": True,
            "requireGuestProvisionSignal": True,
        }
        return
    properties["resourceGuid"] = "00000000-0000-0000-0000-000000000000"
    if kind == NIC:
        properties |= {"primary": True, "hostedWorkloads": [], "tapConfigurations": [], "macAddress": "00-0D-3A-00-00-01",
                       "dnsSettings": {"dnsServers": [], "appliedDnsServers": []}, "nicType": "Standard"}  # fmt: skip
    if kind == SECURITY:
        properties["defaultSecurityRules"] = [default_rule(*one) for one in DEFAULT_RULES]
    if kind == ZONE:
        properties |= {"nameServers": ["ns1-01.azure-dns.com.", "ns2-01.azure-dns.net."], "numberOfRecordSets": 2}
    if kind == NETWORK:
        properties |= {"virtualNetworkPeerings": [], "enableDdosProtection": False}
    for key in (
        "ipConfigurations",
        "subnets",
        "securityRules",
        "frontendIPConfigurations",
        "backendAddressPools",
        "probes",
    ):
        for part in properties.get(key, []):
            part |= {"id": f"{identity}/{key}/{part['name']}", "etag": new["etag"]}
            part.setdefault("properties", {})["provisioningState"] = "Succeeded"
            if key == "securityRules":
                for empty in ("sourceAddressPrefixes", "destinationAddressPrefixes", "sourcePortRanges"):
                    part["properties"].setdefault(empty, [])


@dataclass
class Clock:
    """Time that passes only when somebody waits for it."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
