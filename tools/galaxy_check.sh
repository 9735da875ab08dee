#!/usr/bin/env bash
# Build the collection's archive, install it into an empty folder, and use it from there on hosts of the lab; needs root.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/common.sh
. tools/common.sh
use_venv
checkout=$PWD
work=$(mktemp -d)
# Hosts and addresses of our own, so that a lab of yours may stay up.
export LAB_PREFIX=10.95.3
inventory=$work/inventory/galaxy
finish() {
  "$checkout/lab/lab" down --inventory "$inventory" >/dev/null
  rm -rf "$work"
}
trap finish EXIT
copy=$(copy_collection "$work/source")
mkdir "$work/inventory"
cp -r "$copy/inventory/lab" "$inventory"

echo "== build"
ansible-galaxy collection build --output-path "$work/dist" "$copy" >/dev/null
archive=$(echo "$work"/dist/*.tar.gz)
tar --list --file "$archive" | grep -v '/$' >"$work/files"
cat "$work/files"
strays=$(grep -E '^(\.|lab/|molecule/|tests/|tools/|awx/|\.github/|inventory/[^/]+/\.(secrets|lab))' "$work/files" || true)
if [ -n "$strays" ]; then
  echo "galaxy-check: the archive holds files that no user of the collection needs; add them to build_ignore in galaxy.yml:" >&2
  echo "$strays" >&2
  exit 1
fi
echo "${archive##*/}: $(stat --format %s "$archive") bytes, $(wc -l <"$work/files") files"

echo "== install into an empty folder"
mkdir "$work/elsewhere"
cd "$work/elsewhere"
export ANSIBLE_COLLECTIONS_PATH=$work/installed
ansible-galaxy collection install --offline --collections-path "$work/installed" "$archive" | tail -n 1

echo "== use it from elsewhere"
"$checkout/lab/lab" up --inventory "$inventory"
ansible-playbook siteops.webcluster.site -i "$inventory" --check >"$work/run.log" 2>&1 || {
  cat "$work/run.log"
  echo "galaxy-check: the installed collection does not run." >&2
  exit 1
}
sed -n '/^PLAY RECAP/,$p' "$work/run.log"

echo "== changelog of a release"
cd "$copy"
sed -i 's/^version: .*/version: 1.0.0/' galaxy.yml
antsibull-changelog release --version 1.0.0 --date 2026-01-01 >"$work/changelog.log" 2>&1 || { cat "$work/changelog.log"; exit 1; }
head -n 20 CHANGELOG.md
grep -qFx '## v1\.0\.0' CHANGELOG.md || { echo "galaxy-check: CHANGELOG.md has no heading for 1.0.0" >&2; exit 1; }
cd "$checkout"

echo "== galaxy-importer, in an environment of its own"
nox --non-interactive --reuse-existing-virtualenvs --session build-import-check >"$work/importer.log" 2>&1 || {
  cat "$work/importer.log"
  exit 1
}
grep -E '^(Importing|Linting|Importer|WARNING|ERROR)' "$work/importer.log"
echo "galaxy-check: built, installed, ran on $(grep -c 'failed=0' "$work/run.log") hosts, changelog rendered, imported"
