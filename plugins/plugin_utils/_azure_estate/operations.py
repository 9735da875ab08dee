# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Read, make, change and remove one resource, with all the waiting that Azure asks for."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.arm import Answer, Arm, Listing, short_url
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import ListError, error_of
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.retry import told_wait
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.compare import member
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.engine import Work

Json = dict[str, t.Any]
DONE, BROKEN = ("succeeded",), ("failed", "canceled", "cancelled")
# Azure's words for a change that only comes too early.
TOO_EARLY = frozenset(
    {
        "anotheroperationinprogress",
        "conflictingconcurrentwritenotallowed",
        "nicreservedforanothervm",
        "operationnotallowedwhileresourceisupdating",
        "referencedresourcenotprovisioned",
        "resourcegroupbeingdeleted",
        "retryableerror",
        "resourcenotready",
    }
)
# Parts of the words for a thing that cannot go yet: another one that uses it is still on its way out.
IN_USE = ("inuse", "cannotbedeleted", "cannotdelete", "reserved", "beingused", "isattached")
# Seconds between two tries, when Azure does not tell.
BETWEEN_TRIES = 10.0
REMEDIES = {
    "SkuNotAvailable": "Choose another size, zone or region.",
    "ZonalAllocationFailed": "Choose another zone or size, or set zones to none, and run it again.",
    "AllocationFailed": "Choose another size or region, or run it again later.",
    "OverconstrainedZonalAllocationRequest": "Choose another zone or size.",
    "OverconstrainedAllocationRequest": "Choose another size, or set zones to none.",
    "QuotaExceeded": "Ask for a higher quota in the portal, or choose smaller machines.",
    "OperationNotAllowed": "Read what Azure says: most often a quota is used up; ask for a higher one, or choose smaller machines.",
    "PropertyChangeNotAllowed": "Azure does not change this any more: remove the resource and run it again.",
    "PrivateIPAddressIsAllocated": "Another interface has this address: remove it, or give the machine another address.",
    "RequestDisallowedByPolicy": "A policy of your organisation forbids it: ask its owner, or change what is wanted.",
    "ScopeLocked": "The resource group is locked: remove the lock.",
    "MissingSubscriptionRegistration": "Register the provider in the subscription, or give this identity the right to.",
    "PlatformImageNotFound": "Choose another image.",
    "ImageNotFound": "Choose another image.",
}


@dataclass(frozen=True)
class Patience:
    """Seconds: one operation of Azure, a change that comes too early, and between two looks."""

    operation: float = 1800.0
    # An interface stays reserved for 180 s after its machine has failed.
    early: float = 300.0
    look: float = 5.0


