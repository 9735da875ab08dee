# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prove awx/config without AWX: what AWX would do with it is done here, by ansible-runner on hosts of the lab.

A project update installs the collection, an inventory update lists the hosts with the environment that the credential type
injects, and each job template runs with the answers of its survey. AWX itself does not take part.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _cluster_ca, _variables
from ansible_collections.siteops.webcluster.tests import loopback_arm
from ansible_collections.siteops.webcluster.tests.awx import data

PREFIX = "10.95.2"
USER = "ops"
# The certificate is no secret.
AUTHORITY = ("webcluster_ca_certificate", "webcluster_ca_private_key")
# These run for real; every other playbook in check mode.
FOR_REAL = ("playbooks/site.yml", "playbooks/status.yml")
# The inventory of this check has no site, so that these are refused by name.
# Playbooks that need an answer which no default can be: what they are given, and what they must say of it.
# One secret that holds several.
SITE_PASSWORDS = "webcluster_site_passwords"
UNKNOWN_SITE = ({"site": "nosuch", "webcluster_confirm": "go back"}, "Site 'nosuch' is not in webcluster_sites")
UNKNOWN_HOST = ({"tier": "mysql", "to": "nosuch", "webcluster_confirm": "yes"}, "Give -e to=HOST, one of")
NO_STORE = ({"into": "scratch", "webcluster_confirm": "yes"}, "No store is named, so there are no copies")
REFUSED = {
    **dict.fromkeys(("playbooks/release.yml", "playbooks/rollback.yml"), UNKNOWN_SITE),
    **dict.fromkeys(("playbooks/backup.yml", "playbooks/backups.yml", "playbooks/restore.yml"), NO_STORE),
    **dict.fromkeys(("playbooks/switchover.yml", "playbooks/promote.yml", "playbooks/rejoin.yml"), UNKNOWN_HOST),
}
# These ask Azure itself; make azure-check runs them against a loopback subscription.
ASK_AZURE = "playbooks/azure_"
# Variables that AWX gives to each job, each by both of its names.
JOB_VARIABLES = {
    f"{product}_{name}": value
    for product in ("awx", "tower")
    for name, value in (
        ("job_id", 1),
        ("job_launch_type", "manual"),
        ("inventory_id", 1),
        ("inventory_name", "webcluster_azure"),
        ("project_revision", "0" * 40),
        ("project_scm_branch", "main"),
        ("user_id", 1),
        ("user_name", "admin"),
        ("user_email", "admin@example.org"),
    )
}


class CheckError(Exception):
    """A sentence that says what does not hold."""


@dataclass(frozen=True)
class Finished:
    """One job: its exit code, status, text and events."""

    code: int
    status: str
    stdout: str
    events: int


def run(command: Sequence[str | Path], cwd: Path = data.CHECKOUT, env: Mapping[str, str] | None = None) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, env=dict(env) if env else None, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        # Without the colours that AWX asks for.
        said = re.sub(r"\x1b\[[0-9;]*m", "", done.stderr or done.stdout).strip()
        raise CheckError(f"'{' '.join(words[:4])} ...' failed: {said}")
    return done.stdout


def program(name: str) -> Path:
    return Path(sys.executable).with_name(name)


def clean_environment() -> dict[str, str]:
    """Nothing of the caller's Azure and Ansible settings reaches a job."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "AZURE_"))}


def check_data(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in the data and hold it against schema, playbooks, roles and credential types."""
    filled: dict[str, Any] = data.objects(data.load(), values)
    errors = data.schema_errors(filled) or data.reference_errors(filled) + data.playbook_errors(
        filled
    ) + data.survey_errors(filled, _variables.all_options()) + data.credential_errors(filled)
    if errors:
        raise CheckError("\n".join(errors))
    print("data: " + ", ".join(f"{len(value)} {name.removeprefix('controller_')}" for name, value in filled.items()))
    return filled


def lab_hosts(folder: Path) -> Path:
    """Write an inventory of the tutorial's hosts with addresses of our own."""
    tree = yaml.safe_load((data.CHECKOUT / "inventory/lab/hosts.yml").read_text(encoding="utf-8"))
    hosts = {
        name: {"ansible_host": f"{PREFIX}.{last}", "azure_subnet_name": subnet}
        for name, subnet, last in loopback_arm.TUTORIAL
    }

    def give(group: dict[str, Any]) -> None:
        for name in group.get("hosts") or {}:
            group["hosts"][name] = hosts[name]
        for child in (group.get("children") or {}).values():
            give(child)

    give(tree["webcluster"])
    folder.mkdir()
    (folder / "hosts.yml").write_text(yaml.safe_dump(tree), encoding="utf-8")
    return folder


