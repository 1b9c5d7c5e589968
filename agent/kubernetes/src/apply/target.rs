//! What a write is about: which object, which part of it, how urgent.

use agent_plan::mcs::content::SliceRole;
use agent_plan::mcs::{Action, Object};
use prometheus_client::encoding::EncodeLabelValue;
use serde::Serialize;

/// The kinds of objects that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelValue, Serialize)]
#[allow(non_camel_case_types, reason = "the names are the label's values, which are lower case")]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// ServiceImports.
    serviceimports,
    /// ServiceExports.
    serviceexports,
    /// Derived Services.
    services,
    /// EndpointSlices.
    endpointslices,
    /// ClusterProperties.
    clusterproperties,
}

impl Kind {
    /// The kind of an object.
    pub(super) fn of(object: &Object) -> Self {
        match object {
            Object::Export(_) => Self::serviceexports,
            Object::Import(_) => Self::serviceimports,
            Object::Derived(_) => Self::services,
            Object::Slice(_) => Self::endpointslices,
            Object::Property(_) => Self::clusterproperties,
        }
    }

    /// Resource and group, as in a rule of a ClusterRole.
    pub(super) fn resource(self) -> (&'static str, &'static str) {
        match self {
            Self::serviceimports => ("serviceimports", "multicluster.x-k8s.io"),
            Self::serviceexports => ("serviceexports", "multicluster.x-k8s.io"),
            Self::services => ("services", ""),
            Self::endpointslices => ("endpointslices", "discovery.k8s.io"),
            Self::clusterproperties => ("clusterproperties", "about.k8s.io"),
        }
    }
}

/// What of an object is written. Each is a request of its own, under a rule of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelValue, Serialize)]
#[allow(non_camel_case_types, reason = "the names are the label's values, which are lower case")]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The object.
    object,
    /// Its status.
    status,
    /// Its end.
    deletion,
}

/// Which part of which object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Target {
    pub(super) object: Object,
    pub(super) part: Part,
}

impl Target {
    pub(super) fn of(action: &Action) -> Self {
        let part = match action {
            Action::ApplyImport { .. }
            | Action::ApplyDerived { .. }
            | Action::ApplySlice { .. }
            | Action::ApplyProperty { .. } => Part::object,
            Action::ApplyImportStatus { .. }
            | Action::ApplyDerivedStatus { .. }
            | Action::ApplyExportStatus { .. } => Part::status,
            Action::Delete { .. } => Part::deletion,
        };
        Self { object: action.object(), part }
    }

    pub(super) fn kind(&self) -> Kind {
        Kind::of(&self.object)
    }
}

/// Order of writing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    pub(super) urgency: Urgency,
    pub(super) target: Target,
}

impl Rank {
    pub(super) fn of(action: &Action) -> Self {
        Self { urgency: Urgency::of(action), target: Target::of(action) }
    }
}

/// Who waits for a write. The first is the most urgent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// Other writes: they need the uid of the import.
    Writes,
    /// People and programs.
    People,
    /// Traffic.
    Traffic,
    /// Whoever informs himself.
    Readers,
    /// Nobody.
    Nobody,
}

impl Urgency {
    pub(super) fn of(action: &Action) -> Self {
        match action {
            Action::ApplyImport { .. } => Self::Writes,
            Action::ApplyImportStatus { .. } | Action::ApplyExportStatus { .. } => Self::People,
            Action::ApplyDerived { .. } | Action::ApplyDerivedStatus { .. } => Self::Traffic,
            Action::ApplySlice { content, .. } => match content.role {
                SliceRole::Derived { .. } => Self::Traffic,
                SliceRole::Mcs { .. } => Self::Readers,
            },
            Action::ApplyProperty { .. } => Self::Readers,
            Action::Delete { .. } => Self::Nobody,
        }
    }

    /// Whether there must be room for others beside it.
    pub(super) fn can_wait(self) -> bool {
        self > Self::People
    }
}
