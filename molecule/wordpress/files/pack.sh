#!/usr/bin/env bash
# Pack the code of the packages, with what a site adds to it, as /srv/wordpress.tar.gz.
set -euo pipefail
apt-get update -qq
mkdir -p /srv/packages /srv/root && cd /srv/packages
wanted=$(apt-cache depends wordpress | awk '/(Depends|Recommends): (libjs-|php-getid3|wordpress-theme-)/ {print $2}')
# shellcheck disable=SC2086 # a list of packages
apt-get download -qq wordpress $wanted
for package in *.deb; do dpkg-deb -x "$package" /srv/root; done
code=/srv/root/usr/share/wordpress
# Debian's own lead to files of the machine that has the package installed.
rm "$code/.htaccess" "$code/wp-config.php"
cp -rL "$code" /srv/code
mkdir -p /srv/code/wp-content/uploads /srv/code/wp-content/mu-plugins
cp /srv/files/wp-config.php /srv/code/
cp /srv/files/slow.php /srv/code/wp-content/mu-plugins/
cp /srv/files/htaccess /srv/code/.htaccess
tar -C /srv/code -czf /srv/wordpress.tar.gz .
