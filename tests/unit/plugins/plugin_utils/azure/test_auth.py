# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure import auth, clouds
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.auth import AuthSettings
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import (
    InventoryError,
    SettingsError,
    scrub,
)

WHO = {"tenant_id": "T", "client_id": "C"}


def jwt(**claims: Any) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"header.{body}.signature"


def refused(settings: AuthSettings) -> str:
    with pytest.raises(SettingsError) as failure:
        auth.choose(settings)
    return str(failure.value)


@pytest.mark.parametrize(
    ("given", "mode"),
    [
        ({}, "auto"),
        ({"client_id": "C"}, "auto"),
        ({"access_token": "token", **WHO, "client_secret": "s"}, "access_token"),
        ({**WHO, "client_secret": "s", "oidc_token": "o"}, "service_principal"),
        ({**WHO, "oidc_token": "o"}, "workload_identity"),
        ({"mode": "cli", **WHO, "client_secret": "s"}, "cli"),
        ({"mode": "managed_identity"}, "managed_identity"),
        ({"mode": "environment"}, "environment"),
    ],
)
def test_auto_takes_what_is_set(given: dict[str, str], mode: str) -> None:
    assert auth.choose(AuthSettings(**given)) == mode


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"mode": "service_principal"},
            "auth service_principal needs tenant_id, which is not set: set it, or the environment variable AZURE_TENANT_ID.",
        ),
        (
            {"client_secret": "s", "tenant_id": "T"},
            "auth service_principal needs client_id, which is not set: set it, or the environment variable AZURE_CLIENT_ID.",
        ),
        (
            {"mode": "service_principal", **WHO},
            "auth service_principal needs client_secret or certificate_path, and neither is set: set one, or the environment"
            " variable AZURE_CLIENT_SECRET or AZURE_CLIENT_CERTIFICATE_PATH.",
        ),
        (
            {"mode": "service_principal", **WHO, "client_secret": "s", "certificate_path": "/x.pem"},
            "client_secret and certificate_path are both set; expected one of them: remove the other.",
        ),
        (
            {"mode": "service_principal", **WHO, "certificate_path": "/no/such.pem"},
            "certificate_path '/no/such.pem' is not a file that can be read; expected its path on this machine: correct it.",
        ),
        (
            {"mode": "workload_identity", **WHO},
            "auth workload_identity needs oidc_token or oidc_token_file, and neither is set: set one, or the environment"
            " variable AZURE_FEDERATED_TOKEN_FILE.",
        ),
        (
            {"mode": "workload_identity", **WHO, "oidc_token_file": "/no/such/token"},
            "oidc_token_file '/no/such/token' is not a file that can be read; expected its path on this machine: correct it.",
        ),
        (
            {"oidc_token": "o", "client_id": "C"},
            "auth workload_identity needs tenant_id, which is not set: set it, or the environment variable AZURE_TENANT_ID.",
        ),
        (
            {"mode": "access_token"},
            "auth access_token needs access_token, which is empty: set it, or the environment variable AZURE_ACCESS_TOKEN.",
        ),
        (
            {"access_token": "two words"},
            "access_token has white space or other characters that no token has; expected the bare token: set it to the value"
            " of accessToken in the output of 'az account get-access-token'.",
        ),
    ],
)
def test_what_is_missing_is_named_before_anything_is_asked(given: dict[str, str], sentence: str) -> None:
    assert refused(AuthSettings(**given)) == sentence


def test_an_expired_token_is_not_sent() -> None:
    said = refused(AuthSettings(access_token=jwt(exp=1000)))
    assert said.startswith("access_token expired ")
    assert said.endswith("get a new one, for example by 'az account get-access-token'.")


@pytest.mark.parametrize("token", ["opaque", "a.b.c", jwt(sub="x"), f"a.{base64.b64encode(b'[]').decode()}.c"])
def test_a_token_that_does_not_tell_its_end_is_taken_for_an_hour(token: str) -> None:
    assert auth.check_access_token(token, 1000) == 4600


def test_the_end_of_a_token_is_known() -> None:
    assert auth.check_access_token(jwt(exp=5000), 1000) == 5000


def test_secrets_are_in_no_representation() -> None:
    settings = AuthSettings(
        client_secret="one-secret",
        certificate_password="two-secret",
        oidc_token="three-secret",
        access_token="four-secret",
    )
    assert "secret" not in repr(settings).replace("client_secret", "")
    assert len([one for one in settings.secrets if one]) == 4


def test_every_mode_has_a_remedy() -> None:
    assert set(auth.REMEDIES) == set(auth.MODES)


def ignore(_token: str) -> None:
    """Nobody here shows it."""


class Failing:
    def __init__(self, text: str) -> None:
        self.text = text

    def get_token(self, *_scopes: str, **_kwargs: Any) -> Any:
        from azure.core.exceptions import ClientAuthenticationError

        raise ClientAuthenticationError(self.text)


