#!/usr/bin/env bash
# Run the checks that need no host: tools/lint.sh [STEP...] (default: all; "check": all and the unit tests).
# VENV names the virtual environment whose tools are used (default .venv), JOBS how many steps run at once (default 2).
# Every step runs, even after one has failed; the exit code is 1 if any did.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/common.sh
. tools/common.sh
use_venv
link_collection

scripts() { # every tracked or new shell script, whatever its name
  local file line
  tree_files . | while read -r -d '' file; do
    case ${file##*/} in
      *.sh) printf '%s\0' "$file" ;;
      *.*) ;;
      *) if IFS= read -r line <"$file" && [[ $line =~ ^#!.*[/\ ](ba)?sh($|\ ) ]]; then printf '%s\0' "$file"; fi ;;
    esac
  done
}

step_yamllint() { yamllint --strict .; }
step_ruff() { ruff check --no-cache --output-format concise . && ruff format --no-cache --check .; }
step_shellcheck() { scripts | xargs -0 --no-run-if-empty shellcheck --external-sources; }
step_changelog() { antsibull-changelog lint; }
step_ansible-lint() { ansible-lint --offline --profile production --nocolor --format pep8; }

step_mypy() {
  # Through the collection path, so that files and imports go by the same name; messages show the plain path.
  local folder paths=()
  for folder in plugins roles tests molecule tools lab; do
    if [ "$(tree_files "$folder/*.py" | wc -c)" -gt 0 ]; then paths+=("$COLLECTION/$folder"); fi
  done
  mypy "${paths[@]}" | sed "s|^$COLLECTION/||"
}

step_syntax() {
  local playbook inventory=()
  if [ -d inventory/lab ]; then inventory=(-i inventory/lab); fi
  for playbook in site.yml playbooks/*.yml; do
    if [ -f "$playbook" ]; then
      ANSIBLE_DEPRECATION_WARNINGS=true ansible-playbook "${inventory[@]}" --syntax-check "$playbook" 2>&1 | fail_on_warnings
    fi
  done
}

# What plays whole roles and playbooks takes as long as all the rest: two steps, side by side.
played=(tests/unit/playbooks tests/unit/roles tests/unit/bench tests/unit/test_role_examples.py)
step_unit() { python -m pytest -q tests/unit "${played[@]/#/--ignore=}"; }
step_unit-played() {
  tools/checkers.sh
  python -m pytest -q "${played[@]}"
}

# The longest first.
all=(ansible-lint syntax mypy yamllint ruff shellcheck changelog)
case ${1:-} in
  "") set -- "${all[@]}" ;;
  check) set -- unit-played unit ansible-lint "${all[@]:1}" ;;
esac
run_steps "$@"
