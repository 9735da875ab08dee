# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way to log in with the real azure-identity, against loopback stand-ins for the authority and the machine's identity."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleParserError
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure import auth
from ansible_collections.siteops.webcluster.tests.loopback_arm import TOKEN, Fault, LoopbackArm
from ansible_collections.siteops.webcluster.tests.loopback_authority import (
    CLIENT,
    OIDC_TOKEN,
    SECRET,
    TENANT,
    LoopbackAuthority,
    make_certificate,
)

Run = Callable[..., Any]


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackAuthority]:
    with LoopbackAuthority(tmp_path, TOKEN) as server:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(server.certificate))
        yield server


def application(authority: LoopbackAuthority, **more: Any) -> dict[str, Any]:
    return {"access_token": None, "authority": authority.url, "tenant_id": TENANT, "client_id": CLIENT, **more}


def refused(run: Run, arm: LoopbackArm, **options: Any) -> str:
    with pytest.raises(AnsibleParserError) as failure:
        run(arm, **options)
    return str(failure.value)


@pytest.mark.parametrize("mode", ["auto", "service_principal"])
def test_a_service_principal_by_secret(run: Run, arm: LoopbackArm, authority: LoopbackAuthority, mode: str) -> None:
    result = run(arm, **application(authority, auth=mode, client_secret=SECRET, cloud="china"))
    assert len(result.hosts) == 8
    (asked,) = authority.asked
    assert asked["scope"] == "https://management.chinacloudapi.cn/.default"
    assert asked["client_id"] == CLIENT
    assert {seen.authorization for seen in arm.seen} == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    ("cloud", "scope"),
    [
        ("public", "https://management.azure.com/.default"),
        ("us_government", "https://management.core.usgovcloudapi.net/.default"),
        ("AzureUSGovernment", "https://management.core.usgovcloudapi.net/.default"),
    ],
)
def test_the_token_is_for_the_cloud(
    run: Run, arm: LoopbackArm, authority: LoopbackAuthority, cloud: str, scope: str
) -> None:
    run(arm, **application(authority, client_secret=SECRET, cloud=cloud))
    assert authority.asked[0]["scope"] == scope


def test_a_scope_of_ones_own(run: Run, arm: LoopbackArm, authority: LoopbackAuthority) -> None:
    run(arm, **application(authority, client_secret=SECRET, token_scope="https://stack.example/guid/.default"))
    assert authority.asked[0]["scope"] == "https://stack.example/guid/.default"


def test_a_wrong_secret_is_told_without_it(run: Run, arm: LoopbackArm, authority: LoopbackAuthority) -> None:
    said = refused(run, arm, **application(authority, client_secret="not-the-secret"))
    assert said.startswith(
        f"azure_subnet: Azure gave us no token for https://management.azure.com/.default from {authority.url} (auth"
        f" service_principal, tenant {TENANT}, client {CLIENT}): AADSTS7000215: Invalid client secret provided."
    )
    assert said.endswith(
        "Check tenant_id, client_id, and client_secret or certificate_path, and that they belong to the cloud 'public'."
    )
    assert "not-the-secret" not in said
    assert arm.seen == []


def test_a_token_that_we_got_is_not_shown_either(run: Run, arm: LoopbackArm, authority: LoopbackAuthority) -> None:
    arm.faults.append(Fault("machines", status=400, code="Odd", message=f"You sent Bearer {TOKEN}"))
    assert "You sent Bearer ***" in refused(run, arm, **application(authority, client_secret=SECRET))


