#!/bin/sh
# Runs the conformance suite of the multi-cluster Services API against two kind clusters, and keeps its report.
#
#   deploy/kind/conformance.sh SUITE [--from DIR] [--keep] [FLAG...]
#
#   SUITE    the suite's test binary, which you have built: `go test -c` in the folder `conformance` of the repository
#            kubernetes-sigs/mcs-api. Neither its code nor a way to build it is part of this repository
#   --from   take the programs from DIR instead of building them
#   --keep   do not remove the clusters afterwards
#   FLAG     handed to the suite, for instance --ginkgo.focus=Connectivity; the report is then not kept
#
# The report is written to docs/conformance/: report.yaml and report.html as the suite writes them, and environment.txt.
# The images that the suite names are in the node image where nothing can be pulled (see deploy/setup/node-image.sh).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

[ $# -ge 1 ] || fail "name the suite's test binary: make conformance SUITE=PATH" 64
suite=$1
shift
[ -x "$suite" ] || fail "$suite is no program"
suite=$(cd "$(dirname "$suite")" && pwd)/$(basename "$suite")
from_and_keep "$@"
flags=$rest

# Clusters that were up before are somebody's.
[ ! -f "$state/clusters" ] || keep=true
remove_at_end
"$here/up.sh" --clusters east,west --no-samples ${from:+--from "$from"} >/dev/null
kubectl=$(sed -n 's/^KUBECTL=//p' "$state/env")
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n1)

began=$(now)
mkdir -p "$state/conformance"
passed=true
# shellcheck disable=SC2086 # flags
(cd "$state/conformance" && "$suite" -kubeconfig "$kubeconfig" -contexts kind-east,kind-west \
    -organization Isthmus -project Isthmus -version "$version" --ginkgo.no-color $flags) || passed=false
done_in "$began" "the suite has run"
if [ -n "$flags" ]; then
    say "the report of a run with flags is not kept: $state/conformance"
elif [ -f "$state/conformance/report.yaml" ]; then
    mkdir -p "$root/docs/conformance"
    # The repository's texts have no white space at the ends of lines.
    for file in report.yaml report.html; do
        sed 's/[[:space:]]*$//' "$state/conformance/$file" >"$root/docs/conformance/$file"
    done
    {
        printf 'isthmus %s\n' "$version"
        printf 'kubernetes %s\n' "$(in_cluster east version -o json | sed -n '/serverVersion/,$s/.*"gitVersion": "\(.*\)".*/\1/p')"
        printf 'suite: test binary of kubernetes-sigs/mcs-api, sha256 %s\n' "$(sha256sum "$suite" | cut -d' ' -f1)"
        printf 'clusters: two kind clusters of one node, real pods, nothing simulated\n'
    } >"$root/docs/conformance/environment.txt"
    say "the report is in docs/conformance"
fi
[ "$passed" = true ]
