# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""House rules of roles and playbooks that no linter knows.

Each rule is a function from a role (or a file) to a list of complaints. It is run twice: on everything in the checkout,
where it must find nothing, and on a broken sample, where it must find the fault.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.siteops.webcluster.tools import role_specs

CHECKOUT = Path(__file__).resolve().parents[2]
ROLES = sorted(path for path in (CHECKOUT / "roles").glob("*") if path.is_dir())
PLAYBOOKS = [
    path for path in [CHECKOUT / "site.yml", *sorted((CHECKOUT / "playbooks").glob("*.yml"))] if path.is_file()
]
TASK_FILES = sorted(
    path
    for folder in ("roles", "playbooks", "molecule")
    for path in (CHECKOUT / folder).rglob("*.yml")
    if path.is_file()
)

Options = dict[str, dict[str, Any]]

PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "path": (str,),
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "list": (list,),
    "dict": (dict,),
    "raw": (object,),
}
REQUIRED_FILES = ("README.md", "defaults/main.yml", "meta/main.yml", "meta/argument_specs.yml", "tasks/main.yml")
# What a role must not know: the playbook hands it addresses.
INVENTORY_WORDS = re.compile(r"\b(?:group_names|hostvars)\b|\bgroups\s*(?:\[|\.\w|\|)|\bin\s+groups\b")
# A line that has to stand above the header comment for the file's reader: shebang, PHP or XML opening, Jinja options.
BEFORE_HEADER = re.compile(r"^(#!|<\?php\s*$|<\?xml |#jinja2:)")
# What Debian calls its releases.
CODE_NAMES = {"12": "bookworm", "13": "trixie", "sid": "sid"}
SILENCED = re.compile(r"ignore_errors:\s*(?:true|yes)|failed_when:\s*false|#\s*noqa", re.IGNORECASE)


def load(path: Path) -> dict[str, Any]:
    """Read a YAML mapping; a file that is missing or empty is an empty one."""
    return (yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None) or {}


def options_of(role: Path) -> Options:
    """All options of all entry points of a role."""
    options: Options = {}
    for entry in load(role / "meta" / "argument_specs.yml").get("argument_specs", {}).values():
        options.update(entry.get("options") or {})
    return options


def is_template(value: object) -> bool:
    return isinstance(value, str) and "{{" in value


def type_complaint(name: str, value: object, spec: dict[str, Any]) -> str | None:
    """Say why a value does not have the type (or is not among the choices) that its option declares."""
    declared = spec.get("type", "str")
    allowed = PYTHON_TYPES.get(declared)
    if allowed is None:
        return f"{name}: type {declared!r} is unknown"
    if is_template(value):
        return None
    # YAML's true is an int for Python.
    if not isinstance(value, allowed) or (isinstance(value, bool) and declared in ("int", "float")):
        return f"{name}: default {value!r} is not of type {declared}"
    if "choices" in spec and not set(value if isinstance(value, list) else [value]) <= set(spec["choices"]):
        return f"{name}: default {value!r} is not one of the choices {spec['choices']!r}"
    return None


def missing_files(role: Path) -> list[str]:
    return [f"{role.name}: {name} is missing" for name in REQUIRED_FILES if not (role / name).is_file()]


def imports(role: Path, other: Path) -> bool:
    """Tell whether a role imports another one."""
    name = re.compile(rf"_role:\s*name:\s*(?:siteops\.webcluster\.)?{other.name}\s*$", re.MULTILINE)
    return any(name.search(path.read_text(encoding="utf-8")) for path in (role / "tasks").glob("*.yml"))


def imported_by(role: Path) -> list[Path]:
    """The roles that a role imports; their options are its own as well."""
    return [other for other in sorted(role.parent.iterdir()) if imports(role, other)]