@pytest.mark.parametrize("password", [None, "the certificate's password"])
def test_a_service_principal_by_certificate(
    run: Run, arm: LoopbackArm, authority: LoopbackAuthority, tmp_path: Path, password: str | None
) -> None:
    path = make_certificate(tmp_path / "application.pem", password.encode() if password else None)
    options = application(authority, certificate_path=str(path), certificate_password=password)
    assert len(run(arm, **options).hosts) == 8
    assert authority.asked[0]["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def test_a_certificate_that_cannot_be_used_is_told(
    run: Run, arm: LoopbackArm, authority: LoopbackAuthority, tmp_path: Path
) -> None:
    path = make_certificate(tmp_path / "application.pem", b"the right password")
    wrong = refused(
        run, arm, **application(authority, certificate_path=str(path), certificate_password="the wrong password")
    )
    assert "the wrong password" not in wrong
    path.write_text("no certificate at all")
    garbage = refused(run, arm, **application(authority, certificate_path=str(path)))
    for said in (wrong, garbage):
        assert said.startswith("azure_subnet: Azure gave us no token for ")
        assert said.endswith("and that they belong to the cloud 'public'.")
    assert authority.asked == []


def test_an_oidc_token(run: Run, arm: LoopbackArm, authority: LoopbackAuthority) -> None:
    assert len(run(arm, **application(authority, oidc_token=OIDC_TOKEN)).hosts) == 8
    assert authority.asked[0]["client_assertion"] == OIDC_TOKEN


