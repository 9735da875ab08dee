# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""awx/config is whole, and each mistake in it is named."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _cluster_sites, _engines, _variables
from ansible_collections.siteops.webcluster.tests.awx import data

DATA = data.load()
VALUES = yaml.safe_load((data.CHECKOUT / "awx/variables.example.yml").read_text(encoding="utf-8"))
FILLED = data.objects(DATA, VALUES)
OPTIONS = _variables.all_options()


@pytest.fixture
def changed() -> dict[str, Any]:
    return copy.deepcopy(FILLED)


def named(items: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(item for item in items if item["name"] == name)


def test_the_data_is_as_infra_aap_configuration_takes_it() -> None:
    assert data.schema_errors(FILLED) == []
    assert data.reference_errors(FILLED) == []


def test_each_playbook_has_a_template_and_each_template_a_playbook() -> None:
    assert data.playbook_errors(FILLED) == []


def test_the_roles_take_every_answer_that_a_survey_offers() -> None:
    assert data.survey_errors(FILLED, OPTIONS) == []


def test_the_credentials_are_complete() -> None:
    assert data.credential_errors(FILLED) == []


def test_the_inventory_source_is_there() -> None:
    for source in FILLED["controller_inventory_sources"]:
        assert list((data.CHECKOUT / source["source_path"]).glob("*.yml")), source["source_path"]


def test_a_playbook_without_template_is_named(changed: dict[str, Any], tmp_path: Path) -> None:
    for item in changed["controller_templates"]:
        (tmp_path / Path(item["playbook"]).name).write_text("# Undo: nothing\n")
    (tmp_path / "dance.yml").write_text("# Undo: run it again\n")
    assert data.playbook_errors(changed, tmp_path) == [
        "playbooks/dance.yml has no job template; add one to awx/config/templates.yml."
    ]


def test_a_template_whose_playbook_is_gone_is_named(changed: dict[str, Any]) -> None:
    named(changed["controller_templates"], "webcluster_site")["playbook"] = "playbooks/gone.yml"
    assert data.playbook_errors(changed)[1] == (
        "webcluster_site: its playbook playbooks/gone.yml is gone; remove the template, or name another playbook."
    )


def test_a_destructive_template_must_ask_first(changed: dict[str, Any], tmp_path: Path) -> None:
    for item in changed["controller_templates"]:
        (tmp_path / Path(item["playbook"]).name).write_text("# Undo: nothing\n")
    (tmp_path / "site.yml").write_text("# Destructive: it wipes the replica.\n")
    errors = data.playbook_errors(changed, tmp_path)
    assert len(errors) == 1
    assert "site.yml is destructive; expected a required question webcluster_confirm" in errors[0]
    question = {"variable": "webcluster_confirm", "required": True, "type": "multiplechoice"}
    named(changed["controller_templates"], "webcluster_site")["survey"]["spec"].append(question)
    assert data.playbook_errors(changed, tmp_path) == []


def test_a_template_must_tell_the_downtime(changed: dict[str, Any]) -> None:
    named(changed["controller_templates"], "webcluster_site")["description"] = "Builds the whole cluster."
    assert "does not tell the expected downtime" in data.playbook_errors(changed)[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"variable": "haproxy_http_balanse"}, "sets no option of a role"),
        ({"type": "integer"}, "is of type integer; expected text or textarea"),
        ({"choices": ["leastconn", "fastest"]}, "offers 'fastest', which the role refuses"),
        ({"default": "first"}, "offers 'first', which the role refuses"),
    ],
)
def test_an_answer_of_the_wrong_type_is_named(changed: dict[str, Any], change: dict[str, Any], words: str) -> None:
    named(changed["controller_templates"], "webcluster_site")["survey"]["spec"][0].update(change)
    errors = data.survey_errors(changed, OPTIONS)
    assert len(errors) == 1
    assert words in errors[0]


@pytest.mark.parametrize("name", ["tenant", "client", "secret"])
def test_a_credential_without_tenant_is_named(changed: dict[str, Any], name: str) -> None:
    named(changed["controller_credentials"], "webcluster_azure")["inputs"][name] = ""
    assert data.credential_errors(changed) == [
        f"Credential webcluster_azure: {name} is empty; expected it for a credential of type webcluster_azure:"
        " set it in awx/variables.yml."
    ]


def test_an_access_token_takes_the_place_of_a_service_principal(changed: dict[str, Any]) -> None:
    named(changed["controller_credentials"], "webcluster_azure")["inputs"] = {"cloud": "china", "access_token": "x"}
    assert data.credential_errors(changed) == []


@pytest.mark.parametrize(
    ("inputs", "words"),
    [({"cloud": "moon"}, "cloud is moon; expected public, china, us_government."), ({"key": "x"}, "key is no input")],
)
def test_wrong_inputs_are_named(changed: dict[str, Any], inputs: dict[str, str], words: str) -> None:
    named(changed["controller_credentials"], "webcluster_azure")["inputs"].update(inputs)
    assert words in data.credential_errors(changed)[0]