class Operations:
    """What is done with one resource; all but reading is a piece of work for the engine."""

    def __init__(self, arm: Arm, clock: Callable[[], float], patience: Patience | None = None) -> None:
        self._arm = arm
        self._clock = clock
        self._patience = patience or Patience()

    def read(self, listing: Listing) -> Json | None:
        """A resource; None where there is none."""
        answer = self._arm.exchange(listing, "GET")
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise failed("read", listing, answer)
        return answer.content

    def read_all(self, listing: Listing) -> list[Json]:
        """All resources of a kind; none where their group or provider is not there."""
        try:
            return [entry for page in self._arm.pages(listing) for entry in page]
        except ListError as failure:
            if failure.code != "ResourceGroupNotFound":
                raise
            return []

    def read_any(self, listing: Listing) -> list[Json]:
        """A list that Azure gives bare; none where it knows no such thing."""
        answer = self._arm.exchange(listing, "GET")
        if answer.status == 404:
            return []
        found = answer.bare
        if answer.status != 200 or not isinstance(found, list):
            raise failed("read", listing, answer)
        return found

    def change(
        self, listing: Listing, method: str, body: Json | None = None, etag: str | None = None, action: str = ""
    ) -> Work[bool]:
        """PUT, PATCH or POST, again while it comes too early, to the end of the operation; False where the etag was old."""
        begin = self._clock()
        headers = {"If-Match": etag} if etag else {}
        verb = action.strip("/") or "make"
        while True:
            answer = self._arm.exchange(listing, method, body, headers, action=action)
            if answer.status in (200, 201, 202, 204):
                yield from self._settle(verb, listing, answer)
                return True
            if answer.status == 412 and etag:
                return False
            if answer.code.lower() not in TOO_EARLY or self._clock() - begin >= self._patience.early:
                raise failed(verb, listing, answer, self._clock() - begin)
            yield self._wait(answer, BETWEEN_TRIES)

    def remove(self, listing: Listing) -> Work[bool]:
        """DELETE, again while something uses it; False where there was nothing."""
        begin = self._clock()
        while True:
            answer = self._arm.exchange(listing, "DELETE")
            if answer.status in (204, 404):
                return False
            failure = failed("remove", listing, answer, self._clock() - begin)
            if answer.status in (200, 202):
                try:
                    yield from self._settle("remove", listing, answer)
                    return True
                except OperationError as ended:
                    failure = ended
            if not passes(failure.code) or self._clock() - begin >= self._patience.early:
                raise failure
            yield self._wait(answer, BETWEEN_TRIES)

    def ask(self, listing: Listing, action: str) -> Work[Json]:
        """The answer of an action that changes nothing, which Azure may take its time for."""
        answer = self._arm.exchange(listing, "POST", action=action)
        if answer.status not in (200, 202):
            raise failed("read", listing, answer)
        ended = yield from self._settle("read", listing, answer)
        headers = {name.lower(): value for name, value in answer.reply.headers.items()}
        if "azure-asyncoperation" in headers and "location" in headers:
            # The one tells how far it is, the other what came of it.
            ended = self._arm.exchange(listing, "GET", link=self._arm.checked_link(listing, headers["location"]))
        if ended.status != 200:
            raise failed("read", listing, ended)
        return ended.content

    def finish(self, listing: Listing) -> Work[bool]:
        """Wait for an operation that an earlier run has begun."""
        begin = self._clock()
        while True:
            answer = self._arm.exchange(listing, "GET")
            state = _state(answer.content)
            if answer.status != 200 or state in BROKEN:
                raise failed("make", listing, answer, self._clock() - begin)
            if state in DONE:
                return True
            yield self._checked_wait("make", listing, answer, begin)

    def _settle(self, verb: str, listing: Listing, answer: Answer) -> Work[Answer]:
        """Follow the operation that an answer has begun, to its last answer: Azure-AsyncOperation, else Location, else the resource."""
        begin = self._clock()
        headers = {name.lower(): value for name, value in answer.reply.headers.items()}
        status_url = headers.get("azure-asyncoperation")
        link = status_url or (headers.get("location") if answer.status == 202 else None)
        if not link:
            if answer.status in (200, 201) and _state(answer.content) not in DONE:
                yield self._wait(answer, self._patience.look)
                yield from self.finish(listing)
            return answer
        link = self._arm.checked_link(listing, link)
        while True:
            yield self._checked_wait(verb, listing, answer, begin)
            answer = self._arm.exchange(listing, "GET", link=link)
            if status_url:
                state = str(answer.content.get("status") or "").lower()
                if answer.status == 200 and state in DONE:
                    return answer
                over = answer.status not in (200, 202) or state in BROKEN
            else:
                if answer.status in (200, 201, 204) and _state(answer.content) in DONE:
                    return answer
                over = answer.status not in (200, 201, 202) or _state(answer.content) in BROKEN
            if over:
                raise failed(verb, listing, answer, self._clock() - begin)

    def _checked_wait(self, verb: str, listing: Listing, answer: Answer, begin: float) -> float:
        spent = self._clock() - begin
        if spent >= self._patience.operation:
            raise OperationError(
                f"Cannot {verb} {listing.title}: Azure has not finished it within {spent:.0f} s. Run it again: it goes on where"
                " Azure is then, or raise operation_time."
            )
        return self._wait(answer, self._patience.look)

    @staticmethod
    def _wait(answer: Answer, usual: float) -> float:
        told = told_wait(answer.reply.headers)
        return usual if told is None else told


class OperationError(ListError):
    """A change that Azure refused or did not finish."""


def passes(code: str) -> bool:
    """Whether waiting can help a removal."""
    return code.lower() in TOO_EARLY or any(part in code.lower() for part in IN_USE)


def _state(body: Mapping[str, t.Any]) -> str:
    """How far a resource is; one that does not tell is done."""
    return str(member(member(body, "properties") or {}, "provisioningState") or "Succeeded").lower()


def failed(verb: str, listing: Listing, answer: Answer, spent: float = 0.0) -> OperationError:
    """One sentence with Azure's own code, and what to do."""
    code, message = answer.code, answer.message
    if not code:
        code, message = error_of(answer.content)
    said = " ".join(message.split())
    said = (said if len(said) <= 300 else said[:300].rsplit(" ", 1)[0] + " ...").rstrip(".")
    name = code or (f"{answer.status}" if answer.status >= 400 else "a failure without a code")
    told = answer.reply.failure or f"Azure answered {name}{f' ({said})' if said else ''}"
    tried = f" after {spent:.0f} s" if spent >= 1 else ""
    return OperationError(
        f"Cannot {verb} {listing.title}: {told}{tried} at {short_url(answer.url)}. {_remedy(answer, code)}", code
    )


def _remedy(answer: Answer, code: str) -> str:
    if code in REMEDIES:
        return REMEDIES[code]
    if answer.reply.failure:
        return "Check the network and the proxy, and run it again: it goes on where it stopped."
    if answer.status == 401:
        return "Log in again."
    if answer.status == 403:
        return "Give the identity the role Contributor on the resource group, or the rights that docs/azure-estate.md lists."
    if passes(code):
        return "Run it again: what used it may be gone by then."
    return "Run it again; when it stays so, Azure's own words say what it misses."
