# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Options of the inventory file that this plugin does not have: each is told with what does the same here."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import SettingsError

_FILTERS = "use include_filters and exclude_filters, expressions such as \"azure_tags.role == 'web'\""
_GROUPS = "use resource_groups, patterns allowed"
_NOT_HERE = "this plugin lists virtual machines of Azure only: remove it"
_ALWAYS = "this is always so here: remove it"
_ADDRESS = "use connect_with, or compose with ansible_host"
_SECRETS = "use auth with tenant_id, client_id and client_secret, or the environment variables of Azure"
# What the other inventory plugins for clouds (azure_rm, aws_ec2, gcp_compute, hcloud, openstack) call it.
FOREIGN: Mapping[str, str] = {
    # azure_rm
    "ad_user": _SECRETS,
    "adfs_authority_url": "use authority",
    "api_profile": "use api_versions",
    "auth_source": "use auth",
    "batch_fetch": "no batches are needed here: remove it",
    "batch_fetch_interval": "no batches are needed here: remove it",
    "batch_fetch_timeout": "no batches are needed here; timeout and deadline bound the requests: remove it",
    "cert_validation_mode": "certificates are always checked; REQUESTS_CA_BUNDLE names your authorities: remove it",
    "cloud_environment": "use cloud",
    "conditional_groups": "use groups",
    "default_host_filters": "use include_stopped and exclude_provisioning_states",
    "disable_instance_discovery": "this follows from authority: remove it",
    "exclude_host_filters": "use exclude_filters, whose variables have hostvar_prefix in front",
    "fail_on_template_errors": "use strict",
    "hostvar_expressions": "use compose",
    "include_arc_resource_groups": _NOT_HERE,
    "include_hcivm_resource_groups": _NOT_HERE,
    "include_host_filters": "use include_filters, whose variables have hostvar_prefix in front",
    "include_vm_resource_groups": _GROUPS,
    "include_vmss_resource_groups": "use include_uniform_scale_sets, and resource_groups to choose",
    "log_mode": "use -v to -vvv: remove it",
    "log_path": "use ANSIBLE_LOG_PATH: remove it",
    "oidc_token_file_path": "use oidc_token_file",
    "password": _SECRETS,
    "plain_host_names": _ALWAYS,
    "profile": "use auth: cli, or the environment variables of Azure",
    "secret": "use client_secret",
    "subscription_id": "use subscription_ids, a list",
    "subscriptions": "use subscription_ids, a list",
    "tenant": "use tenant_id",
    "thumbprint": "use certificate_path, a file with the certificate and its key",
    "use_contrib_script_compatible_sanitization": "names of groups are always made safe: remove it",
    "x509_certificate_path": "use certificate_path",
    # aws_ec2
    "access_key": _SECRETS,
    "allow_duplicated_hosts": "each machine needs a name of its own: use hostname",
    "assume_role_arn": _SECRETS,
    "aws_profile": _SECRETS,
    "endpoint_url": "use endpoint",
    "filters": _FILTERS,
    "hostvars_prefix": "use hostvar_prefix",
    "hostvars_suffix": "use hostvar_prefix",
    "iam_role_arn": _SECRETS,
    "region": "use locations, a list",
    "regions": "use locations, a list",
    "secret_key": _SECRETS,
    "session_token": _SECRETS,
    "strict_permissions": "use allow_partial",
    "use_contrib_script_compatible_ec2_tag_keys": "use keyed_groups over azure_tags",
    "use_ssm_inventory": _NOT_HERE,
    "route53_enabled": _NOT_HERE,
    "route53_excluded_zones": _NOT_HERE,
    "route53_hostnames": _NOT_HERE,
    "validate_certs": "certificates are always checked; REQUESTS_CA_BUNDLE names your authorities: remove it",
    # gcp_compute
    "auth_kind": "use auth",
    "folders": "use subscription_ids, a list",
    "name_suffix": 'use hostname, such as "{{ azure_name }}.example.org"',
    "projects": "use subscription_ids, a list",
    "retrieve_image_info": _ALWAYS,
    "scopes": "use token_scope",
    "service_account_contents": _SECRETS,
    "service_account_email": _SECRETS,
    "service_account_file": _SECRETS,
    "vars_prefix": "use hostvar_prefix",
    "zones": "use include_filters, such as \"'1' in azure_zones\"",
    # hcloud, openstack and others
    "all_projects": "leave subscription_ids empty, which takes all that the identity sees",
    "api_endpoint": "use endpoint",
    "api_token": "use access_token",
    "api_version": "use api_versions, a dictionary by service",
    "expand_hostvars": _ALWAYS,
    "fail_on_errors": "use allow_partial",
    "group": "use groups, such as {mine: true}",
    "images": "use include_filters over azure_image",
    "inventory_hostname": "use hostname",
    "ip_style": _ADDRESS,
    "label_selector": "use tags",
    "labels": "use tags",
    "legacy_groups": "use keyed_groups",
    "network": "use include_filters over azure_vnet_name",
    "only_clouds": "use cloud",
    "only_ipv4": "use connect_with: private_ipv4 or public_ipv4",
    "private": "use connect_with: private_ip",
    "query_filters": _FILTERS,
    "server_filters": _FILTERS,
    "show_all": "use include_stopped and half_built",
    "status": "use include_stopped, or include_filters over azure_power_state",
    "types": "use include_filters over azure_size",
    "use_names": _ALWAYS,
    "username": _SECRETS,
    # what an operator might expect beside ours
    "exclude_states": "use exclude_provisioning_states, or exclude_filters over azure_power_state",
    "power_state": "use include_stopped, or include_filters over azure_power_state",
    "role_group": "use role_groups",
    "vars": "use compose, or a group_vars folder beside the inventory",
}


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The name that was probably meant."""
    by_fold = {one.lower().replace("-", "_"): one for one in known}
    found = difflib.get_close_matches(name.lower().replace("-", "_"), list(by_fold), n=1, cutoff=0.6)
    return by_fold[found[0]] if found else None


def refuse_unknown(given: Iterable[object], known: Collection[str]) -> None:
    """Raise SettingsError for the first option that is not ours; ignoring a filter would take every machine."""
    for name in given:
        if name in known:
            continue
        told = FOREIGN.get(str(name).lower().replace("-", "_"))
        near = nearest(str(name), known)
        advice = told or (f"did you mean {near}?" if near else "")
        if told or near:
            raise SettingsError(
                f"The option {name} does not exist here; {advice.removesuffix('.')}{'' if advice.endswith('?') else '.'}"
            )
        raise SettingsError(
            f"The option {name} does not exist here; expected one of those that 'ansible-doc -t inventory"
            " siteops.webcluster.azure_subnet' lists: correct or remove it."
        )
