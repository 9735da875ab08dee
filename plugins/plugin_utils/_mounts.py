# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""What holds a site's folders for all web servers: what is wrong with an entry, and how a web server mounts it."""

from __future__ import annotations

import re
import typing as t
import zlib
from collections.abc import Iterator, Mapping, Sequence

FSTYPE = re.compile(r"[a-z0-9]+(\.[a-z0-9]+)?\Z")
# What is mounted and how stands in a unit, word by word.
WORD = re.compile(r"[^\s\x00-\x1f\x7f\"'\\]+\Z")
NFS_SOURCE = re.compile(r"([A-Za-z0-9.-]+|\[[0-9a-f:.]+\]):/\S*\Z")
CIFS_SOURCE = re.compile(r"//[A-Za-z0-9.-]+/\S+\Z")
# Options that tell a login, which everybody could read.
LOGIN_OPTION = re.compile(r"(^|,)\s*(pass|password|password2|user|username|credentials|cred)=")
CREDENTIAL = re.compile(r"[^\x00-\x1f\x7f]+\Z")
CIFS = ("cifs", "smb3")
NFS = ("nfs", "nfs4")
# Nothing that visitors have sent is run, or is a device.
USUAL_OPTIONS = ("_netdev", "nosuid", "nodev", "noexec")
CREDENTIALS = "/etc/webcluster-mounts"
# A range that neither Debian, systemd nor the users of containers take; two numbers for each site.
FIRST_NUMBER, NUMBERS = 66_000, 33_000

Values = Mapping[str, t.Any]


class PlannedMount(t.TypedDict):
    """A mount of a web server, as its units say it."""

    folder: str
    path: str
    # Of both units, without the kind.
    unit: str
    src: str
    fstype: str
    options: str
    # Empty where no login is needed.
    credentials: str
    login: str


def type_of(mount: Values) -> str:
    """The type of its file system; a role's own values come without their defaults."""
    return str(mount.get("fstype") or NFS[-1])


def mounted_folders(site: Values) -> list[str]:
    """The shared folders that are the same on all web servers."""
    return [mount["folder"] for mount in site.get("mounts") or []]


def has_numbers(site: Values) -> bool:
    """Whether files carry the numbers of the site's user, which have to be the same on all web servers then."""
    return any(mount.get("host") or type_of(mount) not in CIFS for mount in site.get("mounts") or [])