def update_project(project: Path) -> Path:
    """Do what AWX does with a project: check it out, install its requirements; return the folder of its collections."""
    files = run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]).split("\0")
    for name in filter(None, files):
        source, target = data.CHECKOUT / name, project / name
        if source.is_symlink() or source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    collections = project.parent / "requirements_collections"
    install: list[str | Path] = [
        program("ansible-galaxy"),
        "collection",
        "install",
        "--offline",
        "-r",
        "collections/requirements.yml",
    ]
    run([*install, "-p", collections], cwd=project, env=clean_environment())
    return collections


def update_inventory(folder: Path, source: Mapping[str, Any], port: int, env: Mapping[str, str]) -> dict[str, Any]:
    """Do what AWX does with an inventory source: its command, its environment; and return what it stores."""
    project = folder / "project"
    path = project / source["source_path"]
    shipped = path / "azure_subnet.yml"
    options = {**yaml.safe_load(shipped.read_text(encoding="utf-8")), "endpoint": f"http://127.0.0.1:{port}"}
    shipped.write_text(yaml.safe_dump(options), encoding="utf-8")
    output = folder / "artifacts/inventory_update/output.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    command: list[str | Path] = [program("ansible-inventory"), "--list", "--export", "-i", path, "--output", output]
    verbosity = f"-{'v' * min(5, source['verbosity'] * 2 + 1)}"
    run([*command, "--playbook-dir", path, verbosity], project, {**clean_environment(), **env})
    listed: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
    unmatched = data.unmatched(listed)
    if unmatched:
        raise CheckError(f"No filter of AWX can match {', '.join(unmatched[:5])}: expected plain text.")
    hosts = sorted(listed["_meta"]["hostvars"])
    if hosts != sorted(name for name, subnet, last in loopback_arm.TUTORIAL):
        raise CheckError(f"The inventory source gave {', '.join(hosts) or 'no hosts'}; expected the tutorial's eight.")
    print(f"inventory: {len(hosts)} hosts from {source['source_path']} through azure_subnet")
    return data.stored_inventory(listed)


def write_inventory(folder: Path, stored: dict[str, Any]) -> None:
    """The script that jobs get of the stored inventory, with the sizes of lab hosts as variables of the inventory."""
    sizes = (data.CHECKOUT / "inventory/lab/group_vars/webcluster/sizes.yml").read_text(encoding="utf-8")
    stored.setdefault("all", {}).setdefault("vars", {}).update(yaml.safe_load(sizes))
    script = folder / "inventory/hosts"
    script.parent.mkdir()
    script.write_text(f"#!{sys.executable}\nprint({json.dumps(stored)!r})\n", encoding="utf-8")
    script.chmod(0o755)


def run_job(
    folder: Path,
    ident: str,
    template: Mapping[str, Any],
    passwords: Mapping[str, Any],
    given: Mapping[str, Any],
    check: bool,
) -> Finished:
    """Run a job template as AWX hands it to ansible-runner: the answers in one file, what credentials inject in another."""
    injected = folder / "env/injected"
    injected.write_text(data.job_yaml(passwords), encoding="utf-8")
    (folder / "env/extravars").write_text(data.job_yaml({**JOB_VARIABLES, **given}), encoding="utf-8")
    cmdline = f"{'--check ' if check else ''}-u {USER} {'--diff ' if check else ''}--become-method sudo"
    cmdline += f" --forks={template['forks']} -e @{injected}"
    (folder / "env/cmdline").write_text(cmdline, encoding="utf-8")
    command = [
        program("ansible-runner"),
        "run",
        folder,
        "--ident",
        ident,
        "--playbook",
        template["playbook"],
        "--quiet",
    ]
    environment = clean_environment()
    environment["PATH"] = f"{program('python').parent}:{environment['PATH']}"
    done = subprocess.run([str(word) for word in command], env=environment, capture_output=True, text=True, check=False)
    artifacts = folder / "artifacts" / ident
    if not (artifacts / "rc").exists():
        raise CheckError(f"ansible-runner left no result: {(done.stderr or done.stdout).strip()[-1500:]}")
    return Finished(
        int((artifacts / "rc").read_text()),
        (artifacts / "status").read_text(),
        (artifacts / "stdout").read_text(encoding="utf-8"),
        len(list((artifacts / "job_events").glob("*.json"))),
    )


def leaked(folder: Path, words: Mapping[str, str]) -> list[str]:
    """Names of secrets that stand in a file below the folder."""
    found = set()
    for path in folder.rglob("*"):
        if path.is_file():
            text = path.read_bytes()
            found |= {f"{name} in {path.name}" for name, word in words.items() if word.encode() in text}
    return sorted(found)


def changes(stdout: str) -> int:
    return sum(int(number) for number in re.findall(r"changed=(\d+)", stdout))


def refuse_unknown(folder: Path, template: dict[str, Any], injected: Mapping[str, Any]) -> None:
    """Run a template for a site or a host that is not there; it must say so, and change nothing."""
    answers, sentence = REFUSED[template["playbook"]]
    given = {**data.answers(template), **answers}
    done = run_job(folder, template["name"], template, injected, given, check=False)
    if done.code == 0 or sentence not in done.stdout or changes(done.stdout):
        raise CheckError(f"{template['name']} did not refuse by name what is not there:\n{done.stdout[-3000:]}")
    print(f"{template['name']}: what is not there is refused by name, nothing changed")


