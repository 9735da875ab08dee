# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Who we are in Azure: one credential for each way to log in, checked before it is used."""

from __future__ import annotations

import base64
import binascii
import importlib
import json
import os
import re
import threading
import time
import typing as t
from collections.abc import Callable
from dataclasses import dataclass, field

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.clouds import Cloud
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import (
    InventoryError,
    SettingsError,
    scrub,
)

MODES = ("auto", "service_principal", "workload_identity", "managed_identity", "cli", "environment", "access_token")
# A token is sent in a header; what else it might hold would show up in the error of the HTTP library.
TOKEN = re.compile(r"[\x21-\x7e]+")
# Azure refreshes its tokens when they have this long to go; seconds.
MARGIN = 300
# How long az may take, and how patient we are with the authority; seconds.
CLI_TIMEOUT = 30
AUTHORITY_PATIENCE = {"retry_total": 3, "connection_timeout": 10, "read_timeout": 30}
REMEDIES = {
    "service_principal": "Check tenant_id, client_id, and client_secret or certificate_path, and that they belong to the cloud '{cloud}'",
    "workload_identity": "Check tenant_id, client_id and the OIDC token, and that the application trusts its issuer",
    "managed_identity": "Run this on an Azure machine that has an identity, and set client_id when it has several",
    "cli": "Run 'az login' as this user, in the cloud '{cloud}'",
    "environment": "Set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET or AZURE_CLIENT_CERTIFICATE_PATH",
    "access_token": "Set access_token or AZURE_ACCESS_TOKEN to a fresh token",
    "auto": "Set tenant_id, client_id and client_secret, or AZURE_ACCESS_TOKEN, or run 'az login'",
}
UNREACHABLE = re.compile(r"(?i)connection|certificate_verify|resolve|timed out|temporary failure")
UNREACHABLE_REMEDY = "Check the authority option, the network and the proxy, and the certificate authorities that REQUESTS_CA_BUNDLE names"


@dataclass(frozen=True)
class AuthSettings:
    """What the operator says about himself; secrets stay out of the representation."""

    mode: str = "auto"
    tenant_id: str | None = None
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    certificate_path: str | None = None
    certificate_password: str | None = field(default=None, repr=False)
    oidc_token: str | None = field(default=None, repr=False)
    oidc_token_file: str | None = None
    access_token: str | None = field(default=None, repr=False)

    @property
    def secrets(self) -> list[str | None]:
        return [self.client_secret, self.certificate_password, self.oidc_token, self.access_token]


class Token(t.Protocol):
    """As azure-core defines it."""

    @property
    def token(self) -> str: ...

    @property
    def expires_on(self) -> int: ...


class Credential(t.Protocol):
    """As azure-core defines it."""

    def get_token(self, *scopes: str, **kwargs: t.Any) -> Token: ...


def _first_set(settings: AuthSettings, *names: str) -> str | None:
    return next((name for name in names if getattr(settings, name)), None)


def _need(settings: AuthSettings, mode: str, name: str, variable: str) -> None:
    if not getattr(settings, name):
        raise SettingsError(
            f"auth {mode} needs {name}, which is not set: set it, or the environment variable {variable}."
        )


def _need_file(option: str, path: str) -> None:
    if not os.path.isfile(path) or not os.access(path, os.R_OK):
        raise SettingsError(
            f"{option} '{path}' is not a file that can be read; expected its path on this machine: correct it."
        )


def choose(settings: AuthSettings) -> str:
    """The way to log in, `auto` resolved as far as the options say; raises SettingsError where they cannot work."""
    mode = settings.mode
    if mode == "auto":
        if settings.access_token:
            mode = "access_token"
        elif _first_set(settings, "client_secret", "certificate_path"):
            mode = "service_principal"
        elif _first_set(settings, "oidc_token", "oidc_token_file"):
            mode = "workload_identity"
    if mode == "access_token":
        check_access_token(settings.access_token, time.time())
    if mode in ("service_principal", "workload_identity"):
        _need(settings, mode, "tenant_id", "AZURE_TENANT_ID")
        _need(settings, mode, "client_id", "AZURE_CLIENT_ID")
    if mode == "service_principal":
        _check_service_principal(settings)
    if mode == "workload_identity":
        _check_workload_identity(settings)
    return mode


def _check_service_principal(settings: AuthSettings) -> None:
    if settings.client_secret and settings.certificate_path:
        raise SettingsError("client_secret and certificate_path are both set; expected one of them: remove the other.")
    if not _first_set(settings, "client_secret", "certificate_path"):
        raise SettingsError(
            "auth service_principal needs client_secret or certificate_path, and neither is set: set one, or the"
            " environment variable AZURE_CLIENT_SECRET or AZURE_CLIENT_CERTIFICATE_PATH."
        )
    if settings.certificate_path:
        _need_file("certificate_path", settings.certificate_path)


def _check_workload_identity(settings: AuthSettings) -> None:
    if not _first_set(settings, "oidc_token", "oidc_token_file"):
        raise SettingsError(
            "auth workload_identity needs oidc_token or oidc_token_file, and neither is set: set one, or the"
            " environment variable AZURE_FEDERATED_TOKEN_FILE."
        )
    if not settings.oidc_token and settings.oidc_token_file:
        _need_file("oidc_token_file", settings.oidc_token_file)


def check_access_token(token: str | None, now: float) -> int:
    """When the token expires, in seconds since the epoch; one hour from now where it does not tell."""
    if not token:
        raise SettingsError(
            "auth access_token needs access_token, which is empty: set it, or the environment variable AZURE_ACCESS_TOKEN."
        )
    if not TOKEN.fullmatch(token):
        raise SettingsError(
            "access_token has white space or other characters that no token has; expected the bare token: set it to"
            " the value of accessToken in the output of 'az account get-access-token'."
        )
    expires = expiry(token)
    if expires is not None and expires <= now:
        raise SettingsError(
            f"access_token expired {int(now - expires)} s ago; expected one that is still good: get a new one, for"
            " example by 'az account get-access-token'."
        )
    return expires if expires is not None else int(now) + 3600


