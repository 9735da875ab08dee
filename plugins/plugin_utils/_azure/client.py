# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""The pipelines of azure-mgmt-compute and azure-mgmt-network, used for raw JSON: their models cost ten times the CPU."""

from __future__ import annotations

import importlib
import logging
import threading
import time
import typing as t
from collections.abc import Callable, Mapping

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.arm import NOT_REGISTERED, Call, Reply
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.auth import Credential
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.clouds import Cloud
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import InventoryError
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.retry import (
    RETRIED,
    RETRIED_CHANGES,
    ExhaustedError,
    Limits,
    TransientError,
    persist,
)

PACKAGES = {
    "azure.core.rest": "azure-core",
    "azure.identity": "azure-identity >= 1.27",
    "azure.mgmt.compute": "azure-mgmt-compute >= 39",
    "azure.mgmt.network": "azure-mgmt-network >= 33",
}


CHANGING = ("PUT", "PATCH", "DELETE")


class MissingPackageError(InventoryError):
    """A Python package that is not there, or too old."""


def load(modules: t.Sequence[str]) -> None:
    """Import what the lists need, in the main thread and only when something is to be listed."""
    for name in modules:
        try:
            importlib.import_module(name)
        except ImportError as failure:
            raise MissingPackageError(
                f"The Python package {PACKAGES[name]} cannot be imported ({failure}); expected it beside Ansible: install"
                f' it with pip install "{PACKAGES[name].replace(" ", "")}", or use an execution environment that has it.'
            ) from None
    # Without a handler Python writes their warnings to the terminal, between the lines of Ansible.
    for name in ("azure", "msal"):
        logging.getLogger(name).addHandler(logging.NullHandler())


class RefusedError(Exception):
    """Carries an answer of status 400 and more past the policies that would act upon it.

    One of them registers a missing resource provider, which is a change; an inventory only reads.
    """

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply.status))
        self.reply = reply


class BoundedRetry:
    """Stands where the clients have their own retry policy.

    Theirs waits as long as the server says, for up to a week, and does not see a body that breaks off.
    """

    next: t.Any = None

    def __init__(self, limits: Limits, sleep: Callable[[float], None]) -> None:
        self._limits = limits
        self._sleep = sleep
        # Of the last request; a client belongs to one thread.
        self.tries = 0

    def send(self, request: t.Any) -> t.Any:
        begin = time.monotonic()
        self.tries = 0

        def once() -> t.Any:
            self.tries += 1
            try:
                response = self.next.send(request)
                response.http_response.read()
            except importlib.import_module("azure.core.exceptions").AzureError as failure:
                raise transient(failure, self._limits.timeout) from None
            if not_registered(response.http_response):
                raise RefusedError(self._reply(response, self.tries, time.monotonic() - begin))
            return response

        def look(response: t.Any) -> tuple[int, Mapping[str, str]]:
            return response.http_response.status_code, response.http_response.headers

        try:
            retried = RETRIED_CHANGES if request.http_request.method in CHANGING else RETRIED
            response = persist(once, look, self._limits, time.monotonic, self._sleep, retried=retried)
        except ExhaustedError as end:
            if isinstance(end.last, TransientError):
                reply = Reply(0, {}, b"", str(end.last), end.tries, end.seconds)
            else:
                reply = self._reply(end.last, end.tries, end.seconds, end.asked_wait)
            raise RefusedError(reply) from None
        if response.http_response.status_code >= 400:
            raise RefusedError(self._reply(response, self.tries, time.monotonic() - begin))
        return response

    @staticmethod
    def _reply(response: t.Any, tries: int, seconds: float, asked_wait: float | None = None) -> Reply:
        answer = response.http_response
        return Reply(answer.status_code, answer.headers, answer.content, "", tries, seconds, asked_wait)


def not_registered(answer: t.Any) -> bool:
    """The one conflict that does not pass by waiting: nothing of that kind exists in the subscription."""
    return answer.status_code == 409 and NOT_REGISTERED.encode() in answer.content


