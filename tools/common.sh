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

link_collection() { # give the checkout its collection path, beside its playbooks too: from another folder no ansible.cfg names it
  if [ ! -e "$COLLECTION" ]; then
    mkdir -p "${COLLECTION%/*}"
    ln -sfn ../../../.. "$COLLECTION"
  fi
  ln -sfn ../.ansible/collections/ansible_collections collections/ansible_collections
  ln -sfn ../.ansible/collections playbooks/collections
}

tree_files() { # tracked and new files that are not ignored and still exist, each ended by a NUL
  local file
  git ls-files -z --cached --others --exclude-standard -- "$@" | while read -r -d '' file; do
    if [ -e "$file" ]; then printf '%s\0' "$file"; fi
  done
}

copy_collection() { # copy those files to DIR/ansible_collections/siteops/webcluster, and print that path
  local copy=$1/ansible_collections/siteops/webcluster
  mkdir -p "$copy"
  tree_files . | tar --create --null --no-recursion --files-from=- | tar --extract --directory "$copy"
  echo "$copy"
}

fail_on_warnings() { # pass the text on; fail when Ansible warns or deprecates in it
  local line bad=0
  while IFS= read -r line; do
    printf '%s\n' "$line"
    case $line in *'[WARNING]'* | *'[DEPRECATION WARNING]'*) bad=1 ;; esac
  done
  return "$bad"
}

run_steps() { # run each step_NAME, ${JOBS:-2} at a time; show each one's output and time; fail if one failed
  local name logs failed=()
  for name in "$@"; do
    if ! declare -F "step_$name" >/dev/null; then
      echo "${0##*/}: no step '$name'; there are: $(declare -F | sed -n 's/^declare -f step_//p' | tr '\n' ' ')" >&2
      return 2
    fi
  done
  logs=$(mktemp -d)
  for name in "$@"; do
    while [ "$(jobs -rp | wc -l)" -ge "${JOBS:-2}" ]; do wait -n || true; done
    {
      local start=$SECONDS code=0
      # A shell of its own and no condition around it, or 'set -e' would not hold in the step.
      (set -e; "step_$name") >"$logs/$name" 2>&1 &
      wait $! || code=$?
      echo "$code $((SECONDS - start))" >"$logs/$name.end"
    } &
  done
  wait
  for name in "$@"; do
    local code seconds
    read -r code seconds <"$logs/$name.end"
    cat "$logs/$name"
    if [ "$code" -eq 0 ]; then
      echo "--- $name: ok, $seconds s"
    else
      echo "--- $name: FAILED, $seconds s"
      failed+=("$name")
    fi
  done
  # Once more what they failed of, where nobody has to look for it in thousands of lines.
  for name in "${failed[@]}"; do
    why "$logs/$name" | cut -c 1-400 | sed "s/^/$name| /"
  done
  rm -rf "$logs"
  if [ ${#failed[@]} -gt 0 ]; then
    echo "${0##*/}: failed: ${failed[*]}" >&2
    return 1
  fi
}

why() { # the few lines of a failed step's output that tell the reason: what pytest found, the last failed task, or the end
  if grep -qaE '^(FAILED |ERROR )[^ ]+\.py' "$1"; then
    grep -aE '^(E   |FAILED |ERROR )' "$1" | head -n 12
  elif grep -qaE '^(fatal|failed): ' "$1"; then
    tac "$1" | grep -aE -B 12 -m 1 '^(fatal|failed): ' | tac
  else
    tail -n 12 "$1"
  fi
}
