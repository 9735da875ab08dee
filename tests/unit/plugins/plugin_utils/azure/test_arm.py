# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure import clouds
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.arm import (
    Arm,
    Call,
    Listing,
    Reply,
    newest,
    scope_path,
    short_url,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import ListError

MACHINES = Listing("virtual machines", "compute", "/subscriptions/s/providers/M.C/vms", "subscription s")
NICS = Listing("network interfaces", "network", "/subscriptions/s/providers/M.N/nics", "subscription s")
HOME = "https://management.azure.com"


class Azure:
    """Answers in order; keeps what it was asked."""

    def __init__(self, *replies: Any) -> None:
        self.replies = list(replies)
        self.calls: list[Call] = []
        self.notes: list[tuple[int, str]] = []

    def send(self, call: Call) -> Reply:
        self.calls.append(call)
        reply = self.replies.pop(0)
        return reply if isinstance(reply, Reply) else Reply(200, {}, json.dumps(reply).encode())

    def arm(self, cloud: str = "public") -> Arm:
        return Arm(self.send, clouds.resolve(cloud), lambda level, text: self.notes.append((level, text)))


def refusal(status: int, code: str = "", message: str = "", **more: Any) -> Reply:
    return Reply(status, {}, json.dumps({"error": {"code": code, "message": message}}).encode(), **more)


def read(azure: Azure, listing: Listing = MACHINES) -> list[dict[str, Any]]:
    return [entry for page in azure.arm().pages(listing) for entry in page]


def sentence(azure: Azure, listing: Listing = MACHINES) -> str:
    with pytest.raises(ListError) as failure:
        read(azure, listing)
    return str(failure.value)


def test_every_page_is_followed() -> None:
    link = f"{HOME}/subscriptions/s/providers/M.C/vms?api-version=2024-07-01&$skiptoken=abc"
    azure = Azure({"value": [{"id": 1}], "nextLink": link}, {"value": [{"id": 2}]})
    assert read(azure) == [{"id": 1}, {"id": 2}]
    assert [call.url for call in azure.calls] == [f"{HOME}{MACHINES.path}?api-version=2024-07-01", link]


def test_each_list_goes_through_the_client_of_its_own_package() -> None:
    azure = Azure({"value": []}, {"value": []})
    arm = azure.arm()
    list(arm.pages(MACHINES))
    list(arm.pages(NICS))
    assert [call.network for call in azure.calls] == [False, True]


@pytest.mark.parametrize(
    "link",
    [
        f"{HOME}:443/subscriptions/s/providers/M.C/vms?page=2",
        "https://westeurope.management.azure.com/subscriptions/s/providers/M.C/vms?page=2",
        "https://MANAGEMENT.azure.com/subscriptions/s/providers/M.C/vms?page=2",
    ],
)
def test_spellings_of_our_own_host_are_followed(link: str) -> None:
    assert len(read(Azure({"value": [{"id": 1}], "nextLink": link}, {"value": [{"id": 2}]}))) == 2


@pytest.mark.parametrize(
    "link",
    [
        "https://management.azure.com.example.org/vms",
        "https://example.org/vms",
        "http://management.azure.com/vms",
        "https://management.azure.com:8443/vms",
    ],
)
def test_the_token_goes_to_no_other_host(link: str) -> None:
    azure = Azure({"value": [], "nextLink": link})
    assert (
        f"{link} is at another place than https://management.azure.com; we send our token to no other host"
        in sentence(azure)
    )
    assert len(azure.calls) == 1


@pytest.mark.parametrize("link", ["https://management.azure.com:port/vms", "https://[management.azure.com/vms"])
def test_a_link_that_is_no_url_is_named(link: str) -> None:
    assert f"{link} is no URL" in sentence(Azure({"value": [], "nextLink": link}))


def test_a_list_that_goes_in_circles_is_ended() -> None:
    link = f"{HOME}/vms?page=2"
    azure = Azure({"value": [], "nextLink": link}, {"value": [], "nextLink": link}, {"value": [], "nextLink": link})
    assert "points to a page that we had already, the list would never end" in sentence(azure)


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        ([], "is not a JSON object"),
        ({"items": []}, "has no list named 'value'"),
        (Reply(200, {}, b"<html>Sign in to the proxy</html>"), "is not a JSON object"),
        (Reply(200, {}, b'{"value": [{"id": '), "is not a JSON object"),
    ],
)
def test_what_is_no_list_is_not_taken_for_an_empty_one(answer: Any, what: str) -> None:
    text = sentence(Azure(answer))
    assert text == (
        f"The list of virtual machines of subscription s cannot be trusted: {HOME}{MACHINES.path}?api-version=2024-07-01"
        f" {what}. Run it again; when it stays so, a proxy or the endpoint option may be wrong."
    )