def differing_defaults(role: Path) -> list[str]:
    """defaults/main.yml and argument_specs must say the same, whichever of them one reads."""
    defaults, options = load(role / "defaults" / "main.yml"), options_of(role)
    for other in imported_by(role):
        taken = load(other / "defaults" / "main.yml")
        defaults = {**defaults, **{name: value for name, value in taken.items() if name in options}}
    found = [f"{name}: in defaults, but not in argument_specs" for name in sorted(defaults.keys() - options.keys())]
    for name, spec in options.items():
        if spec.get("required"):
            if name in defaults or "default" in spec:
                found.append(f"{name}: required, so it can have no default")
        elif name not in defaults:
            found.append(f"{name}: in argument_specs, but not in defaults")
        elif "default" not in spec:
            found.append(f"{name}: argument_specs do not give the default {defaults[name]!r}")
        # 1 == True for Python, but not for the reader.
        elif (type(spec["default"]), spec["default"]) != (type(defaults[name]), defaults[name]):
            found.append(f"{name}: default is {defaults[name]!r} in defaults, {spec['default']!r} in argument_specs")
        else:
            found.extend(filter(None, [type_complaint(name, defaults[name], spec)]))
    return found


def undescribed_options(role: Path) -> list[str]:
    """Every option, nested ones too, has a type and a description; every list says what it holds."""

    def walk(options: Options, above: str) -> Iterator[str]:
        for key, spec in options.items():
            name = above + key
            for field in ("type", "description"):
                if not spec.get(field):
                    yield f"{name}: no {field}"
            if spec.get("type") == "list" and not spec.get("elements"):
                yield f"{name}: a list without elements"
            if above and "default" in spec:
                yield from filter(None, [type_complaint(name, spec["default"], spec)])
            yield from walk(spec.get("options") or {}, f"{name}.")

    return list(walk(options_of(role), ""))


def shown_secrets(role: Path) -> list[str]:
    """A password, a nested one too, is no_log: an error in it is told without its value."""

    def walk(options: Options, above: str) -> Iterator[str]:
        for key, spec in options.items():
            if key.endswith("password") and spec.get("no_log") is not True:
                yield f"{above}{key}: not no_log"
            yield from walk(spec.get("options") or {}, f"{above}{key}.")

    return list(walk(options_of(role), ""))


def unprefixed_variables(role: Path) -> list[str]:
    found = [
        f"{name}: does not begin with {role.name}_"
        for name in sorted(load(role / "defaults" / "main.yml").keys() | options_of(role).keys())
        if not name.startswith(tuple(f"{each.name}_" for each in [role, *imported_by(role)]))
    ]
    for path in sorted((role / "vars").glob("*.yml")):
        found.extend(
            f"{path.name}: {name} does not begin with __{role.name}_"
            for name in load(path)
            if not name.startswith(f"__{role.name}_")
        )
    return found


def unused_options(role: Path) -> list[str]:
    """An option that no role reads promises something that does not happen."""
    text = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("tasks", "handlers", "templates", "vars", "defaults")
        for path in role.parent.glob(f"*/{folder}/**/*")
        if path.is_file()
    )
    # Neither its own line in defaults nor a comment is a use of it.
    text = re.sub(r"(?m)^(?:\w+:|#.*)", "", text)
    return [f"{name}: no role reads it" for name in options_of(role) if not re.search(rf"\b{name}\b", text)]


def templates_without_header(role: Path) -> list[str]:
    found = []
    for path in sorted((role / "templates").rglob("*")):
        if path.is_file():
            lines = path.read_text(encoding="utf-8").splitlines()
            first = next((line for line in lines if not BEFORE_HEADER.match(line)), "")
            if not re.match(r"\{\{-?\s*ansible_managed\s*\|\s*comment\b", first):
                found.append(f"{path.relative_to(role)}: does not begin with {{{{ ansible_managed | comment }}}}")
    return found


def inventory_words(role: Path) -> list[str]:
    """A role is given hosts and addresses as arguments; it knows no group and no other host's variables."""
    found = []
    for folder in ("defaults", "handlers", "meta", "tasks", "templates", "vars"):
        for path in sorted((role / folder).rglob("*")):
            if path.is_file():
                for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                    if word := INVENTORY_WORDS.search(line.split(" #")[0]):
                        found.append(f"{path.relative_to(role)}:{number}: {word.group()}")
    return found


def readme_without_example(role: Path) -> list[str]:
    """The README shows the role at work under its full name and says how to go back."""
    path = role / "README.md"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    wanted = {
        f"siteops.webcluster.{role.name}": "an example that names the role in full",
        "```yaml": "an example",
        "dempoten": "a word on idempotence",
        "ollback": "a word on rollback",
    }
    return [f"{role.name}: README.md lacks {what}" for part, what in wanted.items() if part not in text]


