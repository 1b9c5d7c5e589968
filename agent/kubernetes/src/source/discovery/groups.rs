//! Which kinds are served, in which versions.

use agent_plan::mcs::observed::McsVersion;
use kube::Client;
use serde::Deserialize;

use crate::connect::Trouble;
use crate::source::kind::Kind;
use crate::source::watch::get;

/// The only version of the About API that we speak.
pub(super) const ABOUT_VERSION: &str = "v1beta1";

/// What one look found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Served {
    pub(super) exports: Option<McsVersion>,
    pub(super) imports: Option<McsVersion>,
    pub(super) properties: bool,
}

impl Served {
    /// Whether any of the kinds is missing.
    pub(super) fn lacks_any(self) -> bool {
        self.exports.is_none() || self.imports.is_none() || !self.properties
    }

    /// Whether anything is missing that was there.
    pub(super) fn lacks_some_of(self, last: Self) -> bool {
        (last.exports.is_some() && self.exports.is_none())
            || (last.imports.is_some() && self.imports.is_none())
            || (last.properties && !self.properties)
    }

    /// Either's, the later first.
    pub(super) fn or(self, later: Self) -> Self {
        Self {
            exports: later.exports.or(self.exports),
            imports: later.imports.or(self.imports),
            properties: later.properties || self.properties,
        }
    }
}

#[derive(Debug, Deserialize)]
struct ResourceList {
    #[serde(default)]
    resources: Vec<Resource>,
}

#[derive(Debug, Deserialize)]
struct Resource {
    name: String,
}

/// Asks for both groups. v1beta1 is preferred kind by kind.
pub(super) async fn ask(client: &Client) -> Result<Served, Trouble> {
    let beta = resources(client, Kind::ServiceExports.group(), "v1beta1").await?;
    let about = resources(client, Kind::ClusterProperties.group(), ABOUT_VERSION).await?;
    let has = |list: &[Resource], kind: Kind| list.iter().any(|resource| resource.name == kind.resource());
    let mut served = Served {
        exports: has(&beta, Kind::ServiceExports).then_some(McsVersion::V1Beta1),
        imports: has(&beta, Kind::ServiceImports).then_some(McsVersion::V1Beta1),
        properties: has(&about, Kind::ClusterProperties),
    };
    if served.exports.is_none() || served.imports.is_none() {
        let alpha = resources(client, Kind::ServiceExports.group(), "v1alpha1").await?;
        let alpha = |kind| has(&alpha, kind).then_some(McsVersion::V1Alpha1);
        served.exports = served.exports.or_else(|| alpha(Kind::ServiceExports));
        served.imports = served.imports.or_else(|| alpha(Kind::ServiceImports));
    }
    Ok(served)
}

/// The resources of a version of a group; none if there is no such version.
async fn resources(client: &Client, group: &str, version: &str) -> Result<Vec<Resource>, Trouble> {
    match get(client, &format!("/apis/{group}/{version}")).await {
        Ok(body) => {
            let list: ResourceList = serde_json::from_slice(&body).map_err(|error| Trouble::Nonsense {
                detail: format!("the resources of {group}: {error}"),
            })?;
            Ok(list.resources)
        }
        Err(Trouble::NotFound { .. }) => Ok(Vec::new()),
        Err(trouble) => Err(trouble),
    }
}
