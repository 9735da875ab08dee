# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""The certificates of the sites: what the load balancers get of them, and whether they fit their sites."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from ansible_collections.siteops.webcluster.plugins.plugin_utils import _certificates
from ansible_collections.siteops.webcluster.plugins.plugin_utils._sites import ANY, SiteValues
from ansible_collections.siteops.webcluster.plugins.plugin_utils._variables import Settings

OPTION = "haproxy_https_certificates"


def has_own(site: SiteValues) -> bool:
    return bool((site.get("certificate") or {}).get("certificate"))


def site_certificates(sites: Sequence[SiteValues]) -> list[dict[str, t.Any]]:
    """What the sites bring themselves."""
    return [site["certificate"] for site in sites if has_own(site)]


def balancer_certificates(settings: Settings, balancer: str) -> list[dict[str, t.Any]]:
    """All that a load balancer has; the first one is for who asks for no name."""
    sites = settings.value(balancer, "webcluster_sites") or []
    return [*settings.value(balancer, OPTION), *site_certificates(sites)]


def covered(name: str, names: Sequence[str]) -> bool:
    """Whether a certificate for these names is good for one."""
    return name in names or ("*" not in name and f"*.{name.partition('.')[2]}" in names)


def _finding(site: SiteValues, now: datetime) -> str:
    certificate = site["certificate"]
    if not certificate.get("certificate") or not certificate.get("private_key"):
        return "expected certificate and private_key in it, both PEM texts: give both, or remove it."
    try:
        _certificates.check(certificate, now)
    except _certificates.CertificateError as problem:
        return str(problem)
    names = _certificates.names([certificate])
    if bare := [domain for domain in site["domains"] if domain != ANY and not covered(domain.lower(), names)]:
        return (
            f"it is for {', '.join(names)}, and not for the site's {', '.join(bare)}; expected one for all its domains: have it"
            " made with them, or remove them."
        )
    return ""


def site_certificate_errors(sites: Sequence[SiteValues], balancers: Sequence[t.Any]) -> Iterator[str]:
    """One sentence for each site whose certificate cannot be shown to its visitors."""
    for site in sites:
        if site.get("certificate") is None:
            continue
        start = f"Site {site['name']}: certificate"
        if not balancers:
            yield f"{start} is given, but this inventory has no load balancer to show it: add its hosts, or remove it."
        elif _certificates.MISSING:
            yield (
                f"{start} needs the Python package cryptography on the controller ({_certificates.MISSING}): install it beside"
                " Ansible."
            )
        elif finding := _finding(site, datetime.now(UTC)):
            yield f"{start}: {finding}"
