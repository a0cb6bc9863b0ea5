//! Checksums: written in a state, or looked up in a file of checksums.

use crate::Failure;
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512, digest::DynDigest};
use std::{io, path::Path};

/// A checksum algorithm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Algorithm {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// A checksum that a content must have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Checksum {
    algorithm: Algorithm,
    /// Lower-case hexadecimal digits.
    hex: String,
}

impl Algorithm {
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().replace('-', "").as_str() {
            "md5" => Self::Md5,
            "sha1" => Self::Sha1,
            "sha224" => Self::Sha224,
            "sha256" => Self::Sha256,
            "sha384" => Self::Sha384,
            "sha512" => Self::Sha512,
            _ => return None,
        })
    }

    fn of_length(digits: usize) -> Option<Self> {
        Some(match digits {
            32 => Self::Md5,
            40 => Self::Sha1,
            56 => Self::Sha224,
            64 => Self::Sha256,
            96 => Self::Sha384,
            128 => Self::Sha512,
            _ => return None,
        })
    }
}

/// SHA-256 of a content, in lower-case hexadecimal digits.
pub(crate) fn digest(content: &[u8]) -> String {
    hash_of(Algorithm::Sha256, content)
}

pub(crate) fn hasher(algorithm: Algorithm) -> Box<dyn DynDigest> {
    match algorithm {
        Algorithm::Md5 => Box::new(Md5::default()),
        Algorithm::Sha1 => Box::new(Sha1::default()),
        Algorithm::Sha224 => Box::new(Sha224::default()),
        Algorithm::Sha256 => Box::new(Sha256::default()),
        Algorithm::Sha384 => Box::new(Sha384::default()),
        Algorithm::Sha512 => Box::new(Sha512::default()),
    }
}

/// The digest of a content, in lower-case hexadecimal digits.
pub(crate) fn hash_of(algorithm: Algorithm, content: &[u8]) -> String {
    let mut hasher = hasher(algorithm);
    hasher.update(content);
    crate::random::hex(&hasher.finalize())
}

impl Checksum {
    /// `sha256=…`, `sha256:…`, or bare digits, whose number tells the algorithm.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (algorithm, digits) = match text.split_once(['=', ':']) {
            Some((name, digits)) => (Algorithm::named(name.trim())?, digits.trim()),
            None => (Algorithm::of_length(text.len())?, text),
        };
        let right = Algorithm::of_length(digits.len()) == Some(algorithm);
        (right && digits.bytes().all(|b| b.is_ascii_hexdigit()))
            .then(|| Self { algorithm, hex: digits.to_ascii_lowercase() })
    }

    /// The checksum of one of `names` in a file of checksums: the lines of `sha256sum`, BSD's
    /// `SHA256 (name) = …`, or a single checksum alone. Of several for a name the strongest.
    pub(crate) fn find(list: &str, names: &[&str]) -> Option<Self> {
        let mut found: Vec<Self> = Vec::new();
        let mut alone: Vec<Self> = Vec::new();
        for line in list.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
            if let Some((head, digits)) = line.split_once(") = ")
                && let Some((algorithm, name)) = head.split_once(" (")
            {
                if let Some(sum) = Self::parse(&format!("{algorithm}={digits}"))
                    && names.contains(&base(name))
                {
                    found.push(sum);
                }
                continue;
            }
            let words: Vec<&str> = line.split_whitespace().collect();
            let sums: Vec<Self> = words.iter().filter_map(|w| Self::parse(w)).collect();
            let named = words.iter().any(|w| names.contains(&base(w.trim_start_matches('*'))));
            match (named, words.len()) {
                (true, _) => found.extend(sums),
                (false, 1) => alone.extend(sums),
                _ => {}
            }
        }
        if found.is_empty() && alone.len() == 1 {
            found = alone;
        }
        found.into_iter().max_by_key(|sum| sum.hex.len())
    }

    /// The digest of a file of the cache, read piece by piece: a download may be large.
    fn of_file(&self, file: &Path) -> io::Result<String> {
        let mut hasher = hasher(self.algorithm);
        let mut file = std::fs::File::open(file)?;
        let mut buffer = vec![0_u8; 65_536];
        loop {
            match io::Read::read(&mut file, &mut buffer) {
                Ok(0) => return Ok(crate::random::hex(&hasher.finalize())),
                Ok(count) => hasher.update(buffer.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether a file of the cache has it.
    pub(super) fn matches_file(&self, file: &Path) -> bool {
        self.of_file(file).is_ok_and(|actual| actual == self.hex)
    }

    /// As [`Checksum::verify`], for a file of the cache.
    pub(super) fn verify_file(&self, file: &Path, source: &str) -> Result<(), Failure> {
        let actual = self
            .of_file(file)
            .map_err(|e| Failure::new(format!("`{}` cannot be read: {e}", file.display())))?;
        self.compare(&actual, source)
    }

    /// Whether a content has it.
    pub(crate) fn matches(&self, content: &[u8]) -> bool {
        hash_of(self.algorithm, content) == self.hex
    }

    /// A failure that names source and both checksums, unless the content has it.
    pub(crate) fn verify(&self, content: &[u8], source: &str) -> Result<(), Failure> {
        self.compare(&hash_of(self.algorithm, content), source)
    }

    fn compare(&self, actual: &str, source: &str) -> Result<(), Failure> {
        if actual == self.hex {
            return Ok(());
        }
        Err(Failure::new(format!(
            "`{source}` has the checksum {actual}, not {} as the state says; nothing was taken from it",
            self.hex
        )))
    }
}

impl std::fmt::Display for Checksum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.hex)
    }
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MD5: &str = "5d41402abc4b2a76b9719d911017c592";
    const SHA256: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

    #[test]
    fn checksums_are_read_in_all_spellings() {
        for text in [format!("sha256={SHA256}"), format!("SHA256:{SHA256}"), SHA256.to_uppercase()] {
            assert!(Checksum::parse(&text).unwrap().matches(b"hello"), "{text}");
        }
        assert!(Checksum::parse(MD5).unwrap().matches(b"hello"));
        assert_eq!(Checksum::parse("sha256=abc"), None);
        assert_eq!(Checksum::parse("https://x/y"), None);
    }

    #[test]
    fn a_file_of_checksums_is_searched_by_name() {
        let list = format!("{MD5}  other.tgz\n{SHA256} *dist/a.tgz\nMD5 (a.tgz) = {MD5}\n");
        assert_eq!(Checksum::find(&list, &["a.tgz"]), Checksum::parse(SHA256));
        assert_eq!(Checksum::find(&list, &["b.tgz"]), None);
        assert_eq!(Checksum::find(&format!("{SHA256}\n"), &["b.tgz"]), Checksum::parse(SHA256));
    }

    #[test]
    fn a_mismatch_names_the_source() {
        let failure = Checksum::parse(MD5).unwrap().verify(b"x", "https://x/y").unwrap_err();
        assert!(failure.message.starts_with("`https://x/y` has the checksum"));
    }
}
