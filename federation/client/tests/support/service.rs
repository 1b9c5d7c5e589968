//! What a server of the test federation answers.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use federation_api::content_hash::ContentHash;
use federation_api::convert::item::encoded;
use federation_api::federation as wire;
use federation_api::federation::federation_server::Federation as FederationApi;
use federation_kit::grpc::TlsPeer;
use federation_model::{ClusterId, Export, Item, ItemKey, ServiceId, SpiffeId};
use federation_trust::csr::verified_key;
use federation_trust::infra::{Role, agent_id, role};
use federation_trust::join_token::secret_hash_of;
use federation_trust::verify::peer_id;
use futures::Stream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use wire::publish_request::Message as Say;
use wire::watch_response::Message;

use super::{Catalogue, Federation, clusterset, lifetime};

/// How often a watch is told of progress.
const PROGRESS: Duration = Duration::from_millis(50);

pub(crate) struct Service {
    pub(crate) id: u64,
    pub(crate) federation: Arc<Federation>,
    pub(crate) addresses: Vec<String>,
}

pub(super) type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Service {
    fn chain(&self, csr: &[u8], id: &SpiffeId) -> Result<Vec<Vec<u8>>, Status> {
        let csr = verified_key(csr).map_err(|e| Status::invalid_argument(e.to_string()))?;
        let chain = self.federation.authority.issue(&csr, id, lifetime(600)).unwrap();
        Ok(chain.iter().map(|der| der.to_vec()).collect())
    }
}

fn agent<T>(request: &Request<T>) -> Result<ClusterId, Status> {
    let peer = request.extensions().get::<TlsPeer>().unwrap();
    let id = peer_id(&peer.chain).map_err(|_| Status::unauthenticated("a certificate is needed"))?;
    match role(&id, Some(&clusterset())) {
        Role::Agent(cluster) => Ok(cluster),
        _ => Err(Status::permission_denied("not an agent")),
    }
}

#[tonic::async_trait]
impl FederationApi for Service {
    type PublishStream = Answers<wire::PublishResponse>;
    type WatchStream = Answers<wire::WatchResponse>;
    type ReportStream = Answers<wire::ReportResponse>;

    async fn join(
        &self,
        request: Request<wire::JoinRequest>,
    ) -> Result<Response<wire::JoinResponse>, Status> {
        let request = request.into_inner();
        secret_hash_of(&request.token_secret).map_err(|e| Status::invalid_argument(e.to_string()))?;
        let key = verified_key(&request.csr).map_err(|e| Status::invalid_argument(e.to_string()))?.key_hash();
        let cluster = {
            let mut rules = self.federation.rules.lock().unwrap();
            if rules.token_used_by.is_some_and(|used_by| used_by != key) {
                return Err(Status::permission_denied("the join token was already used"));
            }
            rules.token_used_by = Some(key);
            rules.issue_for.clone().unwrap_or(request.cluster)
        };
        let id = agent_id(&clusterset(), &cluster.parse().unwrap());
        Ok(Response::new(wire::JoinResponse {
            chain: self.chain(&request.csr, &id)?,
            bundle: Some((&self.federation.bundle()).into()),
            clusterset: clusterset().to_string(),
            servers: self.addresses.clone(),
        }))
    }

    async fn renew(
        &self,
        request: Request<wire::RenewRequest>,
    ) -> Result<Response<wire::RenewResponse>, Status> {
        let id = agent_id(&clusterset(), &agent(&request)?);
        self.federation.heard.lock().unwrap().renewed.push((self.id, id.clone()));
        Ok(Response::new(wire::RenewResponse {
            chain: self.chain(&request.into_inner().csr, &id)?,
            bundle: Some((&self.federation.bundle()).into()),
            servers: self.addresses.clone(),
        }))
    }

