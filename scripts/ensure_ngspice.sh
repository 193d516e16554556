#!/bin/sh
# Make sure that there is an ngspice: the one that NGSPICE names, else the one on PATH, else install it.
set -eu

if [ -n "${NGSPICE:-}" ]; then
    command -v "$NGSPICE" >/dev/null 2>&1 && exit 0
    echo "error: NGSPICE is '$NGSPICE', which is no program; mend it, or unset it to use the ngspice on PATH" >&2
    exit 1
fi
command -v ngspice >/dev/null 2>&1 && exit 0
if [ "$(uname -s)" = Darwin ]; then
    echo "error: ngspice is missing; install it with: brew install ngspice" >&2
    exit 1
fi
"$(dirname "$0")/apt_install.sh" ngspice
