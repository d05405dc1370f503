#!/usr/bin/env bash
# Makes this checkout runnable: Debian's packages by name, then the Python environment from requirements.lock.
# Each part says what it does and how long it took, and is skipped when it is already there. May be stopped and run again.
# With --tests also what only the tests need: a browser. Without it everything works, and tests in a browser are skipped and say so.
set -euo pipefail
cd "$(dirname "$0")/../.."

# lxc, lxcfs, uidmap: guests; mmdebstrap, zstd: their image; nftables, iproute2: management network; openssh: logins and tests.
packages=(lxc lxcfs uidmap mmdebstrap zstd nftables iproute2 iputils-ping openssh-client openssh-server python3-venv procps)
# chromium: the pages as people see them; it has no font of its own. tmux: what golden machines have, for tests without guests.
# curl, rsync: what learners may come with. tigervnc, xterm: desktops without guests, and what the sandbox node draws consoles with.
for_tests=(chromium curl fonts-dejavu-core rsync tmux tigervnc-standalone-server xterm)

say() { printf '[setup] %-22s %s\n' "$1" "$2"; }
timed() { # timed NAME COMMAND...: runs it and says how long it took
    local name=$1 begun=$SECONDS; shift
    "$@"
    say "$name" "done in $((SECONDS - begun)) s"
}

install_packages() { # install_packages PACKAGE...
    apt-get update -qq || return
    # --no-install-recommends: lxc's recommended parts would start a bridge of their own.
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    say "Debian packages" "this is not Debian or a relative: install these by hand and run again: ${packages[*]}" >&2
    exit 1
fi
lacking() { # lacking PACKAGE...: those that are not installed
    local package
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || echo "$package"
    done
}
mapfile -t missing < <(lacking "${packages[@]}")
if [ ${#missing[@]} -eq 0 ]; then
    say "Debian packages" "already there"
elif [ "$(id -u)" -ne 0 ]; then
    say "Debian packages" "missing: ${missing[*]}; run this as root, or: sudo apt-get install ${missing[*]}" >&2
    exit 1
else
    say "Debian packages" "installing ${missing[*]}"
    timed "Debian packages" install_packages "${missing[@]}"
fi

if [ "${1:-}" = --tests ]; then
    mapfile -t missing < <(lacking "${for_tests[@]}")
    if [ ${#missing[@]} -eq 0 ]; then
        say "Packages for tests" "already there"
    elif [ "$(id -u)" -ne 0 ]; then
        say "Packages for tests" "missing: ${missing[*]}; tests that need them are skipped. sudo apt-get install ${missing[*]}" >&2
    else
        say "Packages for tests" "installing ${missing[*]}"
        # An `if` switches `set -e` off within, so each of its commands must say for itself that it failed.
        if install_packages "${missing[@]}"; then
            say "Packages for tests" "done"
        else
            say "Packages for tests" "could not be installed; tests that need them are skipped and say so" >&2
        fi
    fi
fi

stamp=.venv/.installed
wanted=$(cat requirements.lock requirements-bootstrap.lock pyproject.toml | sha256sum)
if [ "$(cat $stamp 2>/dev/null || true)" = "$wanted" ] && .venv/bin/labctl --help >/dev/null 2>&1; then
    say "Python environment" "already there"
else
    if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        say "Python environment" "needs Python 3.11 or newer; this is $(python3 --version)" >&2
        exit 1
    fi
    install_python() {
        [ -x .venv/bin/python ] || python3 -m venv .venv
        .venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-bootstrap.lock
        .venv/bin/uv pip install -q --python .venv/bin/python --require-hashes -r requirements.lock
        .venv/bin/uv pip install -q --python .venv/bin/python --no-deps --no-build-isolation -e .
        printf '%s\n' "$wanted" >$stamp
    }
    say "Python environment" "installing from requirements.lock"
    timed "Python environment" install_python
fi

# What browsers load: built from pinned npm packages into api/static, which git ignores. Pages work without it, terminals do not.
stamp=api/static/.built
wanted=$(find web -path web/node_modules -prune -o -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum)
if [ "$(cat $stamp 2>/dev/null || true)" = "$wanted" ]; then
    say "Browser assets" "already there"
elif ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    say "Browser assets" "not built: node (18 or newer) and npm are missing; install them (apt-get install nodejs npm) and run again." >&2
    say "Browser assets" "Until then everything works but terminals in the browser and pages that renew themselves." >&2
else
    build_assets() {
        npm --prefix web ci --ignore-scripts --no-progress --loglevel=error >/dev/null
        node web/build.mjs
        printf '%s\n' "$wanted" >$stamp
    }
    timed "Browser assets" build_assets
fi