def numbers_of(name: str) -> tuple[int, int]:
    """The numbers of a site's user and of its readers' group; they follow from the name alone."""
    user = FIRST_NUMBER + zlib.crc32(name.encode()) % (NUMBERS // 2) * 2
    return user, user + 1


def place_of(home: str, folder: str) -> str:
    """Where a folder of a site is mounted."""
    return f"{home}/shared/{folder}"


def unit_of(path: str) -> str:
    """A path as systemd names units after it."""

    def escaped(position: int, character: str) -> str:
        if character == "/":
            return "-"
        plain = character.isalnum() or character in ":_" or (character == "." and position)
        return character if plain else f"\\x{ord(character):02x}"

    return "".join(escaped(*found) for found in enumerate(path.strip("/")))


def planned_mount(home: str, name: str, mount: Values) -> PlannedMount:
    """A mount with all that its units say; what the user says comes last, and wins."""
    path = place_of(home, mount["folder"])
    unit = unit_of(path)
    options = [*USUAL_OPTIONS]
    login, credentials = "", ""
    if mount["fstype"] in CIFS:
        options += [f"uid=site-{name}", f"gid=web-{name}", "forceuid", "forcegid", "file_mode=0640", "dir_mode=0750"]
        if mount.get("user"):
            # No folder's name has a plus.
            credentials = f"{CREDENTIALS}/{name}.{mount['folder'].replace('/', '+')}"
            login = f"username={mount['user']}\npassword={mount['password']}\n"
            options.append(f"credentials={credentials}")
    if mount.get("opts"):
        options.append(_specifiers(mount["opts"]))
    return {
        "folder": mount["folder"],
        "path": path,
        "unit": unit,
        "src": _specifiers(mount["src"]),
        "fstype": mount["fstype"],
        "options": ",".join(options),
        "credentials": credentials,
        "login": login,
    }


def _specifiers(text: str) -> str:
    """A text as it stands in a unit, where % begins a word of systemd's."""
    return text.replace("%", "%%")


def _login_findings(option: str, mount: Values, is_cifs: bool) -> Iterator[str]:
    user, password = mount.get("user") or "", mount.get("password") or ""
    if bool(user) != bool(password):
        there, lacking = ("user", "password") if user else ("password", "user")
        yield f"{option}.{there} is set without {option}.{lacking}; expected both, or neither: set {option}.{lacking}."
    elif user and not is_cifs:
        yield (
            f"{option} has a user and a password, which {mount.get('host') or type_of(mount)} takes from nobody; expected them"
            f" with fstype {' or '.join(CIFS)} only: remove them."
        )
    if any(value and not CREDENTIAL.match(value) for value in (user, password)):
        yield f"{option}.user or {option}.password holds a line break or another control character: correct it."


def _source_findings(option: str, mount: Values) -> Iterator[str]:
    """What is wrong with what is mounted; a login is not told."""
    if mount.get("host"):
        if mount.get("src"):
            yield f"{option} has both src and host; expected one of them to hold the folder: remove the other one."
        return
    source, fstype, opts = mount.get("src") or "", type_of(mount), mount.get("opts") or ""
    if not FSTYPE.match(fstype):
        yield f"{option}.fstype holds {fstype}, expected a word such as nfs4 or cifs: correct it."
    if not source:
        yield f"{option} does not say what holds the folder; expected src, such as nas.example:/shop, or host: add it."
    elif not WORD.match(source) or source.startswith("-"):
        yield f"{option}.src holds {source}, expected one word such as nas.example:/shop: correct it."
    elif fstype in NFS and not NFS_SOURCE.match(source):
        yield f"{option}.src holds {source}, expected a server and a path for {fstype}, such as nas.example:/shop: correct it."
    elif fstype in CIFS and not CIFS_SOURCE.match(source):
        yield f"{option}.src holds {source}, expected a server and a share for {fstype}, such as //files.example/shop: correct it."
    if LOGIN_OPTION.search(opts):
        yield (
            f"{option}.opts holds a login, which everybody on the host could read; expected it in {option}.user and"
            f" {option}.password: move it there."
        )
    elif opts and not WORD.match(opts):
        yield f"{option}.opts holds {opts}, expected words with commas between them, such as vers=4.2,softerr: correct it."


def mount_findings(site: Values) -> Iterator[str]:
    """What is wrong with the mounts of a site, a sentence each."""
    shared = site.get("shared_folders") or []
    folders = mounted_folders(site)
    for folder in dict.fromkeys(folder for folder in folders if folders.count(folder) > 1):
        yield f"mounts names {folder} twice; expected one mount for it: remove the others."
    for mount in site.get("mounts") or []:
        option = f"mounts[{mount['folder']}]"
        if mount["folder"] not in shared:
            known = f"one of shared_folders ({', '.join(shared)})" if shared else "a folder that shared_folders names"
            yield f"mounts names {mount['folder']}, expected {known}: add it there, or correct it."
        yield from _source_findings(option, mount)
        yield from _login_findings(option, mount, type_of(mount) in CIFS and not mount.get("host"))


def number_findings(sites: Sequence[Values]) -> Iterator[str]:
    """Sites whose users would be one and the same."""
    owners: dict[int, str] = {}
    for site in sites:
        if has_numbers(site):
            other = owners.setdefault(numbers_of(site["name"])[0], site["name"])
            if other != site["name"]:
                yield (
                    f"Sites {other} and {site['name']} have mounts, and their names give their users the same number; expected a number"
                    " for each: rename one of them."
                )