def releases_of(role: Path) -> dict[str, dict[str, Any]]:
    """What is said of each supported release; a role that imports another one supports what that one does."""
    return {
        path.stem: load(path) for home in [role, *imported_by(role)] for path in sorted((home / "vars").glob("*_*.yml"))
    }


def differing_platforms(role: Path) -> list[str]:
    """meta/main.yml and the README promise the releases that vars/ has a file of, and no others."""
    releases = releases_of(role)
    wanted: dict[str, set[str]] = {}
    for release in releases:
        distribution, number = release.split("_")
        wanted.setdefault(distribution, set()).add(CODE_NAMES[number])
    promised = load(role / "meta" / "main.yml").get("galaxy_info", {}).get("platforms", [])
    found = []
    if {each["name"]: set(each["versions"]) for each in promised} != wanted:
        found.append(f"meta/main.yml: platforms {promised} are not those of vars/: {wanted}")
    if not list((role / "vars").glob("*_*.yml")):
        return found
    lines = (role / "README.md").read_text(encoding="utf-8").splitlines() if (role / "README.md").is_file() else []
    rows = {line.split("|")[1].strip().replace(" ", "_"): line for line in lines if line.startswith("| Debian")}
    for release in sorted(releases.keys() ^ rows.keys()):
        found.append(f"README.md: {release} stands in vars/ or in the table of support, but not in both")
    for release in sorted(releases.keys() & rows.keys()):
        for product, version in releases[release][f"__{role.name}_versions"].items():
            if not re.search(rf"\| {re.escape(version)}\b", rows[release]):
                found.append(f"README.md: the row of {release} lacks {product} {version}")
    return found


def without_scenario(role: Path) -> list[str]:
    """A role has its own scenario; the part that two roles share runs in those of the roles that import it."""
    checkout = role.parents[1]
    importers = [other for other in sorted(role.parent.iterdir()) if role in imported_by(other)]
    for name in [role.name, *(other.name for other in importers)]:
        if (checkout / "molecule" / name / "molecule.yml").is_file():
            return []
    return [f"{role.name}: no molecule/{role.name}/molecule.yml, nor one of a role that imports it"]


def forgetful_handlers(role: Path) -> list[str]:
    """A handler is forgotten when the play fails before it; configured_service finds what a service has not read."""
    found = [f"{path.relative_to(role)}: a handler" for path in sorted((role / "handlers").glob("*.yml"))]
    for path in sorted((role / "tasks").glob("*.yml")):
        if re.search(r"^\s+notify:", path.read_text(encoding="utf-8"), re.MULTILINE):
            found.append(f"{path.relative_to(role)}: notifies a handler")
    return found


def silenced_failures(path: Path) -> list[str]:
    return [
        f"{path.name}:{number}: {match.group()}"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if (match := SILENCED.search(line))
    ]


def playbook_without_comment(path: Path) -> list[str]:
    """A playbook begins with a comment of at least five words on what it does."""
    words = 0
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            words += len(line.lstrip("# ").split())
        elif line.strip() not in ("", "---"):
            break
    return [] if words >= 5 else [f"{path.name}: does not begin with a comment that says what it does"]


ROLE_RULES: list[Callable[[Path], list[str]]] = [
    missing_files,
    differing_defaults,
    undescribed_options,
    shown_secrets,
    unprefixed_variables,
    unused_options,
    templates_without_header,
    inventory_words,
    readme_without_example,
    differing_platforms,
    forgetful_handlers,
    without_scenario,
]


def test_there_is_something_to_check() -> None:
    assert ROLES
    assert PLAYBOOKS


@pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
@pytest.mark.parametrize("rule", ROLE_RULES, ids=lambda rule: rule.__name__)
def test_role(rule: Callable[[Path], list[str]], role: Path) -> None:
    assert rule(role) == []


@pytest.mark.parametrize(("role", "imported"), role_specs.IMPORTERS.items())
def test_role_takes_the_options_of_the_one_it_imports(role: str, imported: str) -> None:
    text, source = (role_specs.spec_of(name).read_text(encoding="utf-8") for name in (role, imported))
    assert role_specs.with_options(text, imported, source) == text, "run python tools/role_specs.py"


