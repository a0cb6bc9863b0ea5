//! `random.*`: random texts and numbers.

use crate::{Library, random, source::hash_of, user::crypt};
use zester_compiler::types::{Secret, Value};

/// Longest text that is made.
const LENGTH_LIMIT: usize = 4_096;

exec! {
    /// A random text.
    "random.get_str" probe GetStr {
        /// How many characters.
        #[arg(default = 20)]
        length: usize,
        /// Characters it is made of; letters, digits and punctuation when not given.
        chars: Option<String>,
        /// Whether punctuation is used.
        #[arg(default = true)]
        punctuation: bool,
        /// Whether digits are used.
        #[arg(default = true)]
        digits: bool,
        /// Whether lower-case letters are used.
        #[arg(default = true)]
        lowercase: bool,
        /// Whether upper-case letters are used.
        #[arg(default = true)]
        uppercase: bool,
    } |it, _| {
        if it.length > LENGTH_LIMIT {
            return Err(format!("a random text has at most {LENGTH_LIMIT} characters, not {}", it.length));
        }
        let mut alphabet: Vec<char> = it.chars.as_deref().unwrap_or_default().chars().collect();
        if alphabet.is_empty() {
            let classes = [
                (it.lowercase, 'a'..='z'),
                (it.uppercase, 'A'..='Z'),
                (it.digits, '0'..='9'),
            ];
            alphabet.extend(classes.into_iter().filter(|(on, _)| *on).flat_map(|(_, range)| range));
            if it.punctuation {
                alphabet.extend("!#$%&()*+,-./:;<=>?@[]^_{|}~".chars());
            }
        }
        let text: Result<String, String> = (0..it.length)
            .map(|_| {
                let at = below(alphabet.len() as u64)? as usize;
                alphabet.get(at).copied().ok_or_else(|| "there are no characters to choose from".to_owned())
            })
            .collect();
        Ok(text?.into())
    }
}

/// A number below `limit`, each as likely as every other.
fn below(limit: u64) -> Result<u64, String> {
    if limit == 0 {
        return Err("there is nothing to choose from".to_owned());
    }
    let greatest = u64::MAX - u64::MAX % limit;
    loop {
        let bytes = random::bytes(8)?;
        let number = bytes.iter().fold(0u64, |n, b| n << 8 | u64::from(*b));
        if number < greatest {
            return Ok(number % limit);
        }
    }
}

exec! {
    /// A random number between two.
    "random.rand_int" probe RandInt {
        /// The least.
        #[arg(default = 1)]
        start: i64,
        /// The greatest.
        #[arg(default = 10)]
        end: i64,
        /// Makes the number the same every time.
        seed: Option<String>,
    } |it, _| {
        let span = u64::try_from(it.end.saturating_sub(it.start).saturating_add(1)).unwrap_or(0);
        let number = match &it.seed {
            Some(seed) if span > 0 => seeded(seed) % span,
            _ => below(span)?,
        };
        Ok(Value::Int(it.start.saturating_add(number as i64)))
    }
}

fn seeded(seed: &str) -> u64 {
    let digest = hash_of(crate::source::Algorithm::Sha256, seed.as_bytes());
    digest.get(..15).and_then(|d| u64::from_str_radix(d, 16).ok()).unwrap_or(0)
}

exec! {
    /// A number below a limit that is always the same on this peel.
    "random.seed" pure Seed {
        /// The limit.
        #[arg(name = "range", default = 10)]
        limit: u64,
        /// Makes it another number.
        hash: Option<String>,
    } |it, cx| {
        let text = it.hash.as_deref().unwrap_or(&cx.facts.id);
        let limit = if it.limit == 0 { return Err("the limit is at least 1".to_owned()) } else { it.limit };
        Ok(Value::Int((seeded(text) % limit) as i64))
    }
}

exec! {
    /// The checksum of a text.
    "random.hash" pure Hash {
        /// The text.
        value: String,
        /// `sha512`, `md5`, …
        #[arg(default = "sha512")]
        algorithm: String,
    } |it, _| Ok(hash_of(super::hashutil::algorithm(&it.algorithm)?, it.value.as_bytes()).into())
}

exec! {
    /// The hash of a password as the shadow file holds it (SHA-512).
    "random.shadow_hash" probe ShadowHash {
        /// The salt; a new one when not given.
        crypt_salt: Option<String>,
        /// The password; a random one when not given.
        password: Option<Secret>,
    } |it, _| {
        let salt = it.crypt_salt.clone().map_or_else(crate::user::new_salt, Ok)?;
        let password = match &it.password {
            Some(password) => password.0.to_string(),
            None => crate::user::new_salt()?,
        };
        Ok(crypt(&password, &salt)?.into())
    }
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library.exec::<GetStr>().exec::<RandInt>().exec::<Seed>().exec::<Hash>().exec::<ShadowHash>();
}
