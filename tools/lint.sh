#!/usr/bin/env bash
# Run the checks that need no host: tools/lint.sh [STEP...] (default: every lint; "check": these and the unit tests).
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

# Whole playbooks, and what waits for the services' own programs, are steps of their own, which are not for the fast lane.
played=(tests/unit/playbooks tests/unit/awx/test_configure.py)
step_unit() {
  tools/checkers.sh
  python -m pytest -q -n 3 --dist loadfile tests/unit "${played[@]/#/--ignore=}"
}
step_playbooks() { python -m pytest -q -n 3 --dist loadfile "${played[@]}"; }
step_services() {
  tools/checkers.sh
  python -m pytest -q -n 2 --dist loadfile tests/services
}

# The longest first.
all=(ansible-lint syntax mypy yamllint ruff shellcheck changelog)
case ${1:-} in
  "") set -- "${all[@]}" ;;
  check) set -- unit "${all[@]}" ;;
esac
run_steps "$@"
