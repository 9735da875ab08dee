# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: azure_subnet
short_description: Azure virtual machines, grouped by subnet and by role
version_added: 0.1.0
author: siteops contributors (@siteops)
description:
  - Lists the virtual machines of one or many Azure subscriptions, joins them with their network interfaces and public IP addresses,
    and groups them by subnet, by virtual network and, with O(role_groups), by what they do in the cluster.
  - The name of the file must end in C(azure_subnet.yml) or C(azure_subnet.yaml).
  - It asks for whole lists, never for one machine after the other. Four requests serve a small cluster, 91 serve 10,000 machines
    (pages of 250 machines and 1,000 network objects). The lists of all subscriptions are read side by side.
  - It is complete or it fails. A page that cannot be had, a missing right or an answer that breaks off ends the run of this inventory with a
    sentence that names the URL and the remedy. O(allow_partial) turns that into a warning.
    By default Ansible itself goes on without an inventory source that failed; set C(any_unparsed_is_failed = true) in the section C([inventory])
    of C(ansible.cfg), or E(ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED), to make it stop.
  - It only reads. The role Reader on the subscriptions is enough, and so is a role of one's own with the actions
    C(Microsoft.Compute/virtualMachines/read), C(Microsoft.Compute/virtualMachines/instanceView/read),
    C(Microsoft.Network/networkInterfaces/read), C(Microsoft.Network/publicIPAddresses/read),
    C(Microsoft.Resources/subscriptions/read) without O(subscription_ids),
    C(Microsoft.Network/virtualNetworks/read) with O(subnet_prefixes), and with O(include_uniform_scale_sets)
    C(Microsoft.Compute/virtualMachineScaleSets/read), C(Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read),
    C(Microsoft.Compute/virtualMachineScaleSets/virtualMachines/instanceView/read),
    C(Microsoft.Compute/virtualMachineScaleSets/networkInterfaces/read) and C(Microsoft.Compute/virtualMachineScaleSets/publicIPAddresses/read).
  - "Groups: C(subnet_<vnet>_<subnet>) below C(vnet_<vnet>), in lower case, other characters than letters, digits and C(_) replaced by C(_);
    those of O(role_groups) below those of O(role_parents)."
  - "Variables of each host, with O(hostvar_prefix) in front; what Azure does not tell is null or empty:"
  - "C(name), C(id), C(vm_id), C(subscription_id), C(resource_group), C(location), C(zones) (list), C(tags) (dictionary), C(size),
    C(priority) (C(Regular), C(Spot) or C(Low)), C(availability_set), C(scale_set), C(created), C(provisioning_state);
    C(power_state) is V(running), V(starting), V(stopped), V(deallocated) and the like, or null where Azure does not say."
  - "C(computer_name), C(admin_username), C(os_type), C(os_name), C(os_version), C(image) (C(publisher), C(offer), C(sku), C(version), C(id)),
    C(os_disk) and the list C(data_disks) (C(name), C(id), C(size_gb), C(storage_type); data disks also C(lun))."
  - "C(private_ip) and C(public_ip) of the primary interface, IPv4 where there is one; C(private_ips) and C(public_ips), all of them, the primary
    first; C(public_dns_name); C(private_dns_name), as Azure's own DNS gives it; C(mac_address); C(security_group)."
  - "C(subnet_name), C(subnet_id), C(vnet_name) and C(vnet_resource_group) of the primary interface; C(subnet_address_prefix) and the list
    C(subnet_address_prefixes) with O(subnet_prefixes); C(subnets), all of them, each with C(name), C(id), C(vnet), C(vnet_resource_group) and C(primary)."
  - "C(network_interfaces), each with C(name), C(id), C(primary), C(mac_address), C(security_group) and C(ip_configurations), each with C(name),
    C(primary), C(private_ip), C(version), C(public_ip), C(public_dns_name), C(subnet_id), C(subnet_name) and C(vnet_name)."
  - C(ansible_host) is set as O(connect_with) says.
  - Resource groups, subnets and networks are spelled the same for all hosts, although Azure mixes upper and lower case.
requirements:
  - azure-identity >= 1.27 (not with an access token)
  - azure-mgmt-compute >= 39
  - azure-mgmt-network >= 33 (not with O(backend=resource_graph))
  - None of them for a run that is served from the cache.
