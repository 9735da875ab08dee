#!/usr/bin/env bash
# Run every check and then molecule scenarios, two at a time: tools/test.sh [--scenarios-only] SCENARIO...
# Every step runs, even after one has failed; the exit code is 1 if any did.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/common.sh
. tools/common.sh
use_venv
link_collection

step_check() { tools/lint.sh check; }
step_playbooks() { tools/lint.sh playbooks; }
step_services() { tools/lint.sh services; }
step_nox() { nox --non-interactive --reuse-existing-virtualenvs --session docs-check license-check extra-checks; }
step_sanity() { nox --non-interactive --session sanity; }
step_awx-check() { tools/awx_check.sh; }
step_ee-check() { tools/ee_check.sh; }
step_galaxy-check() { tools/galaxy_check.sh; }
step_lab-check() { python tests/lab/check.py; }

steps=(check playbooks services sanity nox ee-check galaxy-check awx-check lab-check)
if [ "${1:-}" = --scenarios-only ]; then
  shift
  steps=()
fi
for scenario in "$@"; do
  eval "step_$scenario() { molecule test -s $scenario; }"
done
run_steps "${steps[@]}" "$@"
