# What the scripts of this folder share; read by them from the top of the checkout.
# shellcheck shell=bash

COLLECTION=.ansible/collections/ansible_collections/siteops/webcluster

use_venv() { # put the tools of $VENV first on the path
  VENV=${VENV:-.venv}
  if [ ! -x "$VENV/bin/ansible" ]; then
    echo "${0##*/}: no tools in $VENV. Run 'make venv-dev', or set VENV to a virtual environment with requirements-dev.txt." >&2
    exit 2
  fi
  PATH=$(cd "$VENV/bin" && pwd):$PATH
  export PATH
}

link_collection() { # give the checkout its collection path
  if [ ! -e "$COLLECTION" ]; then
    mkdir -p "${COLLECTION%/*}"
    ln -sfn ../../../.. "$COLLECTION"
  fi
}

tree_files() { # tracked and new files that are not ignored and still exist, each ended by a NUL
  local file
  git ls-files -z --cached --others --exclude-standard -- "$@" | while read -r -d '' file; do
    if [ -e "$file" ]; then printf '%s\0' "$file"; fi
  done
}

fail_on_warnings() { # pass the text on; fail when Ansible warns or deprecates in it
  local line bad=0
  while IFS= read -r line; do
    printf '%s\n' "$line"
    case $line in *'[WARNING]'* | *'[DEPRECATION WARNING]'*) bad=1 ;; esac
  done
  return "$bad"
}

run_steps() { # run each step_NAME, print how long it took, fail at the end if one failed
  local name start failed=()
  for name in "$@"; do
    if ! declare -F "step_$name" >/dev/null; then
      echo "${0##*/}: no step '$name'; there are: $(declare -F | sed -n 's/^declare -f step_//p' | tr '\n' ' ')" >&2
      exit 2
    fi
  done
  for name in "$@"; do
    start=$(date +%s)
    echo "--- $name"
    # A shell of its own: 'set -e' does not hold inside a condition.
    (set -e; "step_$name") &
    if wait $!; then
      echo "--- $name: ok, $(($(date +%s) - start)) s"
    else
      echo "--- $name: FAILED, $(($(date +%s) - start)) s"
      failed+=("$name")
    fi
  done
  if [ ${#failed[@]} -gt 0 ]; then
    echo "${0##*/}: failed: ${failed[*]}" >&2
    return 1
  fi
}
