# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Read whole lists from Azure Resource Manager: every page or an error that names the URL and the remedy."""

from __future__ import annotations

import json
import re
import threading
import typing as t
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure import clouds, urls
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.clouds import SERVICES, VERSION, Cloud
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import ListError, error_of

Json = dict[str, t.Any]
# A list that is longer than this never ends.
MOST_PAGES = 20_000
SUPPORTED = re.compile(r"supported (?:api-)?versions are '([^']+)'", re.IGNORECASE)
VERSION_ERRORS = (
    "noregisteredproviderfound",
    "invalidresourcetype",
    "invalidapiversionparameter",
    "unsupportedapiversion",
)
# Lists that an option leaves out.
OPTIONAL = {
    "states of virtual machines": "power_states",
    "public IP addresses": "public_ips",
    "virtual networks": "subnet_prefixes",
}
# A provider can only be unregistered while nothing of it exists.
NOT_REGISTERED = "MissingSubscriptionRegistration"
# The client of azure-mgmt-* whose pipeline carries a request; subscriptions and the graph have none here.
NETWORK_SERVICES = ("network", "scale_set_network")


@dataclass(frozen=True)
class Call:
    """One request; headers are those beyond the usual ones."""

    network: bool
    url: str
    body: Json | None = None
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """What came back. `failure` says what happened when nothing whole did; `tries` and `seconds` what it took."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    failure: str = ""
    tries: int = 1
    seconds: float = 0.0
    asked_wait: float | None = None


Send = Callable[[Call], Reply]


@dataclass(frozen=True)
class Answer:
    """What a request ended with, whatever it was: the URL that was asked, and Azure's own word for an error."""

    url: str
    reply: Reply
    code: str = ""
    message: str = ""

    @property
    def status(self) -> int:
        return self.reply.status

    @property
    def bare(self) -> t.Any:
        """The body as JSON; None where it is none."""
        return _parsed(self.reply.body)

    @property
    def content(self) -> Json:
        """The body, where it is a JSON object."""
        found = self.bare
        return found if isinstance(found, dict) else {}


# Level (1 is -v, 2 is -vv, ...) and text.
Note = Callable[[int, str], None]


@dataclass(frozen=True)
class Listing:
    """A list of Azure: what it holds, whose api-version it takes, and where it stands."""

    what: str
    service: str
    path: str
    where: str
    query: Mapping[str, str] = field(default_factory=dict)
    # One resource, named by `where`, and no list.
    single: bool = False

    @property
    def title(self) -> str:
        return f"{self.what} {self.where}" if self.single else f"{self.what} of {self.where}"


def scope_path(subscription: str, resource_group: str | None = None) -> str:
    group = f"/resourceGroups/{quote(resource_group, safe='')}" if resource_group else ""
    return f"/subscriptions/{quote(subscription, safe='')}{group}"


def scope_title(subscription: str, resource_group: str | None = None) -> str:
    return (
        f"resource group {resource_group} in subscription {subscription}"
        if resource_group
        else f"subscription {subscription}"
    )


def short_url(url: str) -> str:
    """The URL with its long page mark cut: it says nothing to a reader."""
    return re.sub(r"(?i)(skiptoken=[^&]{8})[^&]+", r"\1...", urls.shown(url))


def newest(versions: str) -> str | None:
    """The newest of the versions in an error's text, a preview only where nothing else is offered."""
    offered = [version for version in (part.strip() for part in versions.split(",")) if VERSION.fullmatch(version)]
    stable = [version for version in offered if len(version) == 10]
    return max(stable or offered, default=None)


