# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

import pytest
from ansible.errors import AnsibleUndefinedVariable
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _variables

ROLES = _variables.role_options()


def errors(**hosts: Mapping[str, t.Any]) -> list[str]:
    return _variables.variable_errors(hosts, hosts, ROLES)


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
    many = errors(**{f"web{number}": {"apache_php_zzz": 1} for number in range(5)})
    assert many == [
        "Variable apache_php_zzz (web0, web1 and 3 more hosts) is no option of the roles; remove or rename it."
    ]
    assert errors(web1={"apache_php_zzz": 1}) == [
        "Variable apache_php_zzz (web1) is no option of the roles; remove or rename it."
    ]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("haproxy_http_bind_port", "eighty", "unable to convert to int"),
        ("haproxy_http_balance", "fastest", "must be one of: leastconn"),
        ("haproxy_http_backends", [{"name": "web1"}], "missing required arguments: address"),
        ("haproxy_http_backends", [{"name": "web1", "address": "x", "prot": 1}], "prot"),
        ("apache_php_trusted_proxies", {"a": 1}, "unable to convert to list"),
    ],
)
def test_a_value_that_the_role_would_refuse_is_named(name: str, value: t.Any, words: str) -> None:
    found = errors(host1={name: value})
    assert len(found) == 1
    assert found[0].startswith(f"Variable {name} (host1) has a wrong value: ")
    assert words in found[0]


@pytest.mark.parametrize("secret", [True, False])
def test_a_secret_is_not_shown(secret: bool) -> None:
    option = {"type": "str", "choices": ["yes", "no"], "no_log": secret}
    [found] = _variables.variable_errors(["r1"], {"r1": {"redis_pin": "s3cret"}}, {"redis": {"redis_pin": option}})
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
