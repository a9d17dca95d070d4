# shellcheck shell=sh
# SPDX-License-Identifier: MIT
#
# What the scripts of this folder share: installing Debian packages, configuring a build directory,
# waiting for a line in a file. It is read with `.`, after `cd` to the top of the tree.

# What building needs.
# shellcheck disable=SC2034 # used by the scripts
build_packages="gcc libc6-dev meson ninja-build pkg-config git"

# Ends the script with a message.
die() {
    echo "$0: $*" >&2
    exit 1
}

# Runs a command as root.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "root or sudo is needed for: $*"
    fi
}

# Prints those of the named packages that are not installed, a line each.
missing_packages() {
    command -v dpkg-query >/dev/null || die "this is no Debian-like system; it needs, installed: $*"
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
    for package in "$@"; do
        echo "$installed" | grep -qx "installed $package" || echo "$package"
    done
}

# Installs what is missing of the named packages; ends the script when that fails. Quick, and
# without the network, when nothing is missing.
install_packages() {
    missing=$(missing_packages "$@" | tr '\n' ' ')
    [ -n "$missing" ] || return 0
    echo "installing $missing"
    as_root apt-get update -qq || die "apt-get update failed"
    # shellcheck disable=SC2086 # a list of words
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $missing >/dev/null ||
        die "apt-get cannot install $missing"
    missing=$(missing_packages "$@" | tr '\n' ' ')
    [ -z "$missing" ] || die "apt-get did not install $missing"
}

# configure DIRECTORY COMPILER [OPTION]... makes a build directory, or gives the options to one that
# is there. One that meson cannot use any more is made anew.
configure() {
    directory=$1
    compiler=$2
    shift 2
    if [ -f "$directory/meson-private/coredata.dat" ]; then
        meson setup --reconfigure "$directory" "$@" && return 0
        rm -rf "$directory"
    fi
    CC=$compiler meson setup "$directory" "$@"
}

# The program that a user gets: optimised, in build/. Unit tests come with it where cmocka is there.
build_release() {
    configure build gcc --buildtype=release -Db_sanitize=none && ninja -C build
}

# build_sanitized [TARGET]... is the build that shows uses of freed memory, overflows and the like.
build_sanitized() {
    configure build-asan gcc --buildtype=debugoptimized -Dwerror=true -Dunit_tests=enabled \
        -Db_sanitize=address,undefined && ninja -C build-asan "$@"
}

# wait_for FILE TEXT [PID] waits until the file has a line with the text, for 20 s at most. A process
# that has ended will not write it any more.
wait_for() {
    for _ in $(seq 200); do
        grep -q -- "$2" "$1" 2>/dev/null && return 0
        [ -z "${3:-}" ] || kill -0 "$3" 2>/dev/null || break
        sleep 0.1
    done
    grep -q -- "$2" "$1" 2>/dev/null && return 0
    echo "no '$2' came in $1, which has:" >&2
    cat "$1" >&2
    return 1
}

# The address in the first line `listening ADDRESS` of a file.
listening_address() {
    sed -n 's/.*listening \([0-9.]*:[0-9]*\).*/\1/p' "$1" | head -n 1
}
