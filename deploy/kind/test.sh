#!/bin/sh
# The stories that need real pods: the kind lab is brought up, toured by `isthmus-lab kind-check`, and removed.
#
#   deploy/kind/test.sh [--from DIR] [--keep]
#
#   --from   take the programs, and isthmus-lab, from DIR instead of building them
#   --keep   do not remove the lab afterwards
#
# Where there is no container engine and none can be started, nothing runs: one line says how many stories did not, and
# the exit code is 0, or 1 if ISTHMUS_REQUIRE is `all`.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

from_and_keep "$@"
[ -z "$rest" ] || fail "unknown argument$rest (see the head of $0)" 64

stories=$(grep -c '^    Step {' "$root/multi-cluster-e2e/lab/src/kind/steps/mod.rs")
if ! engine=$("$root/deploy/setup/engine.sh" 2>&1); then
    printf '%s stories did not run: no container engine (%s)\n' "$stories" "$(printf '%s' "$engine" | tail -n1)"
    [ "${ISTHMUS_REQUIRE:-}" != all ] || exit 1
    exit 0
fi
if [ -z "$from" ]; then
    (cd "$root" && "${CARGO:-cargo}" build --locked --workspace --bins) >&2
    from=${CARGO_TARGET_DIR:-$root/target}/debug
fi
# What was up before is somebody's: it is neither toured nor removed.
[ ! -f "$state/clusters" ] || fail "there is a kind lab already: end it first, with deploy/kind/down.sh"
remove_at_end
"$here/up.sh" --from "$from" >/dev/null
"$from/isthmus-lab" kind-check --state "$state" || {
    # What the pods said goes with them.
    kubectl=$(sed -n 's/^KUBECTL=//p' "$state/env")
    for cluster in $(cat "$state/clusters"); do
        for pod in deploy/isthmus-agent deploy/isthmus-gateway statefulset/isthmus-server; do
            printf '\n== %s of %s\n' "$pod" "$cluster"
            in_cluster "$cluster" -n "$NAMESPACE" logs "$pod" --tail 30 || true
        done
    done >&2
    exit 1
}
