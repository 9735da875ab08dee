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
  - Expressions in O(compose), O(groups), O(keyed_groups), O(hostname), O(include_filters) and O(exclude_filters) see the variables as the hosts
    have them, with O(hostvar_prefix).
  - The options may hold templates, for example O(client_secret) C("{{ lookup('ansible.builtin.env', 'MY_SECRET') }}"), and see extra variables.
  - An option that this plugin does not have is an error, told with the one that was probably meant, also where its name is one of azure_rm, aws_ec2
    or gcp_compute.
  - In C(ansible-inventory --list) checked addresses, names and ids are plain text. Tags, C(os_name) and C(os_version), which others write, stand there
    below C(__ansible_unsafe), which Ansible reads as the same text and never as a template.
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
      - V(public), V(china) or V(us_government); V(AzureCloud), V(AzureChinaCloud) and V(AzureUSGovernment) are other names of them.
      - An empty variable of the environment counts as none, here and at every other option.
    type: str
    default: public
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
  exclude_tags:
    description:
      - No machines that have one of these tags, with this value, one of a list of values, or any for null.
      - Patterns as in O(tags).
    type: dict
    default: {}
  exclude_provisioning_states:
    description:
      - No machines in these states of provisioning, some of V(Creating), V(Updating), V(Succeeded), V(Failed), V(Canceled),
        V(Deleting) and V(Migrating). A warning names those that are left out.
      - An empty list takes all but those that are being deleted, which are never taken.
    type: list
    elements: str
    default: [Creating, Failed]
  include_filters:
    description:
      - Only machines for which one of these expressions of Jinja is true, over the variables of the host, with O(hostvar_prefix), such as
        C(azure_tags.role | default('') == 'web').
      - They are looked at after all that is asked for by O(resource_groups), O(locations), O(tags) and the like, which cost less.
      - An expression that fails, for example at a tag that a machine lacks, counts as false for that machine, and is an error with
        O(strict=true), or when it fails for every machine.
      - A single expression, or a list.
    type: raw
    default: []
  exclude_filters:
    description: No machines for which one of these expressions is true; it wins over O(include_filters), and is else like it.
    type: raw
    default: []
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
      - What C(ansible_host) is set to, one way or several in order of preference, such as V([public_ip, private_ip]); the first that a
        machine has is taken. It stays unset, with a warning, where a machine has none of them.
      - V(private_ip) and V(public_ip) prefer IPv4 and take IPv6 where there is no other; V(private_ipv4), V(private_ipv6), V(public_ipv4) and
        V(public_ipv6) take that version only.
      - V(private_dns) is the name in Azure's own DNS, V(public_dns) the one of the public address, V(name) the name of the machine.
      - Use O(compose) with C(ansible_host) for anything else.
    type: list
    elements: str
    default: [private_ip]
  hostname:
    description:
      - Templates or expressions for the name in the inventory, one or a list; the first that gives one is taken, in the end the machine's name,
        for which V(default) stands too.
      - One that fails gives nothing, and is an error with O(strict=true). Text and numbers are names, lists and dictionaries are an error.
      - Two machines of the same name are an error, since one would hide the other. So is a machine with the name of a group, one of C(site.yml)
        included, with one of a host that another inventory source has made of another machine, or called C(localhost).
    type: raw
    default: []
    aliases: [hostnames]
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
      - V(short) names groups by the network alone.
      - V(qualified) puts the network's resource group before its name, V(subscription) the id of the subscription before both, for
        networks of the same names in several subscriptions.
    type: str
    default: short
    choices: [short, qualified, subscription]
  merged_groups:
    description: What to do when a group of a subnet or of a network would put several of them together, because O(vnet_names) does not tell them apart.
    type: str
    default: fail
    choices: [fail, warn]
  role_groups:
    description:
      - Groups of the playbooks, each with a rule, or a list of rules of which one must hold.
      - A rule is the name of a subnet, or a dictionary of which all entries must hold.
        C(subnet) and C(name) are patterns or lists of them, C(tags) is like O(tags), C(otherwise=true) makes the rule see only machines
        that no other rule took.
      - A subnet is written as C(subnet), C(vnet/subnet), C(resource_group/vnet/subnet), C(subscription/resource_group/vnet/subnet), or as its
        full id.
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
  mixed_roles:
    description:
      - What to do when a rule of O(role_groups) takes machines of several clusters by accident, since its subnet stands for several of the same
        name, or since it chooses by name and tags only and takes machines of several subscriptions.
      - Patterns such as C(*/web) may stand for several subnets of one subscription.
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
    description: How often a request is repeated after 408, 409, 429, a 5xx or a broken connection.
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
# Web servers only, without those that are being taken out of service
plugin: siteops.webcluster.azure_subnet
exclude_tags: {retired: "*"}
include_filters:
  - azure_tags.role | default('') == 'web'
  - azure_subnet_name == 'web'
