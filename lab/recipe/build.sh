#!/usr/bin/env bash
# Write the root filesystem of a lab host, as tar, to standard output.
# Usage: build.sh SUITE RELEASE IN_MEMORY
set -euo pipefail
suite=$1 release=$2 in_memory=$3
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d /var/tmp/webcluster-lab.XXXXXX)
trap 'mountpoint -q "$work" && umount "$work"; rmdir "$work"' EXIT
# Unpacking thousands of small files with fsync is several times faster in memory.
[ "$in_memory" = 1 ] && mount -t tmpfs -o size=5G,mode=755 tmpfs "$work"
include=$(tr ' ' ',' < "$here/packages")
extra=()
# The Release file of an unstable snapshot may have expired; released suites must be fresh.
[ "$release" = sid ] && extra+=(--aptopt='Acquire::Check-Valid-Until "false"')
TMPDIR=$work PACKAGES=$(cat "$here/packages-$release") mmdebstrap --mode=root --variant=minbase \
  --include="$include" --aptopt='APT::Install-Recommends "false"' --dpkgopt=force-unsafe-io \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --skip=cleanup/apt/lists,cleanup/apt/cache "${extra[@]}" \
  --customize-hook="$here/customize.sh \"\$1\"" --format=tar "$suite" -
