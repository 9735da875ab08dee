# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tutorial's HAProxy beside the cluster's, to see both in the same run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from .cluster import Lab

UNIT = "tutorial-haproxy"
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
PATH = "/srv/tutorial-haproxy.cfg"


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
def balancer(lab: Lab, host: str, listens: Mapping[int, Sequence[tuple[str, str]]]) -> Iterator[None]:
    """Run it on a host until the end."""
    lab.on(host, "tee", PATH, stdin=configuration(listens))
    lab.on(host, "systemd-run", "--quiet", f"--unit={UNIT}", "haproxy", "-db", "-f", PATH)
    try:
        yield
    finally:
        lab.on(host, "systemctl", "stop", UNIT)
