# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""The estate as one template of Azure Resource Manager, for what-if and deployment stacks."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure_estate.resources import KINDS, Resource

Json = dict[str, t.Any]


def template(every: Sequence[Resource], versions: Mapping[str, str]) -> Json:
    """A template that makes the same resources; `versions` are the interfaces' by service."""
    return {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "resources": [_template_part(resource, every, versions) for resource in every],
    }


def _template_part(resource: Resource, every: Sequence[Resource], versions: Mapping[str, str]) -> Json:
    kind = KINDS[resource.kind]
    # A part of another resource needs that one too.
    needed = {*_references(resource.body), resource.id}
    depends = [
        one.id for one in every if one is not resource and any(f"{id_}/".startswith(f"{one.id}/") for id_ in needed)
    ]
    return {
        "type": kind.path,
        "apiVersion": versions[kind.service],
        "name": resource.name,
        **resource.body,
        "dependsOn": depends,
    }


def _references(value: t.Any) -> Iterator[str]:
    """The ids in a body."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            if key == "id":
                yield str(one)
            else:
                yield from _references(one)
    elif isinstance(value, list):
        for one in value:
            yield from _references(one)
