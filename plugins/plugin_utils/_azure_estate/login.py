# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""How an estate's options say where and as whom Azure is asked: as the inventory does it."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure import clouds
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.auth import MODES, AuthSettings
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import SettingsError
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.retry import Limits
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.session import Login

# The services that only an estate needs.
VERSIONS = {
    "disks": "2023-04-02", "dns": "2018-05-01", "permissions": "2022-04-01", "resources": "2021-04-01", "skus": "2021-07-01",
}  # fmt: skip
# Older ones do not know that a subnet may be without a way out.
OLDEST_NETWORK = "2023-09-01"
AUTH_OPTIONS = tuple(name for name in AuthSettings.__dataclass_fields__ if name != "mode")
PATHS = ("certificate_path", "oidc_token_file")
# As other tools call them; the first that is set counts.
ENVIRONMENT: Mapping[str, Sequence[str]] = {
    "cloud": ("AZURE_CLOUD_ENVIRONMENT",),
    "authority": ("AZURE_AUTHORITY_HOST",),
    "auth": ("ANSIBLE_AZURE_AUTH",),
    "tenant_id": ("AZURE_TENANT_ID", "AZURE_TENANT"),
    "client_id": ("AZURE_CLIENT_ID",),
    "client_secret": ("AZURE_CLIENT_SECRET", "AZURE_SECRET"),
    "certificate_path": ("AZURE_CLIENT_CERTIFICATE_PATH",),
    "certificate_password": ("AZURE_CLIENT_CERTIFICATE_PASSWORD",),
    "oidc_token": ("AZURE_FEDERATED_TOKEN",),
    "oidc_token_file": ("AZURE_FEDERATED_TOKEN_FILE",),
    "access_token": ("AZURE_ACCESS_TOKEN",),
    "subscription_id": ("AZURE_SUBSCRIPTION_ID",),
}
Get = Callable[[str], t.Any]


def with_environment(get: Get, environment: Mapping[str, str]) -> Get:
    """The options, and the environment where one is not set; an empty variable counts as none."""

    def read(option: str) -> t.Any:
        value = get(option)
        if value not in (None, "") or option not in ENVIRONMENT:
            return value
        return next((environment[name] for name in ENVIRONMENT[option] if environment.get(name)), None)

    return read


def login(get: Get) -> Login:
    """The login of an option reader; raises SettingsError with one sentence."""
    mode = str(get("auth") or "auto")
    if mode not in MODES:
        raise SettingsError(f"auth is '{mode}'; expected one of {', '.join(MODES)}: correct it.")
    given = {name: str(get(name) or "").strip() for name in AUTH_OPTIONS}
    words = {name: (os.path.expanduser(value) if name in PATHS else value) or None for name, value in given.items()}
    return Login(_cloud(get), AuthSettings(mode, **words), Limits(timeout=float(get("timeout"))), "azure_estate")


def _cloud(get: Get) -> clouds.Cloud:
    given = get("api_versions") or {}
    cloud = clouds.resolve(
        str(get("cloud") or "public"), get("endpoint"), get("token_scope"), get("authority"), given, VERSIONS
    )
    network = cloud.api_versions["network"]
    if network < OLDEST_NETWORK and "network" in given:
        raise SettingsError(
            f"api_versions.network is {network}, which knows no subnet without a way out of its own; expected {OLDEST_NETWORK} or"
            " newer: raise it."
        )
    return replace(cloud, api_versions={**cloud.api_versions, "network": max(network, OLDEST_NETWORK)})
