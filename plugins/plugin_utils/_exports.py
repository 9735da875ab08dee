# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Folders of sites that one host of the cluster holds for all web servers."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.siteops.webcluster.plugins.plugin_utils._mounts import numbers_of
from ansible_collections.siteops.webcluster.plugins.plugin_utils._sites import Site

# The tier of such a host, which is its role.
NFS_SERVER = "nfs_server"
PORT = 2049
HOME = "/srv/webcluster-folders"

Groups = Mapping[str, Sequence[str]]


class FolderHost(t.TypedDict):
    """A host that holds folders."""

    name: str
    address: str


# By the word that the sites have for it.
FolderHosts = dict[str, FolderHost]


class Export(t.TypedDict):
    """A folder, the numbers of those it belongs to, and the addresses of those who mount it."""

    path: str
    user: int
    group: int
    clients: list[str]


def _held(sites: Sequence[Site]) -> Iterator[tuple[str, str, str]]:
    """Each folder that a host holds: site, folder, and the word for the host."""
    for site in sites:
        for mount in site.values["mounts"]:
            if mount.get("host"):
                yield site.name, mount["folder"], mount["host"]


def _found(word: str, groups: Groups, known: Mapping[str, str]) -> list[str]:
    return [word] if word in known else [name for name in groups.get(word, []) if name in known]


def folder_hosts(sites: Sequence[Site], groups: Groups, known: Mapping[str, str]) -> FolderHosts:
    """The hosts that are named alone or by a group of one; `known` are the addresses of the cluster's hosts."""
    found = {}
    for _site, _folder, word in _held(sites):
        names = _found(word, groups, known)
        if len(names) == 1:
            found[word] = FolderHost(name=names[0], address=known[names[0]])
    return found


def export_errors(sites: Sequence[Site], groups: Groups, known: Mapping[str, str]) -> Iterator[str]:
    for site, folder, word in _held(sites):
        names = _found(word, groups, known)
        if not names:
            yield (
                f"Site {site}: mounts[{folder}].host is {word}, which is no host of this cluster; expected one of"
                f" {', '.join(sorted(known))}, or a group that has one of them: correct it."
            )
        elif len(names) > 1:
            yield (
                f"Site {site}: mounts[{folder}].host is {word}, a group of {len(names)} hosts; expected one that holds the folder: name"
                " one of its hosts."
            )


def path_of(site: str, folder: str) -> str:
    """Where a host keeps a folder; no folder's name has a plus."""
    return f"{HOME}/{site}/{folder.replace('/', '+')}"


def exports(sites: Sequence[Site], hosts: FolderHosts, host: str, web: Mapping[str, str]) -> list[Export]:
    """What a host holds, for web servers by name and address; one that is the host itself needs no way in."""
    found: list[Export] = []
    for site, folder, word in _held(sites):
        if word in hosts and hosts[word]["name"] == host:
            user, group = numbers_of(site)
            clients = [address for name, address in web.items() if name != host]
            found.append({"path": path_of(site, folder), "user": user, "group": group, "clients": clients})
    return found


def source(site: str, folder: str, held_by: FolderHost, host: str) -> dict[str, str]:
    """How a web server mounts such a folder; on the host itself it is no matter of the network."""
    path = path_of(site, folder)
    if held_by["name"] == host:
        return {"src": path, "fstype": "none", "opts": "bind"}
    address = held_by["address"]
    return {"src": f"{f'[{address}]' if ':' in address else address}:{path}", "fstype": "nfs4"}


def export_notes(sites: Sequence[Site], hosts: FolderHosts) -> Iterator[str]:
    """Folders that are away with one host."""
    held: dict[str, list[str]] = {}
    for site, folder, word in _held(sites):
        if word in hosts:
            held.setdefault(hosts[word]["name"], []).append(f"{folder} of {site}")
    for name, folders in held.items():
        yield f"{', '.join(folders)} is on {name} only, a single point: while that host is away, nobody has the folder."
