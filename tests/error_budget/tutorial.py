# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tutorial's HAProxy beside the cluster's, to see both in the same run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

from .cluster import Lab
from .load import FIGURES

UNIT = "tutorial-haproxy"
PORT = 8081
# Its columns beside the cluster's.
HEAD = tuple(f"tutorial: {name}" for name in FIGURES)
# Its settings; only a bind line of its own is new, since HAProxy refuses an address beside 'listen' today.
SETTINGS = """\
global
    log 127.0.0.1 local3
    maxconn 4096
    user haproxy
    group haproxy
defaults
    mode http
    log global
    option httplog
    option dontlognull
    option httpclose
    option forwardfor
    option redispatch
    retries 3
    maxconn 2000
    balance source
    timeout connect 5000
    timeout client 50000
    timeout server 50000
"""


def openings(ports: Sequence[int]) -> dict[str, list[dict[str, object]]]:
    """What site.yml is told, so that the lab's firewalls let somebody in at these ports."""
    return {"firewall_openings": [{"port": port, "purpose": "the tutorial's settings"} for port in ports]}


def configuration(listens: Mapping[int, Sequence[tuple[str, str]]]) -> str:
    """By port, the name and the address with port of each server."""
    text = SETTINGS
    for port, servers in listens.items():
        text += f"listen web-{port}\n    bind :{port}\n"
        text += "".join(f"    server {name} {address} check inter 2000 fall 3\n" for name, address in servers)
    return text


@contextmanager
def running(lab: Lab, host: str, unit: str, text: str) -> Iterator[None]:
    """Run an HAProxy of its own on a host until the end."""
    path = f"/srv/{unit}.cfg"
    lab.on(host, "tee", path, stdin=text)
    lab.on(host, "systemd-run", "--quiet", f"--unit={unit}", "haproxy", "-db", "-f", path)
    try:
        yield
    finally:
        lab.on(host, "systemctl", "stop", unit)


def balancer(lab: Lab, host: str, listens: Mapping[int, Sequence[tuple[str, str]]]) -> AbstractContextManager[None]:
    """Run the tutorial's on a host until the end."""
    return running(lab, host, UNIT, configuration(listens))
