#!/usr/bin/python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: azure_ports
short_description: Say of each connection that the cluster needs whether Azure's security groups let it through
version_added: 0.3.0
description:
  - Reads three lists of Azure, its security groups, networks and network interfaces, and judges as Azure judges. The first rule that fits
    decides, at the subnet and at the interface, out of the source and into the target.
  - Fails when a needed connection is blocked, and names the rule that decides and what to add. Warns of ports that are open to the Internet
    or to the whole network though nobody needs them.
  - Without O(flows) and O(needs) the connections are those of the groups of the inventory, C(haproxy), C(apache_php), C(mysql_master) and so on.
  - It changes nothing, and asks nothing of the machines. A firewall on a machine is not looked at, and rules of a Virtual Network Manager
    and routes only with O(method=effective).
  - Runs on the controller. It was proved against a loopback server, never against Azure itself.
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
    description: Is the same in check mode, since it only reads.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
options:
  subscription_id:
    description: Id of the subscription; also E(AZURE_SUBSCRIPTION_ID). Without it those of the inventory's machines in the group C(webcluster).
    type: str
  inventory:
    description:
      - File of the inventory plugin P(siteops.webcluster.azure_subnet#inventory), whose cloud and login serve here as well where an option is not
        given; that of a host is C(inventory_file). A file of another name says nothing.
    type: path
  resource_group:
    description: Read only this resource group, for identities without rights on the whole subscription.
    type: str
  public_ports:
    description: Ports that visitors come to; V([80]) without HTTPS.
    type: list
    elements: int
    default: [80, 443]
  visitors:
    description: Where visitors come from; V(front_door) expects the ports open to Azure Front Door only.
    type: str
    choices: [internet, front_door]
    default: internet
  needs:
    description:
      - The connections by host, C(flows) of the result of P(siteops.webcluster.topology#filter), in place of those of the inventory's groups. They
        have the ports and clients of the real settings.
    type: dict
  method:
    description:
      - V(lists) judges by the three lists alone, with the right to read.
      - V(effective) also asks Azure for the rules and routes in force at the interface of each machine that a connection has for an end, two
        requests an interface. It knows what each tag stands for there, rules of a Virtual Network Manager, and routes that lead nowhere or through
        another machine. The machines must run, and the identity needs the rights
        C(Microsoft.Network/networkInterfaces/effectiveNetworkSecurityGroups/action) and
        C(Microsoft.Network/networkInterfaces/effectiveRouteTable/action). What Azure does not tell of an interface is judged by the lists, with a
        warning and a sentence in RV(not_asked).
    type: str
    choices: [lists, effective]
    default: lists
  fail:
    description: Whether a blocked connection is a failure, and Azure that cannot be asked; else they stand in RV(blocked) and RV(problem).
    type: bool
    default: true
  flows:
    description: The connections, in place of those of the inventory's groups.
    type: list
    elements: dict
    suboptions:
      source:
        description: Name of a machine, an address, a network, V(Internet), V(VirtualNetwork) or V(AzureFrontDoor.Backend).
        type: str
        required: true
      target:
        description: Name of a machine.
        type: str
        required: true
      port:
        description: Port of TCP.
        type: int
        required: true
      purpose:
        description: What it is for.
        type: str
        default: ""
"""

EXAMPLES = r"""
- name: Check the ports of the cluster
  siteops.webcluster.azure_ports:
    resource_group: webcluster

- name: Check the ports as Azure itself has them in force, machines running
  siteops.webcluster.azure_ports:
    method: effective

- name: Check one connection
  siteops.webcluster.azure_ports:
    flows:
      - {source: backup1, target: centosmysql2, port: 3306, purpose: backup}
"""

RETURN = r"""
flows:
  description: Each connection with its verdict.
  returned: always, once the lists are read
  type: list
  elements: dict
  contains:
    source:
      description: Where it comes from.
      type: str
    target:
      description: The machine that it goes to.
      type: str
    port:
      description: The port.
      type: int
    purpose:
      description: What it is for.
      type: str
    verdict:
      description: C(allowed), C(blocked), or C(unknown) where only Azure can judge.
      type: str
    group:
      description: Security group that decides; with a route the machine whose route it is.
      type: str
    rule:
      description: Its rule that decides; with a route the network and where it leads.
      type: str
    priority:
      description: Priority of that rule.
      type: int
    level:
      description: Whether it stands at the subnet, at the interface or in a network manager, and in which direction; C(route) for a route.
      type: str
    advice:
      description: What to add, where it is not allowed.
      type: str
  sample:
    - advice: ""
      group: webcluster-mysql-nsg
      level: inbound, subnet
      port: 3306
      priority: 100
      purpose: mysql
      rule: siteops-allow-mysql
      source: centosweb1
      target: centosmysql1
      verdict: allowed
blocked:
  description: A sentence for each needed port that is closed to somebody, with the rule that decides and what to add.
  returned: always, once the lists are read
  type: list
  elements: str
  sample: []
not_asked:
  description: Why Azure did not tell of an interface, with O(method=effective); the lists serve there.
  returned: always, once the lists are read
  type: list
  elements: str
  sample: []
problem:
  description: Why Azure could not be asked, with O(fail=false).
  returned: when nothing could be read
  type: str
  sample: The login failed.
excess:
  description: What is open though nobody needs it.
  returned: always, once the lists are read
  type: list
  elements: str
  sample: []
"""
