//! Passwords as MariaDB and MySQL keep them.

use sha1::{Digest, Sha1};
use sha2::Sha256;

/// The plugin of both servers' old passwords, which MariaDB still has by default.
pub(super) const NATIVE: &str = "mysql_native_password";

/// Bytes of the salt of `caching_sha2_password`.
const SALT: usize = 20;

/// Rounds that are computed at most to compare: somebody else wrote the number.
const MOST_ROUNDS: usize = 1_000_000;

/// The hash of a password of `mysql_native_password`.
pub(super) fn native(password: &str) -> String {
    let twice = Sha1::digest(Sha1::digest(password));
    format!("*{}", crate::random::hex(&twice).to_ascii_uppercase())
}

/// Longest password that is hashed to compare: the work grows with its square, and the servers' own limits are shorter.
const LONGEST: usize = 1024;

/// Whether a password is what a plugin keeps this hash of. `None` where that cannot be computed.
pub(super) fn fits(plugin: &str, stored: &str, password: &str) -> Option<bool> {
    match plugin {
        "" | NATIVE => Some(stored.eq_ignore_ascii_case(&native(password))),
        _ if password.len() > LONGEST => None,
        "caching_sha2_password" => Some(fits_caching(stored, password).unwrap_or(false)),
        "sha256_password" => Some(fits_crypt(stored, password).unwrap_or(false)),
        _ => None,
    }
}

/// The plugin whose hashes look like this one.
pub(super) fn plugin_of(hash: &str) -> Option<&'static str> {
    if hash.starts_with('*') {
        Some(NATIVE)
    } else if hash.starts_with("$A$") {
        Some("caching_sha2_password")
    } else if hash.starts_with("$5$") {
        Some("sha256_password")
    } else {
        None
    }
}

/// `$A$005$`, a salt of any characters, and the hash; the number says thousands of rounds, in hexadecimal digits.
fn fits_caching(stored: &str, password: &str) -> Option<bool> {
    let (rounds, rest) = stored.strip_prefix("$A$")?.split_once('$')?;
    let rounds = usize::from_str_radix(rounds, 16).ok()?.checked_mul(1000)?;
    let (salt, hash) = rest.as_bytes().split_at_checked(SALT)?;
    (rounds <= MOST_ROUNDS).then(|| crypt(password.as_bytes(), salt, rounds).as_bytes() == hash)
}

/// `$5$`, perhaps the rounds, a salt, `$` and the hash.
fn fits_crypt(stored: &str, password: &str) -> Option<bool> {
    let rest = stored.strip_prefix("$5$")?;
    let (rounds, rest) = match rest.strip_prefix("rounds=") {
        Some(rest) => rest.split_once('$').and_then(|(rounds, rest)| Some((rounds.parse().ok()?, rest)))?,
        None => (5000, rest),
    };
    let (salt, hash) = rest.rsplit_once('$')?;
    (rounds <= MOST_ROUNDS).then(|| crypt(password.as_bytes(), salt.as_bytes(), rounds) == hash)
}

/// As much of a text as another has bytes, repeated where it is shorter.
fn stretched(digest: &[u8], length: usize) -> Vec<u8> {
    digest.iter().copied().cycle().take(length).collect()
}

/// The SHA-256 of `crypt`, with a salt of any length: the C library, and with it the crate that has the SHA-512, cuts it at 16 bytes, and MySQL does not.
fn crypt(password: &[u8], salt: &[u8], rounds: usize) -> String {
    let other = Sha256::digest([password, salt, password].concat());
    let mut first = Sha256::new();
    first.update([password, salt].concat());
    first.update(stretched(&other, password.len()));
    let mut bits = password.len();
    while bits > 0 {
        first.update(if bits & 1 == 1 { other.as_slice() } else { password });
        bits >>= 1;
    }
    let mut digest = first.finalize();
    let passwords = stretched(&Sha256::digest(password.repeat(password.len())), password.len());
    let times = 16 + usize::from(digest.first().copied().unwrap_or_default());
    let salts = stretched(&Sha256::digest(salt.repeat(times)), salt.len());
    for round in 0..rounds {
        let mut next = Sha256::new();
        let odd = round % 2 == 1;
        next.update(if odd { passwords.as_slice() } else { digest.as_slice() });
        if round % 3 != 0 {
            next.update(&salts);
        }
        if round % 7 != 0 {
            next.update(&passwords);
        }
        next.update(if odd { digest.as_slice() } else { passwords.as_slice() });
        digest = next.finalize();
    }
    printed(&digest)
}

/// A digest in the letters and the order of `crypt`.
fn printed(digest: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let byte = |at: usize| u32::from(digest.get(at).copied().unwrap_or_default());
    let mut text = String::with_capacity(43);
    let mut put = |mut bits: u32, letters: u32| {
        for _ in 0..letters {
            text.push(char::from(LETTERS[(bits & 63) as usize]));
            bits >>= 6;
        }
    };
    for step in 0..10 {
        // The three bytes of a group move on by one place each time: 0, 10, 20; 21, 1, 11; 12, 22, 2 …
        let group = [step, step + 10, step + 20];
        let turned = group.iter().cycle().skip(step * 2 % 3).take(3);
        put(turned.fold(0, |bits, at| (bits << 8) | byte(*at)), 4);
    }
    put((byte(31) << 8) | byte(30), 3);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn native_passwords() {
        assert_eq!(native("password"), "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19");
        assert_eq!(fits("", "*2470c0c06dee42fd1618bb99005adca2ec9d1e19", "password"), Some(true));
        assert_eq!(fits(NATIVE, "", "password"), Some(false));
        assert_eq!(fits("ed25519", "x", "password"), None);
        assert_eq!(plugin_of("*24"), Some(NATIVE));
    }

    #[test]
    fn passwords_of_mysql_8() {
        let salt = [
            0xF9, 0xCC, 0x98, 0xCE, 0x08, 0x89, 0x29, 0x24, 0xF5, 0x0A, 0x21, 0x3B, 0x6B, 0xC5, 0x71, 0xA2,
            0xC1, 0x17, 0x78, 0xC5,
        ];
        assert_eq!(crypt(b"hashcat", &salt, 5000), "bTy95Y99eAME1dwEkHOA1ndHGBWz.1bxSSRkuTXFGV/");
        let salt = "01234567890123456789";
        let stored = format!("$A$005${salt}{}", crypt(b"geheim", salt.as_bytes(), 5000));
        assert_eq!(fits("caching_sha2_password", &stored, "geheim"), Some(true));
        assert_eq!(fits("caching_sha2_password", &stored, "other"), Some(false));
        assert_eq!(fits("caching_sha2_password", "$A$zz", "other"), Some(false));
        assert_eq!(fits("caching_sha2_password", &stored, &"x".repeat(100_000)), None);
        let stored = "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5";
        assert_eq!(fits("sha256_password", stored, "Hello world!"), Some(true));
    }
}
