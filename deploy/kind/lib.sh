# What the scripts of the kind lab share. Sourced, with `set -eu` in force.

root=$(cd "$here/../.." && pwd)
. "$root/deploy/setup/common.sh"

state=$root/.kind
kubeconfig=$state/config
NAMESPACE=isthmus-system
CLUSTERSET=lab
# kind v0.33's own node image, for machines that can pull images.
PUBLIC_NODE_IMAGE=kindest/node:v1.37.0@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5

now() { date +%s; }
# done_in BEGAN TEXT: a line of progress with the seconds that it took.
done_in() { printf '%4d s  %s\n' "$(($(now) - $1))" "$2" >&2; }

# at_once COMMAND ARGUMENT...: runs COMMAND for each argument, all at the same time; ends the script if one fails. Never
# to be called in a condition: in there, `set -e` is not in force.
at_once() {
    command=$1
    shift
    pids=''
    for argument in "$@"; do
        "$command" "$argument" &
        pids="$pids $!"
    done
    failed=false
    for pid in $pids; do
        wait "$pid" || failed=true
    done
    [ "$failed" = false ] || exit 1
}

# from_and_keep ARGUMENT...: what --from DIR and --keep say is in `from` and `keep`, and everything else in `rest`.
from_and_keep() {
    from='' keep=false rest=''
    while [ $# -gt 0 ]; do
        case $1 in
        --keep) keep=true ;;
        --from)
            [ $# -ge 2 ] || fail "--from needs a value" 64
            from=$2
            shift
            ;;
        *) rest="$rest $1" ;;
        esac
        shift
    done
}
# The lab goes with this script, however it ends, unless it is to be kept.
remove_at_end() {
    end() {
        code=$?
        trap - EXIT
        [ "$keep" = true ] || "$here/down.sh" || code=1
        exit "$code"
    }
    trap end EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

# The number of a cluster in the list: it chooses its address ranges and its server.
index_of() {
    index=0
    for name in $clusters; do
        index=$((index + 1))
        [ "$name" != "$1" ] || break
    done
    printf '%s\n' "$index"
}
node_of() { printf '%s-control-plane\n' "$1"; }
address_of() {
    docker inspect --format '{{(index .NetworkSettings.Networks "kind").IPAddress}}' "$(node_of "$1")"
}
in_cluster() {
    cluster=$1
    shift
    "$kubectl" --kubeconfig "$kubeconfig" --context "kind-$cluster" "$@"
}

# tool NAME: of the machine if it is there, else built.
tool() {
    command -v "$1" 2>/dev/null || printf '%s/%s\n' "$("$root/deploy/setup/kubernetes.sh" "$1")" "$1"
}

# Which image nodes have: the one that is asked for; the one that was built here; kind's own; one built now.
choose_node_image() {
    [ -z "${ISTHMUS_NODE_IMAGE:-}" ] || return 0
    built=$("$root/deploy/setup/node-image.sh" --name)
    ! docker image inspect "$built" >/dev/null 2>&1 || return 0
    if docker image inspect "$PUBLIC_NODE_IMAGE" >/dev/null 2>&1 || docker pull --quiet "$PUBLIC_NODE_IMAGE" >/dev/null 2>&1; then
        export ISTHMUS_NODE_IMAGE="$PUBLIC_NODE_IMAGE"
    else
        say "no node image can be pulled: building one (10 minutes the first time)"
    fi
}
