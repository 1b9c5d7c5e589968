//! Everything on disk and between servers: one version byte, then MessagePack with fields by name.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The version written. Readers accept this one and, once there are any, the two before it.
pub(crate) const VERSION: u8 = 1;

/// Why bytes could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The value cannot be represented; a defect of this program.
    #[error("value cannot be encoded")]
    Encode(#[source] rmp_serde::encode::Error),
    /// No bytes, not even a version.
    #[error("value is empty")]
    Empty,
    /// The bytes are not those that were written.
    #[error("value does not match its checksum")]
    Checksum,
    /// Written by a version that this program does not read.
    #[error("value has format version {found}; this program reads version {VERSION}")]
    Version {
        /// The version byte found.
        found: u8,
    },
    /// The bytes are not what their version says.
    #[error("value is malformed")]
    Malformed(#[source] rmp_serde::decode::Error),
}

/// Encodes with the present version.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CodecError> {
    let mut bytes = vec![VERSION];
    rmp_serde::encode::write_named(&mut bytes, value).map_err(CodecError::Encode)?;
    Ok(bytes)
}

/// Decodes any version that can be read.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    match bytes.split_first() {
        None => Err(CodecError::Empty),
        Some((&VERSION, rest)) => rmp_serde::from_slice(rest).map_err(CodecError::Malformed),
        Some((&found, _)) => Err(CodecError::Version { found }),
    }
}

#[cfg(test)]
mod tests {
    use federation_model::{Batch, Command, UnixMillis};
    use proptest::prelude::*;

    use super::*;

    fn batch() -> Batch {
        let renew = Command::RenewLease {
            cluster: "east".parse().unwrap(),
            instance: "0123456789abcdef0123456789abcdef".parse().unwrap(),
        };
        Batch { at: UnixMillis(7), commands: vec![renew, Command::ExpireLeases] }
    }

    #[test]
    fn what_is_written_is_read_back() {
        assert_eq!(decode::<Batch>(&encode(&batch()).unwrap()).unwrap(), batch());
    }

    #[test]
    fn other_versions_and_nothing_are_named() {
        assert!(matches!(decode::<Batch>(&[]), Err(CodecError::Empty)));
        let mut newer = encode(&batch()).unwrap();
        newer[0] = VERSION + 1;
        assert!(matches!(decode::<Batch>(&newer), Err(CodecError::Version { found: 2 })));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut versioned = vec![VERSION];
            versioned.extend(&bytes);
            let _ = decode::<Batch>(&bytes);
            let _ = decode::<Batch>(&versioned);
        }

        #[test]
        fn a_cut_value_is_an_error(cut in 0usize..80) {
            let bytes = encode(&batch()).unwrap();
            prop_assume!(cut < bytes.len());
            prop_assert!(decode::<Batch>(&bytes[..cut]).is_err());
        }
    }
}
