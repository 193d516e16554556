#!/bin/sh
# Make a virtual environment with a Python of at least 3.11: scripts/make_venv.sh FOLDER
# PYTHON in the environment chooses the interpreter. What cannot make an environment for want of a Debian package gets it.
set -eu

folder=$1
candidates=${PYTHON:-python3.13 python3.12 python3.11 python3 python}

# An environment that works stays as it is, whoever made it.
if [ -x "$folder/bin/python" ] && "$folder/bin/python" -m pip --version >/dev/null 2>&1; then
    exit 0
fi

# A command of that name may be a stub that does not run, so each is asked.
new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
can_make_venvs() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

chosen=
for candidate in $candidates; do
    new_enough "$candidate" || continue
    : "${chosen:=$candidate}"
    if can_make_venvs "$candidate"; then
        chosen=$candidate
        break
    fi
done
if [ -z "$chosen" ]; then
    echo "error: no Python of at least 3.11 (looked for: $candidates)." \
        "Install one, e.g. apt-get install python3 python3-venv, or name it: make PYTHON=/path/to/python" >&2
    exit 1
fi
if ! can_make_venvs "$chosen"; then
    # Debian keeps the module in a package of its own.
    version=$("$chosen" -c 'import sys; print(f"{sys.version_info[0]}.{sys.version_info[1]}")')
    "$(dirname "$0")/apt_install.sh" "python$version-venv"
fi
# --clear: what an interrupted run left behind is no environment.
"$chosen" -m venv --clear "$folder"
