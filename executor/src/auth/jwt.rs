//! NATS JSON web tokens, version 2: operators, accounts, users. Written and read here; the server is what enforces them.
//!
//! A token is `header.claims.signature` in base64url, signed with Ed25519 by the key that its claims name as issuer. Whoever reads one checks
//! the algorithm, the signature, and that the classes of issuer and subject belong together: operators sign accounts, accounts sign users.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use data_encoding::BASE32_NOPAD;
use indexmap::IndexMap;
use nkeys::{KeyPair, KeyPairType};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha512_256};

/// The longest token that is read, in bytes; the server's limit for a message.
pub const MAX_TOKEN_BYTES: usize = 1 << 20;
/// Stands for "no limit" in limits.
pub const UNLIMITED: i64 = -1;

const HEADER: &str = r#"{"typ":"JWT","alg":"ed25519-nkey"}"#;

/// Why a token is refused.
#[derive(Debug, thiserror::Error)]
pub enum JwtError {
    /// Not a token at all.
    #[error("this is not a token of NATS: {0}")]
    Form(&'static str),
    /// Not the claims that were expected.
    #[error("the token's claims cannot be read: {0}")]
    Claims(#[from] serde_json::Error),
    /// Another algorithm than Ed25519 over nkeys.
    #[error("the token is signed with the algorithm `{0}`; only `ed25519-nkey` is accepted")]
    Algorithm(String),
    /// Of a version that this program does not read.
    #[error("the token has version {0}; this program reads version 2")]
    Version(u64),
    /// The signature does not belong to these bytes and this issuer.
    #[error("the token's signature does not fit its claims")]
    Signature,
    /// The classes of issuer and subject do not belong together.
    #[error("the token is of {subject} by {issuer}; expected is {expected}")]
    Role {
        /// Class of the key it is about.
        subject: &'static str,
        /// Class of the key that signed it.
        issuer: &'static str,
        /// What would have been right.
        expected: &'static str,
    },
    /// The key cannot sign, or is of the wrong class for it.
    #[error("the key cannot sign this token: {0}")]
    Key(String),
}

/// A token's claims around its `nats` part. Times are seconds of Unix time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Claims<T> {
    /// After this it is worth nothing; never, where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exp: Option<u64>,
    /// A digest of the claims: tools tell tokens apart by it.
    #[serde(default)]
    pub jti: String,
    /// When it was signed; the resolver keeps the newest.
    pub iat: u64,
    /// The public key that signed it.
    pub iss: String,
    /// What people call its subject.
    #[serde(default)]
    pub name: String,
    /// The public key it is about.
    pub sub: String,
    /// What it says.
    pub nats: T,
}

/// A kind of claims: what may be signed by whom about whom.
pub trait Kind: Serialize + DeserializeOwned {
    /// Its name in the claims.
    const NAME: &'static str;
    /// For errors.
    const EXPECTED: &'static str;
    /// Classes that issue it.
    fn issuer(class: &KeyPairType) -> bool;
    /// The class it is about.
    fn subject(class: &KeyPairType) -> bool;
}

/// What is said of an operator.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Operator {
    /// Keys that may sign accounts in its place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signing_keys: Vec<String>,
    /// The account that manages servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_account: Option<String>,
    /// Only signing keys sign; the operator's own key can stay in the safe.
    #[serde(default)]
    pub strict_signing_key_usage: bool,
}

/// What is said of an account.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Account {
    /// Limits of the account as the server knows them.
    #[serde(default)]
    pub limits: IndexMap<String, serde_json::Value>,
    /// Keys that may sign users.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signing_keys: Vec<SigningKey>,
    /// Public keys of users, and until when (by their `iat`) they are refused.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub revocations: IndexMap<String, u64>,
    /// Of users that say nothing of permissions.
    #[serde(default)]
    pub default_permissions: Permissions,
    /// Whatever else the server's tools keep there.
    #[serde(flatten)]
    pub other: IndexMap<String, serde_json::Value>,
}

/// A key that signs users of an account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SigningKey {
    /// It may sign users with any permissions.
    Plain(String),
    /// It may sign users of one role only; the server fills the role's template.
    Scoped(Scope),
}

impl SigningKey {
    /// The public key.
    pub fn key(&self) -> &str {
        match self {
            Self::Plain(key) => key,
            Self::Scoped(scope) => &scope.key,
        }
    }
}

/// A role that a signing key is bound to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Scope {
    /// `user_scope`
    pub kind: String,
    /// The public key.
    pub key: String,
    /// The role's name.
    pub role: String,
    /// What its users may; `{{name()}}` and `{{tag(x)}}` are filled per user.
    pub template: Limits,
}

/// What is said of a user.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct User {
    /// Permissions and limits; all absent under a scoped signing key, whose template counts.
    #[serde(flatten)]
    pub limits: Limits,
    /// The account's identity, where a signing key of it signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer_account: Option<String>,
    /// `key:value` pairs for templates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// Permissions and limits of a user or a role.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Where it may publish.
    #[serde(default, rename = "pub")]
    pub publish: Subjects,
    /// What it may subscribe to.
    #[serde(default, rename = "sub")]
    pub subscribe: Subjects,
    /// Subscriptions at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subs: Option<i64>,
    /// Bytes; the servers do not use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<i64>,
    /// Bytes of a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<i64>,
    /// Kinds of connections: `STANDARD`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_connection_types: Vec<String>,
}

