# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Newer packages for a lab's hosts, made of those that they can get, so that an update has something to do."""

from __future__ import annotations

import time
from collections.abc import Sequence

from .cluster import ClusterError, Lab

# Offers them to apt: newer.sh MARK LINE_OF_A_PREINST PACKAGE...; those that want exactly each other's version still do.
NEWER = r"""
set -eu
mark=$1 preinst=$2; shift 2
rm -rf /srv/newer /etc/apt/sources.list.d/newer.list
apt-get update -qq
mkdir -p /srv/newer && cd /srv/newer
for package in "$@"; do
  apt-get download -qq "$package=$(apt-cache madison "$package" | awk 'NR == 1 {print $3}')"
  dpkg-deb -R "$package"_*.deb tree
  rm "$package"_*.deb
  version=$(sed -n 's/^Version: //p' tree/DEBIAN/control)
  sed -i "s/^Version: .*/&+newer$mark/" tree/DEBIAN/control
  for other in "$@"; do sed -i "s/\b$other (= $version)/$other (= $version+newer$mark)/" tree/DEBIAN/control; done
  if [ -n "$preinst" ]; then printf '#!/bin/sh\n%s\n' "$preinst" >tree/DEBIAN/preinst; chmod 755 tree/DEBIAN/preinst; fi
  dpkg-deb -Znone -b tree "$package.deb" >/dev/null
  rm -r tree
  { dpkg-deb -f "$package.deb"; printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$package.deb" \
    "$(stat -c %s "$package.deb")" "$(sha256sum "$package.deb" | cut -d ' ' -f 1)"; } >>Packages
done
echo 'deb [trusted=yes] file:/srv/newer ./' >/etc/apt/sources.list.d/newer.list
apt-get update -qq
"""
NO_NEWER = "rm -rf /srv/newer /etc/apt/sources.list.d/newer.list; apt-get update -qq"


def next_mark() -> str:
    """Newer than whatever an earlier event, or an earlier run in this lab, has left."""
    return str(int(time.time()))


def offer(lab: Lab, host: str, packages: Sequence[str], mark: str, preinst: str = "") -> None:
    """Let a host's apt know newer packages."""
    lab.on(host, "sh", "-c", NEWER, "newer", mark, preinst, *packages)


def forget(lab: Lab, host: str) -> None:
    lab.on(host, "sh", "-c", NO_NEWER)


def without(lab: Lab, host: str, packages: Sequence[str], mark: str) -> list[str]:
    """The packages of a host that are not the newer ones."""
    shown = lab.on(host, "dpkg-query", "--show", *packages).splitlines()
    return [line for line in shown if not line.endswith(f"+newer{mark}")]


def expect(lab: Lab, host: str, packages: Sequence[str], mark: str) -> None:
    old = without(lab, host, packages, mark)
    if old:
        raise ClusterError(f"{host} still has {', '.join(old)}; expected newer{mark}.")
