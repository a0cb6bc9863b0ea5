//! Credentials for users: a peel's for days, an operator's for months, each signed by the key of its role and of no other.

use super::{
    jwt::{Claims, JwtError, Limits, User},
    permission::Role,
};
use crate::bus::{
    Credentials,
    id::{AdminId, IdError, MasterId, PeelId},
};
use nkeys::{KeyPair, KeyPairType};

/// Names that mean something else as a token: a peel called `all` would read `zester.cmd.all` as its own.
pub const RESERVED_PEELS: [&str; 1] = ["all"];
/// The most groups a peel is put in: each is a subscription.
pub const MAX_GROUPS: usize = 16;

/// Why no credentials are issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The name is outside the grammar.
    #[error(transparent)]
    Name(#[from] IdError),
    /// The name means something else.
    #[error("a peel cannot be called `{0}`, which stands for something else; choose another id")]
    Reserved(String),
    /// More groups than a peel may be in.
    #[error("a peel can be in at most {MAX_GROUPS} groups, not in {0}")]
    Groups(usize),
    /// Not the public key of a user.
    #[error("`{0}` is not the public key of a user; those begin with `U`")]
    Key(String),
    /// The token could not be signed.
    #[error(transparent)]
    Jwt(#[from] JwtError),
}

/// The key of a role and the account it signs for.
pub struct Issuer {
    /// The signing key of the role.
    pub key: KeyPair,
    /// The account's public key.
    pub account: String,
    /// The role that the key is bound to.
    pub role: Role,
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issuer")
            .field("key", &self.key.public_key())
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// A user that gets a token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subject {
    /// Its name, checked.
    name: String,
    /// Its public key.
    key: String,
    tags: Vec<String>,
}

impl Subject {
    /// A peel, with the groups whose envelopes it gets.
    pub fn peel(id: &PeelId, key: &str, groups: &[String]) -> Result<Self, IssueError> {
        // Whoever has taken an id from elsewhere than its type: a name here becomes a token of subjects.
        crate::bus::id::check_id("peel id", id.as_str())?;
        if RESERVED_PEELS.iter().any(|r| id.as_str().eq_ignore_ascii_case(r)) {
            return Err(IssueError::Reserved(id.to_string()));
        }
        if groups.len() > MAX_GROUPS {
            return Err(IssueError::Groups(groups.len()));
        }
        let tags = groups
            .iter()
            .map(|group| {
                crate::bus::id::check_id("group", group)?;
                // The server lowers tags before it fills them in.
                Ok(format!("grp:{}", group.to_ascii_lowercase()))
            })
            .collect::<Result<_, IssueError>>()?;
        Ok(Self { name: id.to_string(), key: user_key(key)?, tags })
    }

    /// An operator.
    pub fn admin(id: &AdminId, key: &str) -> Result<Self, IssueError> {
        Self::named(id.as_str(), key)
    }

    /// A master.
    pub fn master(id: &MasterId, key: &str) -> Result<Self, IssueError> {
        Self::named(id.as_str(), key)
    }

    /// A user of an infrastructure role, called as its role.
    pub fn role(role: Role, key: &str) -> Result<Self, IssueError> {
        Self::named(role.name(), key)
    }

    fn named(name: &str, key: &str) -> Result<Self, IssueError> {
        crate::bus::id::check_id("name", name)?;
        Ok(Self { name: name.to_owned(), key: user_key(key)?, tags: Vec::new() })
    }
}

fn user_key(key: &str) -> Result<String, IssueError> {
    match KeyPair::from_public_key(key).map(|k| k.key_pair_type()) {
        Ok(KeyPairType::User) => Ok(key.to_owned()),
        _ => Err(IssueError::Key(key.chars().take(64).collect())),
    }
}

impl Issuer {
    /// Signs a user's token at `now`, good until `until` (seconds of Unix time), for ever where nothing.
    pub fn token(&self, subject: &Subject, now: u64, until: Option<u64>) -> Result<String, IssueError> {
        let limits = if self.role.is_scoped() { Limits::default() } else { self.role.limits(&subject.name) };
        let user = User { limits, issuer_account: Some(self.account.clone()), tags: subject.tags.clone() };
        let mut claims = Claims::new(&subject.key, &subject.name, user);
        claims.exp = until;
        if self.key.public_key() == self.account {
            claims.nats.issuer_account = None;
        }
        Ok(claims.sign(&self.key, now)?)
    }

    /// Credentials with a new key: the key is known to whoever makes them.
    pub fn credentials(
        &self,
        subject: impl FnOnce(&str) -> Result<Subject, IssueError>,
        now: u64,
        until: Option<u64>,
    ) -> Result<Credentials, IssueError> {
        let key = KeyPair::new_user();
        let jwt = self.token(&subject(&key.public_key())?, now, until)?;
        let seed = key.seed().map_err(|e| JwtError::Key(e.to_string()))?;
        Ok(Credentials { jwt, seed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peels_get_short_tokens_of_their_role() {
        let (account, signing, user) = (KeyPair::new_account(), KeyPair::new_account(), KeyPair::new_user());
        let issuer = Issuer { key: signing, account: account.public_key(), role: Role::Peel };
        let id = PeelId::new("web-1").unwrap();
        let subject = Subject::peel(&id, &user.public_key(), &["Web".into()]).unwrap();
        let claims = Claims::<User>::decode(&issuer.token(&subject, 10, Some(20)).unwrap()).unwrap();
        assert_eq!((claims.name.as_str(), claims.exp), ("web-1", Some(20)));
        assert_eq!(claims.nats.limits, Limits::default());
        assert_eq!(claims.nats.tags, ["grp:web"]);
        assert_eq!(claims.nats.issuer_account, Some(account.public_key()));
    }

    #[test]
    fn hostile_subjects_get_nothing() {
        let user = KeyPair::new_user().public_key();
        let id = PeelId::new("web-1").unwrap();
        for group in ["*", ">", "a.b", "", "a b"] {
            assert!(
                matches!(Subject::peel(&id, &user, &[group.into()]), Err(IssueError::Name(_))),
                "{group}"
            );
        }
        let all = PeelId::new("ALL").unwrap();
        assert!(matches!(Subject::peel(&all, &user, &[]), Err(IssueError::Reserved(_))));
        let account = KeyPair::new_account().public_key();
        for key in ["", "U", &account] {
            assert!(matches!(Subject::peel(&id, key, &[]), Err(IssueError::Key(_))));
        }
        let many = vec!["a".to_owned(); MAX_GROUPS + 1];
        assert!(matches!(Subject::peel(&id, &user, &many), Err(IssueError::Groups(_))));
    }
}