/// Permissions to publish and to subscribe.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Permissions {
    /// Where it may publish.
    #[serde(default, rename = "pub")]
    pub publish: Subjects,
    /// What it may subscribe to.
    #[serde(default, rename = "sub")]
    pub subscribe: Subjects,
}

/// Subjects that are allowed or not.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Subjects {
    /// Allowed; everything, where neither list says anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// Not allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
}

impl Permissions {
    /// Nothing at all.
    pub fn none() -> Self {
        let nothing = Subjects { allow: Vec::new(), deny: vec![">".to_owned()] };
        Self { publish: nothing.clone(), subscribe: nothing }
    }
}

impl Account {
    /// An account without other limits than those given; its users may nothing unless it is said.
    pub fn new(limits: &[(&str, i64)]) -> Self {
        let mut all: IndexMap<String, serde_json::Value> =
            ["subs", "data", "payload", "imports", "exports", "conn", "leaf"]
                .into_iter()
                .map(|name| (name.to_owned(), UNLIMITED.into()))
                .collect();
        all.insert("wildcards".to_owned(), true.into());
        all.extend(limits.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())));
        Self {
            limits: all,
            signing_keys: Vec::new(),
            revocations: IndexMap::new(),
            default_permissions: Permissions::none(),
            other: IndexMap::new(),
        }
    }
}

impl Kind for Operator {
    const NAME: &'static str = "operator";
    const EXPECTED: &'static str = "an operator by itself";
    fn issuer(class: &KeyPairType) -> bool {
        matches!(class, KeyPairType::Operator)
    }
    fn subject(class: &KeyPairType) -> bool {
        matches!(class, KeyPairType::Operator)
    }
}

impl Kind for Account {
    const NAME: &'static str = "account";
    const EXPECTED: &'static str = "an account by an operator";
    fn issuer(class: &KeyPairType) -> bool {
        matches!(class, KeyPairType::Operator)
    }
    fn subject(class: &KeyPairType) -> bool {
        matches!(class, KeyPairType::Account)
    }
}

impl Kind for User {
    const NAME: &'static str = "user";
    const EXPECTED: &'static str = "a user by an account";
    fn issuer(class: &KeyPairType) -> bool {
        matches!(class, KeyPairType::Account)
    }
    fn subject(class: &KeyPairType) -> bool {
        matches!(class, KeyPairType::User)
    }
}

impl<T: Kind> Claims<T> {
    /// Claims about the public key `subject`; the rest is filled when they are signed.
    pub fn new(subject: impl Into<String>, name: impl Into<String>, nats: T) -> Self {
        let (subject, name) = (subject.into(), name.into());
        Self { exp: None, jti: String::new(), iat: 0, iss: String::new(), name, sub: subject, nats }
    }

    /// Limits their time.
    pub fn until(mut self, seconds: u64) -> Self {
        self.exp = Some(seconds);
        self
    }

    /// Signs them with `key` at `now` (seconds of Unix time).
    pub fn sign(mut self, key: &KeyPair, now: u64) -> Result<String, JwtError> {
        check_roles::<T>(&key.public_key(), &self.sub)?;
        (self.iss, self.iat, self.jti) = (key.public_key(), now, String::new());
        let mut claims = serde_json::to_value(&self)?;
        if let Some(nats) = claims.get_mut("nats").and_then(|n| n.as_object_mut()) {
            nats.insert("type".to_owned(), T::NAME.into());
            nats.insert("version".to_owned(), 2.into());
        }
        let digest = Sha512_256::digest(serde_json::to_vec(&claims)?);
        if let Some(claims) = claims.as_object_mut() {
            claims.insert("jti".to_owned(), BASE32_NOPAD.encode(&digest).into());
        }
        let signed = format!("{}.{}", BASE64.encode(HEADER), BASE64.encode(serde_json::to_vec(&claims)?));
        let signature = key.sign(signed.as_bytes()).map_err(|e| JwtError::Key(e.to_string()))?;
        Ok(format!("{signed}.{}", BASE64.encode(signature)))
    }

