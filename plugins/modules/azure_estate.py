#!/usr/bin/python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: azure_estate
short_description: Make the cluster's machines and network in Azure, and take them away
version_added: 0.3.0
description:
  - Makes what the tutorial makes by hand in the portal. A resource group, a network with the four subnets, a security group for each with
    exactly the flows that the cluster needs, a NAT gateway, a public address or Azure's load balancer in front, and the machines with the
    addresses and tags that the inventory plugin P(siteops.webcluster.azure_subnet#inventory) reads.
  - In check mode it tells the plan, with C(--diff) line by line. Every resource is created, updated (with the differences), kept, foreign,
    to be made anew, or surplus (ours, but no longer wanted). A second run changes nothing.
  - Nothing is changed at all while something would have to be made anew or is not ours.
  - A run that was interrupted, or of which a part failed, is finished by the next one.
  - Runs on the controller, over the same packages as the inventory plugin; no az, no Bicep. It is not idle while Azure works; all resources of
    a wave are made side by side.
  - With O(state=absent) it removes only what carries the tag C(siteops-estate) with its name. Data disks stay unless O(delete_data) is set.
  - It was proved against a loopback server, never against Azure itself; C(docs/azure-estate.md) says what that leaves open.
author:
  - siteops contributors (@siteops)
requirements:
  - azure-identity >= 1.27 (not with an access token)
  - azure-mgmt-compute >= 39
  - azure-mgmt-network >= 33
extends_documentation_fragment:
  - siteops.webcluster.azure_login
attributes:
  check_mode:
    description: Can run in check mode and tell the plan; it only reads then.
    support: full
  diff_mode:
    description: Shows the plan, one line for each resource.
    support: full
options:
  name:
    description: Name of the estate; its resources are called after it and tagged C(siteops-estate).
    type: str
    required: true
  state:
    description: Whether it is to be there.
    type: str
    choices: [present, absent]
    default: present
  confirm:
    description: The name once more, which O(state=absent) asks for outside of check mode.
    type: str
  subscription_id:
    description: Id of the subscription; also E(AZURE_SUBSCRIPTION_ID).
    type: str
  resource_group:
    description: Resource group, made where it is missing; called as the estate by default.
    type: str
  location:
    description: Region, such as V(westeurope). Needed with O(state=present).
    type: str
  hosts:
    description:
      - The machines; the tutorial's eight by default.
      - A machine without an address gets the first that is free in its subnet, in the order of the list; add new ones at its end.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the machine.
        type: str
        required: true
      group:
        description: Its group in the inventory, which decides its subnet.
        type: str
        required: true
      address:
        description: Its private address.
        type: str
      zone:
        description: Its availability zone; the machines of a subnet take the region's zones in turn by default.
        type: str
      size:
        description: Its size, in place of O(size).
        type: str
      data_disk_gb:
        description: Size of its data disk, in place of O(mysql_data_disk_gb) for MySQL and of none for others.
        type: int
  network:
    description: Address ranges; the tutorial's by default.
    type: dict
    suboptions:
      prefixes:
        description: Ranges of the virtual network; V([10.0.0.0/26]) by default, which the four subnets fill. Add one for more subnets of yours.
        type: list
        elements: str
      subnets:
        description: Range of each subnet; C(web), C(mysql), C(redis) and C(lb) are needed.
        type: dict
  admin_user:
    description: User that the machines are made with.
    type: str
    default: ops
  ssh_public_key:
    description: Text of the public key of that user, ssh-ed25519 or ssh-rsa; there are no passwords. Needed with O(state=present).
    type: str
  admin_cidrs:
    description: Networks that may come by SSH; never the whole Internet. Needed with O(state=present).
    type: list
    elements: str
    default: []
  jump_host:
    description: Let SSH to all machines also come from the subnet of the load balancer, which is the way in when it has the public address.
    type: bool
    default: true
  monitoring_cidrs:
    description: Networks that may read HAProxy's statistics on port 8404 and ask MySQL's status service on port 9200.
    type: list
    elements: str
    default: []
  public_ports:
    description: Ports that visitors come to; V([80]) without HTTPS.
    type: list
    elements: int
    default: [80, 443]
  visitors:
    description:
      - Who may come to O(public_ports). V(front_door) lets only Azure Front Door in, by its service tag; every profile of Front Door comes from there,
        so let HAProxy check its header C(X-Azure-FDID) as well.
    type: str
    choices: [internet, front_door]
    default: internet
  dns_zone:
    description:
      - Domain whose DNS zone is to be made in the resource group; none by default. Tell RV(name_servers) to your registrar.
      - A zone that is there already without our tag is not touched unless O(adopt) is set.
    type: str
  dns_records:
    description: Names in O(dns_zone) that lead to the public address and follow it; V(@) is the domain itself.
    type: list
    elements: str
    default: ["@", www]
  front:
    description:
      - V(vm_ip) gives the one load balancer the public address, V(load_balancer) puts Azure's Standard load balancer before all of them,
        V(auto) does that for two and more.
      - An address that moves between machines (keepalived) does not work in Azure's network.
    type: str
    choices: [auto, vm_ip, load_balancer]
    default: auto
  outbound:
    description:
      - V(nat) gives all subnets a NAT gateway, V(none) no way out at all, for networks that have one of their own.
      - Azure's own way out (default outbound access) is always off.
    type: str
    choices: [nat, none]
    default: nat
  image:
    description: Image of the machines, as publisher:offer:sku:version.
    type: str
    default: Debian:debian-13:13-gen2:latest
  size:
    description: Size of the machines.
    type: str
    default: Standard_D2as_v5
  mysql_data_disk_gb:
    description: Size of the data disk of each MySQL server; V(0) makes none.
    type: int
    default: 64
  accelerated_networking:
    description: Whether the network interfaces are accelerated, which not every size can do.
    type: bool
    default: true
  zones:
    description: V(auto) spreads each tier over the region's zones, or over an availability set where it has none; V(none) always takes sets.
    type: str
    choices: [auto, none]
    default: auto
  adopt:
    description: Take resources of the wanted names that carry no tag of an estate as ours.
    type: bool
    default: false
  allow_restart:
    description: Let machines be restarted, one after the other, for another size.
    type: bool
    default: false
  delete_data:
    description: With O(state=absent) remove the data disks too.
    type: bool
    default: false
  template:
    description:
      - Write the estate as one template of Azure Resource Manager to this file, for C(what-if) or deployment stacks, and change nothing in Azure.
    type: path
  workers:
    description: How many requests are under way at the same time; Azure's operations are not counted.
    type: int
    default: 8
  operation_time:
    description: Seconds that one operation of Azure may take.
    type: float
    default: 1800
"""

EXAMPLES = r"""
- name: Show what would be made
  siteops.webcluster.azure_estate:
    name: webcluster
    location: westeurope
    admin_cidrs: [203.0.113.7/32]
    ssh_public_key: "{{ lookup('ansible.builtin.file', '~/.ssh/id_ed25519.pub') }}"
  check_mode: true
  diff: true

- name: Make three web servers behind two load balancers
  siteops.webcluster.azure_estate:
    name: shop
    location: northeurope
    admin_cidrs: [203.0.113.0/24]
    ssh_public_key: "{{ lookup('ansible.builtin.file', '~/.ssh/id_ed25519.pub') }}"
    hosts:
      - {name: lb1, group: haproxy}
      - {name: lb2, group: haproxy}
      - {name: web1, group: apache_php}
      - {name: web2, group: apache_php}
      - {name: web3, group: apache_php, size: Standard_D4as_v5}
      - {name: mysql1, group: mysql_master}
      - {name: mysql2, group: mysql_replica}

- name: Take it away again, data included
  siteops.webcluster.azure_estate:
    name: shop
    state: absent
    confirm: shop
    delete_data: true
"""

RETURN = r"""
plan:
  description: What there is to do with each resource.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: Kind of the resource, such as C(machine) or C(security_group).
      type: str
    name:
      description: Name of the resource.
      type: str
    id:
      description: Id of the resource.
      type: str
    action:
      description: C(create), C(update), C(keep), C(foreign), C(make anew) or C(surplus).
      type: str
    differences:
      description: Each with C(path), C(found) and C(wanted).
      type: list
      elements: dict
    notes:
      description: What else there is to say.
      type: list
      elements: str
  sample:
    - action: create
      differences: []
      id: /subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/webcluster/providers/Microsoft.Compute/virtualMachines/centosweb1
      kind: machine
      name: centosweb1
      notes: []
lines:
  description: The same for a reader, one line for each resource.
  returned: success
  type: list
  elements: str
  sample: [create    virtual machine centosweb1]
refused:
  description: Why nothing would be changed, in check mode.
  returned: success
  type: list
  elements: str
  sample: []
addresses:
  description: Private address of each machine.
  returned: success, and O(state=present)
  type: dict
  sample: {centosweb1: 10.0.0.4}
front_address:
  description: The public address; null before it is made.
  returned: success, and O(state=present)
  type: str
  sample: 192.0.2.52
name_servers:
  description: Name servers of O(dns_zone); empty without one, and before it is made.
  returned: success, and O(state=present)
  type: list
  elements: str
  sample: [ns1-01.azure-dns.com.]
remaining:
  description: What keeps the resource group there.
  returned: success, and O(state=absent)
  type: list
  elements: str
  sample: [webcluster-centosmysql1-data]
template:
  description: The file that was written.
  returned: with O(template)
  type: str
  sample: estate.json
requests:
  description: Requests to Azure.
  returned: success
  type: int
  sample: 11
seconds:
  description: Time that it took.
  returned: success
  type: float
  sample: 2.1
"""
