# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""awx/config is whole, and each mistake in it is named."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _engines, _variables
from ansible_collections.siteops.webcluster.tests.awx import data

DATA = data.load()
VALUES = yaml.safe_load((data.CHECKOUT / "awx/variables.example.yml").read_text(encoding="utf-8"))
FILLED = data.fill(DATA, VALUES)
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
    (tmp_path / "switchover.yml").write_text("# Undo: run it again\n")
    assert data.playbook_errors(changed, tmp_path) == [
        "playbooks/switchover.yml has no job template; add one to awx/config/templates.yml."
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
        ValueError, match=r"webcluster_awx_organization has no value; expected it in awx/variables\.yml"
    ):
        data.fill(DATA, {})


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
    required = {name for engine in _engines.ENGINES.values() for name in engine.secrets}
    assert set(named(FILLED["controller_credential_types"], "webcluster_secrets")["inputs"]["required"]) == required
    assert set(VALUES["webcluster_awx_secrets"]) == required


def test_the_survey_is_answered_in_awx_types() -> None:
    assert data.answers(named(FILLED["controller_templates"], "webcluster_site")) == {
        "haproxy_http_balance": "leastconn",
        "webcluster_request_time_limit": 30,
        "apache_php_demo_enabled": "true",
    }


# What stands for each role of infra.aap_configuration: it keeps what it was given.
TOLD = """
- ansible.builtin.copy:
    content: "{{ {'inventories': controller_inventories, 'enforce': aap_configuration_enforce_defaults | default(false),
      'enforce_inventories': controller_configuration_inventories_enforce_defaults} | to_json }}"
    dest: "{{ told }}"
    mode: "0600"
"""
EXAMPLE = "@awx/variables.example.yml"


def configure(*variables: str, collections: Path | None = None) -> tuple[int, str]:
    """The exit code and the words of awx/configure.yml; without collections the roles are not there."""
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "awx/configure.yml", "-i", "localhost,"]
    for one in variables:
        command += ["-e", one]
    environment = {**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    if collections:
        environment["ANSIBLE_COLLECTIONS_PATH"] = str(collections)
    done = subprocess.run(command, cwd=data.CHECKOUT, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, re.sub(r"\s+", " ", done.stdout + done.stderr)


@pytest.fixture
def collections(tmp_path: Path) -> Path:
    """A folder of collections with something in the place of each role that configure.yml asks for."""
    folder = tmp_path / "collections"
    for kind in re.findall(
        r"^        - (\w+)$", (data.CHECKOUT / "awx/configure.yml").read_text(encoding="utf-8"), re.MULTILINE
    ):
        tasks = folder / f"ansible_collections/infra/aap_configuration/roles/controller_{kind}/tasks/main.yml"
        tasks.parent.mkdir(parents=True)
        tasks.write_text(TOLD, encoding="utf-8")
    return folder


@pytest.fixture
def awx() -> Iterator[tuple[str, dict[str, Any]]]:
    """The address of a server that has one inventory, and the inventories that it tells, by the address that it knows."""
    known: dict[str, Any] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = known.get(urlsplit(self.path).path)
            allowed = self.headers["Authorization"] == f"Bearer {VALUES['aap_token']}"
            self.send_response(404 if found is None else 200 if allowed else 401)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps({"results": found}).encode())

        def log_message(self, *_words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", known
        server.shutdown()


def test_g4_a_missing_variable_is_named_before_anything_is_changed() -> None:
    code, said = configure(EXAMPLE, '{"webcluster_awx_ssh_user": "", "webcluster_awx_azure_secret": ""}')
    assert code != 0
    assert "webcluster_awx_azure_secret, webcluster_awx_ssh_user: not set or empty, expected a value" in said


def test_g4_an_access_token_needs_no_service_principal(
    collections: Path, tmp_path: Path, awx: tuple[str, dict[str, Any]]
) -> None:
    token = {"webcluster_awx_azure_access_token": "x"} | {
        f"webcluster_awx_azure_{name}": "" for name in ("tenant", "client", "secret")
    }
    awx[1]["/api/v2/inventories/"] = []
    told = {"told": str(tmp_path / "told"), "aap_hostname": awx[0]}
    code, said = configure(EXAMPLE, json.dumps(token), json.dumps(told), collections=collections)
    assert code == 0, said


@pytest.mark.parametrize(
    ("present", "kept"),
    [
        ([], {}),
        ([{"variables": ""}], {}),
        ([{"variables": "---\nmine: 1\n"}], {"mine": 1}),
        ([{"variables": '{"mine": {"deep": [2]}}'}], {"mine": {"deep": [2]}}),
    ],
)
@pytest.mark.parametrize("address", ["/api/v2/inventories/", "/api/controller/v2/inventories/"])
def test_g4_variables_that_were_given_to_the_inventory_by_hand_stay(
    collections: Path,
    tmp_path: Path,
    awx: tuple[str, dict[str, Any]],
    address: str,
    present: list[dict[str, str]],
    kept: dict[str, Any],
) -> None:
    awx[1][address] = present
    told = {"told": str(tmp_path / "told"), "aap_hostname": awx[0]}
    code, said = configure(EXAMPLE, json.dumps(told), collections=collections)
    assert code == 0, said
    given = json.loads((tmp_path / "told").read_text(encoding="utf-8"))
    assert [inventory["variables"] for inventory in given["inventories"]] == [kept]
    # For the two that fail without it, and not for what somebody has set by hand on the other objects.
    assert given["enforce_inventories"] is True
    assert given["enforce"] is False


def test_g4_a_token_that_is_refused_fails_the_run(collections: Path, awx: tuple[str, dict[str, Any]]) -> None:
    awx[1]["/api/v2/inventories/"] = []
    code, said = configure(EXAMPLE, json.dumps({"aap_hostname": awx[0], "aap_token": "wrong"}), collections=collections)
    assert code != 0
    assert "Make it so" not in said


def test_g4_a_second_run_sends_no_secret_and_launches_nothing() -> None:
    assert {item["update_secrets"] for item in FILLED["controller_credentials"]} == {False}
    assert set(named(FILLED["controller_credentials"], "webcluster_azure")["inputs"]) == {
        field["id"] for field in named(FILLED["controller_credential_types"], "webcluster_azure")["inputs"]["fields"]
    }
    playbook = (data.CHECKOUT / "awx/configure.yml").read_text(encoding="utf-8")
    assert "dispatch\n" not in playbook
    assert "source_update" not in playbook
