//! Clients as a pod would be one: they ask a cluster's own DNS server and dial what it answers.

pub mod dns;
pub mod http;
pub mod mtls;