def test_entries_that_are_no_objects_are_passed_over() -> None:
    assert read(Azure({"value": [None, "x", {"id": 1}]})) == [{"id": 1}]


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (
            refusal(403, "AuthorizationFailed", "The client 'x' does not have authorization."),
            "Cannot list virtual machines of subscription s: Azure answered 403 AuthorizationFailed (The client 'x' does not"
            f" have authorization.) at {HOME}{MACHINES.path}?api-version=2024-07-01. Give the identity the role Reader on"
            " subscription s, leave that out, or set allow_partial: true.",
        ),
        (
            refusal(401, "InvalidAuthenticationTokenAudience"),
            f"Azure answered 401 InvalidAuthenticationTokenAudience at {HOME}{MACHINES.path}?api-version=2024-07-01. Log in"
            " again: the token is not good for https://management.azure.com/.default, or comes from another cloud than 'public'.",
        ),
        (refusal(404, "SubscriptionNotFound"), "Check subscription_ids, resource_groups and the cloud option."),
        (
            refusal(429, "TooManyRequests", tries=5, seconds=61.2, asked_wait=300.0),
            "Azure answered 429 TooManyRequests after 5 tries in 61 s and asked us to wait 300 s more at",
        ),
        (
            refusal(429, "TooManyRequests"),
            "Wait, raise retry_time, or ask for fewer subscriptions at once",
        ),
        (refusal(502, tries=5, seconds=8.0), "Azure answered 502 after 5 tries in 8 s at"),
        (refusal(503), "Run it again."),
        (Reply(0, {}, b"", "no answer within 30 s", 3, 92.0), "no answer within 30 s after 3 tries in 92 s at"),
        (Reply(0, {}, b"", "the answer broke off before its end", 5, 7.0), "or raise timeout, retries or retry_time."),
        (Reply(0, {}, b"", "no TLS connection, because the certificate was not accepted"), "REQUESTS_CA_BUNDLE"),
        (Reply(418, {}, b"teapot"), "Azure answered 418 at"),
    ],
)
def test_a_failure_names_the_list_the_url_and_the_remedy(reply: Reply, text: str) -> None:
    said = sentence(Azure(reply))
    assert text in said
    assert said.startswith("Cannot list virtual machines of subscription s: ")
    assert HOME in said


@pytest.mark.parametrize("reply", [refusal(502), refusal(403), Reply(0, {}, b"", "no answer within 30 s")])
def test_a_list_that_can_be_done_without_says_so(reply: Reply) -> None:
    states = Listing("states of virtual machines", "compute", "/subscriptions/s/x", "subscription s")
    assert sentence(Azure(reply), states).endswith(" power_states: false does without this list.")


def test_the_second_page_is_named_when_it_fails() -> None:
    link = f"{HOME}/vms?api-version=2024-07-01&$skiptoken={'x' * 300}"
    said = sentence(Azure({"value": [], "nextLink": link}, refusal(502)))
    assert "$skiptoken=xxxxxxxx..." in said
    assert len(said) < 400


def test_a_version_that_the_cloud_lacks_is_replaced_by_its_newest_and_remembered() -> None:
    said = "No registered resource provider found. The supported api-versions are '2019-12-01, 2022-08-01, 2023-01-01-preview'."
    azure = Azure(refusal(400, "NoRegisteredProviderFound", said), {"value": [{"id": 1}]}, {"value": []})
    arm = azure.arm("china")
    assert list(arm.pages(MACHINES)) == [[{"id": 1}]]
    list(arm.pages(MACHINES))
    assert [call.url.rsplit("=", 1)[1] for call in azure.calls] == ["2023-07-01", "2022-08-01", "2022-08-01"]
    assert (
        1,
        "Azure has no virtual machines of api-version 2023-07-01 here and offers 2022-08-01: set api_versions.compute to it"
        " and save a request.",
    ) in azure.notes


def test_a_version_is_replaced_once_only() -> None:
    said = "The supported api-versions are '2019-12-01'."
    azure = Azure(*[refusal(400, "NoRegisteredProviderFound", said)] * 2)
    assert "Set api_versions.compute (for virtual machines and scale sets) to one that this cloud has." in sentence(
        azure
    )
    assert len(azure.calls) == 2


@pytest.mark.parametrize(
    ("offered", "version"),
    [
        ("2019-12-01, 2022-08-01, 2021-03-01", "2022-08-01"),
        ("2024-01-01-preview, 2022-08-01", "2022-08-01"),
        ("2023-01-01-preview, 2024-01-01-preview", "2024-01-01-preview"),
        ("", None),
        ("something else", None),
    ],
)
def test_the_newest_version_is_a_released_one_where_there_is_any(offered: str, version: str | None) -> None:
    assert newest(offered) == version


def test_a_provider_that_is_not_registered_has_no_machines() -> None:
    azure = Azure(
        refusal(409, "MissingSubscriptionRegistration", "not registered to use namespace 'Microsoft.Compute'")
    )
    assert read(azure) == []
    assert azure.notes[-1] == (2, "virtual machines of subscription s: none, the provider is not registered there")


def test_one_resource_that_does_not_exist_is_none() -> None:
    assert Azure(refusal(404, "ResourceNotFound")).arm().get(NICS) is None
    assert Azure({"id": "x"}).arm().get(NICS) == {"id": "x"}


def test_requests_are_counted_and_told_with_what_the_limits_leave() -> None:
    azure = Azure(Reply(200, {"x-ms-ratelimit-remaining-subscription-reads": "11"}, b'{"value": []}', seconds=0.25))
    arm = azure.arm()
    list(arm.pages(MACHINES))
    assert arm.requests == 1
    assert azure.notes == [
        (
            3,
            f"GET {HOME}{MACHINES.path}?api-version=2024-07-01: 200, 13 bytes, 0.25 s, tries 1,"
            " x-ms-ratelimit-remaining-subscription-reads 11",
        )
    ]


def test_names_become_one_part_of_the_path() -> None:
    assert scope_path("s", "a/b?c#d") == "/subscriptions/s/resourceGroups/a%2Fb%3Fc%23d"


def test_page_marks_are_cut() -> None:
    assert short_url("https://x/y?$skipToken=12345678901&z=1") == "https://x/y?$skipToken=12345678...&z=1"