    /// Reads a token and verifies its signature. Whether the issuer is to be trusted, and whether its time is over, is for the caller to say.
    pub fn decode(token: &str) -> Result<Self, JwtError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(JwtError::Form("it is longer than 1 MiB"));
        }
        let mut parts = token.trim().split('.');
        let (Some(header), Some(body), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(JwtError::Form("it does not have three parts"));
        };
        let bytes = |part: &str| BASE64.decode(part).map_err(|_| JwtError::Form("it is not base64url"));
        #[derive(Deserialize)]
        struct Header {
            alg: String,
        }
        let algorithm = serde_json::from_slice::<Header>(&bytes(header)?)?.alg;
        if algorithm != "ed25519-nkey" {
            return Err(JwtError::Algorithm(algorithm));
        }
        #[derive(Deserialize)]
        struct Outer {
            iss: String,
            sub: String,
            nats: Inner,
        }
        #[derive(Deserialize)]
        struct Inner {
            #[serde(default)]
            version: u64,
            #[serde(default, rename = "type")]
            kind: String,
        }
        let body = bytes(body)?;
        let outer: Outer = serde_json::from_slice(&body)?;
        check_roles::<T>(&outer.iss, &outer.sub)?;
        if outer.nats.version != 2 {
            return Err(JwtError::Version(outer.nats.version));
        }
        if outer.nats.kind != T::NAME {
            return Err(JwtError::Form("its type and its keys contradict each other"));
        }
        let signature = bytes(signature)?;
        let issuer = KeyPair::from_public_key(&outer.iss).map_err(|_| JwtError::Signature)?;
        let signed = token.trim().rsplit_once('.').map_or("", |(signed, _)| signed);
        // nkeys slices the signature: a short one must not reach it.
        if signature.len() != 64 || issuer.verify(signed.as_bytes(), &signature).is_err() {
            return Err(JwtError::Signature);
        }
        Ok(serde_json::from_slice(&body)?)
    }

    /// Whether its time is over at `now` (seconds of Unix time).
    pub fn is_expired(&self, now: u64) -> bool {
        self.exp.is_some_and(|end| end <= now)
    }
}

fn check_roles<T: Kind>(issuer: &str, subject: &str) -> Result<(), JwtError> {
    let class = |key: &str| KeyPair::from_public_key(key).map(|k| k.key_pair_type());
    match (class(issuer), class(subject)) {
        (Ok(i), Ok(s)) if T::issuer(&i) && T::subject(&s) => Ok(()),
        (Ok(i), Ok(s)) => {
            Err(JwtError::Role { subject: class_name(&s), issuer: class_name(&i), expected: T::EXPECTED })
        }
        _ => Err(JwtError::Form("issuer or subject is no public key")),
    }
}

fn class_name(class: &KeyPairType) -> &'static str {
    match class {
        KeyPairType::Operator => "an operator",
        KeyPairType::Account => "an account",
        KeyPairType::User => "a user",
        KeyPairType::Service => "a service",
        _ => "another class of key",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_is_read() {
        let (account, user) = (KeyPair::new_account(), KeyPair::new_user());
        let claims =
            Claims::new(user.public_key(), "web-1", User { tags: vec!["grp:web".into()], ..User::default() });
        let token = claims.clone().until(2_000).sign(&account, 1_000).unwrap();
        let read = Claims::<User>::decode(&token).unwrap();
        assert_eq!((read.iat, read.exp, read.name.as_str()), (1_000, Some(2_000), "web-1"));
        assert_eq!((&read.iss, read.jti.len()), (&account.public_key(), 52));
        assert_eq!(read.nats, claims.nats);
        assert!(!read.is_expired(1_999) && read.is_expired(2_000));
    }

    #[test]
    fn classes_of_keys_are_held_apart() {
        let (operator, account, user) =
            (KeyPair::new_operator(), KeyPair::new_account(), KeyPair::new_user());
        let claims = Claims::new(user.public_key(), "x", User::default());
        assert!(matches!(claims.clone().sign(&operator, 1), Err(JwtError::Role { .. })));
        assert!(matches!(claims.clone().sign(&user, 1), Err(JwtError::Role { .. })));
        let token = claims.sign(&account, 1).unwrap();
        assert!(matches!(Claims::<Account>::decode(&token), Err(JwtError::Role { .. })));
        let of_account = Claims::new(account.public_key(), "x", Account::new(&[]));
        assert!(of_account.clone().sign(&account, 1).is_err());
        assert!(of_account.sign(&operator, 1).is_ok());
    }

    #[test]
    fn other_algorithms_and_changed_claims_are_refused() {
        let (account, user) = (KeyPair::new_account(), KeyPair::new_user());
        let token = Claims::new(user.public_key(), "x", User::default()).sign(&account, 1).unwrap();
        let parts: Vec<&str> = token.split('.').collect();
        let with = |header: &str, body: &str, signature: &str| {
            Claims::<User>::decode(&format!("{header}.{body}.{signature}"))
        };
        let none = BASE64.encode(r#"{"typ":"JWT","alg":"none"}"#);
        assert!(matches!(with(&none, parts[1], parts[2]), Err(JwtError::Algorithm(a)) if a == "none"));
        let body = String::from_utf8(BASE64.decode(parts[1]).unwrap()).unwrap();
        let other = BASE64.encode(body.replace("\"name\":\"x\"", "\"name\":\"y\""));
        assert_ne!(other, parts[1]);
        assert!(matches!(with(parts[0], &other, parts[2]), Err(JwtError::Signature)));
        assert!(matches!(with(parts[0], parts[1], ""), Err(JwtError::Signature)));
        assert!(matches!(with(parts[0], parts[1], "AAAA"), Err(JwtError::Signature)));
        for text in ["", "a.b", "a.b.c.d", "…", &"a".repeat(MAX_TOKEN_BYTES + 1)] {
            assert!(Claims::<User>::decode(text).is_err());
        }
    }
}
