# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""The options of roles and playbooks: their argument specs, and what the inventory says of each."""

from __future__ import annotations

import difflib
import pathlib
import typing as t
from collections.abc import Iterable, Mapping, Sequence

from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.yaml import yaml_load
from jinja2 import Undefined, UndefinedError

COLLECTION = pathlib.Path(__file__).resolve().parents[2]
ROLES = COLLECTION / "roles"
PLAYBOOKS = COLLECTION / "playbooks"
# The playbooks' own prefix: nothing else may begin with it.
OWN_PREFIX = "webcluster_"
# A job of AWX has no such folder, which is an error only where a password would be made there: the password tells.
COMPUTED_WHEN_USED = ("webcluster_secrets",)
# What argument specs hold and module argument specs do not know.
DOCUMENTATION_KEYS = ("description", "short_description", "version_added", "required")

# Answers that may be left out: AWX hands an empty one over as nothing at all.
MAY_BE_EMPTY = ("to", "allow_reseed", "scratch_host")

Options = dict[str, dict[str, t.Any]]


def resolve(variables: Mapping[str, t.Any], name: str) -> t.Any:
    """Return a variable's value, all of it; one that cannot be computed is an error."""
    return _whole(variables[name])


def _whole(value: t.Any) -> t.Any:
    """Compute what a host's variables hand out to be computed later: parts of lists, and why a value is undefined."""
    if isinstance(value, Undefined):
        try:
            str(value)
        except UndefinedError as error:
            # A vault without its password says why only in the cause.
            raise AnsibleError(one_line(error.__cause__ or error)) from None
    if isinstance(value, Mapping):
        return {key: _whole(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_whole(part) for part in value]
    return value


def one_line(error: object) -> str:
    return " ".join(str(error).split()).rstrip(".")


def said_by(result: Mapping[str, t.Any]) -> str:
    """What ended a task on a host, without Ansible's own words around it."""
    return one_line(result.get("msg") or "").removeprefix("Task failed: ")


def plain_option(option: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return an option as ArgumentSpecValidator takes it."""
    plain = {key: value for key, value in option.items() if key not in DOCUMENTATION_KEYS}
    if "options" in plain:
        plain["options"] = {
            name: plain_option(inner) | {"required": inner.get("required", False)}
            for name, inner in plain["options"].items()
        }
    return plain


def read_options(folder: pathlib.Path) -> Options:
    """Return the options that the argument specs of a role, or of the playbooks, describe."""
    text = (folder / "meta" / "argument_specs.yml").read_text(encoding="utf-8")
    entry = yaml_load(text)["argument_specs"]["main"]
    return {name: plain_option(option) for name, option in (entry.get("options") or {}).items()}


def role_options(folder: pathlib.Path = ROLES) -> dict[str, Options]:
    """Return the options of each role by name."""
    return {path.name: read_options(path) for path in sorted(folder.iterdir()) if (path / "meta").is_dir()}


def all_options() -> Options:
    """Return every option that an inventory may set, of roles and playbooks."""
    options = {name: option for of_role in role_options().values() for name, option in of_role.items()}
    return options | read_options(PLAYBOOKS)


def is_secret(name: str, option: Mapping[str, t.Any]) -> bool:
    return bool(option.get("no_log")) or name.endswith("_password")


def value_error(name: str, value: t.Any, option: Mapping[str, t.Any]) -> str | None:
    """Say what is wrong with a value, without the value where it is a secret."""
    kind = option.get("type", "str")
    if value is None:
        return None if name in MAY_BE_EMPTY else "it is empty, expected a value"
    if is_secret(name, option) and kind == "str" and not isinstance(value, str):
        return "expected a text in quotes"
    if kind == "list" and isinstance(value, str):
        return "expected a list such as [a, b], not a text"
    found = ArgumentSpecValidator({name: dict(option)}).validate({name: value}).error_messages
    if found:
        return f"expected a value of type {kind}" if is_secret(name, option) else found[0].rstrip(".")
    if name.endswith("_port") and kind == "int" and not 1 <= int(value) <= 65535:
        return f"{value} is no port, expected 1 to 65535"
    parts = [part for part in (value if isinstance(value, list) else [value]) if isinstance(part, Mapping)]
    for inner, suboption in (option.get("options") or {}).items():
        given = [part[inner] for part in parts if inner in part and is_secret(inner, suboption)]
        problem = next(filter(None, (value_error(inner, each, suboption) for each in given)), None)
        if problem:
            return f"{inner}: {problem}"
    return None


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that was probably meant."""
    found = difflib.get_close_matches(name.lower().replace("-", "_"), list(known), n=1, cutoff=0.8)
    return found[0] if found else None


def _unknown(name: str, options: Iterable[str], prefixes: Iterable[str]) -> str | None:
    """Say that a variable is a misspelt option; others' variables may begin like ours (haproxy_exporter_port)."""
    prefix = next((prefix for prefix in (OWN_PREFIX, *prefixes) if name.startswith(prefix)), None)
    if prefix is None:
        return None
    known = [option.removeprefix(prefix) for option in options if option.startswith(prefix)]
    near = nearest(name.removeprefix(prefix), known)
    whose = "playbooks" if prefix == OWN_PREFIX else "roles"
    if near:
        return f"Variable {name} ({{hosts}}) is no option of the {whose}; did you mean {prefix}{near}?"
    if prefix == OWN_PREFIX:
        return f"Variable {name} ({{hosts}}) is no option of the playbooks; remove or rename it."
    return None


def _finding(
    name: str, variables: Mapping[str, t.Any], option: Mapping[str, t.Any], facts_are_there: bool
) -> str | None:
    try:
        value = resolve(variables, name)
        problem = value_error(name, value, option)
    except (AnsibleError, UndefinedError) as error:
        # It may need facts that are not there yet.
        if not facts_are_there:
            return None
        return f"Variable {name} ({{hosts}}) has no value: {one_line(error)}; correct it in the inventory."
    if problem is None:
        return None
    return f"Variable {name} ({{hosts}}) has a wrong value: {problem}; correct it in the inventory."


def variable_errors(
    hosts: Mapping[str, Mapping[str, t.Any]],
    roles: Mapping[str, Options],
    playbooks: Options,
    facts_are_there: bool = False,
) -> list[str]:
    """Return one sentence for each variable of the hosts that is misspelt, or whose value its role would refuse."""
    prefixes = tuple(f"{role}_" for role in roles)
    options = {name: option for of_role in roles.values() for name, option in of_role.items()} | playbooks
    findings: dict[str, list[str]] = {}
    for host, variables in hosts.items():
        for name in variables:
            if name in COMPUTED_WHEN_USED:
                continue
            if name in options:
                finding = _finding(name, variables, options[name], facts_are_there)
            else:
                finding = None if facts_are_there else _unknown(name, options, prefixes)
            if finding:
                findings.setdefault(finding, []).append(host)
    return [finding.replace("{hosts}", short_list(names)) for finding, names in findings.items()]


def short_list(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{', '.join(names[:2])} and {len(names) - 2} more hosts"


class Settings:
    """What each host's options come to: the inventory's value, else the default of the argument spec.

    A value that cannot be had is told in `errors`, once, and stands for its default.
    """

    def __init__(self, hosts: Mapping[str, Mapping[str, t.Any]], options: Options) -> None:
        self._hosts = hosts
        self.options = options
        self.errors: list[str] = []

    def given(self, host: str, name: str) -> bool:
        return name in self._hosts[host]

    def variables(self, host: str) -> Mapping[str, t.Any]:
        return self._hosts[host]

    def value(self, host: str, name: str) -> t.Any:
        option = self.options[name]
        # A default that has parts is made whole like any other value.
        if not self.given(host, name) and not (option.get("default") and "options" in option):
            return option.get("default")
        try:
            value = resolve(self._hosts[host], name) if self.given(host, name) else option["default"]
            checked = ArgumentSpecValidator({name: dict(option)}).validate({name: value})
            problem = checked.error_messages[0] if checked.error_messages else ""
        except (AnsibleError, UndefinedError) as error:
            problem = one_line(error)
        if problem:
            self._tell(f"Variable {name} ({host}) has no value: {one_line(problem)}; correct it in the inventory.")
            return option.get("default")
        return checked.validated_parameters[name]

    def _tell(self, error: str) -> None:
        if error not in self.errors:
            self.errors.append(error)
