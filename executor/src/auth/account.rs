//! The account's claims on a running server: looking them up, changing them, putting them in force at once.
//!
//! Revoking a user is such a change. The server drops the user's connections when the claims arrive, and keeps the claims on its disk.

use super::jwt::{Account, Claims, JwtError, MAX_TOKEN_BYTES};
use crate::bus::{Bus, BusError};
use nkeys::KeyPair;
use serde::Deserialize;
use std::time::Duration;

/// How long a server may take to answer about claims.
const PATIENCE: Duration = Duration::from_secs(5);
/// A revoked user's tokens are refused up to this long after the revocation, in seconds: by the clock of a master that is ahead.
const SKEW: u64 = 600;
/// Revocations are forgotten after this, in seconds: longer than any token of ours is good.
const KEEP: u64 = 400 * 86_400;
/// Attempts of a change while others change the claims too.
const ATTEMPTS: u32 = 5;

/// Why claims could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The connection of the system account.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The claims cannot be read or signed.
    #[error(transparent)]
    Jwt(#[from] JwtError),
    /// The server knows no such account.
    #[error("the server does not know the account `{0}`")]
    Unknown(String),
    /// The server refuses.
    #[error("the server does not take the account's claims: {0}")]
    Refused(String),
    /// The answer is not what servers answer.
    #[error("the server's answer about the account cannot be read: {0}")]
    Answer(serde_json::Error),
    /// Another key has signed the claims in force. The server would store ours all the same, and then turn every user of the account away.
    #[error(
        "the account's claims in force are signed by `{0}`, not by the operator's key that is to be used"
    )]
    Operator(String),
    /// Others were faster each time.
    #[error("the account's claims are being changed by somebody else; try again")]
    Contended,
    /// They would not fit a message.
    #[error(
        "the account's claims would have {0} bytes with these revocations; at most 1 MiB is possible: rotate the key that signs peels instead"
    )]
    TooLong(usize),
    /// A user that is none.
    #[error("`{0}` is not the public key of a user")]
    User(String),
}

/// The claims that a server has of an account, over a connection of the system account.
pub async fn lookup(system: &Bus, account: &str) -> Result<Claims<Account>, AccountError> {
    Ok(Claims::decode(&token(system, account).await?)?)
}

/// The token that a server has of an account, over a connection of the system account.
pub async fn token(system: &Bus, account: &str) -> Result<String, AccountError> {
    let subject = format!("$SYS.REQ.ACCOUNT.{account}.CLAIMS.LOOKUP");
    let answer = system.request_with(&subject, None, "", PATIENCE).await?;
    let token = std::str::from_utf8(&answer.payload).map_err(|_| JwtError::Form("it is not text"))?;
    if token.is_empty() {
        return Err(AccountError::Unknown(account.to_owned()));
    }
    Ok(token.to_owned())
}

/// Gives servers an account's claims.
pub async fn push(system: &Bus, token: &str) -> Result<(), AccountError> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        error: Option<Said>,
        #[serde(default)]
        data: Option<Said>,
    }
    #[derive(Deserialize)]
    struct Said {
        #[serde(default)]
        code: u16,
        #[serde(default, alias = "description")]
        message: String,
    }
    if token.len() >= MAX_TOKEN_BYTES {
        return Err(AccountError::TooLong(token.len()));
    }
    let answer = system.request_with("$SYS.REQ.CLAIMS.UPDATE", None, token.to_owned(), PATIENCE).await?;
    let answer: Answer = serde_json::from_slice(&answer.payload).map_err(AccountError::Answer)?;
    match (answer.error, answer.data) {
        (None, Some(data)) if data.code == 200 => Ok(()),
        (Some(said), _) | (None, Some(said)) => Err(AccountError::Refused(said.message)),
        (None, None) => Err(AccountError::Refused("it gives no reason".to_owned())),
    }
}

/// Changes the claims of an account that runs, signs them with the operator's key, and puts them in force. Gives the token, to be kept beside
/// the servers' configuration.
pub async fn change(
    system: &Bus,
    operator: &KeyPair,
    account: &str,
    now: u64,
    edit: impl Fn(&mut Account),
) -> Result<String, AccountError> {
    for _ in 0..ATTEMPTS {
        let before = lookup(system, account).await?;
        if before.iss != operator.public_key() {
            return Err(AccountError::Operator(before.iss));
        }
        let mut claims = before.clone();
        edit(&mut claims.nats);
        let edited = claims.nats.clone();
        // The resolver keeps the newest; two within a second must not tie.
        let token = claims.sign(operator, now.max(before.iat.saturating_add(1)))?;
        push(system, &token).await?;
        // Another may have pushed in between: what is in force decides.
        if lookup(system, account).await?.nats == edited {
            return Ok(token);
        }
    }
    Err(AccountError::Contended)
}

/// Revokes users by their public keys: their connections are dropped and their tokens refused, whatever their expiry says.
pub async fn revoke(
    system: &Bus,
    operator: &KeyPair,
    account: &str,
    users: &[String],
    now: u64,
) -> Result<String, AccountError> {
    for user in users {
        let class = KeyPair::from_public_key(user).map(|k| k.key_pair_type());
        if !matches!(class, Ok(nkeys::KeyPairType::User)) {
            return Err(AccountError::User(user.chars().take(64).collect()));
        }
    }
    change(system, operator, account, now, |claims| add_revocations(claims, users, now)).await
}

/// Adds revocations, and drops those that no token of ours outlives.
pub fn add_revocations(claims: &mut Account, users: &[String], now: u64) {
    claims.revocations.retain(|_, until| until.saturating_add(KEEP) > now);
    for user in users {
        let until = claims.revocations.entry(user.clone()).or_default();
        *until = (*until).max(now.saturating_add(SKEW));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revocations_are_added_and_forgotten() {
        let mut claims = Account::new(&[]);
        let (a, b) = (KeyPair::new_user().public_key(), KeyPair::new_user().public_key());
        add_revocations(&mut claims, std::slice::from_ref(&a), 1_000);
        add_revocations(&mut claims, &[a.clone(), b.clone()], 900);
        assert_eq!(claims.revocations[&a], 1_000 + SKEW, "never moved back");
        assert_eq!(claims.revocations[&b], 900 + SKEW);
        add_revocations(&mut claims, &[], 950 + SKEW + KEEP);
        assert_eq!(claims.revocations.keys().collect::<Vec<_>>(), [&a]);
    }
}
