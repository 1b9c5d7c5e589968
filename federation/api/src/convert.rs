//! Between wire and model, one conversion per file.
//!
//! From the wire: `TryFrom`, which checks every bound and names the wrong field by its path. To the wire: `From` a
//! reference, which cannot fail. What the wire says of *who* speaks is never trusted here or elsewhere: the server
//! takes that from the peer's certificate.
//!
//! Reading order: [`ConvertError`] and the field readers → the pieces [`service_id`] and [`gateway`] → the catalogue
//! [`cluster`], [`bundle`], [`vip`], [`export`], [`item`] → [`registration`] → [`gateway_config`].

pub mod bundle;
pub mod cluster;
mod error;
pub mod export;
mod field;
pub mod gateway;
pub mod gateway_config;
pub mod item;
pub mod registration;
pub mod service_id;
pub mod vip;

pub use error::{ConvertError, Problem};
