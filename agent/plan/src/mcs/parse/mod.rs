//! From objects as the API server gives them to what they say in our terms.
//!
//! Nothing here fails: an object that says what we never write has no content, and what is somebody else's business in
//! it (defaults, bookkeeping, labels of others) is passed over. `None` in place of an object means that its namespace
//! or name is not one that a service can have: it is none of ours, and nothing of ours can be meant by it.

mod conditions;
mod derived;
mod export;
mod import;
mod meta;
mod property;
mod slice;

pub use derived::derived;
pub use export::{export, service_export};
pub use import::import;
pub use property::property;
pub use slice::slice;

#[cfg(test)]
mod tests;
