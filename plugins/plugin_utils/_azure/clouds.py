# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Endpoint, token scope, authority and api-versions of each cloud, which only make sense together."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure import urls
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import SettingsError

VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-[a-z]+)?")
# What each key of api_versions is used for.
SERVICES = {
    "compute": "virtual machines and scale sets",
    "network": "network interfaces, public IP addresses and virtual networks",
    "resource_graph": "Azure Resource Graph",
    "scale_set_network": "network interfaces and public IP addresses of uniform scale sets",
    "subscriptions": "subscriptions",
}
_VERSIONS = {
    "compute": "2024-07-01",
    "network": "2024-05-01",
    # The newest that every cloud takes.
    "resource_graph": "2021-03-01",
    # Newer ones do not know this resource type.
    "scale_set_network": "2018-10-01",
    "subscriptions": "2022-12-01",
}
# The sovereign clouds get new versions later.
_SOVEREIGN_VERSIONS = {**_VERSIONS, "compute": "2023-07-01", "network": "2023-05-01", "subscriptions": "2020-01-01"}


@dataclass(frozen=True)
class Cloud:
    """Where to ask, what to ask a token for, and whom."""

    name: str
    endpoint: str
    scope: str
    authority: str
    api_versions: Mapping[str, str]
    # Of an authority that is not Azure's own nobody but itself can say that it is genuine.
    own_authority: bool = False

    @property
    def plain_http(self) -> bool:
        return self.endpoint.startswith("http:")


CLOUDS = {
    "public": Cloud(
        "public",
        "https://management.azure.com",
        "https://management.azure.com/.default",
        "https://login.microsoftonline.com",
        _VERSIONS,
    ),
    "china": Cloud(
        "china",
        "https://management.chinacloudapi.cn",
        "https://management.chinacloudapi.cn/.default",
        "https://login.chinacloudapi.cn",
        _SOVEREIGN_VERSIONS,
    ),
    "us_government": Cloud(
        "us_government",
        "https://management.usgovcloudapi.net",
        "https://management.core.usgovcloudapi.net/.default",
        "https://login.microsoftonline.us",
        _SOVEREIGN_VERSIONS,
    ),
}
# As AWX's own credential type and other tools call them.
ALIASES = {
    "AzureCloud": "public",
    "AzurePublicCloud": "public",
    "AzureChinaCloud": "china",
    "AzureUSGovernment": "us_government",
    "AzureUSGovernmentCloud": "us_government",
}


def checked_url(option: str, url: str, loopback_http: bool) -> str:
    """The URL without a slash at its end, or a sentence on what is wrong with it."""
    parts = urls.read(url.strip())
    if parts is None or "?" in parts.rest:
        raise SettingsError(f"{option} is '{urls.shown(url)}'; expected a URL such as https://management.azure.com.")
    if parts.scheme == "http" and not (loopback_http and parts.loopback):
        allowed = " (http is taken for loopback addresses only)" if loopback_http else ""
        raise SettingsError(
            f"{option} '{url}' is plain http and would show the credentials to the network; expected https{allowed}:"
            " write https://."
        )
    return str(parts).rstrip("/")


def named(name: str) -> Cloud:
    """The cloud of that name, however other tools spell it."""
    folded = {
        re.sub(r"[^a-z]", "", one.lower()): cloud for one, cloud in {**{key: key for key in CLOUDS}, **ALIASES}.items()
    }
    cloud = folded.get(re.sub(r"[^a-z]", "", name.lower()))
    if cloud is None:
        raise SettingsError(f"cloud is '{name}'; expected one of {', '.join([*CLOUDS, *ALIASES])}: correct it.")
    return CLOUDS[cloud]


def resolve(
    name: str,
    endpoint: str | None = None,
    scope: str | None = None,
    authority: str | None = None,
    api_versions: Mapping[str, t.Any] | None = None,
    more_versions: Mapping[str, str] | None = None,
) -> Cloud:
    """The cloud of that name with the parts that the operator gives himself; `more_versions` are of further services."""
    cloud = named(name)
    cloud = replace(cloud, api_versions={**cloud.api_versions, **(more_versions or {})})
    if endpoint:
        cloud = replace(cloud, endpoint=checked_url("endpoint", endpoint, loopback_http=True))
    if scope:
        cloud = replace(cloud, scope=scope)
    if authority:
        url = checked_url("authority", authority if "://" in authority else f"https://{authority}", loopback_http=False)
        known = url in {one.authority for one in CLOUDS.values()}
        cloud = replace(cloud, authority=url, own_authority=not known)
    if api_versions:
        cloud = replace(
            cloud,
            api_versions={**cloud.api_versions, **checked_versions(api_versions, [*SERVICES, *(more_versions or {})])},
        )
    return cloud


def checked_versions(versions: Mapping[str, t.Any], services: Collection[str] = tuple(SERVICES)) -> dict[str, str]:
    for service, version in versions.items():
        if service not in services:
            raise SettingsError(f"api_versions has '{service}'; expected one of {', '.join(services)}.")
        if not VERSION.fullmatch(str(version)):
            raise SettingsError(f"api_versions.{service} is '{version}'; expected a date such as 2024-07-01.")
    return {service: str(version) for service, version in versions.items()}
