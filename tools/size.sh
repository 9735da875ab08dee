#!/usr/bin/env bash
# Count the files and lines of plugins/, its unit tests and roles/: tools/size.sh [REVISION]
# With a revision, its figures come first: before, now and the difference.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/common.sh
. tools/common.sh
before=${1:-}

size_now() { # size_now FOLDER: files and lines, new ones included
  echo "$(tree_files "$1" | tr -cd '\0' | wc -c) $(tree_files "$1" | xargs -0 cat | wc -l)"
}

size_of() { # size_of REVISION FOLDER
  echo "$(git ls-tree -r --name-only "$1" -- "$2" | wc -l) $(git archive "$1" -- "$2" | tar --extract --to-stdout | wc -l)"
}

row() { # row NAME FILES LINES [FILES BEFORE] [LINES BEFORE]
  if [ $# -eq 3 ]; then
    printf '%-24s %6d %8d\n' "$@"
  else
    printf '%-24s %6d -> %4d (%+5d) %8d -> %6d (%+6d)\n' "$1" "$4" "$2" $(($2 - $4)) "$5" "$3" $(($3 - $5))
  fi
}

if [ -n "$before" ] && ! git rev-parse --quiet --verify "$before^{commit}" >/dev/null; then
  echo "size.sh: '$before' is no revision of this repository; expected a commit, a tag or a branch." >&2
  exit 2
fi
if [ -n "$before" ]; then
  printf '%-24s %24s %29s\n' '' files lines
else
  printf '%-24s %6s %8s\n' '' files lines
fi
sum=(0 0 0 0)
for folder in plugins tests/unit/plugins roles; do
  read -ra figures <<<"$(size_now "$folder")${before:+ $(size_of "$before" "$folder")}"
  row "$folder" "${figures[@]}"
  if [ "$folder" != roles ]; then
    for i in "${!figures[@]}"; do sum[i]=$((sum[i] + figures[i])); done
  fi
done
row 'plugins and their tests' "${sum[@]:0:${#figures[@]}}"
