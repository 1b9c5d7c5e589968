//! What one cluster exports at the moment, and which write each of its exports is.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU16;
use std::sync::Arc;

use federation_client::Desired;
use federation_model::command::Registration;
use federation_model::export::{
    Export, ExportKind, ExportScope, InternalTrafficPolicy, Locality, MtlsMode, Protocol, ServicePort,
    SessionAffinity,
};
use federation_model::{ClusterId, Generation, InstanceId, ServiceId, TrustDomain, UnixMillis};
use multi_cluster_e2e_history::WriteId;
use tokio::sync::watch;

/// The annotation in which a value carries its write.
const WRITE: &str = "torture.isthmus/write";

/// The desired set of one cluster. Agents come and go; this stays.
#[derive(Debug)]
pub struct Objects {
    /// The cluster.
    pub cluster: ClusterId,
    desired: watch::Sender<Arc<Desired>>,
}

impl Objects {
    /// Nothing is exported yet.
    ///
    /// # Errors
    /// If the names of the cluster make no trust domain or instance.
    pub fn new(cluster: ClusterId, clusterset: &TrustDomain, number: usize) -> anyhow::Result<Self> {
        let instance: InstanceId = format!("{number:032x}").parse()?;
        let registration = Registration {
            instance,
            network: "net".parse()?,
            region: None,
            zone: None,
            trust_domain: format!("{cluster}.{clusterset}").parse()?,
            gateways: Vec::new(),
            cluster: cluster.clone(),
        };
        let desired = Desired { registration, bundle: None, exports: BTreeMap::new() };
        Ok(Self { cluster, desired: watch::Sender::new(Arc::new(desired)) })
    }

    /// For an agent.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Desired>> {
        self.desired.subscribe()
    }

    /// Exports a service from now on, or exports it otherwise.
    pub fn put(&self, service: &ServiceId, write: WriteId, scope: ExportScope) {
        let export = Arc::new(export(&self.cluster, service, write, scope));
        self.change(|exports| exports.insert(service.clone(), export));
    }

    /// Exports it no more.
    pub fn remove(&self, service: &ServiceId) {
        self.change(|exports| exports.remove(service));
    }

    fn change<T>(&self, change: impl FnOnce(&mut BTreeMap<ServiceId, Arc<Export>>) -> T) {
        self.desired.send_modify(|desired| {
            let mut next = (**desired).clone();
            change(&mut next.exports);
            *desired = Arc::new(next);
        });
    }
}

/// The write that a value carries.
pub fn write_of(export: &Export) -> Option<WriteId> {
    export.annotations.get(WRITE)?.parse().ok().map(WriteId)
}

fn export(cluster: &ClusterId, service: &ServiceId, write: WriteId, scope: ExportScope) -> Export {
    let port = ServicePort { name: None, protocol: Protocol::Tcp, app_protocol: None, port: NonZeroU16::MIN };
    Export {
        cluster: cluster.clone(),
        service: service.clone(),
        first_seen: UnixMillis(0),
        generation: Generation(0),
        kind: ExportKind::ClusterSetIp,
        ports: vec![port],
        session_affinity: SessionAffinity::None,
        internal_traffic_policy: InternalTrafficPolicy::Cluster,
        traffic_distribution: None,
        ip_families: BTreeSet::new(),
        labels: BTreeMap::new(),
        annotations: [(WRITE.to_owned(), write.0.to_string())].into(),
        scope,
        mtls: MtlsMode::Gateway,
        localities: vec![Locality { zone: None, ready: 1, total: 1 }],
        endpoints: Vec::new(),
    }
}
