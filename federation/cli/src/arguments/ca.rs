//! The command line of `ca`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use federation_model::{ClusterId, TrustDomain};
use federation_trust::ca::KeyKind;

use super::parse_label;
use crate::verbs::ca::{Target, parse_key};

const EXAMPLES: &str = "\
Examples:
  isthmus ca init --clusterset lab --out ./ca
  isthmus ca issue --ca ./ca --clusterset lab --cluster east --out ./east --secret istio-system
  isthmus ca inspect ./east ./ca
  kubectl -n istio-system get secret cacerts -o yaml | isthmus ca inspect -
  isthmus ca bundle ./east --trust-domain east.lab > east.jwks
  isthmus ca verify pod.pem --as east.lab --bundle east.jwks

A directory or a Secret may have Istio's ca-cert.pem, ca-key.pem, cert-chain.pem and root-cert.pem; or tls.crt, tls.key and
ca.crt, as cert-manager makes them; or what `ca init` writes. Keys may be PKCS#8, SEC1 or PKCS#1.";

/// What can be done with certificate authorities.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Ca {
    /// Makes the root of a clusterset, the servers' authority under it, and a first operator's certificate.
    ///
    /// OUT/root-cert.pem and OUT/root-key.pem: the root, which signs clusters' authorities (`ca issue`); keep its key where no
    /// server is. OUT/ca.pem and OUT/ca-key.pem: for the federation servers. OUT/admin/: for --identity.
    Init {
        /// The clusterset's name, which is also its trust domain.
        #[arg(long)]
        clusterset: TrustDomain,
        /// The kind of the keys: ecdsa-p256, ecdsa-p384, rsa-3072 or rsa-4096.
        #[arg(long, default_value_t, value_parser = parse_key)]
        key: KeyKind,
        /// Where to, and for how long.
        #[command(flatten)]
        write: Write,
    },
    /// Issues a cluster's authority under a root that clusters share, in the four files that Istio calls cacerts.
    ///
    /// It may sign leaves of its own trust domain and nothing else. Give OUT/cert-chain.pem and OUT/ca-key.pem to the cluster's
    /// agent (`ca` in its configuration), or the Secret to istiod.
    Issue {
        /// Who signs: a directory or Secret with a certificate that may sign authorities, and its key.
        #[arg(long, value_name = "DIR|FILE")]
        ca: PathBuf,
        /// Whose authority it is.
        #[arg(long)]
        cluster: ClusterId,
        /// The clusterset: the trust domain is CLUSTER.CLUSTERSET.
        #[arg(long)]
        clusterset: TrustDomain,
        /// The trust domain, if it is another one: cluster.local for an Istio that was not told otherwise.
        #[arg(long)]
        trust_domain: Option<TrustDomain>,
        /// The kind of its key.
        #[arg(long, default_value_t, value_parser = parse_key)]
        key: KeyKind,
        /// Writes OUT/secret.yaml too: the Secret cacerts for this namespace.
        #[arg(long, value_name = "NAMESPACE", num_args = 0..=1, default_missing_value = "istio-system", value_parser = parse_label)]
        secret: Option<String>,
        /// Where to, and for how long.
        #[command(flatten)]
        write: Write,
    },
    /// Issues an operator's certificate, for --identity: OUT/cert.pem, OUT/key.pem and OUT/ca.pem.
    Admin {
        /// The clusterset that the authority is of.
        #[arg(long)]
        clusterset: TrustDomain,
        /// The directory that `ca init` made.
        #[arg(long, value_name = "DIR")]
        ca: PathBuf,
        /// Who it is: stands in the certificate, and in what the servers write down.
        #[arg(long, default_value = "operator")]
        name: String,
        /// Where to; made if it is not there.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// How long it is good for, in days.
        #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u64).range(1..=3_650))]
        days: u64,
        /// Replaces files that are there.
        #[arg(long)]
        force: bool,
    },
    /// Says what certificates are, for whom, until when, and what is wrong with them. Fails if anything is.
    Inspect {
        /// PEM files, directories, or manifests of a Secret; - is standard input.
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
    },
    /// Prints a trust domain's bundle: who may sign for it.
    Bundle {
        /// A JWK set, a PEM file of authorities, or a directory with the authority of a cluster.
        #[arg(value_name = "FILE|DIR")]
        from: PathBuf,
        /// Whose bundle it is.
        #[arg(long)]
        trust_domain: TrustDomain,
        /// In which form.
        #[arg(long, value_enum, default_value_t = BundleFormat::Jwks)]
        to: BundleFormat,
        /// spiffe_sequence: must grow with every change.
        #[arg(long)]
        sequence: Option<u64>,
        /// spiffe_refresh_hint: how often to look for a newer one, in seconds.
        #[arg(long, value_name = "SECONDS")]
        refresh_hint: Option<u32>,
    },
    /// Judges a peer's chain as servers, agents and gateways would: by the bundle of its own trust domain.
    Verify {
        /// PEM, the leaf first.
        chain: PathBuf,
        /// Whose bundle it is.
        #[arg(long = "as", value_name = "TRUST-DOMAIN")]
        trust_domain: TrustDomain,
        /// That domain's bundle: see `ca bundle`.
        #[arg(long, value_name = "FILE|DIR")]
        bundle: PathBuf,
    },
}

/// Where an authority is written, and for how long it is good.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Write {
    /// The directory; made if it is not there.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// How long it is good for, in days.
    #[arg(long, default_value_t = 3650, value_parser = clap::value_parser!(u64).range(1..=36_500))]
    pub days: u64,
    /// Replaces files that are there: whatever the old authority signed is lost.
    #[arg(long)]
    pub force: bool,
}

impl Write {
    /// The same, as the verbs take it.
    pub fn target(&self) -> Target<'_> {
        Target { dir: &self.out, force: self.force }
    }
}

/// How a bundle is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BundleFormat {
    /// SPIFFE's JWK set.
    Jwks,
    /// Certificates.
    Pem,
}
