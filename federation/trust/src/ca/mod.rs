//! Certificate authorities as operators have them: made, read from wherever they come, and judged with a sentence that
//! says what to do. What peers show is judged elsewhere, and told less.

mod chain;
mod examine;
mod key_kind;
mod problem;
mod root;
mod signature;

pub(crate) use self::chain::path_len;
pub use self::chain::{CaChain, MAX_CA_CHAIN};
pub use self::examine::{Examined, Kind, Warning, examine};
pub use self::key_kind::{InvalidKeyKind, KeyKind};
pub use self::problem::{CaFault, CaProblem};
pub use self::root::Root;