    async fn publish(
        &self,
        request: Request<Streaming<wire::PublishRequest>>,
    ) -> Result<Response<Self::PublishStream>, Status> {
        let cluster = agent(&request)?;
        let (answer, answers) = mpsc::channel(8);
        let (id, federation) = (self.id, Arc::clone(&self.federation));
        let mut said = request.into_inner();
        tokio::spawn(async move {
            let mut put_since_hello = Vec::new();
            while let Ok(Some(request)) = said.message().await {
                let response = hear(id, &federation, &cluster, request, &mut put_since_hello);
                let silent = federation.rules.lock().unwrap().silent.contains(&id);
                if !silent && answer.send(Ok(response)).await.is_err() {
                    break;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(answers))))
    }

    async fn watch(
        &self,
        request: Request<wire::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        agent(&request)?;
        let resume = request.into_inner().resume_revision;
        self.federation.heard.lock().unwrap().watched.push((self.id, resume));
        let (say, said) = mpsc::channel(8);
        let (id, federation) = (self.id, Arc::clone(&self.federation));
        tokio::spawn(async move {
            let mut catalogue = federation.catalogue.subscribe();
            let mut sent = resume;
            let mut first = true;
            loop {
                let (silent, stalled) = {
                    let rules = federation.rules.lock().unwrap();
                    (rules.silent.contains(&id), rules.stalled.contains(&id))
                };
                let messages = if silent {
                    vec![]
                } else {
                    news(&catalogue.borrow_and_update(), &mut sent, first, stalled)
                };
                first = false;
                for message in messages {
                    if say.send(Ok(wire::WatchResponse { message: Some(message) })).await.is_err() {
                        return;
                    }
                }
                if say.is_closed() {
                    return;
                }
                let _ = tokio::time::timeout(PROGRESS, catalogue.changed()).await;
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(said))))
    }

    async fn report(
        &self,
        request: Request<Streaming<wire::ReportRequest>>,
    ) -> Result<Response<Self::ReportStream>, Status> {
        agent(&request)?;
        let (answer, answers) = mpsc::channel(8);
        let (id, federation) = (self.id, Arc::clone(&self.federation));
        let mut said = request.into_inner();
        tokio::spawn(async move {
            while let Ok(Some(report)) = said.message().await {
                federation.heard.lock().unwrap().reported.push((id, report.applied_revision));
                let lease = wire::ReportResponse { lease_until_unix_millis: 12_345 };
                if answer.send(Ok(lease)).await.is_err() {
                    break;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(answers))))
    }
}

fn hear(
    id: u64,
    federation: &Federation,
    cluster: &ClusterId,
    request: wire::PublishRequest,
    put_since_hello: &mut Vec<ItemKey>,
) -> wire::PublishResponse {
    let key =
        |service: &Option<wire::ServiceId>| -> ServiceId { service.clone().unwrap().try_into().unwrap() };
    let (word, subject, generation) = match request.message.as_ref().unwrap() {
        Say::Hello(hello) => ("hello".to_owned(), wire::subject::Subject::Hello(hello.clone()), 0),
        Say::Bundle(bundle) => {
            ("bundle".to_owned(), wire::subject::Subject::Bundle(bundle.trust_domain.clone()), 0)
        }
        Say::Offer(_) => ("offer".to_owned(), wire::subject::Subject::SyncPoint(wire::SyncPoint {}), 0),
        Say::SyncPoint(point) => ("sync".to_owned(), wire::subject::Subject::SyncPoint(*point), 0),
        Say::Put(put) => {
            let subject = wire::subject::Subject::Export(put.service.clone().unwrap());
            (format!("put {}", key(&put.service)), subject, put.generation)
        }
        Say::Remove(remove) => {
            let subject = wire::subject::Subject::Export(remove.service.clone().unwrap());
            (format!("remove {}", key(&remove.service)), subject, remove.generation)
        }
    };
    let subject = Some(wire::Subject { subject: Some(subject) });
    federation.heard.lock().unwrap().published.push(format!("{id} {word}"));
    let name = word.strip_prefix("put ").unwrap_or(&word).to_owned();
    if let Some(reason) = federation.rules.lock().unwrap().refuse.get(&name) {
        let (reason, message) = (reason.clone(), "because".to_owned());
        let refused =
            wire::Refused { subject, generation, reason, message, limit: Some(1), present: Some(1) };
        return wire::PublishResponse { message: Some(wire::publish_response::Message::Refused(refused)) };
    }
    if let Some(Say::Offer(offer)) = &request.message {
        let catalogue = federation.catalogue.borrow();
        return compare(&catalogue, cluster, offer, put_since_hello);
    }
    let features = match &request.message {
        Some(Say::Hello(_)) if federation.rules.lock().unwrap().compares => vec![wire::Feature::Offer.into()],
        _ => vec![],
    };
    let mut revision = 0;
    federation.catalogue.send_modify(|catalogue| {
        revision = commit(catalogue, cluster, request, put_since_hello);
    });
    let committed = wire::Committed { subject, generation, revision, features };
    wire::PublishResponse { message: Some(wire::publish_response::Message::Committed(committed)) }
}

fn compare(
    catalogue: &Catalogue,
    cluster: &ClusterId,
    offer: &wire::Offer,
    put_since_hello: &mut Vec<ItemKey>,
) -> wire::PublishResponse {
    let mut known = Vec::new();
    for offered in &offer.exports {
        let service = offered.service.clone().unwrap().try_into().unwrap();
        let key = ItemKey::Export(service, cluster.clone());
        let found = catalogue.items.get(&key);
        put_since_hello.push(key);
        known.push(match found {
            Some((_, Item::Export(there))) => wire::Known {
                generation: Some(there.generation.0),
                same: ContentHash::of_export(there).is(&offered.content_hash),
            },
            _ => wire::Known::default(),
        });
    }
    let compared = wire::Compared { exports: known, bundle_same: false, revision: catalogue.revision };
    wire::PublishResponse { message: Some(wire::publish_response::Message::Compared(compared)) }
}

fn commit(
    catalogue: &mut Catalogue,
    cluster: &ClusterId,
    request: wire::PublishRequest,
    put_since_hello: &mut Vec<ItemKey>,
) -> u64 {
    match request.message.unwrap() {
        Say::Offer(_) => {}
        Say::Hello(_) => put_since_hello.clear(),
        Say::Put(put) => {
            let item = Item::Export(Arc::new(Export::try_from(put).unwrap()));
            put_since_hello.push(item.key());
            return catalogue.put(item);
        }
        Say::Remove(remove) => {
            let service = remove.service.unwrap().try_into().unwrap();
            return catalogue.remove(&ItemKey::Export(service, cluster.clone()));
        }
        Say::Bundle(bundle) => return catalogue.put(Item::Bundle(bundle.try_into().unwrap())),
        Say::SyncPoint(_) => {
            let ours = |key: &ItemKey| matches!(key, ItemKey::Export(_, c) if c == cluster);
            let gone: Vec<_> =
                catalogue.items.keys().filter(|k| ours(k) && !put_since_hello.contains(k)).cloned().collect();
            for key in gone {
                catalogue.remove(&key);
            }
        }
    }
    catalogue.revision
}

fn news(catalogue: &Catalogue, sent: &mut u64, first: bool, stalled: bool) -> Vec<Message> {
    let mut messages = Vec::new();
    let snapshot = first && *sent == 0;
    if snapshot {
        messages.push(Message::SnapshotBegin(wire::SnapshotBegin {}));
    }
    for (revision, item) in catalogue.items.values() {
        if snapshot || revision > sent {
            messages.push(Message::Upsert(encoded(item)));
        }
    }
    if snapshot {
        messages
            .push(Message::SnapshotEnd(wire::SnapshotEnd { revision: catalogue.revision, incarnation: 0 }));
    } else {
        for (revision, key) in &catalogue.removed {
            if revision > sent && !catalogue.items.contains_key(key) {
                messages.push(Message::Remove(key.into()));
            }
        }
    }
    *sent = catalogue.revision;
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    let leader_unix_millis = if stalled { 1 } else { u64::try_from(since).unwrap() };
    messages.push(Message::Progress(wire::Progress { revision: catalogue.revision, leader_unix_millis }));
    messages
}