@pytest.mark.parametrize("mode", [mode for mode in auth.MODES if mode != "access_token"])
def test_a_refused_login_is_one_sentence_without_the_secret(mode: str) -> None:
    text = (
        "Authentication failed: AADSTS7000215: Invalid client secret 'hunter22' provided.\n"
        "Trace ID: 1234 Correlation ID: 5678 Timestamp: now"
    )
    settings = AuthSettings(mode=mode, client_secret="hunter22", **WHO)
    shared = auth.SharedToken(settings, mode, clouds.resolve("china"), lambda: Failing(text), ignore)
    with pytest.raises(InventoryError) as failure:
        shared.get_token("scope")
    said = str(failure.value)
    assert "hunter22" not in said
    assert "Trace ID" not in said
    assert "\n" not in said
    assert said.startswith("Azure gave us no token for https://management.chinacloudapi.cn/.default")
    assert "AADSTS7000215: Invalid client secret '***' provided" in said
    assert f"(auth {mode}, tenant T, client C)" in said
    assert said.endswith(".")
    assert failure.value.__cause__ is None


@pytest.mark.parametrize("failure", [ValueError("Could not deserialize key data."), OSError("gone")])
def test_whatever_the_library_raises_is_told(failure: Exception) -> None:
    def source() -> Any:
        raise failure

    shared = auth.SharedToken(AuthSettings(), "service_principal", clouds.resolve("public"), source, ignore)
    with pytest.raises(InventoryError, match="Azure gave us no token"):
        shared.get_token("scope")


def test_the_token_is_asked_for_once() -> None:
    class Source:
        asked = 0

        def get_token(self, *_scopes: str, **_kwargs: Any) -> Any:
            from azure.core.credentials import AccessToken

            self.asked += 1
            return AccessToken("token", 4_102_444_800)

    source = Source()
    learned: list[str] = []
    shared = auth.SharedToken(AuthSettings(), "cli", clouds.resolve("public"), lambda: source, learned.append)
    assert [shared.get_token("scope").token for again in range(3)] == ["token"] * 3
    assert source.asked == 1
    assert learned == ["token"]
    shared.get_token("scope", claims="a challenge")
    assert source.asked == 2


CREDENTIALS = {
    "service_principal": "ClientSecretCredential",
    "workload_identity": "ClientAssertionCredential",
    "managed_identity": "ManagedIdentityCredential",
    "cli": "AzureCliCredential",
    "environment": "EnvironmentCredential",
    "auto": "ChainedTokenCredential",
}


@pytest.mark.parametrize(("mode", "kind"), CREDENTIALS.items())
def test_each_mode_makes_its_credential(mode: str, kind: str) -> None:
    from azure import identity

    settings = AuthSettings(client_secret="s", oidc_token="o", **WHO)
    assert isinstance(auth.make(settings, mode, clouds.resolve("public")), getattr(identity, kind))


@pytest.mark.parametrize("mode", ["service_principal", "workload_identity", "environment", "auto"])
def test_every_login_goes_to_the_authority_of_the_cloud(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from azure import identity

    asked: dict[str, dict[str, Any]] = {}
    for name in CREDENTIALS.values():
        monkeypatch.setattr(identity, name, lambda *_args, name=name, **options: asked.update({name: options}))
    auth.make(AuthSettings(client_secret="s", oidc_token="o", **WHO), mode, clouds.resolve("china"))
    authorities = {options["authority"] for options in asked.values() if "authority" in options}
    assert authorities == {"https://login.chinacloudapi.cn"}
    if mode == "auto":
        assert "authority" in asked["EnvironmentCredential"]


def test_an_authority_of_ones_own_is_not_looked_up_at_azure(monkeypatch: pytest.MonkeyPatch) -> None:
    from azure import identity

    asked: dict[str, Any] = {}
    monkeypatch.setattr(identity, "ClientSecretCredential", lambda *_args, **options: asked.update(options))
    settings = AuthSettings(client_secret="s", **WHO)
    auth.make(settings, "service_principal", clouds.resolve("public", authority="login.example.org"))
    assert asked["disable_instance_discovery"] is True
    auth.make(settings, "service_principal", clouds.resolve("china"))
    assert asked["disable_instance_discovery"] is False


def test_the_oidc_token_is_read_at_each_use(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("first\n")
    read = auth._assertion(AuthSettings(oidc_token_file=str(path)))
    assert read() == "first"
    path.write_text("second\n")
    assert read() == "second"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Authentication failed: no.  Trace ID: 1", "no"),
        ("Please run 'az login' to set up an account", "Please run 'az login' to set up an account"),
        ("Azure CLI not found on path", "Azure CLI not found on path"),
        ("unavailable.\nVisit https://aka.ms/x to troubleshoot", "unavailable"),
        (
            "ChainedTokenCredential failed to retrieve a token.\nAttempted credentials:\n"
            "\tEnvironmentCredential: EnvironmentCredential authentication unavailable. Variables are not set.\nVisit https://x\n"
            "\tAzureCliCredential: Azure CLI not found on path\nTo mitigate this issue, look elsewhere.",
            "Environment: authentication unavailable. Variables are not set; AzureCli: Azure CLI not found on path",
        ),
        ("word " * 100, ("word " * 48 + "...")),
    ],
)
def test_messages_are_cut_to_what_they_say(text: str, kept: str) -> None:
    assert auth.summary(text) == kept


def test_short_secrets_do_not_blank_out_words() -> None:
    assert scrub("an error of the list", ["an", "", None, "list"]) == "an error of the ***"
