#!/bin/sh
# install-packages.sh - install what packages.txt lists, where it is missing. SPDX-License-Identifier: MIT
#
# Debian and Ubuntu; as root, or through sudo. Says and does nothing when all is there.
set -eu
cd "$(dirname "$0")/.."
packages=$(sed 's/#.*//' packages.txt)

if ! command -v dpkg-query > /dev/null; then
    echo "note: not a Debian system; make sure that you have what these packages hold:" $packages >&2
    exit 0
fi

missing=
for package in $packages; do
    case $(dpkg-query -W -f '${Status} ' "$package" 2> /dev/null) in
    *"ok installed"*) ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

echo "installing:$missing"
root=
[ "$(id -u)" = 0 ] || root=sudo
install="apt-get install -y --no-install-recommends$missing"
if [ -z "$root" ] || command -v sudo > /dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    $root apt-get update -q && $root $install && exit 0
fi
echo "error: these packages are missing and could not be installed. As root, run: apt-get update && $install" >&2
exit 1
