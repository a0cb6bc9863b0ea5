//! Credentials files: a user's token and its seed in one file, as all clients of NATS read it.

use super::{
    jwt::{Claims, JwtError, User},
    private::{self, FileError, Mode},
};
use crate::bus::Credentials;
use nkeys::KeyPair;
use std::path::Path;

/// Writes credentials the way the tools of NATS do.
pub fn format(credentials: &Credentials) -> String {
    format!(
        "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        credentials.jwt, credentials.seed
    )
}

/// Reads what [`format`] and the tools of NATS write; the seed must be the token's.
pub fn parse(text: &str) -> Result<(Credentials, Claims<User>), JwtError> {
    let jwt = section(text, "NATS USER JWT").ok_or(JwtError::Form("no token of a user in it"))?;
    let seed = section(text, "USER NKEY SEED").ok_or(JwtError::Form("no seed of a user in it"))?;
    let claims = Claims::<User>::decode(jwt)?;
    let key = KeyPair::from_seed(seed).map_err(|_| JwtError::Key("the seed is not a seed".to_owned()))?;
    if key.public_key() != claims.sub {
        return Err(JwtError::Key("the seed belongs to another user than the token".to_owned()));
    }
    Ok((Credentials { jwt: jwt.to_owned(), seed: seed.to_owned() }, claims))
}

/// The line between the marks of a section.
fn section<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = text.lines().map(str::trim);
    lines.find(|line| line.strip_prefix("-----BEGIN ").is_some_and(|rest| rest.starts_with(name)))?;
    lines.find(|line| !line.is_empty()).filter(|line| !line.starts_with('-'))
}

/// Reads a credentials file; refuses one that others may read.
pub fn load(path: &Path) -> Result<(Credentials, Claims<User>), FileError> {
    parse(&private::read_secret(path)?).map_err(|e| FileError::content(path, e))
}

/// Puts a credentials file in place, in one step.
pub fn store(path: &Path, credentials: &Credentials) -> Result<(), FileError> {
    private::replace(path, Mode::Secret, format(credentials))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let (account, user) = (KeyPair::new_account(), KeyPair::new_user());
        let jwt = Claims::new(user.public_key(), "web-1", User::default()).sign(&account, 7).unwrap();
        let credentials = Credentials { jwt: jwt.clone(), seed: user.seed().unwrap() };
        let (read, claims) = parse(&format(&credentials)).unwrap();
        assert_eq!((read, claims.name.as_str()), (credentials, "web-1"));
        let strange = Credentials { jwt, seed: KeyPair::new_user().seed().unwrap() };
        assert!(matches!(parse(&format(&strange)), Err(JwtError::Key(_))));
        for text in [
            "",
            "-----BEGIN NATS USER JWT-----\n",
            "-----BEGIN NATS USER JWT-----\n------END NATS USER JWT------",
        ] {
            assert!(parse(text).is_err());
        }
    }
}
