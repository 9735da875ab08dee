# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What awx/config says, what is wrong with it, and what AWX would make of it; nothing here runs anything."""

from __future__ import annotations

import configparser
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _variables
from jinja2 import StrictUndefined, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

Json = dict[str, Any]
CHECKOUT = Path(__file__).resolve().parents[2]
SCHEMA = Path(__file__).with_name("schema.json")
# Types that AWX brings along, with the inputs that a credential of ours cannot do without.
BUILT_IN_TYPES = {"Machine": ["username", "ssh_key_data"]}
# Questions that set no option of a role.
OTHER_QUESTIONS = {
    "webcluster_confirm": "multiplechoice",
    "webcluster_url": "text",
    # What release.yml and rollback.yml are asked for.
    "site": "text",
    "version": "text",
    "to": "text",
    "azure_estate_name": "text",
    "azure_estate_location": "text",
    "azure_estate_admin_cidrs": "text",
    "azure_estate_ssh_public_key": "textarea",
    "azure_estate_confirm": "text",
    "azure_estate_delete_data": "multiplechoice",
    "azure_ports_resource_group": "text",
    "azure_ports_method": "multiplechoice",
}
SURVEY_TYPES = {
    "int": ["integer"],
    "float": ["float", "integer"],
    "bool": ["multiplechoice"],
    "str": ["text", "textarea", "password", "multiplechoice"],
    "list": ["multiselect", "textarea"],
}
# Where AWX looks for collections beside its own folder.
COLLECTIONS = ("~/.ansible/collections", "/usr/share/ansible/collections")
# What a filter on hosts in AWX is likely to ask for.
FILTERED = ("ansible_host", "azure_name", "azure_id", "azure_resource_group", "azure_subnet_name", "azure_location")
EXPRESSION = re.compile(r"\{\{ (.+) \}\}", re.DOTALL)
# Names of infra.aap_configuration; the folder's others are variables of its own.
OBJECTS = "controller_"


class Loader(yaml.SafeLoader):
    """YAML with Ansible's mark for text that is no template of ours."""


class Unsafe(str):
    """Text that AWX, not Ansible, fills in."""

    __slots__ = ()


def construct_unsafe(loader: Loader, node: yaml.ScalarNode) -> Unsafe:
    return Unsafe(loader.construct_scalar(node))


Loader.add_constructor("!unsafe", construct_unsafe)


def load(folder: Path = CHECKOUT / "awx/config") -> Json:
    """Return all variables of the folder; a name in two files is an error."""
    data: Json = {}
    for path in sorted(folder.glob("*.yml")):
        for name, value in Loader(path.read_text(encoding="utf-8")).get_single_data().items():
            if name in data:
                raise ValueError(f"{path.name}: {name} stands in another file as well; expected it once.")
            data[name] = value
    return data


def fill(value: Any, values: Mapping[str, Any]) -> Any:
    """Evaluate the expressions, as infra.aap_configuration's roles do."""
    if isinstance(value, dict):
        return {name: fill(inner, values) for name, inner in value.items()}
    if isinstance(value, list):
        return [fill(inner, values) for inner in value]
    if isinstance(value, Unsafe) or not isinstance(value, str):
        return value
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
    whole = EXPRESSION.fullmatch(value)
    try:
        if whole is None:
            return environment.from_string(value).render(values)
        found = environment.compile_expression(whole[1], undefined_to_none=False)(**values)
        # As text, one without a value is an error that names it.
        return str(found) if isinstance(found, StrictUndefined) else found
    except UndefinedError as error:
        raise ValueError(f"{error.message} in {value}; expected a value in awx/variables.yml.") from None


def objects(data: Json, values: Mapping[str, Any]) -> Json:
    """What AWX is told: the objects of the folder, filled in with your variables and with those of the folder itself."""
    own = {name: value for name, value in data.items() if not name.startswith(OBJECTS)}
    known = {**values, **fill(own, values)}
    return {name: fill(value, known) for name, value in data.items() if name.startswith(OBJECTS)}


def schema_errors(data: Json) -> list[str]:
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    errors = sorted(validator.iter_errors(data), key=lambda error: list(map(str, error.absolute_path)))
    return [f"{'.'.join(map(str, error.absolute_path)) or 'awx/config'}: {error.message}." for error in errors]


def _names(data: Json, kind: str) -> set[str]:
    return {str(item.get("name")) for item in data.get(f"controller_{kind}", [])}


