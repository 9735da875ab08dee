# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Hold the inventory's variables against the roles' argument specs, before a host is asked anything."""

from __future__ import annotations

import difflib
import pathlib
import typing as t
from collections.abc import Iterable, Mapping

from ansible.errors import AnsibleError, AnsibleUndefinedVariable
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.yaml import yaml_load
from jinja2 import Undefined

ROLES = pathlib.Path(__file__).resolve().parents[2] / "roles"
# What argument specs hold and module argument specs do not know.
DOCUMENTATION_KEYS = ("description", "short_description", "version_added", "required")

Options = dict[str, dict[str, t.Any]]


def resolve(variables: Mapping[str, t.Any], name: str) -> t.Any:
    """Return a variable's value; an undefined one, which a host's variables hand out like a value, is an error."""
    value = variables[name]
    if isinstance(value, Undefined):
        raise AnsibleUndefinedVariable(str(value._undefined_hint or f"{name} is undefined"))
    return value


def plain_option(option: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return an option as ArgumentSpecValidator takes it."""
    plain = {key: value for key, value in option.items() if key not in DOCUMENTATION_KEYS}
    if "options" in plain:
        plain["options"] = {
            name: plain_option(inner) | {"required": inner.get("required", False)}
            for name, inner in plain["options"].items()
        }
    return plain


def role_options(folder: pathlib.Path = ROLES) -> dict[str, Options]:
    """Return the options of each role by name."""
    roles = {}
    for path in sorted(folder.glob("*/meta/argument_specs.yml")):
        entry = yaml_load(path.read_text(encoding="utf-8"))["argument_specs"]["main"]
        roles[path.parent.parent.name] = {
            name: plain_option(option) for name, option in (entry.get("options") or {}).items()
        }
    return roles


def value_error(name: str, value: t.Any, option: Mapping[str, t.Any]) -> str | None:
    """Say what is wrong with a value, without the value where it is a secret."""
    found = ArgumentSpecValidator({name: dict(option)}).validate({name: value}).error_messages
    if not found:
        return None
    if option.get("no_log"):
        return f"expected a value of type {option.get('type', 'str')}"
    return found[0].rstrip(".")


def variable_errors(
    hosts: Iterable[str], hostvars: Mapping[str, Mapping[str, t.Any]], roles: Mapping[str, Options]
) -> list[str]:
    """Return one sentence for each variable that no role knows, or whose value its role would refuse."""
    prefixes = tuple(f"{role}_" for role in roles)
    options = {name: option for of_role in roles.values() for name, option in of_role.items()}
    findings: dict[str, list[str]] = {}
    for host in hosts:
        variables = hostvars[host]
        for name in variables:
            if not name.startswith(prefixes):
                continue
            if name not in options:
                near = difflib.get_close_matches(name, options, n=1, cutoff=0.8)
                remedy = f"did you mean {near[0]}?" if near else "remove or rename it."
                finding = f"Variable {name} ({{hosts}}) is no option of the roles; {remedy}"
            else:
                try:
                    value = resolve(variables, name)
                except AnsibleError:
                    # It may need facts that are not there yet; the role checks its value again.
                    continue
                problem = value_error(name, value, options[name])
                if problem is None:
                    continue
                finding = f"Variable {name} ({{hosts}}) has a wrong value: {problem}; correct it in the inventory."
            findings.setdefault(finding, []).append(host)
    return [finding.replace("{hosts}", short_list(names)) for finding, names in findings.items()]


def short_list(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{', '.join(names[:2])} and {len(names) - 2} more hosts"