class Arm:
    """Lists and single resources of one cloud."""

    def __init__(self, send: Send, cloud: Cloud, note: Note, allow_partial: bool = False) -> None:
        self._send = send
        self._cloud = cloud
        self._note = note
        # Nobody is told to set what he has set.
        self._allow_partial = allow_partial
        # What an error taught us, for every later request of this run.
        self._versions = dict(cloud.api_versions)
        self._lock = threading.Lock()
        self.requests = 0

    def pages(self, listing: Listing) -> Iterator[list[Json]]:
        """The items, page by page; raises ListError where a page cannot be had."""
        url, seen = "", set[str]()
        while True:
            page = self._ask(listing, url)
            items = page.get("value")
            if not isinstance(items, list):
                raise self._odd(listing, url, "has no list named 'value'")
            yield [item for item in items if isinstance(item, dict)]
            following = page.get("nextLink")
            if not following:
                return
            url = self.checked_link(listing, str(following))
            if url in seen or len(seen) >= MOST_PAGES:
                raise self._odd(listing, url, "points to a page that we had already, the list would never end")
            seen.add(url)

    def get(self, listing: Listing) -> Json | None:
        """One resource; None where Azure knows no such thing."""
        return self._ask(listing, "", missing_ok=True) or None

    def post(self, listing: Listing, body: Json) -> Json:
        """The answer to a query."""
        return self._ask(listing, "", body=body)

    def _ask(self, listing: Listing, link: str, body: Json | None = None, missing_ok: bool = False) -> Json:
        """One page or resource; a version that this cloud does not know is replaced once."""
        answer = self.exchange(listing, "GET" if body is None else "POST", body, link=link)
        url, reply, code, message = answer.url, answer.reply, answer.code, answer.message
        if missing_ok and reply.status == 404:
            return {}
        if code == NOT_REGISTERED:
            self._note(2, f"{listing.title}: none, the provider is not registered there")
            return {"value": []}
        if reply.failure or reply.status != 200:
            told = problem(listing, short_url(url), reply, code, message, self._cloud, self._allow_partial)
            raise ListError(told, code)
        content = _parsed(reply.body)
        if not isinstance(content, dict):
            raise self._odd(listing, url, "is not a JSON object")
        return content

    def exchange(
        self,
        listing: Listing,
        method: str,
        body: Json | None = None,
        headers: Mapping[str, str] | None = None,
        link: str = "",
        action: str = "",
    ) -> Answer:
        """Ask for a page, a resource or one of its actions; a version that this cloud does not know is replaced once."""
        version = self._versions[listing.service]
        url = link or self._url(listing, version, action)
        answer = self._request(url, Call(listing.service in NETWORK_SERVICES, url, body, method, headers or {}))
        if not link and answer.code.lower() in VERSION_ERRORS and self._learn(listing, version, answer.message):
            url = self._url(listing, self._versions[listing.service], action)
            call = Call(listing.service in NETWORK_SERVICES, url, body, method, headers or {})
            answer = self._request(url, call)
        return answer

    def _request(self, url: str, call: Call) -> Answer:
        with self._lock:
            self.requests += 1
        reply = self._send(call)
        left = "".join(
            f", {name} {value}" for name, value in reply.headers.items() if "ratelimit-remaining" in name.lower()
        )
        self._note(
            3,
            f"{call.method} {short_url(url)}: {reply.status or reply.failure},"
            f" {len(reply.body)} bytes, {reply.seconds:.2f} s, tries {reply.tries}{left}",
        )
        code, message = error_of(_parsed(reply.body)) if reply.status >= 400 else ("", "")
        return Answer(url, reply, code, message)

    def _url(self, listing: Listing, version: str, action: str = "") -> str:
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in listing.query.items())
        return f"{self._cloud.endpoint}{listing.path}{action}?{f'{query}&' if query else ''}api-version={version}"

    def _learn(self, listing: Listing, tried: str, message: str) -> bool:
        """Take the newest version that the error offers; False when there is none to try."""
        found = SUPPORTED.search(message)
        version = newest(found.group(1)) if found else None
        if version is None or version == tried:
            return False
        self._versions[listing.service] = version
        self._note(
            1,
            f"Azure has no {listing.what} of api-version {tried} here and offers {version}: set"
            f" api_versions.{listing.service} to it and save a request.",
        )
        return True

    def checked_link(self, listing: Listing, link: str) -> str:
        """The next page or the state of an operation, never at another host: the token goes with the request.

        What is sent is made of the parts that are checked here, so that no other reading of the link can lead elsewhere.
        """
        ours, theirs = urls.read(self._cloud.endpoint), urls.read(link)
        if theirs is None:
            raise self._odd(listing, link, "is no URL of http or https that can be read in one way only")
        if ours is None or theirs.place != ours.place or not same_host(ours.host, theirs.host):
            raise self._odd(
                listing, link, f"is at another place than {self._cloud.endpoint}; we send our token to no other host"
            )
        return str(theirs)

    def _odd(self, listing: Listing, url: str, what: str) -> ListError:
        where = short_url(url or self._url(listing, self._versions[listing.service]))
        return ListError(
            f"{'' if listing.single else 'The list of '}{listing.title} cannot be trusted: {where} {what}. Run it again; when it stays so, a proxy or"
            " the endpoint option may be wrong."
        )