def _references(data: Json) -> Iterator[tuple[str, str, str, str]]:
    """Yield who names whom: object, key, kind of the other object, its name."""
    kinds = {
        "projects": {"default_environment": "execution_environments"},
        "inventory_sources": {
            "inventory": "inventories",
            "source_project": "projects",
            "credential": "credentials",
            "execution_environment": "execution_environments",
        },
        "credentials": {"credential_type": "credential_types"},
        "templates": {
            "inventory": "inventories",
            "project": "projects",
            "execution_environment": "execution_environments",
            "credentials": "credentials",
        },
        "workflows": {"inventory": "inventories"},
    }
    for kind, keys in kinds.items():
        for item in data[f"controller_{kind}"]:
            for key, other in keys.items():
                for name in item[key] if isinstance(item.get(key), list) else [item.get(key)]:
                    if name is not None:
                        yield item["name"], key, other, name
    for flow in data["controller_workflows"]:
        for node in flow["simplified_workflow_nodes"]:
            yield flow["name"], f"node {node['identifier']}", "templates", node["unified_job_template"]


def reference_errors(data: Json) -> list[str]:
    """Objects that are named and not there."""
    errors = []
    for owner, key, kind, name in _references(data):
        known = _names(data, kind) | (set(BUILT_IN_TYPES) if kind == "credential_types" else set())
        if name not in known:
            errors.append(
                f"{owner}: {key} names {name}, which controller_{kind} does not hold; expected one of {', '.join(sorted(known))}."
            )
    for flow in data["controller_workflows"]:
        nodes = flow["simplified_workflow_nodes"]
        known = {node["identifier"] for node in nodes}
        errors += [
            f"{flow['name']}: node {node['identifier']} goes on to {follower}, which is no node of it."
            for node in nodes
            for key in ("success_nodes", "failure_nodes", "always_nodes")
            for follower in node.get(key, [])
            if follower not in known
        ]
    return errors


def questions_of(template: Json) -> list[Json]:
    """What a template asks before it starts."""
    found: list[Json] = template["survey"]["spec"] if template["survey_enabled"] else []
    return found


def playbook_errors(data: Json, folder: Path = CHECKOUT / "playbooks") -> list[str]:
    """Playbooks without a template, templates without a playbook, and what a template must say of its playbook."""
    errors = []
    present = {f"playbooks/{path.name}": path for path in sorted(folder.glob("*.yml"))}
    templates = {item["playbook"]: item for item in data["controller_templates"]}
    errors += [
        f"{name} has no job template; add one to awx/config/templates.yml." for name in present if name not in templates
    ]
    for name, item in templates.items():
        if name not in present:
            errors.append(
                f"{item['name']}: its playbook {name} is gone; remove the template, or name another playbook."
            )
            continue
        head = "".join(line for line in present[name].read_text(encoding="utf-8").splitlines() if line.startswith("#"))
        if "Expected downtime:" not in item["description"]:
            errors.append(f"{item['name']}: its description does not tell the expected downtime; take it from {name}.")
        questions = {question["variable"]: question for question in questions_of(item)}
        asks = questions.get("webcluster_confirm", {})
        if "Destructive:" in head and not (asks.get("required") and "default" not in asks):
            errors.append(
                f"{item['name']}: {name} is destructive; expected a required question webcluster_confirm without a default."
            )
    return errors


def survey_errors(data: Json, options: _variables.Options) -> list[str]:
    """Questions whose answers the roles or the playbooks would refuse."""
    errors = []
    for item in data["controller_templates"]:
        for question in questions_of(item):
            name, kind = question["variable"], question["type"]
            where = f"{item['name']}: the question for {name}"
            if name in OTHER_QUESTIONS:
                wanted = [OTHER_QUESTIONS[name]]
            elif name in options:
                wanted = SURVEY_TYPES[options[name].get("type", "str")]
            else:
                errors.append(
                    f"{where} sets no option of a role or of the playbooks; expected one, or a variable that a playbook reads."
                )
                continue
            if kind not in wanted:
                errors.append(f"{where} is of type {kind}; expected {' or '.join(wanted)}.")
                continue
            answers = [*question.get("choices", []), *([question["default"]] if "default" in question else [])]
            for answer in answers if name in options else []:
                problem = _variables.value_error(name, answer, options[name])
                if problem:
                    errors.append(f"{where} offers {answer!r}, which the role refuses: {problem}.")
    return errors


