//! `trust`: who may sign for which trust domain, and until when.

use std::time::{Duration, SystemTime};

use federation_model::{Bundle, TrustDomain};
use federation_trust::bundle_set::BundleSet;
use federation_trust::ca::{CaProblem, Warning, examine};
use rustls_pki_types::CertificateDer;
use serde::Serialize;

use super::ca::date;
use crate::catalogue::Catalogue;
use crate::connect::Federation;
use crate::failure::Failure;
use crate::output::{Report, Table};

const DAY: i64 = 24 * 3600;

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trust {
    /// The revision at which it is true.
    pub revision: u64,
    /// By name.
    pub domains: Vec<Domain>,
}

/// One trust domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Domain {
    /// Its name.
    pub trust_domain: String,
    /// The clusters whose identities are of it.
    pub clusters: Vec<String>,
    /// `spiffe_sequence`.
    pub sequence: u64,
    /// `spiffe_refresh_hint`, in seconds.
    pub refresh_hint: u32,
    /// Who may sign for it. Nobody: the domain is revoked.
    pub authorities: Vec<Authority>,
    /// What is wrong, or soon will be.
    pub warnings: Vec<String>,
}

/// One authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Authority {
    /// SHA-256 of its certificate, hex.
    pub sha256: String,
    /// Its key, in words.
    pub key: String,
    /// Until when, RFC 3339.
    pub not_after: String,
    /// Whole days until then by the leader's clock; negative after it.
    pub days_left: i64,
}

/// Asks.
pub async fn ask(federation: &Federation) -> Result<Trust, Failure> {
    Ok(report(&federation.catalogue(None).await?))
}

/// Makes the report.
pub fn report(catalogue: &Catalogue) -> Trust {
    let now = SystemTime::UNIX_EPOCH + Duration::from_millis(catalogue.now.0);
    let clusters = |domain: &TrustDomain| {
        let of_it = catalogue.view.clusters.values().filter(|cluster| cluster.trust_domain == *domain);
        of_it.map(|cluster| cluster.id.to_string()).collect()
    };
    let domains = catalogue.view.bundles.values();
    Trust {
        revision: catalogue.view.revision.0,
        domains: domains.map(|bundle| Domain::of(bundle, clusters(&bundle.trust_domain), now)).collect(),
    }
}

impl Domain {
    fn of(bundle: &Bundle, clusters: Vec<String>, now: SystemTime) -> Self {
        let (_, unusable) = BundleSet::from_bundles([bundle]);
        let mut warnings: Vec<String> =
            unusable.into_iter().map(|(_, problem)| problem.to_string()).collect();
        if bundle.authorities.is_empty() {
            warnings.push("it has no authority: nobody of it is believed".to_owned());
        }
        let mut authorities = Vec::new();
        for authority in &bundle.authorities {
            let Ok(seen) = examine(&CertificateDer::from(authority.0.as_slice()), now) else { continue };
            // What it is was judged above; here it is only asked for its dates.
            let dates = seen.warnings.iter().filter(|warning| is_about_time(warning));
            warnings.extend(dates.map(|warning| format!("authority {}: {warning}", short(&seen.sha256))));
            let seconds = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
            authorities.push(Authority {
                not_after: date(seen.lifetime.not_after),
                days_left: seen.lifetime.not_after.saturating_sub_unsigned(seconds).div_euclid(DAY),
                sha256: seen.sha256,
                key: seen.key,
            });
        }
        Self {
            trust_domain: bundle.trust_domain.to_string(),
            clusters,
            sequence: bundle.sequence,
            refresh_hint: bundle.refresh_hint,
            authorities,
            warnings,
        }
    }
}

/// Whether it is about when a certificate holds, and not about what it is.
fn is_about_time(warning: &Warning) -> bool {
    matches!(warning, Warning::ExpiresSoon | Warning::Authority(CaProblem::Expired | CaProblem::NotYetValid))
}

/// Enough of a hash to tell authorities apart.
fn short(sha256: &str) -> &str {
    sha256.get(..16).unwrap_or(sha256)
}

impl Report for Trust {
    fn to_text(&self) -> String {
        if self.domains.is_empty() {
            return "No cluster has told the federation who may sign for it.\n".to_owned();
        }
        let mut table =
            Table::new(&["TRUST DOMAIN", "CLUSTERS", "SEQUENCE", "AUTHORITY", "KEY", "UNTIL", "DAYS"]);
        let mut warnings = String::new();
        for domain in &self.domains {
            let head =
                || [domain.trust_domain.clone(), domain.clusters.join(","), domain.sequence.to_string()];
            if domain.authorities.is_empty() {
                table.row(head().into_iter().chain([const { String::new() }; 4]));
            }
            for authority in &domain.authorities {
                let of_it = [
                    short(&authority.sha256).to_owned(),
                    authority.key.clone(),
                    authority.not_after.clone(),
                    authority.days_left.to_string(),
                ];
                table.row(head().into_iter().chain(of_it));
            }
            for warning in &domain.warnings {
                warnings.push_str(&format!("  {}: {warning}\n", domain.trust_domain));
            }
        }
        if warnings.is_empty() {
            table.to_text()
        } else {
            format!("Needs attention:\n{warnings}\n{}", table.to_text())
        }
    }
}

#[cfg(test)]
mod tests {
    use federation_model::bundle::AuthorityDer;
    use federation_model::{Item, UnixMillis};
    use federation_trust::Lifetime;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn catalogue(domain: &str, authorities: Vec<AuthorityDer>) -> Catalogue {
        let mut catalogue = Catalogue { now: UnixMillis(NOW.unsigned_abs() * 1_000), ..Catalogue::default() };
        let trust_domain = domain.parse().unwrap();
        let bundle = Bundle { trust_domain, authorities, sequence: 3, refresh_hint: 300 };
        catalogue.view.upsert(Item::Bundle(bundle));
        catalogue
    }

    fn until(seconds: i64) -> AuthorityDer {
        let lifetime = Lifetime { not_before: NOW - 9 * DAY, not_after: NOW + seconds };
        let made = federation_trust::Authority::create(&"east.lab".parse().unwrap(), lifetime);
        made.unwrap().bundle_authority()
    }

    #[test]
    fn an_end_that_is_near_is_said_48_hours_before() {
        let said = |seconds| {
            let report = report(&catalogue("east.lab", vec![until(seconds)]));
            let days = report.domains[0].authorities[0].days_left;
            (
                days,
                report.to_text().contains("expires within 48 hours"),
                report.to_text().contains("has expired"),
            )
        };
        assert_eq!(said(49 * 3600), (2, false, false));
        assert_eq!(said(47 * 3600), (1, true, false));
        assert_eq!(said(-1), (-1, false, true));
    }

    #[test]
    fn a_domain_that_nobody_may_sign_for_is_told_apart_from_one_that_is_damaged() {
        let warnings = |authorities| report(&catalogue("east.lab", authorities)).domains[0].warnings.clone();
        assert_eq!(warnings(vec![]), ["it has no authority: nobody of it is believed"]);
        assert_eq!(warnings(vec![AuthorityDer(vec![0])]), ["authority is not a readable certificate"]);
        assert_eq!(warnings(vec![until(99 * DAY)]), [""; 0]);
        let foreign = report(&catalogue("west.lab", vec![until(99 * DAY)]));
        assert!(
            foreign
                .to_text()
                .starts_with("Needs attention:\n  west.lab: authority has the URI name of another")
        );
    }
}
