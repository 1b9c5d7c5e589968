//! `warden` (hidden): cleans up after a lab that was killed.

use multi_cluster_e2e_lab::process::warden;

/// Returns when the lab has ended, one way or the other.
pub(crate) fn run() {
    warden::serve(std::io::stdin().lock());
}
