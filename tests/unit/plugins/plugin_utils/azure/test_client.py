# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import sys
import types
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure import client, clouds
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.arm import Call
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.retry import Limits
from azure.core import exceptions
from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import RequestsTransport

ONCE = Limits(timeout=5, tries=1, seconds=5)


class Recorder:
    """A credential that remembers what it was asked for."""

    def __init__(self) -> None:
        self.scopes: list[str] = []

    def get_token(self, *scopes: str, **_options: Any) -> AccessToken:
        self.scopes += scopes
        return AccessToken("token", 4_102_444_800)


def no_sleep(_seconds: float) -> None:
    """Waiting proves nothing here."""


@pytest.mark.parametrize("network", [False, True])
@pytest.mark.parametrize(
    ("name", "host", "scope"),
    [
        ("public", "management.azure.com", "https://management.azure.com/.default"),
        ("china", "management.chinacloudapi.cn", "https://management.chinacloudapi.cn/.default"),
        ("us_government", "management.usgovcloudapi.net", "https://management.core.usgovcloudapi.net/.default"),
    ],
)
def test_both_clients_ask_the_cloud_with_a_token_for_it(
    monkeypatch: pytest.MonkeyPatch, name: str, host: str, scope: str, network: bool
) -> None:
    sent: list[Any] = []

    def send(_transport: Any, request: Any, **_options: Any) -> Any:
        sent.append(request)
        raise exceptions.ServiceRequestError("nothing leaves this machine")

    monkeypatch.setattr(RequestsTransport, "send", send)
    credential = Recorder()
    cloud = clouds.resolve(name)
    reply = client.Clients(cloud, credential, ONCE, no_sleep).send(Call(network, f"{cloud.endpoint}/subscriptions?x=1"))
    assert reply.failure == "no connection"
    assert [request.url for request in sent] == [f"https://{host}/subscriptions?x=1"]
    assert sent[0].headers["Authorization"] == "Bearer token"
    assert "siteops.webcluster.azure_subnet" in sent[0].headers["User-Agent"]
    assert f"azsdk-python-mgmt-{'network' if network else 'compute'}" in sent[0].headers["User-Agent"]
    assert credential.scopes == [scope]


@pytest.mark.parametrize(
    ("failure", "text", "again"),
    [
        (exceptions.ServiceRequestTimeoutError("x"), "no connection within 30 s", True),
        (exceptions.ServiceResponseTimeoutError("x"), "no answer within 30 s", True),
        (exceptions.ServiceRequestError("[Errno 111] Connection refused"), "the connection was refused", True),
        (exceptions.ServiceRequestError("Failed to resolve 'x'"), "the name of the host is not known", True),
        (exceptions.ServiceRequestError("other"), "no connection", True),
        (exceptions.IncompleteReadError("x"), "the answer broke off before its end", True),
        (exceptions.ServiceResponseError("IncompleteRead(1 of 2)"), "the answer broke off before its end", True),
        (exceptions.ServiceResponseError("reset"), "the connection broke off", True),
        (
            exceptions.ServiceRequestError("[SSL: CERTIFICATE_VERIFY_FAILED]"),
            "no TLS connection, because the certificate was not accepted",
            False,
        ),
        (exceptions.ClientAuthenticationError("first line\nsecond"), "first line", False),
    ],
)
def test_failures_are_told_in_our_words(failure: Exception, text: str, again: bool) -> None:
    found = client.transient(failure, 30)
    assert (str(found), found.again) == (text, again)


@pytest.mark.parametrize("module", ["azure.identity", "azure.mgmt.compute", "azure.mgmt.network"])
def test_a_missing_package_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(client.MissingPackageError) as failure:
        client.load(["azure.core.rest", module])
    package = client.PACKAGES[module]
    assert str(failure.value).startswith(f"The Python package {package} cannot be imported (")
    assert str(failure.value).endswith(
        f'expected it beside Ansible: install it with pip install "{package.replace(" ", "")}", or use an execution'
        " environment that has it."
    )


def test_an_old_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    old = types.ModuleType("azure.mgmt.compute")
    vars(old).update(__version__="33.0.0", ComputeManagementClient=lambda **_options: object())
    monkeypatch.setitem(sys.modules, "azure.mgmt.compute", old)
    clients = client.Clients(clouds.resolve("public"), Recorder(), ONCE, no_sleep)
    with pytest.raises(client.MissingPackageError) as failure:
        clients.send(Call(False, "https://management.azure.com/subscriptions"))
    assert str(failure.value) == (
        "The Python package azure-mgmt-compute 33.0.0 is too old; expected azure-mgmt-compute >= 39: install it with"
        ' pip install --upgrade "azure-mgmt-compute>=39".'
    )
