# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""The check of an action's arguments, made of what its documentation says: nothing is written twice."""

from __future__ import annotations

import typing as t

import yaml
from ansible_collections.siteops.webcluster.plugins.doc_fragments.azure_login import ModuleDocFragment

Json = dict[str, t.Any]
# What the documentation and the check of the arguments have in common.
CHECKED = ("type", "required", "default", "choices", "elements")


def argument_spec(options: Json) -> Json:
    """The check of options as the documentation describes them."""
    return {
        name: {key: one[key] for key in CHECKED if key in one}
        | ({"options": argument_spec(one["suboptions"])} if "suboptions" in one else {})
        for name, one in options.items()
    }


def documented(documentation: str) -> Json:
    """The check of a module's own options and those of the login."""
    options: Json = yaml.safe_load(documentation)["options"]
    return argument_spec(options | yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"])
