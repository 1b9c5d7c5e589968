#!/bin/sh
# Removes the kind lab: its clusters and .kind/. The images stay with the engine.
#
#   deploy/kind/down.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

[ -f "$state/clusters" ] || exit 0
one_at_a_time "$state/.lock"
clusters=$(cat "$state/clusters")
began=$(now)
engine=$("$root/deploy/setup/engine.sh" --find)
export "$engine"
choose_node_image
ISTHMUS_KIND=${ISTHMUS_KIND:-$(tool kind)}
export ISTHMUS_KIND
remove() { "$root/deploy/setup/kind-cluster.sh" down "$1" "$(index_of "$1")" "$kubeconfig" 9>&-; }
# shellcheck disable=SC2086 # names
at_once remove $clusters
rm -rf "$state"
done_in "$began" "gone: $clusters"