def test_an_oidc_token_in_a_file(run: Run, arm: LoopbackArm, authority: LoopbackAuthority, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(f"{OIDC_TOKEN}\n")
    assert len(run(arm, **application(authority, auth="workload_identity", oidc_token_file=str(path))).hosts) == 8
    assert authority.asked[0]["client_assertion"] == OIDC_TOKEN


def test_an_oidc_token_that_nobody_trusts(run: Run, arm: LoopbackArm, authority: LoopbackAuthority) -> None:
    said = refused(run, arm, **application(authority, oidc_token="header.the-wrong-token.signature"))
    assert said.endswith("Check tenant_id, client_id and the OIDC token, and that the application trusts its issuer.")
    assert "the-wrong-token" not in said


def test_the_environment(
    run: Run, arm: LoopbackArm, authority: LoopbackAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("TENANT_ID", TENANT), ("CLIENT_ID", CLIENT), ("CLIENT_SECRET", SECRET)):
        monkeypatch.setenv(f"AZURE_{name}", value)
    assert len(run(arm, access_token=None, auth="environment", authority=authority.url).hosts) == 8


def test_the_variables_that_awx_sets(
    run: Run, arm: LoopbackArm, authority: LoopbackAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of its own credential type for Azure."""
    for name, value in (
        ("TENANT", TENANT),
        ("CLIENT_ID", CLIENT),
        ("SECRET", SECRET),
        ("CLOUD_ENVIRONMENT", "AzureChinaCloud"),
    ):
        monkeypatch.setenv(f"AZURE_{name}", value)
    assert len(run(arm, access_token=None, authority=authority.url).hosts) == 8
    assert authority.asked[0]["scope"] == "https://management.chinacloudapi.cn/.default"


def test_empty_variables_are_none(
    run: Run, arm: LoopbackArm, monkeypatch: pytest.MonkeyPatch, authority: LoopbackAuthority
) -> None:
    """Credential types of AWX set all of theirs, also those without a value."""
    for name in (
        "ACCESS_TOKEN",
        "AUTHORITY_HOST",
        "CLIENT_CERTIFICATE_PATH",
        "FEDERATED_TOKEN",
        "FEDERATED_TOKEN_FILE",
    ):
        monkeypatch.setenv(f"AZURE_{name}", "")
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", "")
    result = run(arm, subscription_ids=None, **application(authority, client_secret=SECRET))
    assert len(result.hosts) == 8
    assert arm.counts["subscriptions"] == 1


def test_a_path_may_begin_at_home(
    run: Run, arm: LoopbackArm, monkeypatch: pytest.MonkeyPatch, authority: LoopbackAuthority, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "token").write_text(OIDC_TOKEN)
    assert len(run(arm, **application(authority, oidc_token_file="~/token")).hosts) == 8


def test_an_empty_environment_is_told(run: Run, arm: LoopbackArm) -> None:
    said = refused(run, arm, access_token=None, auth="environment")
    assert "(auth environment): EnvironmentCredential authentication unavailable" in said
    assert said.endswith(
        "Set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET or AZURE_CLIENT_CERTIFICATE_PATH."
    )


@pytest.mark.parametrize("client", [None, CLIENT])
def test_a_managed_identity(
    run: Run, arm: LoopbackArm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: str | None
) -> None:
    """The form of App Service and Functions; the one of a virtual machine has a fixed address outside of loopback."""
    with LoopbackAuthority(tmp_path, TOKEN, tls=False) as server:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{server.url}/identity/token")
        monkeypatch.setenv("IDENTITY_HEADER", "identity-header")
        result = run(arm, access_token=None, auth="managed_identity", client_id=client, cloud="china")
        assert len(result.hosts) == 8
        # The token of a machine's identity must be for its cloud too.
        assert server.asked[0]["resource"] == "https://management.chinacloudapi.cn"
        assert server.asked[0].get("client_id") == client
        monkeypatch.setenv("IDENTITY_HEADER", "wrong-header")
        said = refused(run, arm, access_token=None, auth="managed_identity")
    assert said.endswith("Run this on an Azure machine that has an identity, and set client_id when it has several.")


def az(folder: Path, script: str) -> None:
    path = folder / "az"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_the_login_of_az(run: Run, arm: LoopbackArm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    answer = json.dumps({"accessToken": TOKEN, "expires_on": 4102444800, "tenant": TENANT})
    az(tmp_path, f"echo \"$*\" >>{tmp_path}/asked; echo '{answer}'")
    assert len(run(arm, access_token=None, auth="cli").hosts) == 8
    asked = (tmp_path / "asked").read_text().splitlines()
    assert len(asked) == 1
    assert "--resource https://management.azure.com" in asked[0]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (
            "echo 'ERROR: Please run az login to setup account.' >&2; exit 1",
            "Please run 'az login' to set up an account",
        ),
        ("echo not json", "Unexpected output from Azure CLI"),
    ],
)
def test_a_login_of_az_that_is_not_there(
    run: Run, arm: LoopbackArm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, words: str
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    az(tmp_path, script)
    said = refused(run, arm, access_token=None, auth="cli")
    assert words in said
    assert said.endswith("Run 'az login' as this user, in the cloud 'public'.")


def test_az_that_is_not_installed(run: Run, arm: LoopbackArm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "(auth cli): Azure CLI not found on path." in refused(run, arm, access_token=None, auth="cli")


def test_a_token_from_the_environment(run: Run, arm: LoopbackArm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_ACCESS_TOKEN", TOKEN)
    assert len(run(arm, access_token=None).hosts) == 8


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(auth.AUTHORITY_PATIENCE, "retry_total", 0)


@pytest.mark.usefixtures("impatient")
def test_an_authority_that_is_not_there(run: Run, arm: LoopbackArm, tmp_path: Path) -> None:
    with LoopbackAuthority(tmp_path, TOKEN) as server:
        url = server.url
    said = refused(
        run,
        arm,
        access_token=None,
        authority=url,
        tenant_id=TENANT,
        client_id=CLIENT,
        client_secret=SECRET,
        deadline=20,
    )
    assert said.startswith(f"azure_subnet: Azure gave us no token for https://management.azure.com/.default from {url}")
    assert said.endswith(auth.UNREACHABLE_REMEDY + ".")


@pytest.mark.usefixtures("impatient")
def test_an_authority_with_an_unknown_certificate(run: Run, arm: LoopbackArm, tmp_path: Path) -> None:
    with LoopbackAuthority(tmp_path, TOKEN) as server:
        said = refused(run, arm, **application(server, client_secret=SECRET))
        assert server.asked == []
    assert "certificate verify failed" in said
    assert said.endswith(auth.UNREACHABLE_REMEDY + ".")
