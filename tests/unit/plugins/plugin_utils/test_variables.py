# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

import pytest
import yaml
from ansible.errors import AnsibleError, AnsibleUndefinedVariable
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _variables
from jinja2 import StrictUndefined, Undefined, UndefinedError

ROLES = _variables.role_options()
PLAYBOOKS = _variables.read_options(_variables.PLAYBOOKS)


def errors(facts_are_there: bool = False, **hosts: Mapping[str, t.Any]) -> list[str]:
    return _variables.variable_errors(hosts, ROLES, PLAYBOOKS, facts_are_there)


def test_the_roles_options_are_found() -> None:
    assert {"haproxy", "apache_php", "mysql_server", "mysql_replica", "redis_server"} <= set(ROLES)
    assert ROLES["haproxy"]["haproxy_http_bind_port"]["type"] == "int"


def test_good_values_and_other_peoples_variables_are_left_alone() -> None:
    good = {"haproxy_http_bind_port": "8080", "apache_php_demo_enabled": "yes", "haproxies": 1, "ansible_host": "x"}
    assert errors(lb=good, web1={"mysql_server_settings": {"sort_buffer_size": "1M"}}) == []


def test_a_misspelled_variable_is_named_with_its_hosts_and_the_right_word() -> None:
    assert errors(lb1={"haproxy_http_bind_prot": 81}, lb2={"haproxy_http_bind_prot": 81}) == [
        "Variable haproxy_http_bind_prot (lb1, lb2) is no option of the roles; did you mean haproxy_http_bind_port?"
    ]
    misspelt: dict[str, t.Any] = {f"web{number}": {"apache_php_listen_prt": 1} for number in range(5)}
    many = errors(**misspelt)
    assert many == [
        "Variable apache_php_listen_prt (web0, web1 and 3 more hosts) is no option of the roles; did you mean"
        " apache_php_listen_port?"
    ]


@pytest.mark.parametrize("name", ["haproxy_exporter_port", "haproxy_exporter_version", "apache_php_zzz"])
def test_f_a_variable_of_others_that_begins_like_ours_is_left_alone(name: str) -> None:
    assert errors(web1={name: 1}) == []


def test_what_begins_with_webcluster_is_an_option_of_the_playbooks() -> None:
    assert errors(web1={"webcluster_mysql_write_port": 13306, "webcluster_address": "10.0.0.4"}) == []
    assert errors(web1={"webcluster_mysql_wirte_port": 1, "webcluster_zzz": 1}) == [
        "Variable webcluster_mysql_wirte_port (web1) is no option of the playbooks; did you mean webcluster_mysql_write_port?",
        "Variable webcluster_zzz (web1) is no option of the playbooks; remove or rename it.",
    ]


@pytest.mark.parametrize("name", ["to", "allow_reseed"])
def test_what_is_left_empty_in_awx_is_no_wrong_value(name: str) -> None:
    assert errors(web1={name: None}) == []


def test_every_option_of_the_playbooks_is_typed_and_described() -> None:
    text = (_variables.PLAYBOOKS / "meta" / "argument_specs.yml").read_text(encoding="utf-8")
    options = yaml.safe_load(text)["argument_specs"]["main"]["options"]
    # What people type behind -e is short.
    typed = {"tier", "to", "accept_data_loss", "allow_reseed", "into", "scratch_host", "keep_files"}
    assert {name for name in options if not name.startswith("webcluster_")} == typed
    assert all(option["type"] and option["description"] for option in options.values())


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("haproxy_http_bind_port", "eighty", "unable to convert to int"),
        ("haproxy_http_balance", "fastest", "must be one of: leastconn"),
        ("haproxy_http_backends", [{"name": "web1"}], "missing required arguments: address"),
        ("haproxy_http_backends", [{"name": "web1", "address": "x", "prot": 1}], "prot"),
        ("apache_php_trusted_proxies", {"a": 1}, "unable to convert to list"),
        ("apache_php_trusted_proxies", "10.0.0.1,10.0.0.2", "expected a list such as [a, b], not a text"),
        ("haproxy_http_bind_port", 0, "0 is no port, expected 1 to 65535"),
        ("webcluster_redis_read_port", "70000", "70000 is no port, expected 1 to 65535"),
        (
            "redis_server_extra_users",
            [{"name": "a", "password": 5, "rules": "+ping"}],
            "password: expected a text in quotes",
        ),
        ("mysql_server_port", None, "it is empty, expected a value"),
    ],
)
def test_f_a_value_that_the_role_would_refuse_is_named(name: str, value: t.Any, words: str) -> None:
    found = errors(host1={name: value})
    assert len(found) == 1
    assert found[0].startswith(f"Variable {name} (host1) has a wrong value: ")
    assert words in found[0]


