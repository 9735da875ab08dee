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
from ansible_collections.siteops.webcluster.plugins.plugin_utils._variables import Settings, short_list

OPTION = "haproxy_https_certificates"
ACME_OPTION = "haproxy_acme_certificates"
ACCOUNT_KEY = "haproxy_acme_account_key"


def has_own(site: SiteValues) -> bool:
    return bool((site.get("certificate") or {}).get("certificate"))


def site_certificates(sites: Sequence[SiteValues]) -> list[dict[str, t.Any]]:
    """What the sites bring themselves."""
    return [site["certificate"] for site in sites if has_own(site)]


def is_ordered(site: SiteValues) -> bool:
    return bool((site.get("certificate") or {}).get("acme"))


def ordered_certificates(sites: Sequence[SiteValues]) -> list[dict[str, t.Any]]:
    """What the sites want of the ACME authority."""
    return [
        {"name": site["name"], "domains": [domain for domain in site["domains"] if domain != ANY]}
        for site in sites
        if is_ordered(site)
    ]


def balancer_orders(settings: Settings, balancer: str) -> list[dict[str, t.Any]]:
    """All that a load balancer gets from the ACME authority."""
    sites = settings.value(balancer, "webcluster_sites") or []
    return [*settings.value(balancer, ACME_OPTION), *ordered_certificates(sites)]


def balancer_certificates(settings: Settings, balancer: str) -> list[dict[str, t.Any]]:
    """All that a load balancer has; the first one is for who asks for no name."""
    sites = settings.value(balancer, "webcluster_sites") or []
    return [*settings.value(balancer, OPTION), *site_certificates(sites)]


def covered(name: str, names: Sequence[str]) -> bool:
    """Whether a certificate for these names is good for one."""
    return name in names or ("*" not in name and f"*.{name.partition('.')[2]}" in names)


def _order_finding(site: SiteValues) -> str:
    wide = [domain for domain in site["domains"] if domain.startswith("*.")]
    if wide:
        return (
            f"acme is set, but HTTP-01 gives no certificate for {', '.join(wide)}; expected host names: write them out, or bring a"
            " certificate of your own."
        )
    if site["domains"] == [ANY]:
        return "acme is set, but the site has no domain but *; expected host names: add them, or remove it."
    return ""


def account_errors(settings: Settings, balancers: Sequence[str]) -> Iterator[str]:
    """Each load balancer answers the authority for the others, so all have one account."""
    asking = [name for name in balancers if balancer_orders(settings, name)]
    others = [
        name for name in asking[1:] if settings.value(name, ACCOUNT_KEY) != settings.value(asking[0], ACCOUNT_KEY)
    ]
    if others:
        yield (
            f"Variable {ACCOUNT_KEY} differs between {asking[0]} and {short_list(others)}; expected the same key for all load"
            " balancers, which answer the authority for each other: set it in a group of all of them."
        )


def _finding(site: SiteValues, now: datetime) -> str:
    certificate = site["certificate"]
    given = [bool(certificate.get(part)) for part in ("certificate", "private_key")]
    if certificate.get("acme") and not any(given):
        return _order_finding(site)
    if not all(given) or certificate.get("acme"):
        return "expected certificate and private_key in it, both PEM texts, or acme alone: give one of the two, or remove it."
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
