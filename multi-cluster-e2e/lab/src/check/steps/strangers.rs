//! The gateway lets nobody in without a certificate, nor with one that the right authority did not sign, even if it says
//! the right name.

use anyhow::{Context, ensure};

use crate::ca;
use crate::check::stage::{EAST, Stage, WEST};
use crate::client::mtls::Refused;

pub(in crate::check) async fn run(stage: &Stage) -> anyhow::Result<String> {
    let client = stage.easts_gateway().await?;
    let id = client.id().context("the client has no identity")?;

    let anonymous = stage.dial_west(&client.without_certificate(), "echo").await?;
    let refused = |alert: &str| Err::<String, _>(Refused::Alert(alert.to_owned()));
    ensure!(
        anonymous.answer == refused("CertificateRequired"),
        "without a certificate: {:?}, and not certificate_required",
        anonymous.answer
    );
    let forged = ca::issue(&ca::new_authority(id.trust_domain())?, &id)?;
    let forger = stage.dial_west(&client.with_identity(forged), "echo").await?;
    ensure!(
        forger.answer == refused("UnknownCA"),
        "with {id} signed by a foreign CA: {:?}, and not unknown_ca",
        forger.answer
    );
    let elsewhere = "spiffe://elsewhere/isthmus/gateway".parse()?;
    let stranger = ca::issue(&ca::new_authority(&"elsewhere".parse()?)?, &elsewhere)?;
    let stranger = stage.dial_west(&client.with_identity(stranger), "echo").await?;
    ensure!(
        stranger.answer == refused("UnknownCA"),
        "with {elsewhere}, a domain that nobody knows: {:?}, and not unknown_ca",
        stranger.answer
    );
    let neighbour = ca::forge(&stage.authority_of(WEST)?, &id)?;
    let neighbour = stage.dial_west(&client.with_identity(neighbour), "echo").await?;
    ensure!(
        neighbour.answer == refused("UnknownCA"),
        "with {id} signed by the CA of {WEST}: {:?}, and not unknown_ca",
        neighbour.answer
    );
    Ok(format!(
        "at the gateway of {WEST}: without a certificate CertificateRequired; with {id} of a CA that is not {EAST}'s \
         UnknownCA, be it {WEST}'s own; with an identity of an unknown domain UnknownCA"
    ))
}