def transient(failure: Exception, timeout: float) -> TransientError:
    """What one try ended with, in our words; the library's quote addresses of objects."""
    kind, text = type(failure).__name__, str(failure)
    if "certificate" in text.lower() or "SSL" in text:
        return TransientError("no TLS connection, because the certificate was not accepted", again=False)
    if kind == "ClientAuthenticationError" or "non-TLS" in text:
        return TransientError(text.splitlines()[0] if text else "the request was not authorized", again=False)
    if kind == "ServiceRequestTimeoutError":
        return TransientError(f"no connection within {timeout:g} s")
    if kind == "ServiceResponseTimeoutError":
        return TransientError(f"no answer within {timeout:g} s")
    if kind == "IncompleteReadError" or "IncompleteRead" in text:
        return TransientError("the answer broke off before its end")
    if kind == "ServiceRequestError":
        refused = "the connection was refused" if "refused" in text else "no connection"
        return TransientError("the name of the host is not known" if "resolve" in text else refused)
    return TransientError("the connection broke off")


class Clients:
    """A pair of clients for each thread: their sessions are not made to be shared."""

    def __init__(
        self,
        cloud: Cloud,
        credential: Credential,
        limits: Limits,
        sleep: Callable[[float], None],
        agent: str = "azure_subnet",
    ) -> None:
        self._agent = agent
        self._cloud = cloud
        self._credential = credential
        self._limits = limits
        self._sleep = sleep
        self._own = threading.local()
        self._made: list[t.Any] = []

    def close(self) -> None:
        """End all connections; their threads are over, or hang in them."""
        for client in self._made:
            client.close()

    def send(self, call: Call) -> Reply:
        begin = time.monotonic()
        rest = importlib.import_module("azure.core.rest")
        content = {} if call.body is None else {"json": call.body}
        headers = {"Accept": "application/json", **call.headers}
        request = rest.HttpRequest(call.method, call.url, headers=headers, **content)
        # Streamed, so that the pipeline does not parse the body and leave us to parse it once more.
        # No redirects: lists have none, and a sign-in page of a proxy is no list.
        options: dict[str, t.Any] = {"stream": True, "permit_redirects": False}
        if self._cloud.plain_http:
            options["enforce_https"] = False
        try:
            client, retry = self._client(call.network)
            response = client.send_request(request, **options)
        except RefusedError as refusal:
            return refusal.reply
        except importlib.import_module("azure.core.exceptions").AzureError as failure:
            return Reply(0, {}, b"", str(transient(failure, self._limits.timeout)), seconds=time.monotonic() - begin)
        seconds = time.monotonic() - begin
        return Reply(response.status_code, response.headers, response.content, tries=retry.tries, seconds=seconds)

    def _client(self, network: bool) -> tuple[t.Any, BoundedRetry]:
        """The thread's client and its retry policy, made at first use."""
        name = "network" if network else "compute"
        pair: tuple[t.Any, BoundedRetry] | None = getattr(self._own, name, None)
        if pair is None:
            retry = BoundedRetry(self._limits, self._sleep)
            module = importlib.import_module(f"azure.mgmt.{name}")
            client = getattr(module, f"{name.capitalize()}ManagementClient")(
                credential=self._credential,
                # The requests name their subscription themselves.
                subscription_id="-",
                base_url=self._cloud.endpoint,
                credential_scopes=[self._cloud.scope],
                retry_policy=retry,
                connection_timeout=self._limits.timeout,
                read_timeout=self._limits.timeout,
                user_agent=f"siteops.webcluster.{self._agent}",
                # A proxy of the environment must not see what is meant for this machine.
                use_env_settings=not self._cloud.plain_http,
            )
            if not hasattr(client, "send_request"):
                package = PACKAGES[f"azure.mgmt.{name}"]
                raise MissingPackageError(
                    f"The Python package azure-mgmt-{name} {module.__version__} is too old; expected {package}: install it"
                    f' with pip install --upgrade "{package.replace(" ", "")}".'
                )
            self._made.append(client)
            pair = client, retry
            setattr(self._own, name, pair)
        return pair
