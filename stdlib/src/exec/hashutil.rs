//! `hashutil.*`: checksums and encodings of texts.

use crate::{
    Library,
    source::{Algorithm, hash_of},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use zester_compiler::types::{Path, Value};

/// The algorithm of a name.
pub(super) fn algorithm(name: &str) -> Result<Algorithm, String> {
    Algorithm::named(name)
        .ok_or_else(|| format!("`{name}` is none of md5, sha1, sha224, sha256, sha384, sha512"))
}

macro_rules! digests {
    ($($name:literal $struct:ident $algorithm:ident;)+) => {$(
        exec! {
            /// The checksum of a text, in hexadecimal digits.
            $name pure $struct {
                /// The text.
                instr: String,
            } |it, _| Ok(hash_of(Algorithm::$algorithm, it.instr.as_bytes()).into())
        }
    )+};
}

digests! {
    "hashutil.md5_digest" Md5Digest Md5;
    "hashutil.sha256_digest" Sha256Digest Sha256;
    "hashutil.sha512_digest" Sha512Digest Sha512;
}

exec! {
    /// The checksum of a text, in hexadecimal digits.
    "hashutil.digest" pure Digest {
        /// The text.
        instr: String,
        /// `sha256`, `md5`, …
        #[arg(default = "md5")]
        checksum: String,
    } |it, _| Ok(hash_of(algorithm(&it.checksum)?, it.instr.as_bytes()).into())
}

exec! {
    /// The checksum of a file, in hexadecimal digits.
    "hashutil.digest_file" probe DigestFile {
        /// The file.
        infile: Path,
        /// `sha256`, `md5`, …
        #[arg(default = "md5")]
        checksum: String,
    } |it, cx| {
        let bytes = cx.machine.files.read(&it.infile).map_err(|e| format!("`{}` could not be read: {e}", it.infile))?;
        Ok(hash_of(algorithm(&it.checksum)?, &bytes).into())
    }
}

/// Lines of 76 characters with a line break at the end, as Python's `encodestring` makes them.
fn in_lines(encoded: &str) -> String {
    let mut out = String::with_capacity(encoded.len() + encoded.len() / 76 + 1);
    let mut rest = encoded;
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(76));
        out.push_str(line);
        out.push('\n');
        rest = tail;
    }
    out
}

fn decode(text: &str) -> Result<Value, String> {
    let joined: String = text.split_whitespace().collect();
    let bytes = STANDARD.decode(joined).map_err(|e| format!("the text is not Base64: {e}"))?;
    String::from_utf8(bytes).map(Value::Str).map_err(|_| "what the text encodes is not text".to_owned())
}

exec! {
    /// A text in Base64, on one line.
    "hashutil.base64_b64encode" pure B64Encode {
        /// The text.
        instr: String,
    } |it, _| Ok(STANDARD.encode(it.instr.as_bytes()).into())
}

exec! {
    /// A text in Base64, in lines of 76 characters.
    "hashutil.base64_encodestring" pure EncodeString {
        /// The text.
        instr: String,
    } |it, _| Ok(in_lines(&STANDARD.encode(it.instr.as_bytes())).into())
}

exec! {
    /// The text that Base64 stands for.
    "hashutil.base64_b64decode" pure B64Decode {
        /// The Base64.
        instr: String,
    } |it, _| decode(&it.instr)
}

exec! {
    /// The text that Base64 stands for.
    "hashutil.base64_decodestring" pure DecodeString {
        /// The Base64.
        instr: String,
    } |it, _| decode(&it.instr)
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library
        .exec::<Md5Digest>()
        .exec::<Sha256Digest>()
        .exec::<Sha512Digest>()
        .exec::<Digest>()
        .exec::<DigestFile>()
        .exec::<B64Encode>()
        .exec::<EncodeString>()
        .exec::<B64Decode>()
        .exec::<DecodeString>();
}
