# What the scripts beside this one share. Sourced, with `set -eu` in force; it changes nothing by itself.

# fail TEXT [CODE]: ends the script with a sentence. 69 (EX_UNAVAILABLE) means that this machine lacks something.
fail() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    exit "${2:-1}"
}

say() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
}

need() {
    for tool in "$@"; do
        command -v "$tool" >/dev/null 2>&1 || fail "$tool is needed and not there" 69
    done
}

# Where everything goes that is fetched or built: outside of the repository.
cache_directory() {
    if [ -n "${ISTHMUS_CACHE:-}" ]; then
        printf '%s\n' "$ISTHMUS_CACHE"
    elif [ -n "${XDG_CACHE_HOME:-}" ]; then
        printf '%s\n' "$XDG_CACHE_HOME/isthmus"
    else
        printf '%s\n' "${HOME:?neither ISTHMUS_CACHE nor XDG_CACHE_HOME nor HOME is set}/.cache/isthmus"
    fi
}

# one_at_a_time FILE: whoever comes second waits here, and then finds the work done. The lock goes when the process does;
# a process that is to outlive the script must be started with 9>&-.
one_at_a_time() {
    need flock
    exec 9>"$1"
    flock 9
}

# A command that is only there for root and on Debian; apt's own words are shown if it fails.
install_debian() {
    [ "$(id -u)" = 0 ] || fail "$* must be installed, and this is not root (as root: apt install $*)" 69
    command -v apt-get >/dev/null 2>&1 || fail "$* must be installed, and this is no Debian: install what corresponds" 69
    say "installing $*"
    output=$(DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" 2>&1) ||
        output=$({ apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"; } 2>&1) ||
        fail "apt cannot install $*: $output" 69
}