@pytest.mark.parametrize("secret", [True, False])
def test_a_secret_is_not_shown(secret: bool) -> None:
    option: dict[str, t.Any] = {"type": "str", "choices": ["yes", "no"], "no_log": secret}
    [found] = _variables.variable_errors({"r1": {"redis_pin": "s3cret"}}, {"redis": {"redis_pin": option}}, {})
    # What is no secret is shown, so the value would stand there without no_log.
    assert ("s3cret" in found) is not secret
    assert "redis_pin (r1) has a wrong value" in found


class Unready(Mapping[str, t.Any]):
    """A value that needs facts."""

    def __getitem__(self, name: str) -> t.NoReturn:
        raise AnsibleUndefinedVariable(f"{name} needs facts")

    def __iter__(self) -> Iterator[str]:
        return iter(["mysql_server_memory_mb"])

    def __len__(self) -> int:
        return 1


def test_a_value_that_needs_facts_is_left_to_the_role() -> None:
    assert errors(db1=Unready()) == []
    assert errors(facts_are_there=True, db1=Unready()) == [
        "Variable mysql_server_memory_mb (db1) has no value: mysql_server_memory_mb needs facts; correct it in the inventory."
    ]


def test_f_the_cause_of_a_value_that_cannot_be_read_is_told() -> None:
    class Locked(Undefined):
        """A vault without its password, as a host's variables hand it out."""

        def __str__(self) -> str:
            raise UndefinedError("a marker was tripped") from ValueError("no vault secrets found")

    with pytest.raises(AnsibleError, match=r"^no vault secrets found$"):
        _variables.resolve({"secret": Locked()}, "secret")


def test_a_part_without_a_value_is_an_error_as_well() -> None:
    settings = {"sort_buffer_size": StrictUndefined(hint="'size' is undefined")}
    assert errors(facts_are_there=True, db1={"mysql_server_settings": settings}) == [
        "Variable mysql_server_settings (db1) has no value: 'size' is undefined; correct it in the inventory."
    ]


def test_the_folder_of_made_passwords_is_computed_only_for_a_password() -> None:
    in_awx = {"webcluster_secrets": StrictUndefined(hint="a job keeps no files"), "webcluster_mysql_read_port": "x"}
    found = errors(facts_are_there=True, db1=in_awx)
    assert ["webcluster_secrets" in error for error in found] == [False]


def test_settings_are_the_inventorys_value_or_the_default() -> None:
    hosts: dict[str, dict[str, t.Any]] = {"db1": {"mysql_server_port": "3310"}, "db2": {}}
    settings = _variables.Settings(hosts, _variables.all_options())
    assert [settings.value(host, "mysql_server_port") for host in hosts] == [3310, 3306]
    assert settings.value("db1", "mysql_server_monitor_user") == "monitor"
    assert settings.errors == []
    hosts["db1"]["mysql_server_port"] = "many"
    assert settings.value("db1", "mysql_server_port") == 3306
    assert settings.value("db1", "mysql_server_port") == 3306
    assert len(settings.errors) == 1
    assert settings.errors[0].startswith("Variable mysql_server_port (db1) has no value: ")