exclude_filters:
  - "'canary' in azure_name"

---
# From outside of the network, in the machine's own words
plugin: siteops.webcluster.azure_subnet
connect_with: [public_ip, private_ip]
include_stopped: true
half_built: keep
hostvar_prefix: ""
groups:
  expensive: size.startswith('Standard_M')
"""

import os
import time
import typing as t
from collections.abc import Sequence

from ansible.errors import AnsibleError, AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure import foreign, groups, names, plan, roles
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import (
    InventoryError,
    SettingsError,
    listed,
    scrub,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.estate import Report
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.join import Record, address, half_built
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.read import segment
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.trust import Trust

# Expressions for later, for each host.
UNTEMPLATED = ("compose", "groups", "keyed_groups", "hostname", "include_filters", "exclude_filters")
# Of one kind; the rest is counted.
MOST_WARNINGS = 10


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    NAME = "siteops.webcluster.azure_subnet"

    def verify_file(self, path: str) -> bool:
        return bool(super().verify_file(path)) and path.endswith(("azure_subnet.yml", "azure_subnet.yaml"))

    def parse(self, inventory: t.Any, loader: t.Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        self._given = self._read_config_data(path)
        self.templar.available_variables = self._vars
        begin, begin_cpu = time.monotonic(), time.process_time()
        self._report = Report(self._note, self._warn, self.display.verbosity)
        try:
            self._refuse_unknown(self._given)
            wish = plan.make(self._option)
            self._report.secrets += wish.auth.secrets
            records, source = self._records(wish, path, cache)
            self._populate(wish, records)
        except InventoryError as failure:
            # Without the cause: its text and its locals are not ours to show.
            raise AnsibleParserError(f"azure_subnet: {scrub(str(failure), self._report.secrets)}") from None
        took, took_cpu = time.monotonic() - begin, time.process_time() - begin_cpu
        self._report.note(1, f"{len(records)} machines from {source} in {took:.2f} s ({took_cpu:.2f} s of CPU)")

    def options_of(self, loader: t.Any, path: str) -> t.Callable[[str], t.Any]:
        """The reader of a file's options, for others that ask the same Azure; no machine is listed."""
        super().parse(None, loader, path, cache=False)
        self._given = self._read_config_data(path)
        self.templar.available_variables = self._vars
        return self._option

    def _refuse_unknown(self, given: t.Mapping[str, t.Any]) -> None:
        aliases = {alias for option in self.option_definitions.values() for alias in option.get("aliases") or ()}
        foreign.refuse_unknown(given, {*self.option_definitions, *aliases})
        if "hostname" in given and "hostnames" in given:
            raise SettingsError("hostname and hostnames are both set, and are one option: remove one of them.")

    def _option(self, name: str) -> t.Any:
        value, origin = self.get_option_and_origin(name)
        if str(origin).startswith("env:") and not str(value or "").strip():
            # Ansible takes the last variable that is set, also where it is empty and another one is not.
            variables = [entry["name"] for entry in self.option_definitions[name]["env"]]
            value = next((found for found in map(os.environ.get, variables) if found and found.strip()), None)
        if name in UNTEMPLATED:
            return value
        written = self._given.get(name)
        # Of a list Ansible takes a text apart at its commas, also within a template.
        return self.templar.template(written if isinstance(written, str) and isinstance(value, list) else value)

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
        usable = self._usable(wish, self._filtered(wish, records))
        names_of = self._names(wish, usable)
        by_subnet = groups.build(
            usable if wish.wanted.network else [],
            wish.every_subnet,
            wish.short_groups,
            wish.vnet_names,
            self._sanitize_group_name,
        )
        self._tell_merged(wish, by_subnet)
        assigned = self._roles(wish, usable, names_of)
        self._refuse_collisions(wish, usable, names_of, by_subnet)

        hosts, known_groups = set(self.inventory.hosts), set(self.inventory.groups)
        try:
            trust = Trust()
            self._add_hosts(wish, usable, names_of, trust)
            self._add_groups(wish, names_of, by_subnet, assigned)
            self._construct(names_of, trust)
        except (AnsibleError, InventoryError):
            self._forget(set(names_of) - hosts, set(self.inventory.groups) - known_groups)
            raise

    def _filtered(self, wish: plan.Plan, records: Sequence[Record]) -> Sequence[Record]:
        """Those that include_filters and exclude_filters want."""
        if not wish.include_filters and not wish.exclude_filters:
            return records
        failures: dict[t.Any, list[str]] = {}
        wanted = []
        for record in records:
            self._see(_prefixed(wish.prefix, record) | {"ansible_host": address(record, wish.connect_with)})
            reason = None
            if wish.include_filters and not any(self._holds(one, record, failures) for one in wish.include_filters):
                reason = "none of include_filters is true for it"
            out = next((one for one in wish.exclude_filters if self._holds(one, record, failures)), None)
            if out is not None:
                reason = f"exclude_filters '{out}' is true for it"
            if reason:
                self._report.note(2, f"leaves out {record['name']} ({record['resource_group']}): {reason}")
            else:
                wanted.append(record)
        for expression, reasons in failures.items():
            if len(reasons) == len(records):
                raise InventoryError(
                    f"The filter '{expression}' fails for each machine: {reasons[0]}; expected an expression that is true or"
                    f" false over variables such as {wish.prefix}name: correct it."
                )
        if records and not wanted:
            self._report.warn(
                "include_filters and exclude_filters leave no machine; -vv tells why each one was left out."
            )
        return wanted

    def _see(self, variables: dict[str, t.Any]) -> None:
        extra = self._vars if self.get_option("use_extra_vars") else {}
        self.templar.available_variables = {**variables, **extra}

    def _holds(self, expression: t.Any, record: Record, failures: dict[t.Any, list[str]]) -> bool:
        """Whether a filter is true; one that fails for this machine alone is not, unless strict says so."""
        try:
            return bool(self.templar.evaluate_conditional(expression))
        except AnsibleError as failure:
            reason = _one_line(failure)
            if self.get_option("strict"):
                raise InventoryError(
                    f"The filter '{expression}' fails for {record['name']}, and strict is true: {reason}; expected an expression"
                    " that is true or false for each machine: correct it."
                ) from None
            failures.setdefault(expression, []).append(reason)
            self._report.note(2, f"filter '{expression}' counts as false for {record['name']}: {reason}")
            return False

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
        see = "" if wish.keep_half_built else " (see half_built)"
        for sentence in lacking[:MOST_WARNINGS]:
            self._report.warn(f"{sentence}; it may still be in the making{see}.")
        for sentence in lacking[MOST_WARNINGS:]:
            self._report.note(2, sentence)
        if len(lacking) > MOST_WARNINGS:
            self._report.warn(f"So it goes for {len(lacking) - MOST_WARNINGS} more machines; -vv names them.")
        return usable

    def _names(self, wish: plan.Plan, records: Sequence[Record]) -> list[str]:
        """A name for each record, and no name twice."""
        failures: dict[str, list[str]] = {}
        found = [self._name(wish, record, failures) for record in records]
        for expression, reasons in failures.items():
            if len(reasons) == len(records):
                self._report.warn(
                    f"hostname '{expression}' gives no name to any machine: {reasons[0]}; its variables have hostvar_prefix"
                    f" '{wish.prefix}' in front, see 'ansible-inventory --list': correct or remove it."
                )
        names.refuse_odd(records, found)
        names.refuse_twins(records, found, wish.prefix, bool(wish.hostnames))
        return found

    def _name(self, wish: plan.Plan, record: Record, failures: dict[str, list[str]]) -> str:
        if wish.hostnames:
            self._see(_prefixed(wish.prefix, record))
        for entry in wish.hostnames:
            if entry == "default":
                # As azure_rm calls the machine's own name.
                break
            try:
                made = self.templar.template(entry) if "{{" in entry else self.templar.evaluate_expression(entry)
            except AnsibleError as failure:
                reason = _one_line(failure)
                if self.get_option("strict"):
                    raise InventoryError(
                        f"hostname '{entry}' fails for {record['name']}, and strict is true: {reason}; expected a name, or"
                        " nothing, for each machine: correct it."
                    ) from None
                failures.setdefault(entry, []).append(reason)
                self._report.note(2, f"hostname '{entry}' gives nothing for {record['name']}: {reason}")
                continue
            if isinstance(made, dict | list | bool):
                raise InventoryError(
                    f"hostname '{entry}' gives {made!r} for {record['name']}; expected text or a number: correct it."
                )
            if made is not None and str(made).strip():
                return str(made).strip()
        return str(record["name"])

    def _tell_merged(self, wish: plan.Plan, by_subnet: groups.SubnetGroups) -> None:
        for name, ids, hint in groups.merged(by_subnet):
            sentence = f"The group {name} would put together {listed(ids)}; expected one network or subnet in a group."
            if wish.merged_groups == "fail":
                raise InventoryError(f"{sentence} {hint} Or set merged_groups: warn.")
            self._report.warn(f"{sentence} {hint}")
        for name, ids, hint in groups.merged_short(by_subnet):
            self._report.warn(f"The group {name} puts together {listed(ids)}. {hint}")

    def _roles(self, wish: plan.Plan, records: Sequence[Record], names_of: Sequence[str]) -> roles.Assignment:
        assigned = roles.assign(records, wish.roles, wish.every_subnet)
        if assigned.doubles:
            several = listed(f"{names_of[index]} ({', '.join(taken)})" for index, taken in assigned.doubles)
            sentence = f"role_groups gives several roles to {several}; expected one each: make the rules narrower by name or tags."
            if wish.two_roles == "fail":
                raise InventoryError(sentence)
            self._report.warn(f"{sentence} They get none of them.")
        if wish.roles and assigned.without and wish.no_role != "ignore":
            out = next((option for option in plan.CHOOSING if option not in wish.chosen_by), None)
            leave = f" leave them out with {out}," if out else ""
            sentence = (
                f"role_groups gives no role to {listed(names_of[index] for index in assigned.without)}; expected one each: add a"
                f" rule,{leave} or set no_role: ignore."
            )
            if wish.no_role == "fail":
                raise InventoryError(sentence)
            self._report.warn(sentence)
        mixed = roles.mixed(records, wish.roles, assigned, wish.every_subnet)
        for sentence in [*mixed, *self._beside_strangers(records, names_of, assigned)]:
            if wish.mixed_roles == "fail":
                raise InventoryError(f"{sentence}; or set mixed_roles: warn.")
            self._report.warn(f"{sentence}.")
        return assigned

    def _beside_strangers(
        self, records: Sequence[Record], names_of: Sequence[str], assigned: roles.Assignment
    ) -> t.Iterator[str]:
        """Roles that another inventory source has filled from another subscription."""
        for role, members in assigned.members.items():
            if role not in self.inventory.groups or not members:
                continue
            ours = {str(records[index]["subscription_id"]).lower() for index in members}
            for host in self.inventory.groups[role].get_hosts():
                other = names.azure_id(host.vars) if host.name not in names_of else None
                if other and str(segment(other, "subscriptions")).lower() not in ours:
                    yield (
                        f"role_groups.{role} takes machines of subscription {min(ours)} beside {host.name} ({other}) of another"
                        " inventory source; expected one cluster: use one inventory for each"
                    )
                    break

    def _refuse_collisions(
        self, wish: plan.Plan, records: Sequence[Record], names_of: Sequence[str], by_subnet: groups.SubnetGroups
    ) -> None:
        """Hosts are never taken for groups, nor groups of one kind for those of another, nor hosts for other hosts."""
        of_roles = {
            **dict.fromkeys(wish.parents, "a group of role_parents"),
            **dict.fromkeys(wish.roles, "a group of role_groups"),
        }
        of_network = {
            **dict.fromkeys(by_subnet.networks, "the group of a virtual network"),
            **dict.fromkeys([*by_subnet.subnets, *by_subnet.short], "the group of a subnet"),
        }
        both = sorted(set(of_roles) & set(of_network))
        if both:
            raise InventoryError(
                f"{both[0]} is {of_roles[both[0]]} and {of_network[both[0]]}, and their machines would be mixed; expected"
                " another name: rename the group in role_groups or role_parents."
            )
        composed = [self._sanitize_group_name(str(name)) for name in self.get_option("groups") or {}]
        every = {
            **dict.fromkeys(self.inventory.groups, "a group of another inventory source"),
            **dict.fromkeys(composed, "a group of the option groups"),
            **of_network,
            **of_roles,
        }
        is_set = bool(wish.hostnames)
        names.refuse_groups(records, names_of, {**every, **names.fixed_groups()}, wish.prefix, is_set)
        for name in sorted(set(every) & set(self.inventory.hosts)):
            raise InventoryError(
                f"The host {name} of another inventory source has the name of {every[name]}, and Ansible would take one for"
                " the other; expected another name: rename the host there."
            )
        others = {name: self.inventory.hosts[name].vars for name in names_of if name in self.inventory.hosts}
        names.refuse_strangers(records, names_of, others, wish.prefix, is_set)

    def _add_hosts(self, wish: plan.Plan, records: Sequence[Record], names_of: Sequence[str], trust: Trust) -> None:
        without = []
        for name, record in zip(names_of, records, strict=True):
            self.inventory.add_host(name)
            # Not inventory.set_variable: it would visit and tag each nested value, ten times the cost of all else here.
            variables = self.inventory.hosts[name].vars
            variables.update(_prefixed(wish.prefix, trust.facts(record)))
            place = address(record, wish.connect_with)
            if place:
                variables["ansible_host"] = trust.place(place)
            elif not wish.wanted.network or not half_built(record):
                without.append(name)
        if without and "ansible_host" not in (self.get_option("compose") or {}):
            self._report.warn(
                f"connect_with is {', '.join(wish.connect_with)}, and {listed(without)} have none; ansible_host is not set for"
                " them: add another way, or set ansible_host with compose."
            )

    def _add_groups(
        self, wish: plan.Plan, names_of: Sequence[str], by_subnet: groups.SubnetGroups, assigned: roles.Assignment
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
                self.inventory.add_child(group, names_of[index])

    def _construct(self, names_of: Sequence[str], trust: Trust) -> None:
        given = {option: self.get_option(option) for option in ("compose", "groups", "keyed_groups")}
        if not any(given.values()):
            return
        strict = self.get_option("strict")
        known = set(self.inventory.groups)
        for name in names_of:
            host = self.inventory.get_host(name)
            variables = host.get_vars()
            self._set_composite_vars(given["compose"], variables, name, strict=strict)
            if "ansible_host" in (given["compose"] or {}) and "ansible_host" in host.vars:
                host.vars["ansible_host"] = trust.place(host.vars["ansible_host"])
            try:
                self._add_host_to_composed_groups(given["groups"], variables, name, strict=strict)
                self._add_host_to_keyed_groups(given["keyed_groups"], variables, name, strict=strict)
            finally:
                # At once: the next host of that name would be taken for the group.
                known = self._refuse_new_groups(known, name)

    def _refuse_new_groups(self, known: set[str], name: str) -> set[str]:
        found = set(self.inventory.groups)
        for group in sorted((found - known) & {*self.inventory.hosts, *names.OWN_MACHINE}):
            raise InventoryError(
                f"groups or keyed_groups make the group {group} for {name}, which is the name of a host, and Ansible would take"
                " one for the other; expected another name: give the groups a prefix, or rename the host with hostname."
            )
        return found

    def _forget(self, hosts: set[str], added: set[str]) -> None:
        """Take back what this run has added."""
        for name in hosts & set(self.inventory.hosts):
            self.inventory.remove_host(self.inventory.hosts[name])
        gone = [self.inventory.groups[name] for name in added]
        for group in self.inventory.groups.values():
            group.child_groups = [child for child in group.child_groups if child not in gone]
        for group in gone:
            self.inventory.remove_group(group)

    def _note(self, level: int, text: str) -> None:
        self.display.verbose(f"azure_subnet: {text}", caplevel=level - 1)

    def _warn(self, text: str) -> None:
        self.display.warning(f"azure_subnet: {text}")


def _prefixed(prefix: str, record: t.Mapping[str, t.Any]) -> Record:
    return {f"{prefix}{key}": value for key, value in record.items()}


def _one_line(failure: Exception) -> str:
    return " ".join(str(failure).split()).rstrip(".")