def test_names_that_lead_nowhere_are_named(changed: dict[str, Any]) -> None:
    named(changed["controller_templates"], "webcluster_site")["credentials"] = ["webcluster_lost"]
    changed["controller_workflows"][0]["simplified_workflow_nodes"][0]["always_nodes"] = ["nowhere"]
    errors = data.reference_errors(changed)
    assert "webcluster_site: credentials names webcluster_lost, which controller_credentials does not hold" in errors[0]
    assert errors[1] == "webcluster_converge: node before goes on to nowhere, which is no node of it."


def test_a_key_that_the_format_does_not_have_is_named(changed: dict[str, Any]) -> None:
    changed["controller_templates"][0]["ask_limit"] = True
    assert (
        "controller_templates.0: Additional properties are not allowed ('ask_limit'" in data.schema_errors(changed)[0]
    )


def test_a_value_that_is_missing_is_named() -> None:
    with pytest.raises(
        ValueError, match=r"'webcluster_awx_organization' is undefined in .*; expected a value in awx/variables\.yml"
    ):
        data.objects(DATA, {})


def test_a_job_gets_the_credential_as_environment_and_variables() -> None:
    types = FILLED["controller_credential_types"]
    inputs = {"cloud": "china", "access_token": "to{{ken"}
    env = data.injected(named(types, "webcluster_azure"), inputs, "env")
    assert env["AZURE_CLOUD_ENVIRONMENT"] == "china"
    assert env["AZURE_ACCESS_TOKEN"] == "to{{ken"
    assert env["AZURE_CLIENT_SECRET"] == ""
    assert data.injected(named(types, "webcluster_azure"), inputs, "extra_vars") == {}
    secrets = VALUES["webcluster_awx_secrets"]
    assert data.injected(named(types, "webcluster_secrets"), secrets, "extra_vars") == secrets


def test_the_credential_type_holds_every_secret_that_the_roles_require() -> None:
    required = {name for engine in _engines.ENGINES.values() for name in engine.secrets} | {_cluster_sites.PASSWORDS}
    required |= {"webcluster_ca_certificate", "webcluster_ca_private_key"}
    assert set(named(FILLED["controller_credential_types"], "webcluster_secrets")["inputs"]["required"]) == required
    assert set(VALUES["webcluster_awx_secrets"]) == required


def test_the_credential_types_hold_every_secret_that_the_inventory_makes() -> None:
    types = {kind["name"]: kind for kind in FILLED["controller_credential_types"] if kind["name"] != "webcluster_azure"}
    fields = [field for kind in types.values() for field in kind["inputs"]["fields"]]
    made = data.Loader((data.CHECKOUT / "inventory/lab/group_vars/webcluster/secrets.yml").read_text(encoding="utf-8"))
    # How they are made, and where they are kept.
    assert sorted(field["id"] for field in fields) == sorted(
        set(made.get_single_data()) - {"webcluster_secrets", "webcluster_alphabet"}
    )
    assert all(field["secret"] and field["id"] in OPTIONS for field in fields)
    for kind in types.values():
        inputs = {field["id"]: f"{field['id']} {{{{ x" for field in kind["inputs"]["fields"]}
        assert data.injected(kind, inputs, "extra_vars") == inputs


@pytest.mark.parametrize(
    ("given", "more"),
    [
        ({}, []),
        ({"webcluster_awx_balancer_secrets": {"keepalived_password": "8letters"}}, ["webcluster_balancer_secrets"]),
        ({"webcluster_awx_backup_secrets": {"backup_client_mysql_password": "x"}}, ["webcluster_backup_secrets"]),
    ],
)
def test_jobs_get_the_secrets_of_what_the_cluster_has(given: dict[str, Any], more: list[str]) -> None:
    # Who set AWX up before these were there has no such variables.
    usual = {name: value for name, value in VALUES.items() if not name.endswith(("balancer_secrets", "backup_secrets"))}
    found = data.objects(DATA, {**usual, **given})
    assert data.schema_errors(found) + data.reference_errors(found) + data.credential_errors(found) == []
    for item in found["controller_templates"]:
        wanted = ["webcluster_machine", "webcluster_secrets", *more]
        wanted += ["webcluster_azure"] if item["name"] == "webcluster_status" else []
        if "azure_" in item["name"]:
            wanted = ["webcluster_azure", "webcluster_machine"]
        assert item["credentials"] == wanted, item["name"]


def test_a_secret_under_a_wrong_name_is_named() -> None:
    found = data.objects(DATA, {**VALUES, "webcluster_awx_backup_secrets": {"backup_password": "x"}})
    [error] = data.credential_errors(found)
    assert error.startswith("Credential webcluster_backup_secrets: backup_password is no input of webcluster_backup_se")


def test_the_survey_is_answered_in_awx_types() -> None:
    assert data.answers(named(FILLED["controller_templates"], "webcluster_site")) == {
        "haproxy_http_balance": "leastconn",
        "webcluster_request_time_limit": 30,
    }


def test_g4_a_second_run_sends_no_secret_and_launches_nothing() -> None:
    assert {item["update_secrets"] for item in FILLED["controller_credentials"]} == {False}
    assert set(named(FILLED["controller_credentials"], "webcluster_azure")["inputs"]) == {
        field["id"] for field in named(FILLED["controller_credential_types"], "webcluster_azure")["inputs"]["fields"]
    }
    playbook = (data.CHECKOUT / "awx/configure.yml").read_text(encoding="utf-8")
    assert "dispatch\n" not in playbook
    assert "source_update" not in playbook
