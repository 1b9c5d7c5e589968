//! Whether two sides have the same content, without sending it.
//!
//! The hash is over the encoding of the wire's message, whose maps and fields are in order and whose defaults are left out:
//! a field that is added later changes the hash only of what uses it. Where two versions disagree all the same, the content
//! is sent once more, which does no harm.

use federation_model::{Bundle, Export, Generation, UnixMillis};
use prost::Message;
use sha2::{Digest, Sha256};

use crate::federation as wire;

/// Of what is hashed, and how. Another way gets another number, so that hashes of two ways are never the same.
const VERSION: u8 = 1;
/// Length of a hash: the version and SHA-256.
pub const HASH_BYTES: usize = 33;

/// The hash of a content, apart from its generation and its age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentHash([u8; HASH_BYTES]);

impl ContentHash {
    /// Of an export. Equal for two exports exactly if [`Export::same_content`] holds for them.
    pub fn of_export(export: &Export) -> Self {
        let mut message = wire::Export::from(export);
        (message.generation, message.first_seen_unix_millis) =
            (Generation::default().0, UnixMillis::default().0);
        Self::of("export", &message)
    }

    /// Of a bundle, with its sequence.
    pub fn of_bundle(bundle: &Bundle) -> Self {
        Self::of("bundle", &wire::Bundle::from(bundle))
    }

    fn of(kind: &str, message: &impl Message) -> Self {
        let mut digest = Sha256::new_with_prefix(kind);
        digest.update([0]);
        digest.update(message.encode_to_vec());
        let mut hash = [VERSION; HASH_BYTES];
        if let Some((_, rest)) = hash.split_first_mut() {
            rest.copy_from_slice(&digest.finalize());
        }
        Self(hash)
    }

    /// As it is sent.
    pub fn to_vec(self) -> Vec<u8> {
        self.0.to_vec()
    }

    /// Whether `sent` is this hash. A hash of another version is another.
    pub fn is(&self, sent: &[u8]) -> bool {
        self.0 == sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_version_one_never_changes() {
        let bundle = Bundle {
            trust_domain: "east.lab".parse().unwrap(),
            authorities: vec![],
            sequence: 7,
            refresh_hint: 9,
        };
        // sha256("bundle" 0x00, field 1 "east.lab", field 3 = 7, field 4 = 9)
        let expected = "0104bc40867bff56d1a8db3a7e2c3e9649516d41f30e25db9cc3bf5e8a6af77ff7";
        let hash: String =
            ContentHash::of_bundle(&bundle).0.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hash, expected);
    }
}
