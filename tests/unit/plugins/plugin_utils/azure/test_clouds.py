# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure import clouds
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import SettingsError


@pytest.mark.parametrize(
    ("name", "setting", "authority"),
    [
        ("public", "AZURE_PUBLIC_CLOUD", "AZURE_PUBLIC_CLOUD"),
        ("china", "AZURE_CHINA_CLOUD", "AZURE_CHINA"),
        ("us_government", "AZURE_US_GOVERNMENT", "AZURE_GOVERNMENT"),
    ],
)
def test_our_clouds_are_those_of_the_sdk(name: str, setting: str, authority: str) -> None:
    from azure.core import AzureClouds
    from azure.identity import AzureAuthorityHosts
    from azure.mgmt.core.tools import get_arm_endpoints

    theirs = get_arm_endpoints(AzureClouds[setting])
    ours = clouds.resolve(name)
    assert ours.endpoint == theirs["resource_manager"].rstrip("/")
    assert [ours.scope] == theirs["credential_scopes"]
    assert ours.authority == f"https://{getattr(AzureAuthorityHosts, authority)}"
    assert set(ours.api_versions) == set(clouds.SERVICES)
    assert not ours.own_authority


@pytest.mark.parametrize(
    ("alias", "name"),
    [("AzureCloud", "public"), ("AzureChinaCloud", "china"), ("AzureUSGovernment", "us_government")],
)
def test_names_of_other_tools_are_taken(alias: str, name: str) -> None:
    assert clouds.resolve(alias) == clouds.resolve(name)


def test_each_part_can_be_given_by_itself() -> None:
    stack = clouds.resolve(
        "china",
        endpoint="https://management.local.azurestack.external/",
        scope="https://management.azurestack.example/guid/.default",
        authority="login.azurestack.example",
        api_versions={"compute": "2020-06-01"},
    )
    assert stack.endpoint == "https://management.local.azurestack.external"
    assert stack.scope == "https://management.azurestack.example/guid/.default"
    assert stack.authority == "https://login.azurestack.example"
    assert stack.own_authority
    assert stack.api_versions["compute"] == "2020-06-01"
    assert stack.api_versions["network"] == clouds.CLOUDS["china"].api_versions["network"]


def test_an_authority_of_azure_is_known() -> None:
    assert not clouds.resolve("public", authority="login.microsoftonline.us").own_authority


@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:99", "http://127.9.9.9"]
)
def test_plain_http_is_taken_for_loopback(endpoint: str) -> None:
    assert clouds.resolve("public", endpoint=endpoint).plain_http


@pytest.mark.parametrize(
    "endpoint",
    ["http://management.azure.com", "http://10.0.0.1:8080", "http://localhost.example.org", "http://[2001:db8::1]"],
)
def test_plain_http_is_refused_elsewhere(endpoint: str) -> None:
    with pytest.raises(SettingsError) as failure:
        clouds.resolve("public", endpoint=endpoint)
    assert str(failure.value) == (
        f"endpoint '{endpoint}' is plain http and would show the credentials to the network; expected https (http is taken"
        " for loopback addresses only): write https://."
    )


def test_the_authority_is_never_asked_over_plain_http() -> None:
    with pytest.raises(SettingsError, match=r"authority 'http://127\.0\.0\.1:1' is plain http"):
        clouds.resolve("public", authority="http://127.0.0.1:1")


@pytest.mark.parametrize(
    "endpoint",
    [
        "management.azure.com",
        "ftp://127.0.0.1",
        "https://",
        "https://user@host",
        "https://host/?a=b",
        "https://host:port",
        "https://[::1",
    ],
)
def test_what_is_no_url_is_named(endpoint: str) -> None:
    with pytest.raises(SettingsError) as failure:
        clouds.resolve("public", endpoint=endpoint)
    assert str(failure.value) == f"endpoint is '{endpoint}'; expected a URL such as https://management.azure.com."


@pytest.mark.parametrize(
    ("versions", "sentence"),
    [
        ({"vm": "2024-07-01"}, "api_versions has 'vm'; expected one of compute, network, resource_graph,"),
        ({"compute": "latest"}, "api_versions.compute is 'latest'; expected a date such as 2024-07-01."),
    ],
)
def test_wrong_versions_are_named(versions: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError) as failure:
        clouds.resolve("public", api_versions=versions)
    assert str(failure.value).startswith(sentence)
