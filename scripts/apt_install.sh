#!/bin/sh
# Install Debian packages: scripts/apt_install.sh PACKAGE...
# As root with apt-get, else through sudo; elsewhere it says what to install and ends with status 1.
set -eu

if ! command -v apt-get >/dev/null 2>&1; then
    echo "error: please install $* with this system's package manager (there is no apt-get here), then run make again" >&2
    exit 1
fi

if [ "$(id -u)" -eq 0 ]; then
    as_root() { env DEBIAN_FRONTEND=noninteractive "$@"; }
elif command -v sudo >/dev/null 2>&1; then
    as_root() { sudo env DEBIAN_FRONTEND=noninteractive "$@"; }
else
    echo "error: please run as root: apt-get install $*   (sudo is not there), then run make again" >&2
    exit 1
fi

echo "installing $* with apt-get" >&2
# The lists of packages are read anew only if the first try fails: on a bare image there are none, elsewhere it takes long.
as_root apt-get install --yes --no-install-recommends "$@" && exit 0
as_root apt-get update
as_root apt-get install --yes --no-install-recommends "$@" && exit 0
echo "error: apt-get could not install $*; install it by hand, then run make again" >&2
exit 1