extends_documentation_fragment:
  - constructed
  - inventory_cache
notes:
  - Expressions in O(compose), O(groups), O(keyed_groups) and O(hostname) see the variables as the hosts have them, with O(hostvar_prefix).
  - The options may hold templates, for example O(client_secret) C("{{ lookup('ansible.builtin.env', 'MY_SECRET') }}"), and see extra variables.
  - Secrets and tokens appear in no error and at no verbosity.
  - With C(-v) the run says how many requests and how much time it took, with C(-vv) why a machine was left out, with C(-vvv) each request and
    what Azure's rate limits leave.
  - What was read is cached. Options that decide what is read make the cache void when they change; those on names, groups and variables
    work on the cached data at once.
  - Options without an environment variable can be set in the inventory file only.
options:
  plugin:
    description: Marks the file as one for this plugin.
    type: str
    required: true
    choices: [siteops.webcluster.azure_subnet]

  cloud:
    description:
      - Sets O(endpoint), O(token_scope), O(authority) and O(api_versions) together; each of them can be given itself.
      - V(AzureCloud), V(AzureChinaCloud) and V(AzureUSGovernment) are other names of V(public), V(china) and V(us_government).
    type: str
    default: public
    choices: [public, china, us_government, AzureCloud, AzureChinaCloud, AzureUSGovernment]
    env:
      - name: AZURE_CLOUD_ENVIRONMENT
  endpoint:
    description:
      - URL of Azure Resource Manager, for Azure Stack, a private link or tests.
      - Plain http is taken for loopback addresses only.
    type: str
  token_scope:
    description: Scope that the token is asked for, for example V(https://management.azure.com/.default).
    type: str
  authority:
    description: URL or host that gives the token, for example V(https://login.microsoftonline.com).
    type: str
    env:
      - name: AZURE_AUTHORITY_HOST
  api_versions:
    description:
      - Versions of Azure's interfaces by service, V(compute), V(network), V(subscriptions), V(resource_graph) and V(scale_set_network).
      - When the cloud does not have a version, the newest one that its error offers is used for the rest of the run.
    type: dict
    default: {}

  auth:
    description:
      - How to log in.
      - V(auto) takes what is set, in this order, an access token, a service principal, an OIDC token; else it tries the
        environment variables of azure-identity, the managed identity of this machine and the login of C(az).
      - V(service_principal) takes O(tenant_id), O(client_id) and either O(client_secret) or O(certificate_path).
      - V(workload_identity) takes O(tenant_id), O(client_id) and either O(oidc_token) or O(oidc_token_file).
      - V(managed_identity) takes the identity of this machine; O(client_id) chooses among several.
      - V(cli) takes the login of C(az), V(environment) the environment variables of azure-identity, V(access_token) O(access_token).
    type: str
    default: auto
    choices: [auto, service_principal, workload_identity, managed_identity, cli, environment, access_token]
    env:
      - name: ANSIBLE_AZURE_AUTH
  tenant_id:
    description: Id of the tenant (directory).
    type: str
    env:
      - name: AZURE_TENANT_ID
      - name: AZURE_TENANT
  client_id:
    description: Id of the application or of the managed identity.
    type: str
    env:
      - name: AZURE_CLIENT_ID
  client_secret:
    description: Secret of the application.
    type: str
    env:
      - name: AZURE_CLIENT_SECRET
      - name: AZURE_SECRET
  certificate_path:
    description: File with the certificate of the application and its private key, PEM or PKCS12.
    type: str
    env:
      - name: AZURE_CLIENT_CERTIFICATE_PATH
  certificate_password:
    description: Password of the private key in O(certificate_path).
    type: str
    env:
      - name: AZURE_CLIENT_CERTIFICATE_PASSWORD
  oidc_token:
    description: OIDC token (JWT) that the application trusts, as continuous integration gives it.
    type: str
    env:
      - name: AZURE_FEDERATED_TOKEN
  oidc_token_file:
    description: File that holds such a token; it is read at each login.
    type: str
    env:
      - name: AZURE_FEDERATED_TOKEN_FILE
  access_token:
    description: A ready access token for O(token_scope).
    type: str
    env:
      - name: AZURE_ACCESS_TOKEN

  subscription_ids:
    description: Ids of the subscriptions; all that the identity sees when it is empty, which takes one more request.
    type: list
    elements: str
    default: []
    env:
      - name: AZURE_SUBSCRIPTION_ID
  resource_groups:
    description: Only machines of these resource groups, C(*) and C(?) allowed, upper or lower case.
    type: list
    elements: str
    default: []
  exclude_resource_groups:
    description: No machines of these resource groups, C(*) and C(?) allowed, upper or lower case.
    type: list
    elements: str
    default: []
  locations:
    description: Only machines at these locations, such as V(westeurope) or V(West Europe).
    type: list
    elements: str
    default: []
  tags:
    description:
      - Only machines that have all of these tags, each with this value, one of a list of values, or any for null.
      - C(*) and C(?) are allowed in values; names of tags are the same in upper and lower case, values are not.
    type: dict
    default: {}
  include_stopped:
    description: Take machines too that are stopped, deallocated, or on the way there.
    type: bool
    default: false
  list_by:
    description:
      - V(subscription) reads whole subscriptions and then selects.
      - V(resource_group) reads each group of O(resource_groups) by itself, for identities that have rights on those groups only.
        Name the groups of the network interfaces and public IP addresses too. It takes three requests for each group, and the states of the
        machines still need rights on the subscription; without them set O(power_states=false).
    type: str
    default: subscription
    choices: [subscription, resource_group]
  backend:
    description:
      - V(arm) reads the lists of Azure Resource Manager, which are true right after a change.
      - V(resource_graph) asks Azure Resource Graph, 1,000 rows a request over all subscriptions together. It can lag behind for hours,
        and rows that the identity may not see are missing without a word.
    type: str
    default: arm
    choices: [arm, resource_graph]
  include_uniform_scale_sets:
    description:
      - Take the instances of scale sets in uniform mode too; those in flexible mode are ordinary machines and always there.
      - One more request for each subscription and two or three for each set.
    type: bool
    default: false

  power_states:
    description: Ask for the states of the machines; without them stopped machines cannot be told from running ones and are taken.
    type: bool
    default: true
  network_interfaces:
    description: Ask for network interfaces; without them there are no addresses, no subnets and no groups by subnet.
    type: bool
    default: true
  public_ips:
    description: Ask for public IP addresses.
    type: bool
    default: true
  subnet_prefixes:
    description: Ask for the address ranges of the subnets, with one more list for each subscription.
    type: bool
    default: false

  connect_with:
    description:
      - What C(ansible_host) is set to. It stays unset, with a warning, where a host has no such address.
      - V(private_dns) is the name in Azure's own DNS, V(name) the name of the machine.
      - Use O(compose) with C(ansible_host) for anything else.
    type: str
    default: private_ip
    choices: [private_ip, public_ip, private_dns, name]
  hostname:
    description:
      - Templates or expressions for the name in the inventory; the first that gives one is taken, in the end the machine's name.
      - Two machines of the same name are an error, since one would hide the other.
    type: list
    elements: str
    default: []
  hostvar_prefix:
    description: Stands before each variable of this plugin, so that none hides one of yours; may be empty.
    type: str
    default: azure_
  half_built:
    description:
      - What to do with a machine that has no network interface, no subnet or no address yet.
      - V(skip) leaves it out with a warning, V(keep) takes it without C(ansible_host).
      - A machine without an id is always left out with a warning.
    type: str
    default: skip
    choices: [skip, keep]

  group_by_subnet:
    description: Whether the subnet of the primary interface counts, or those of all interfaces; also for O(role_groups).
    type: str
    default: primary
    choices: [primary, all]
  short_subnet_groups:
    description: Make groups C(subnet_<subnet>) too; a warning names those that put subnets of several networks together.
    type: bool
    default: false
  vnet_names:
    description:
      - V(short) names groups by the network alone; a warning names those that put several networks together.
      - V(qualified) puts the network's resource group before its name.
    type: str
    default: short
    choices: [short, qualified]
  role_groups:
    description:
      - Groups of the playbooks, each with a rule, or a list of rules of which one must hold.
      - A rule is the name of a subnet, or a dictionary of which all entries must hold.
        C(subnet) and C(name) are patterns or lists of them, C(tags) is like O(tags), C(otherwise=true) makes the rule see only machines
        that no other rule took.
      - A subnet is written as C(subnet), C(vnet/subnet), C(resource_group/vnet/subnet), or as its full id.
      - The groups are made even where no machine is in them.
    type: dict
    default: {}
  role_parents:
    description:
      - Groups of groups, for the groups of O(role_groups).
      - "By default those of this collection: C(mysql) for C(mysql_master) and C(mysql_replica), C(redis) for C(redis_master) and C(redis_replica),
        C(webcluster) for C(haproxy), C(apache_php), C(mysql) and C(redis)."
    type: dict
  no_role:
    description: What to do when O(role_groups) is set and machines match no role; they stay in the inventory without one.
    type: str
    default: warn
    choices: [warn, fail, ignore]
  two_roles:
    description: What to do when machines match several roles; with V(warn) they get none of them.
    type: str
    default: fail
    choices: [fail, warn]

  allow_partial:
    description: Go on with a warning when a list cannot be read, with whatever was read. Hosts may then be missing.
    type: bool
    default: false
  nic_lookups:
    description: Network interfaces that the lists did not have are asked for one by one, up to this number; more is an error.
    type: int
    default: 100
  timeout:
    description: Seconds to wait for a connection, and for the next part of an answer.
    type: float
    default: 30
  retries:
    description: How often a request is repeated after 408, 429, a 5xx or a broken connection.
    type: int
    default: 4
  retry_time:
    description: Seconds after which a request is not repeated any more. A longer C(Retry-After) of Azure ends it at once.
    type: float
    default: 120
  deadline:
    description: Seconds that all requests together may take.
    type: float
    default: 600
  workers:
    description: How many lists are read at the same time.
    type: int
    default: 8
"""

EXAMPLES = r"""
# The eight machines of the tutorial: four subnets, six roles. Primary and replica share a subnet and are told apart by name.
plugin: siteops.webcluster.azure_subnet
subscription_ids: [11111111-2222-3333-4444-555555555555]
resource_groups: [webcluster]
role_groups:
  haproxy: lb
  apache_php: web
  mysql_master:
    subnet: mysql
    name: "*mysql1"
  mysql_replica:
    subnet: mysql
    otherwise: true
  redis_master:
    subnet: redis
    name: "*redis1"
  redis_replica:
    subnet: redis
    otherwise: true

---
# Azure China, a service principal, primary and replica told apart by tags, one of several networks
plugin: siteops.webcluster.azure_subnet
cloud: china
auth: service_principal
tenant_id: aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee
client_id: 99999999-8888-7777-6666-555555555555
client_secret: "{{ lookup('ansible.builtin.env', 'WEBCLUSTER_SECRET') }}"
role_groups:
  haproxy: production/lb
  apache_php: production/web
  mysql_master:
    subnet: production/mysql
    tags: {role: primary}
  mysql_replica:
    subnet: production/mysql
    tags: {role: replica}

---
# Every subscription that the identity sees, with a cache, names that stay unique, and more groups
plugin: siteops.webcluster.azure_subnet
exclude_resource_groups: ["databricks-*", "mc_*"]
tags: {environment: [production, staging]}
hostname: ["{{ azure_name }}-{{ azure_resource_group }}"]
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/azure_subnet
cache_timeout: 600
keyed_groups:
  - key: azure_tags.environment
    prefix: env
  - key: azure_location
    prefix: location
compose:
  ansible_user: azure_admin_username

---
# From outside of the network, in the machine's own words
plugin: siteops.webcluster.azure_subnet
connect_with: public_ip
include_stopped: true
half_built: keep
hostvar_prefix: ""
groups:
  expensive: size.startswith('Standard_M')
"""

import time
import typing as t
from collections.abc import Sequence

from ansible.errors import AnsibleError, AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure import groups, plan, roles
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import InventoryError, listed, scrub
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.estate import Report
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.join import Record, address, half_built

# Expressions for later, for each host.
UNTEMPLATED = ("compose", "groups", "keyed_groups", "hostname")
# Of one kind; the rest is counted.
MOST_WARNINGS = 10


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    NAME = "siteops.webcluster.azure_subnet"

    def verify_file(self, path: str) -> bool:
        return bool(super().verify_file(path)) and path.endswith(("azure_subnet.yml", "azure_subnet.yaml"))

    def parse(self, inventory: t.Any, loader: t.Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        self.templar.available_variables = self._vars
        begin, begin_cpu = time.monotonic(), time.process_time()
        self._report = Report(self._note, self._warn, self.display.verbosity)
        try:
            wish = plan.make(self._option)
            self._report.secrets += wish.auth.secrets
            records, source = self._records(wish, path, cache)
            self._populate(wish, records)
        except InventoryError as failure:
            # Without the cause: its text and its locals are not ours to show.
            raise AnsibleParserError(f"azure_subnet: {scrub(str(failure), self._report.secrets)}") from None
        took, took_cpu = time.monotonic() - begin, time.process_time() - begin_cpu
        self._report.note(1, f"{len(records)} machines from {source} in {took:.2f} s ({took_cpu:.2f} s of CPU)")

    def _option(self, name: str) -> t.Any:
        value = self.get_option(name)
        return value if name in UNTEMPLATED else self.templar.template(value)

    def _records(self, wish: plan.Plan, path: str, cache: bool) -> tuple[list[Record], str]:
        """From the cache where it may be used and holds what is asked for, else from Azure; and which of them it was."""
        caching = self.get_option("cache")
        key = self.get_cache_key(path)
        if caching and cache:
            cached = plan.unpack(wish, self._cache.get(key))
            if cached is not None:
                return cached, "the cache"
        # Azure's packages are imported there, and only now.
        from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.fetch import fetch

        records, requests = fetch(wish, self._report)
        if not records:
            self._report.warn("No machine was found; -vv tells which were left out, and why.")
        if caching and not self._report.partial:
            self._cache[key] = plan.pack(wish, records)
        return records, f"{requests} requests"

    def _populate(self, wish: plan.Plan, records: Sequence[Record]) -> None:
        """Decide everything first, so that an error leaves no half of an inventory behind."""
        usable = self._usable(wish, records)
        names = self._names(wish, usable)
        by_subnet = groups.build(
            usable if wish.wanted.network else [],
            wish.every_subnet,
            wish.short_groups,
            wish.qualified_groups,
            self._sanitize_group_name,
        )
        for name, ids, hint in groups.merged(by_subnet):
            self._report.warn(f"The group {name} puts together {listed(ids)}. {hint}")
        assigned = self._roles(wish, usable, names)

        before = set(self.inventory.hosts)
        try:
            self._add_hosts(wish, usable, names)
            self._add_groups(wish, names, by_subnet, assigned)
            self._construct(names)
        except AnsibleError:
            for name in set(names) - before:
                self.inventory.remove_host(self.inventory.get_host(name))
            raise

    def _usable(self, wish: plan.Plan, records: Sequence[Record]) -> list[Record]:
        if not wish.wanted.network:
            return list(records)
        usable, lacking = [], []
        done = "is kept without an address" if wish.keep_half_built else "is left out"
        for record in records:
            reason = half_built(record)
            if reason:
                lacking.append(
                    f"{record['name']} in resource group {record['resource_group']} {done}, because {reason}"
                )
            if not reason or wish.keep_half_built:
                usable.append(record)
        for sentence in lacking[:MOST_WARNINGS]:
            self._report.warn(f"{sentence}; it may still be in the making (see half_built).")
        for sentence in lacking[MOST_WARNINGS:]:
            self._report.note(2, sentence)
        if len(lacking) > MOST_WARNINGS:
            self._report.warn(f"So it goes for {len(lacking) - MOST_WARNINGS} more machines; -vv names them.")
        return usable

    def _names(self, wish: plan.Plan, records: Sequence[Record]) -> list[str]:
        """A name for each record, and no name twice."""
        taken: dict[str, Record] = {}
        for record in records:
            name = self._name(wish, record)
            if name in taken:
                raise InventoryError(
                    f"Two machines would be called {name}: {taken[name]['id']} and {record['id']}; expected a name for each,"
                    f' for example with hostname: ["{{{{ {wish.prefix}name }}}}-{{{{ {wish.prefix}resource_group }}}}"].'
                )
            taken[name] = record
        return list(taken)

    def _name(self, wish: plan.Plan, record: Record) -> str:
        if wish.hostnames:
            self.templar.available_variables = _prefixed(wish.prefix, record)
            for entry in self.get_option("hostname"):
                try:
                    made = self.templar.template(entry) if "{{" in entry else self.templar.evaluate_expression(entry)
                except AnsibleError as failure:
                    self._report.note(2, f"hostname '{entry}' gives nothing for {record['name']}: {failure}")
                    continue
                if made not in (None, ""):
                    return str(made)
        return str(record["name"])

    def _roles(self, wish: plan.Plan, records: Sequence[Record], names: Sequence[str]) -> roles.Assignment:
        assigned = roles.assign(records, wish.roles, wish.every_subnet)
        if assigned.doubles:
            several = listed(f"{names[index]} ({', '.join(taken)})" for index, taken in assigned.doubles)
            sentence = f"role_groups gives several roles to {several}; expected one each: make the rules narrower by name or tags."
            if wish.two_roles == "fail":
                raise InventoryError(sentence)
            self._report.warn(f"{sentence} They get none of them.")
        if wish.roles and assigned.without and wish.no_role != "ignore":
            sentence = (
                f"role_groups gives no role to {listed(names[index] for index in assigned.without)}; expected one each: add a"
                " rule, leave them out with resource_groups or tags, or set no_role: ignore."
            )
            if wish.no_role == "fail":
                raise InventoryError(sentence)
            self._report.warn(sentence)
        for role, networks in roles.ambiguous_subnets(records, wish.roles, assigned).items():
            self._report.warn(
                f"role_groups.{role} takes machines of several networks, {listed(sorted(networks))}; expected one cluster: write"
                " the subnet as vnet/subnet, or as resource_group/vnet/subnet."
            )
        return assigned

    def _add_hosts(self, wish: plan.Plan, records: Sequence[Record], names: Sequence[str]) -> None:
        without = []
        for name, record in zip(names, records, strict=True):
            self.inventory.add_host(name)
            # Not inventory.set_variable: it would visit and tag each nested value, ten times the cost of all else here.
            variables = self.inventory.hosts[name].vars
            variables.update(_prefixed(wish.prefix, record))
            place = address(record, wish.connect_with)
            if place:
                variables["ansible_host"] = place
            elif not wish.wanted.network or not half_built(record):
                without.append(name)
        if without:
            self._report.warn(
                f"connect_with is {wish.connect_with}, and {listed(without)} have none; ansible_host is not set for them: choose"
                " another way, or set ansible_host with compose."
            )

    def _add_groups(
        self, wish: plan.Plan, names: Sequence[str], by_subnet: groups.SubnetGroups, assigned: roles.Assignment
    ) -> None:
        members = dict(assigned.members)
        for group, found in [*by_subnet.subnets.items(), *by_subnet.short.items()]:
            members[group] = [*members.get(group, []), *found.members]
        parents: dict[str, t.Iterable[str]] = {**wish.parents, **by_subnet.networks}
        for group in [*members, *parents]:
            self.inventory.add_group(group)
        for parent, children in parents.items():
            for child in children:
                self.inventory.add_child(parent, child)
        for group, indices in members.items():
            for index in indices:
                self.inventory.add_child(group, names[index])

    def _construct(self, names: Sequence[str]) -> None:
        given = {option: self.get_option(option) for option in ("compose", "groups", "keyed_groups")}
        if not any(given.values()):
            return
        strict = self.get_option("strict")
        for name in names:
            variables = self.inventory.get_host(name).get_vars()
            self._set_composite_vars(given["compose"], variables, name, strict=strict)
            self._add_host_to_composed_groups(given["groups"], variables, name, strict=strict)
            self._add_host_to_keyed_groups(given["keyed_groups"], variables, name, strict=strict)

    def _note(self, level: int, text: str) -> None:
        self.display.verbose(f"azure_subnet: {text}", caplevel=level - 1)

    def _warn(self, text: str) -> None:
        self.display.warning(f"azure_subnet: {text}")


def _prefixed(prefix: str, record: Record) -> Record:
    return {f"{prefix}{key}": value for key, value in record.items()}
