//! The services that every lab begins with, enough for the tour that `isthmus-lab check` makes.

use federation_model::ClusterId;

/// The namespace of all samples.
pub const NAMESPACE: &str = "demo";

/// One sample service of one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Its name.
    pub name: &'static str,
    /// How many pods serve it.
    pub pods: u8,
    /// Whether clients get the pods' own addresses.
    pub headless: bool,
    /// Who may import it.
    pub offer: Offer,
}

/// Whether and to whom a sample is exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// Not exported.
    Private,
    /// To every cluster.
    Everyone,
    /// To one cluster.
    Only(ClusterId),
}

/// The samples of the cluster at `index` of `clusters`. The roles are by position: the first calls, the second
/// answers, the third may see what the first may not.
pub fn samples(index: usize, clusters: &[ClusterId]) -> Vec<Sample> {
    let plain = |name, offer| Sample { name, pods: 1, headless: false, offer };
    match index {
        0 => vec![plain("whoami", Offer::Everyone)],
        1 => vec![
            plain("echo", Offer::Everyone),
            plain("whoami", Offer::Everyone),
            plain("private", Offer::Private),
            Sample { name: "peers", pods: 2, headless: true, offer: Offer::Everyone },
            plain("reports", clusters.get(2).map_or(Offer::Private, |third| Offer::Only(third.clone()))),
        ],
        _ => vec![plain("counter", Offer::Everyone)],
    }
}