def expiry(token: str) -> int | None:
    """The exp claim of a JSON web token."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return int(claims["exp"])
    except (binascii.Error, ValueError, KeyError, TypeError):
        return None


def make(settings: AuthSettings, mode: str, cloud: Cloud) -> Credential:
    """The credential of azure-identity for that way to log in; nothing is asked yet."""
    if mode == "access_token":
        return GivenToken(settings.access_token or "")
    identity = importlib.import_module("azure.identity")
    network: dict[str, t.Any] = {"authority": cloud.authority, **AUTHORITY_PATIENCE}
    application: dict[str, t.Any] = {**network, "disable_instance_discovery": cloud.own_authority}
    who = (settings.tenant_id, settings.client_id)
    if mode == "service_principal" and settings.client_secret:
        return t.cast("Credential", identity.ClientSecretCredential(*who, settings.client_secret, **application))
    if mode == "service_principal":
        return t.cast(
            "Credential",
            identity.CertificateCredential(
                *who, settings.certificate_path, password=settings.certificate_password, **application
            ),
        )
    if mode == "workload_identity":
        return t.cast("Credential", identity.ClientAssertionCredential(*who, _assertion(settings), **network))
    if mode == "managed_identity":
        return t.cast(
            "Credential", identity.ManagedIdentityCredential(client_id=settings.client_id, **AUTHORITY_PATIENCE)
        )
    cli = identity.AzureCliCredential(tenant_id=settings.tenant_id or "", process_timeout=CLI_TIMEOUT)
    if mode == "cli":
        return t.cast("Credential", cli)
    environment = identity.EnvironmentCredential(**application)
    if mode == "environment":
        return t.cast("Credential", environment)
    # Not DefaultAzureCredential: it takes no authority for some of its parts and tries several that need a desktop.
    managed = identity.ManagedIdentityCredential(client_id=settings.client_id, retry_total=1)
    return t.cast("Credential", identity.ChainedTokenCredential(environment, managed, cli))


def _assertion(settings: AuthSettings) -> Callable[[], str]:
    """Read at each use: whoever writes the file renews its token."""

    def read() -> str:
        if settings.oidc_token:
            return settings.oidc_token
        with open(settings.oidc_token_file or "", encoding="utf-8") as handle:
            return handle.read().strip()

    return read


class GivenToken:
    """A token that somebody else got for us."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_token(self, *_scopes: str, **_kwargs: t.Any) -> Token:
        access_token = importlib.import_module("azure.core.credentials").AccessToken
        return t.cast("Token", access_token(self._token, check_access_token(self._token, time.time())))


class SharedToken:
    """One token for all threads, asked for once, and failures told in one sentence."""

    def __init__(
        self,
        settings: AuthSettings,
        mode: str,
        cloud: Cloud,
        source: Callable[[], Credential],
        learn: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._mode = mode
        self._cloud = cloud
        self._source = source
        # Told each token, so that none is ever shown.
        self._learn = learn
        self._credential: Credential | None = None
        self._token: Token | None = None
        self._lock = threading.Lock()

    def get_token(self, *scopes: str, **kwargs: t.Any) -> Token:
        with self._lock:
            fresh = self._token is not None and self._token.expires_on - time.time() > MARGIN
            if self._token is None or not fresh or kwargs.get("claims"):
                self._token = self._ask(*scopes, **kwargs)
                self._learn(self._token.token)
            return self._token

    def close(self) -> None:
        # A ready access token has no connection.
        close = getattr(self._credential, "close", None)
        if close:
            close()

    def _ask(self, *scopes: str, **kwargs: t.Any) -> Token:
        azure_error = importlib.import_module("azure.core.exceptions").AzureError
        try:
            self._credential = self._credential or self._source()
            return self._credential.get_token(*scopes, **kwargs)
        except (azure_error, ValueError, OSError) as failure:
            raise self._refused(str(failure)) from None

    def _refused(self, text: str) -> InventoryError:
        settings, cloud = self._settings, self._cloud
        reason = summary(scrub(text, settings.secrets))
        names = (("tenant", settings.tenant_id), ("client", settings.client_id))
        who = "".join(f", {name} {value}" for name, value in names if value)
        where = "" if self._mode in ("managed_identity", "cli") else f" from {cloud.authority}"
        remedy = UNREACHABLE_REMEDY if where and UNREACHABLE.search(text) else REMEDIES[self._mode]
        if self._mode == "managed_identity" and settings.client_id:
            remedy = "Run this on an Azure machine that has the identity of client_id"
        return InventoryError(
            f"Azure gave us no token for {cloud.scope}{where} (auth {self._mode}{who}): {reason}."
            f" {remedy.format(cloud=cloud.name)}."
        )


def summary(text: str, longest: int = 240) -> str:
    """The part of a message that says what happened: no advice pages, no trace ids, one line."""
    parts = re.findall(r"(?m)^\t(\w+)Credential: (?:\w+Credential )?(.*?)\.?$", text)
    if parts:
        # A chain tells what each of its credentials said, on a line of its own.
        return "; ".join(f"{name}: {said}" for name, said in parts)
    line = re.split(r"(?i)\s*(?:Trace ID|Correlation ID|To mitigate this issue|Visit https)\b", text, maxsplit=1)[0]
    line = " ".join(line.split()).removeprefix("Authentication failed: ").rstrip(" .:,'\"")
    return line if len(line) <= longest else line[:longest].rsplit(" ", 1)[0] + " ..."
