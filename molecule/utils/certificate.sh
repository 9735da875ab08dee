#!/usr/bin/env bash
# Make an authority and a certificate of it for the names that are given, in /etc/service.
set -euo pipefail
mkdir -p /etc/service && cd /etc/service
names=$(printf ',DNS:%s' "$@")
new=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
openssl req -x509 "${new[@]}" -days 30 -subj '/CN=An authority' -keyout ca.key -out ca.pem
openssl req -x509 "${new[@]}" -days 30 -subj "/CN=$1" -addext "subjectAltName=${names#,}" \
  -addext basicConstraints=critical,CA:FALSE -CA ca.pem -CAkey ca.key -keyout server.key -out server.pem
# Whichever user the server has.
chmod 0644 server.key