def test_every_importer_takes_options() -> None:
    assert {role.name: other.name for role in ROLES for other in imported_by(role)} == role_specs.IMPORTERS


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda path: path.name)
def test_playbook_begins_with_a_comment(playbook: Path) -> None:
    assert playbook_without_comment(playbook) == []


@pytest.mark.parametrize("path", TASK_FILES, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_no_failure_is_silenced(path: Path) -> None:
    assert silenced_failures(path) == []


# The rules on a sample that keeps all of them, then on the same sample with one fault each.

GOOD_FILES = {
    "README.md": "# web\n```yaml\n- role: siteops.webcluster.web\n```\nIdempotent: yes. Rollback: remove it.\n| Debian 13 | 2.1 |\n",
    "defaults/main.yml": "web_port: 80\nweb_names: []\nweb_debug: false\n# web_password:\n",
    "meta/main.yml": "galaxy_info: {author: siteops, platforms: [{name: Debian, versions: [trixie]}]}\n",
    "meta/argument_specs.yml": """
argument_specs:
  main:
    options:
      web_port: {type: int, default: 80, description: Port.}
      web_debug: {type: bool, default: false, description: Say more.}
      web_password: {type: str, required: true, no_log: true, description: Password.}
      web_names:
        type: list
        elements: dict
        default: []
        description: Names.
        options:
          name: {type: str, required: true, description: Name.}
          weight: {type: int, default: 100, description: Share.}
          password: {type: str, default: "", no_log: true, description: Password.}
""",
    "tasks/main.yml": "- name: Work\n  ansible.builtin.template: {groups: [adm]} # in groups\n  when: web_debug\n",
    "templates/web.conf.j2": "{{ ansible_managed | comment }}\n{{ web_port }} {{ web_names }} {{ web_password }}\n",
    "templates/web.php.j2": "<?php\n{{ ansible_managed | comment('c') }}\n",
    "vars/main.yml": "__web_packages: []\n",
    "vars/Debian_13.yml": "__web_versions: {web: '2.1'}\n",
    "../../molecule/web/molecule.yml": "verifier: {name: testinfra}\n",
}
SPECS = "meta/argument_specs.yml"
DEFAULTS = "defaults/main.yml"
TASKS = "tasks/main.yml"


def write_role(checkout: Path, name: str, files: dict[str, str]) -> Path:
    role = checkout / "roles" / name
    role.mkdir(parents=True)
    for path, text in files.items():
        target = role / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return role


@pytest.mark.parametrize("rule", ROLE_RULES, ids=lambda rule: rule.__name__)
def test_rule_accepts_a_good_role(rule: Callable[[Path], list[str]], tmp_path: Path) -> None:
    assert rule(write_role(tmp_path, "web", GOOD_FILES)) == []


@pytest.mark.parametrize(
    ("rule", "path", "old", "new", "complaint"),
    [
        (differing_defaults, DEFAULTS, "web_port: 80", "web_port: 81", "81 in defaults, 80 in argument_specs"),
        (differing_defaults, DEFAULTS, "web_port: 80", "web_port: '80'", "'80' in defaults, 80 in argument_specs"),
        (differing_defaults, DEFAULTS, "web_debug: false", "web_debug: 0", "0 in defaults, False in argument_specs"),
        (differing_defaults, DEFAULTS, "web_port: 80\n", "", "web_port: in argument_specs, but not in defaults"),
        (differing_defaults, DEFAULTS, "web_debug", "web_extra: 1\nweb_debug", "web_extra: in defaults, but not in"),
        (differing_defaults, DEFAULTS, "# web_password:", "web_password: x", "required, so it can have no default"),
        (differing_defaults, SPECS, "true, description: P", "true, default: x, description: P", "can have no default"),
        (differing_defaults, SPECS, "default: 80, ", "", "do not give the default 80"),
        (differing_defaults, SPECS, "type: int, default: 80", "type: str, default: 80", "80 is not of type str"),
        (differing_defaults, SPECS, "type: bool", "type: boolean", "type 'boolean' is unknown"),
        (differing_defaults, SPECS, "80, ", "80, choices: [8080], ", "not one of the choices [8080]"),
        (undescribed_options, SPECS, ", description: Port.", "", "web_port: no description"),
        (undescribed_options, SPECS, "type: bool, ", "", "web_debug: no type"),
        (undescribed_options, SPECS, ", description: Name.", "", "web_names.name: no description"),
        (undescribed_options, SPECS, "elements: dict", "", "web_names: a list without elements"),
        (undescribed_options, SPECS, "default: 100", "default: x", "web_names.weight: default 'x' is not of type int"),
        (shown_secrets, SPECS, "required: true, no_log: true", "required: true", "web_password: not no_log"),
        (shown_secrets, SPECS, 'default: "", no_log: true', 'default: ""', "web_names.password: not no_log"),
        (unprefixed_variables, DEFAULTS, "web_port: 80", "port: 80", "port: does not begin with web_"),
        (unprefixed_variables, "vars/main.yml", "__web", "web", "web_packages does not begin with __web_"),
        (unused_options, "templates/web.conf.j2", "web_password", "web_passwords", "web_password: no role reads it"),
        (templates_without_header, "templates/web.conf.j2", "{{ ansible_managed | comment }}\n", "", "web.conf.j2"),
        (templates_without_header, "templates/web.php.j2", "{{", "// {{", "web.php.j2: does not begin"),
        (inventory_words, TASKS, "web_debug", "'web' in group_names", "tasks/main.yml:3: group_names"),
        (inventory_words, TASKS, "web_debug", "groups['web'] == []", "tasks/main.yml:3: groups["),
        (inventory_words, TASKS, "web_debug", "'web' in groups", "tasks/main.yml:3: in groups"),
        (inventory_words, "templates/web.conf.j2", "web_names", "hostvars['a']", "web.conf.j2:2: hostvars"),
        (readme_without_example, "README.md", "siteops.webcluster.web", "web", "names the role in full"),
        (readme_without_example, "README.md", "Rollback", "", "a word on rollback"),
        (forgetful_handlers, TASKS, "  when:", "  notify: Reload\n  when:", "tasks/main.yml: notifies a handler"),
        (differing_platforms, "meta/main.yml", "trixie", "trixie, bookworm", "are not those of vars/"),
        (differing_platforms, "README.md", "Debian 13", "Debian 12", "Debian_13 stands in vars/ or in the table"),
        (differing_platforms, "README.md", "2.1", "2.10", "the row of Debian_13 lacks web 2.1"),
    ],
)
def test_rule_finds_the_fault(
    rule: Callable[[Path], list[str]], path: str, old: str, new: str, complaint: str, tmp_path: Path
) -> None:
    assert old in GOOD_FILES[path]
    role = write_role(tmp_path, "web", GOOD_FILES | {path: GOOD_FILES[path].replace(old, new, 1)})
    found = rule(role)
    assert any(complaint in line for line in found), found


@pytest.mark.parametrize("name", REQUIRED_FILES)
def test_rule_finds_a_missing_file(name: str, tmp_path: Path) -> None:
    role = write_role(tmp_path, "web", {path: text for path, text in GOOD_FILES.items() if path != name})
    assert missing_files(role) == [f"web: {name} is missing"]


def test_rule_finds_a_role_without_scenario(tmp_path: Path) -> None:
    role = write_role(tmp_path, "web", {path: text for path, text in GOOD_FILES.items() if "molecule" not in path})
    assert without_scenario(role)


def test_shared_role_is_tested_by_the_role_that_imports_it(tmp_path: Path) -> None:
    task = "- name: Share\n  ansible.builtin.import_role:\n    name: siteops.webcluster.base\n"
    write_role(tmp_path, "web", GOOD_FILES | {TASKS: task})
    base = write_role(tmp_path, "base", {TASKS: ""})
    assert without_scenario(base) == []


@pytest.mark.parametrize("line", ["ignore_errors: true", "failed_when: false", "#\tnoqa"])
def test_rule_finds_a_silenced_failure(line: str, tmp_path: Path) -> None:
    path = tmp_path / "main.yml"
    path.write_text(f"- name: Work\n  {line}\n", encoding="utf-8")
    assert silenced_failures(path) == [f"main.yml:2: {line}"]


@pytest.mark.parametrize("text", ["---\n- hosts: all\n", "---\n# site\n- hosts: all\n"])
def test_rule_finds_a_playbook_without_comment(text: str, tmp_path: Path) -> None:
    path = tmp_path / "site.yml"
    path.write_text(text, encoding="utf-8")
    assert playbook_without_comment(path)
