//! Password hashes as the shadow file holds them.

use crate::{Context, provider::Shadow};
use sha_crypt::{Sha512Params, sha512_crypt_b64};

/// Rounds of the hash, glibc's default.
const ROUNDS: usize = 5_000;

/// The hash `$6$salt$…` of a password.
pub(crate) fn crypt(password: &str, salt: &str) -> Result<String, String> {
    let params = Sha512Params::new(ROUNDS).map_err(|e| format!("the password could not be hashed: {e:?}"))?;
    let hash = sha512_crypt_b64(password.as_bytes(), salt.as_bytes(), &params)
        .map_err(|e| format!("the password could not be hashed: {e:?}"))?;
    Ok(format!("$6${salt}${hash}"))
}

/// A new salt of 16 characters.
pub(crate) fn new_salt() -> Result<String, String> {
    const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let bytes = crate::random::bytes(16)?;
    Ok(bytes.iter().map(|b| char::from(ALPHABET[usize::from(*b & 63)])).collect())
}

/// The hash a user should have, `None` when the one there is good: of a plain password a new hash is made only when
/// the old one does not fit it.
pub(crate) fn wanted_hash(
    cx: &Context,
    name: &str,
    password: &str,
    is_plain: bool,
) -> Result<Option<String>, String> {
    let shadow = cx.machine.accounts.shadow(name)?.unwrap_or_default();
    let Shadow { hash, .. } = shadow;
    if !is_plain {
        return Ok((hash != password).then(|| password.to_owned()));
    }
    if let Some(salt) = hash.strip_prefix("$6$").and_then(|rest| rest.split('$').next())
        && crypt(password, salt)? == hash
    {
        return Ok(None);
    }
    crypt(password, &new_salt()?).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_system() {
        // What glibc's crypt(3) gives.
        assert_eq!(
            crypt("Hello world!", "saltstring").unwrap(),
            "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"
        );
        assert_eq!(new_salt().unwrap().len(), 16);
    }
}
