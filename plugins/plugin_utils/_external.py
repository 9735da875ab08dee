# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Data tiers that somebody else runs: an endpoint over TLS in place of hosts."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterator, Mapping, Sequence

from ansible.errors import AnsibleError
from ansible_collections.siteops.webcluster.plugins.plugin_utils._engines import ENGINES, WEB_SERVERS, Engine
from ansible_collections.siteops.webcluster.plugins.plugin_utils._hosts import is_address
from ansible_collections.siteops.webcluster.plugins.plugin_utils._variables import (
    Settings,
    resolve,
    short_list,
)
from jinja2 import UndefinedError

NAME = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\Z"
)


class Place(t.TypedDict):
    """An endpoint; its certificate is for this name."""

    host: str
    port: int


class External(t.TypedDict):
    """A tier that somebody else runs; its password stays where the inventory keeps it."""

    title: str
    write: Place
    # Where reads may go as well; without one they go where writes go.
    read: list[Place]
    user: str
    # Which part of the inventory's variable holds its password.
    password: str
    # On the web servers.
    ca_file: str
    # The web server that asks how it is, as the application's network place is what counts.
    asked_on: str
    # Where the sites' accounts may come from, at a service that has an account for each.
    account_hosts: list[str]


def option_of(key: str) -> str:
    return f"webcluster_{key}_external"


def place_name(place: Place) -> str:
    return f"{place['host']}:{place['port']}"


def external_tiers(settings: Settings, host: str, web: Sequence[str]) -> dict[str, External]:
    """The tiers that are endpoints, as one host of the cluster has them; all have the same."""
    found: dict[str, External] = {}
    for key, engine in ENGINES.items():
        given = settings.value(host, option_of(key)) if option_of(key) in settings.options else None
        if given:
            found[key] = {
                "title": engine.title,
                "write": given["write"],
                "read": given["read"],
                "user": login_of(engine, given)["user"],
                "password": ".".join(filter(None, (option_of(key), engine.endpoint_login, "password"))),
                "ca_file": given["ca_file"],
                "asked_on": web[0] if web else "",
                "account_hosts": given.get("account_hosts", []),
            }
    return found


def login_of(engine: Engine, given: Mapping[str, t.Any]) -> Mapping[str, t.Any]:
    """The part of an endpoint's variable that holds its user and password."""
    return given[engine.endpoint_login] if engine.endpoint_login else given


def password_of(variables: Mapping[str, t.Any], key: str) -> str | None:
    """The password for an endpoint; none where the tier has hosts, or is not there."""
    name = option_of(key)
    return str(login_of(ENGINES[key], resolve(variables, name))["password"]) if name in variables else None


def endpoint_notes(external: Mapping[str, External], stores: Sequence[str], removed: Sequence[str]) -> Iterator[str]:
    """What the playbooks do for hosts only. removed: sites of which everything shall go."""
    for key, found in external.items():
        endpoint = f"{found['title']} is the endpoint {place_name(found['write'])}"
        if stores:
            yield f"{endpoint}: its provider makes the copies of its data, {', '.join(stores)} has none."
        # Databases can be removed by their administrator; the keys of one user have no list.
        if removed and not ENGINES[key].endpoint_login:
            yield f"{endpoint}: what {', '.join(removed)} left there stays; remove it there."


def _form_errors(name: str, engine: Engine, given: Mapping[str, t.Any]) -> Iterator[str]:
    places = [("write", given["write"]), *((f"read[{at}]", place) for at, place in enumerate(given["read"]))]
    for where, place in places:
        host, port = str(place["host"]), int(place["port"])
        if is_address(host) or not NAME.match(host):
            yield (
                f"Variable {name} has a wrong value: {where}.host is {host!r}; expected the service's name, which is what its"
                " certificate is for: correct it."
            )
        if not 1 <= port <= 65535:
            yield f"Variable {name} has a wrong value: {where}.port is {port}; expected 1 to 65535: correct it."
    known = [(place["host"], int(place["port"])) for _name, place in places]
    for host, port in dict.fromkeys(place for place in known if known.count(place) > 1):
        yield f"Variable {name} names {host}:{port} twice; expected each endpoint once: remove one."
    if not str(given["ca_file"]).startswith("/"):
        yield (
            f"Variable {name} has a wrong value: ca_file is {given['ca_file']!r}; expected the absolute path of a file on the web"
            " servers: correct it."
        )
    login = login_of(engine, given)
    for secret in ("user", "password"):
        where = f"{engine.endpoint_login}.{secret}" if engine.endpoint_login else secret
        if not str(login[secret]):
            yield f"Variable {name} has a wrong value: {where} is empty; expected the one that the service gave you: set it."
    if not given.get("account_hosts", [None]):
        yield f"Variable {name} has a wrong value: account_hosts is empty; expected addresses or patterns such as '%': remove it."


def external_errors(
    groups: Mapping[str, Sequence[str]], hosts: Mapping[str, Mapping[str, t.Any]], settings: Settings
) -> Iterator[str]:
    """A tier is hosts or an endpoint, and all hosts must mean the same one; a value of a wrong form is told elsewhere."""
    for key, engine in ENGINES.items():
        name = option_of(key)
        setting = [host for host in hosts if name in hosts[host]]
        if not setting:
            continue
        yield from _place_errors(groups, engine, name)
        try:
            values = {host: resolve(hosts[host], name) if name in hosts[host] else None for host in hosts}
        except (AnsibleError, UndefinedError):
            continue
        others = [host for host in hosts if values[host] != values[setting[0]]]
        if others:
            yield (
                f"Variable {name} differs between {setting[0]} and {short_list(others)}; expected the same for the whole cluster:"
                " set it in group webcluster."
            )
        given = settings.value(setting[0], name)
        if given:
            yield from _form_errors(name, engine, given)


def _place_errors(groups: Mapping[str, Sequence[str]], engine: Engine, name: str) -> Iterator[str]:
    members = [host for group in engine.groups for host in groups.get(group, [])]
    if members:
        yield (
            f"Variable {name} is set, but {short_list(members)} {'is' if len(members) == 1 else 'are'} in"
            f" {' and '.join(group for group in engine.groups if groups.get(group))}; expected hosts or an endpoint for"
            f" {engine.title}, never both: remove the variable, or take the hosts out."
        )
    if not groups.get(WEB_SERVERS):
        yield (
            f"Variable {name} is set, but group {WEB_SERVERS} has no host; expected a web server that uses the endpoint: add one, or"
            " remove the variable."
        )
