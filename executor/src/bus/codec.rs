//! MessagePack: maps with names for keys, decoded strictly.

use serde::{Serialize, de::DeserializeOwned};

/// The deepest nesting that is read or written.
pub const MAX_DEPTH: usize = 64;

/// Why bytes could not be read or a value not be written.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The value has no encoding.
    #[error("the value cannot be encoded: {0}")]
    Encode(#[from] rmp_serde::encode::Error),
    /// The bytes are not what was expected.
    #[error("the message cannot be read: {0}")]
    Decode(#[from] rmp_serde::decode::Error),
    /// More follows the value: somebody appended to a message.
    #[error("the message has {0} bytes too many at its end")]
    Leftover(usize),
    /// Structs are written as maps only; positions would tie both ends to one version.
    #[error("the message is not a map of names to values")]
    NotAMap,
}

/// Encodes a struct as a map of its field names.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CodecError> {
    Ok(rmp_serde::to_vec_named(value)?)
}

/// Decodes a struct from exactly these bytes.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    // fixmap, map16, map32
    if !matches!(bytes.first(), Some(0x80..=0x8f | 0xde | 0xdf)) {
        return Err(CodecError::NotAMap);
    }
    decode_any(bytes)
}

/// Decodes any value from exactly these bytes. Nesting is bounded far below what a thread's stack holds.
pub(super) fn decode_any<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let mut cursor = std::io::Cursor::new(bytes);
    let mut deserializer = rmp_serde::Deserializer::new(&mut cursor);
    deserializer.set_max_depth(MAX_DEPTH);
    let value = T::deserialize(&mut deserializer)?;
    let read = usize::try_from(cursor.position()).unwrap_or(usize::MAX);
    match bytes.len().saturating_sub(read) {
        0 => Ok(value),
        left => Err(CodecError::Leftover(left)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct Point {
        x: u64,
        #[serde(default)]
        name: String,
    }

    #[test]
    fn only_a_whole_map_is_read() {
        let point = Point { x: 7, name: "a".into() };
        let bytes = encode(&point).unwrap();
        assert_eq!(decode::<Point>(&bytes).unwrap(), point);
        let longer = [bytes.clone(), vec![0xc0]].concat();
        assert!(matches!(decode::<Point>(&longer), Err(CodecError::Leftover(1))));
        assert!(matches!(decode::<Point>(&[0x92, 7, 0xa1, b'a']), Err(CodecError::NotAMap)));
        // the key `x` twice
        assert!(decode::<Point>(&[0x82, 0xa1, b'x', 1, 0xa1, b'x', 2]).is_err());
        // a field that a later version added
        assert_eq!(decode::<Point>(&[0x82, 0xa1, b'x', 1, 0xa1, b'q', 2]).unwrap().x, 1);
        for cut in 0..bytes.len() {
            assert!(decode::<Point>(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn bombs_are_refused() {
        let deep = [&[0x81, 0xa1, b'x'][..], &vec![0x91; 1_000_000]].concat();
        assert!(decode::<Point>(&deep).is_err());
        let wide = [0x81, 0xa4, b'n', b'a', b'm', b'e', 0xdb, 0xff, 0xff, 0xff, 0xff];
        assert!(decode::<Point>(&wide).is_err());
    }
}