def credential_errors(data: Json) -> list[str]:
    """Inputs that a type wants and a credential lacks, or that the type does not know; data is filled in."""
    types = {item["name"]: item for item in data["controller_credential_types"]}
    errors = []
    for item in data["controller_credentials"]:
        kind = types.get(item["credential_type"])
        inputs = item["inputs"]
        if kind is None:
            wanted = BUILT_IN_TYPES.get(item["credential_type"], [])
        else:
            fields = {field["id"]: field for field in kind["inputs"]["fields"]}
            wanted = list(kind["inputs"]["required"])
            if "access_token" in fields and not inputs.get("access_token"):
                wanted += ["tenant", "client", "secret"]
            for name, value in inputs.items():
                if name not in fields:
                    errors.append(
                        f"Credential {item['name']}: {name} is no input of {kind['name']}; expected {', '.join(fields)}."
                    )
                elif value not in fields[name].get("choices", [value]):
                    errors.append(
                        f"Credential {item['name']}: {name} is {value}; expected {', '.join(fields[name]['choices'])}."
                    )
        errors += [
            f"Credential {item['name']}: {name} is empty; expected it for a credential of type {item['credential_type']}: set it in awx/variables.yml."
            for name in wanted
            if not inputs.get(name)
        ]
    return errors


def injected(kind: Json, inputs: Mapping[str, str], into: str) -> dict[str, str]:
    """What a job gets of a credential: into is env or extra_vars. Inputs that are not given are empty, as in AWX."""
    environment = ImmutableSandboxedEnvironment()
    given = {field["id"]: inputs.get(field["id"], "") for field in kind["inputs"]["fields"]}
    return {name: environment.from_string(text).render(given) for name, text in kind["injectors"].get(into, {}).items()}


class AwxDumper(yaml.SafeDumper):
    """YAML as AWX writes it for a job: no text in it is a template."""

    def represent_data(self, data: Any) -> yaml.Node:
        return self.represent_scalar("!unsafe", data) if isinstance(data, str) else super().represent_data(data)


def job_yaml(variables: Mapping[str, Any]) -> str:
    return "".join(yaml.dump({name: value}, Dumper=AwxDumper, sort_keys=False) for name, value in variables.items())


def inventory_environment(collections: Path) -> dict[str, str]:
    """What AWX 24.6.1 gives to an inventory update: the folder of collections in the plural name only."""
    folders = [str(collections), *COLLECTIONS, "/usr/share/automation-controller/collections"]
    return {
        "ANSIBLE_COLLECTIONS_PATHS": ":".join(folders),
        "ANSIBLE_FORCE_COLOR": "True",
        "ANSIBLE_HOST_KEY_CHECKING": "False",
        "ANSIBLE_INVENTORY_EXPORT": "True",
        "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
        "ANSIBLE_VERBOSE_TO_STDERR": "True",
        "INVENTORY_UPDATE_ID": "1",
    }


def job_environment(collections: Path) -> dict[str, str]:
    """What AWX gives to a job: both names, with what the project's ansible.cfg says between."""
    configured = configparser.ConfigParser()
    configured.read(CHECKOUT / "ansible.cfg")
    own = configured["defaults"]["collections_path"]
    folders = ":".join([str(collections), own, *COLLECTIONS])
    roles = [
        str(collections.with_name("requirements_roles")),
        configured["defaults"]["roles_path"],
        "/etc/ansible/roles",
    ]
    return {
        "ANSIBLE_COLLECTIONS_PATH": folders,
        "ANSIBLE_COLLECTIONS_PATHS": folders,
        "ANSIBLE_FORCE_COLOR": "True",
        "ANSIBLE_HOST_KEY_CHECKING": "False",
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        "ANSIBLE_ROLES_PATH": ":".join(roles),
        "INVENTORY_ID": "1",
        "JOB_ID": "1",
    }


def stored_inventory(exported: Mapping[str, Any]) -> Json:
    """What the jobs of AWX get of an exported inventory: the variables as they were stored, and its own beside them."""
    groups = {name: dict(group) for name, group in exported.items() if name != "_meta"}
    hosts = {
        name: {**variables, "remote_tower_enabled": "true", "remote_tower_id": number}
        for number, (name, variables) in enumerate(sorted(exported["_meta"]["hostvars"].items()), start=1)
    }
    return {**groups, "_meta": {"hostvars": hosts}}


def unmatched(exported: Mapping[str, Any]) -> list[str]:
    """Variables that every filter of AWX should match and none can, because they were exported as untrusted."""
    hosts = exported["_meta"]["hostvars"]
    return sorted(
        {
            f"{name} of {host}"
            for host, variables in hosts.items()
            for name in FILTERED
            if not isinstance(variables.get(name), str)
        }
    )


def answers(template: Json) -> Json:
    """The answers of somebody who leaves every question as it is, in the types that AWX sends."""
    return {question["variable"]: question["default"] for question in questions_of(template) if "default" in question}