def run_templates(folder: Path, filled: Mapping[str, Any], given: Mapping[str, str], words: Mapping[str, str]) -> None:
    """Run each template with its survey's answers, and one with an answer of the wrong type."""
    types = {item["name"]: item for item in filled["controller_credential_types"]}
    injected = data.injected(types["webcluster_secrets"], given, "extra_vars")
    for template in filled["controller_templates"]:
        name, check = template["name"], template["playbook"] not in FOR_REAL
        if template["playbook"].startswith(ASK_AZURE):
            continue
        if template["playbook"] in REFUSED:
            refuse_unknown(folder, template, injected)
            continue
        done = run_job(folder, name, template, injected, data.answers(template), check)
        if (done.code, done.status) != (0, "successful"):
            raise CheckError(f"{name} ended with code {done.code}, {done.status}:\n{done.stdout[-3000:]}")
        if done.events < 10 or "PLAY RECAP" not in done.stdout:
            raise CheckError(f"{name} left {done.events} events and no recap; expected the events of a whole run.")
        how = "check mode" if check else "for real"
        print(f"{name}: {how}, {done.status}, {done.events} events, {changes(done.stdout)} changes")
    site = next(item for item in filled["controller_templates"] if item["playbook"] == "playbooks/site.yml")
    wrong = {**data.answers(site), "webcluster_request_time_limit": "ten"}
    done = run_job(folder, "wrong_answer", site, injected, wrong, check=False)
    if done.code == 0 or "Variable webcluster_request_time_limit" not in done.stdout or changes(done.stdout):
        raise CheckError(f"An answer of the wrong type was not refused by name:\n{done.stdout[-3000:]}")
    print("wrong answer: refused by name, nothing changed")
    # A line of a longer text, as it may be written in any way.
    hidden = {
        name: word.strip().splitlines()[min(1, word.strip().count("\n"))]
        for name, word in words.items()
        if name != AUTHORITY[0]
    }
    if not leaked(folder / "env", hidden):
        raise CheckError("The search finds no secret in the job's own variables, where they do stand.")
    found = leaked(folder / "artifacts", hidden)
    if found:
        raise CheckError(f"Secrets stand in the artifacts: {', '.join(found)}.")
    files = sum(1 for path in (folder / "artifacts").rglob("*") if path.is_file())
    print(f"secrets: none of {len(hidden)} in {files} artifact files")


def main() -> int:
    values = yaml.safe_load((data.CHECKOUT / "awx/variables.example.yml").read_text(encoding="utf-8"))
    demo = {key: secrets.token_urlsafe(18) for key in ("mysql", "redis")}
    given = {name: secrets.token_urlsafe(18) for name in values["webcluster_awx_secrets"] if name != SITE_PASSWORDS}
    given |= dict(zip(AUTHORITY, _cluster_ca.make_authority(datetime.now(UTC)), strict=True))
    words = {**given, **demo}
    given[SITE_PASSWORDS] = json.dumps({"demo": demo})
    filled = check_data({**values, "webcluster_awx_secrets": given})
    lab: str | Path = data.CHECKOUT / "lab/lab"
    with tempfile.TemporaryDirectory(prefix="webcluster-awx-") as name:
        folder = Path(name)
        hosts = lab_hosts(folder / "lab")
        inventory: list[str | Path] = ["--inventory", hosts]
        port_file = folder / "port"
        arm: list[str | Path] = [sys.executable, data.CHECKOUT / "tests/loopback_arm.py"]
        try:
            run([lab, "up", *inventory])
            run([*arm, "start", "--hosts", hosts / "hosts.yml", "--port-file", port_file])
            (folder / "env").mkdir(mode=0o700)
            shutil.copy(hosts / ".lab/current/id_ed25519", folder / "env/ssh_key")
            collections = update_project(folder / "project")
            (folder / "env/envvars").write_text(json.dumps(data.job_environment(collections)), encoding="utf-8")
            azure = next(kind for kind in filled["controller_credential_types"] if kind["name"] == "webcluster_azure")
            login = {
                "cloud": "public",
                "subscription": loopback_arm.SUBSCRIPTION,
                "access_token": loopback_arm.TOKEN,
            }
            source = filled["controller_inventory_sources"][0]
            env = {**data.inventory_environment(collections), **data.injected(azure, login, "env")}
            write_inventory(folder, update_inventory(folder, source, int(port_file.read_text()), env))
            run_templates(folder, filled, given, {**words, "access_token": loopback_arm.TOKEN})
        finally:
            run([*arm, "stop", "--port-file", port_file])
            run([lab, "down", *inventory])
    print("awx-check: passed")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (CheckError, ValueError) as error:
        print(f"awx-check: {error}", file=sys.stderr)
        sys.exit(1)
