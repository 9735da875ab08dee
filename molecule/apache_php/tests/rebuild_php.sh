#!/usr/bin/env bash
# rebuild_php.sh FOLDER OLD NEW: fill a package source with the PHP packages of a version that this host has, under another one.
set -euo pipefail
mkdir -p "$1"
cd "$1"
old=$2 new=$3
dpkg-query --show --showformat '${db:Status-Abbrev} ${Package}\n' "php$old-*" | sed -n 's/^ii *//p' | xargs apt-get -q download
api=$(dpkg-deb -f php"$old"-cli_*.deb Provides | grep -o 'phpapi-[0-9]*' | head -n 1 | cut -d- -f2)
# As long as the old one, so that it can take its place in programs.
newer=$((api + 1))
for package in php"$old"-*.deb; do
  tree=$(mktemp -d)
  dpkg-deb -R "$package" "$tree"
  rm -f "$tree/DEBIAN/md5sums" "$package"
  # What lies in a folder before the folder.
  find "$tree" -depth \( -name "*$old*" -o -name "*$api*" \) -print0 | while IFS= read -r -d '' path; do
    name=${path##*/}
    name=${name//$old/$new}
    mv "$path" "${path%/*}/${name//$api/$newer}"
  done
  find "$tree" -type l -print0 | while IFS= read -r -d '' path; do
    to=$(readlink "$path")
    ln -sfn "${to//$old/$new}" "$path"
  done
  find "$tree" -type f -exec \
    sed -i "s#php\([/-]\?\)$old#php\1$new#g; s#php-fpm$old#php-fpm$new#g; s#/$old/#/$new/#g; s#$api#$newer#g" {} +
  find "$tree/DEBIAN" -type f ! -name control -exec sed -i "s#\b$old\b#$new#g" {} +
  dpkg-deb -Znone -b "$tree" "${package/$old/$new}" >/dev/null
  rm -r "$tree"
done
for package in *.deb; do
  dpkg-deb -f "$package"
  printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$package" "$(stat -c %s "$package")" "$(sha256sum "$package" | cut -d' ' -f1)"
done >Packages
echo "deb [trusted=yes] file:$PWD ./" >/etc/apt/sources.list.d/molecule-php.list
apt-get -q update
