# shellcheck shell=bash
# What deploy/run, deploy/test and deploy/demo share: finding Swift, installing Debian packages, the Python environment.
# Sourced, never run. The caller has set `root` to the top of the working copy.
: "${root:?}"

# Needed by Package.swift (the C libraries and how they are found), and curl to talk to the daemon.
# shellcheck disable=SC2034  # read by the scripts that source this file
daemon_packages=(libmicrohttpd-dev libjansson-dev libxxhash-dev pkg-config curl ca-certificates)

say() { printf '%s\n' "$*" >&2; }

die() {
    say "$*"
    exit 1
}

require_swift() {
    command -v swift >/dev/null || die "swift is not on the PATH. Install Swift 6.2 (swift.org/install), then run this again."
    local version
    version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' | head -n 1)
    printf '6.2\n%s\n' "${version:-0}" | sort --check=quiet --version-sort ||
        die "Swift 6.2 or newer is needed; 'swift --version' says ${version:-nothing}."
}

# Prints those of the named Debian packages that are not installed.
missing_packages() {
    local package
    for package in "$@"; do
        dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || echo "$package"
    done
}

# Installs what is missing; without root it prints the line to paste and fails.
ensure_packages() {
    local missing
    mapfile -t missing < <(missing_packages "$@")
    [ "${#missing[@]}" -eq 0 ] && return
    if [ "$(id -u)" -ne 0 ]; then
        die "These packages are missing; install them, then run this again:
  sudo apt-get install --yes --no-install-recommends ${missing[*]}"
    fi
    say "installing ${missing[*]}"
    apt-get update --quiet=2 >&2
    DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends "${missing[@]}" >&2
}

# A virtual environment under .venv with exactly the versions of a requirements file; rebuilt when that file changes.
ensure_python() {
    local requirements=$1 stamp="$root/.venv/requirements"
    cmp --silent "$requirements" "$stamp" && return
    say "making the Python environment in .venv"
    rm -rf "$root/.venv"
    /usr/bin/python3 -m venv "$root/.venv" &&
        "$root/.venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements" >&2 &&
        cp "$requirements" "$stamp"
}