def same_host(ours: str, theirs: str) -> bool:
    """Azure's own clouds answer under names of their regions too; any other endpoint is one host."""
    azure = {urls.read(cloud.endpoint) for cloud in clouds.CLOUDS.values()}
    regional = any(one is not None and one.host == ours for one in azure)
    return theirs == ours or (regional and theirs.endswith(f".{ours}"))


def _parsed(body: bytes) -> t.Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def problem(
    listing: Listing, url: str, reply: Reply, code: str, message: str, cloud: Cloud, allow_partial: bool = False
) -> str:
    """One sentence: which list, what happened, at which URL; and what to do."""
    said = " ".join(message.split())
    said = said if len(said) <= 200 else said[:200].rsplit(" ", 1)[0] + " ..."
    name = f"{reply.status}{f' {code}' if code else ''}"
    answer = reply.failure or f"Azure answered {name}{f' ({said})' if said else ''}"
    tried = f" after {reply.tries} tries in {reply.seconds:.0f} s" if reply.tries > 1 else ""
    if reply.asked_wait is not None and reply.status in (429, 503):
        tried += f" and asked us to wait {reply.asked_wait:g} s more"
    verb = "read" if listing.single else "list"
    todo = remedy(listing, reply, code, cloud, allow_partial)
    return f"Cannot {verb} {listing.title}: {answer}{tried} at {url}. {todo}"


def remedy(listing: Listing, reply: Reply, code: str, cloud: Cloud, allow_partial: bool = False) -> str:
    """What the operator can do about it."""
    without = f" {OPTIONAL[listing.what]}: false does without this list." if listing.what in OPTIONAL else ""
    if "certificate" in reply.failure:
        return "Check the endpoint option, the proxy, and the certificate authorities that REQUESTS_CA_BUNDLE names."
    if reply.failure:
        return (
            f"Check the endpoint option, the proxy and the network, or raise timeout, retries or retry_time.{without}"
        )
    if code.lower() in VERSION_ERRORS:
        return f"Set api_versions.{listing.service} (for {SERVICES[listing.service]}) to one that this cloud has."
    if reply.status >= 500:
        return f"Run it again.{without}"
    known = {
        401: f"Log in again: the token is not good for {cloud.scope}, or comes from another cloud than '{cloud.name}'.",
        403: f"Give the identity the role Reader on {listing.where}, "
        + ("or leave that out." if allow_partial else "leave that out, or set allow_partial: true.")
        + without,
        404: "Check subscription_ids, resource_groups and the cloud option.",
        409: "Another operation changes it at this moment, which no option can help: run it again when that has ended,"
        " or raise retries and retry_time.",
        429: "Wait, raise retry_time, or ask for fewer subscriptions at once with workers.",
    }
    return known.get(reply.status, "Check the options endpoint, cloud and api_versions.")
