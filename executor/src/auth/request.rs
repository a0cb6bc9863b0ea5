//! Requests of operators: the user's token beside the signature says who asks, a key of the role `admin` says that it is an operator.
//!
//! The server has checked the token when the operator connected. It is checked again because the server does not tell who has sent a message.

use super::{
    installation::Description,
    jwt::{Claims, JwtError, User},
    permission::Role,
    signed::{Purpose, SignatureError, Signed},
};
use crate::{
    bus::{
        codec::CodecError,
        id::{AdminId, IdError},
    },
    job::message::OperatorRequest,
    master::{Verified, Verifier},
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

/// A request so much older or newer than this clock is refused, in milliseconds.
pub const FRESH_MS: u64 = 120_000;
/// Requests that are remembered, to refuse them the second time; more than this within [`FRESH_MS`] are refused.
const MAX_REMEMBERED: usize = 100_000;
/// The longest nonce, in bytes.
const MAX_NONCE: usize = 64;

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// Not signed, or not by the token's user.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// Not a signed message.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The token beside the signature cannot be read.
    #[error("the request comes without a valid token of its operator: {0}")]
    Jwt(#[from] JwtError),
    /// The token was signed by a key that signs no operators.
    #[error("`{0}` is not an operator: the token is not signed by a key for operators of this installation")]
    Role(String),
    /// The token's time is over.
    #[error("the credentials of `{0}` have expired; make new ones with `zester admin add`")]
    Expired(String),
    /// They were revoked.
    #[error("the credentials of `{0}` were revoked")]
    Revoked(String),
    /// The name is outside the grammar.
    #[error(transparent)]
    Name(#[from] IdError),
    /// Clocks differ, or an old request came again.
    #[error("the request is {0} s off this master's clock; set the clocks")]
    Time(u64),
    /// It was here before.
    #[error("the request was answered before; make a new one")]
    Replayed,
    /// More requests than can be told apart.
    #[error("there are too many requests at once; ask again in a minute")]
    TooMany,
}

/// Verifies requests of an installation's operators.
#[derive(Debug)]
pub struct Operators {
    account: String,
    /// Keys that sign operators, and users that may not ask any more, by public key.
    trust: Mutex<(Vec<String>, BTreeSet<String>)>,
    /// Nonces with the time after which their requests are too old anyway.
    seen: Mutex<HashMap<String, u64>>,
}

impl Operators {
    /// Those of an installation.
    pub fn new(of: &Description) -> Self {
        let trust = (of.admin_issuers.clone(), BTreeSet::new());
        Self { account: of.account.clone(), trust: Mutex::new(trust), seen: Mutex::default() }
    }

    /// Replaces the keys that sign operators, and the users that are revoked.
    pub fn trust(&self, issuers: Vec<String>, revoked: BTreeSet<String>) {
        *self.trust.lock().unwrap_or_else(PoisonError::into_inner) = (issuers, revoked);
    }

    /// As masters want it.
    pub fn verifier(self: Arc<Self>) -> Verifier {
        Arc::new(move |bytes| self.verify(bytes, crate::peel::now_ms()).map_err(|e| e.to_string()))
    }

    /// Verifies the bytes of a request at `now_ms`.
    pub fn verify(&self, bytes: &[u8], now_ms: u64) -> Result<Verified, RequestError> {
        let signed = Signed::decode(bytes)?;
        let token =
            std::str::from_utf8(&signed.certificate).map_err(|_| JwtError::Form("the token is not text"))?;
        let claims = Claims::<User>::decode(token)?;
        // A name that is not one must not reach a log.
        let who = AdminId::new(&claims.name)?;
        {
            let trust = self.trust.lock().unwrap_or_else(PoisonError::into_inner);
            let same_account = claims.nats.issuer_account.as_ref() == Some(&self.account);
            if !same_account || !trust.0.contains(&claims.iss) {
                return Err(RequestError::Role(who.to_string()));
            }
            if trust.1.contains(&claims.sub) {
                return Err(RequestError::Revoked(who.to_string()));
            }
        }
        if claims.is_expired(now_ms / 1_000) {
            return Err(RequestError::Expired(who.to_string()));
        }
        let request: OperatorRequest = signed.open_by(&claims.sub, Purpose::Request)?;
        let off = now_ms.abs_diff(request.time_ms);
        if off > FRESH_MS {
            return Err(RequestError::Time(off / 1_000));
        }
        self.remember(&claims.sub, &request, now_ms)?;
        Ok(Verified { inbox: Role::Admin.who(who.as_str()), who, request })
    }

    /// The same request a second time is somebody else's: the operator's side makes a nonce for each.
    fn remember(&self, user: &str, request: &OperatorRequest, now_ms: u64) -> Result<(), RequestError> {
        if request.nonce.is_empty() || request.nonce.len() > MAX_NONCE {
            return Err(RequestError::Replayed);
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MAX_REMEMBERED {
            seen.retain(|_, until| *until >= now_ms);
            if seen.len() >= MAX_REMEMBERED {
                return Err(RequestError::TooMany);
            }
        }
        let until = request.time_ms.saturating_add(FRESH_MS);
        match seen.insert(format!("{user} {}", request.nonce), until) {
            None => Ok(()),
            Some(_) => Err(RequestError::Replayed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        auth::{
            init::{InitOptions, init},
            installation::{Access, Installation},
            issue::Subject,
        },
        bus::id::{JobId, PeelId},
        job::message::{Ask, VERSION},
    };
    use nkeys::KeyPair;

    const NOW: u64 = 1_800_000_000;
    const NOW_MS: u64 = NOW * 1_000;

    fn request() -> OperatorRequest {
        let ask = Ask::Cancel { jid: JobId::generate(), reason: None };
        OperatorRequest { v: VERSION, time_ms: NOW_MS, nonce: ulid::Ulid::r#gen().to_string(), ask }
    }

    fn sign(key: &KeyPair, jwt: &str, request: &OperatorRequest) -> Vec<u8> {
        Signed::new(key, jwt.as_bytes(), Purpose::Request, request).unwrap().encode().unwrap()
    }

    fn installation() -> (tempfile::TempDir, Installation, KeyPair, String) {
        let directory = tempfile::tempdir().unwrap();
        let options = InitOptions::local(AdminId::new("alice").unwrap(), NOW);
        let installation = init(directory.path(), &options).unwrap();
        let access = Access::load(&installation.admin()).unwrap();
        let key = KeyPair::from_seed(&access.credentials.seed).unwrap();
        (directory, installation, key, access.credentials.jwt)
    }

    #[test]
    fn an_operator_is_known_by_token_and_signature() {
        let (_directory, installation, key, jwt) = installation();
        let operators = Operators::new(&installation.description);
        let asked = request();
        let bytes = sign(&key, &jwt, &asked);
        let verified = operators.verify(&bytes, NOW_MS).unwrap();
        assert_eq!((verified.who.as_str(), verified.inbox.as_str()), ("alice", "_admin.alice"));
        assert_eq!(verified.request, asked);
        assert!(matches!(operators.verify(&bytes, NOW_MS), Err(RequestError::Replayed)));
        let late = sign(&key, &jwt, &request());
        assert!(matches!(operators.verify(&late, NOW_MS + FRESH_MS + 1), Err(RequestError::Time(120))));
        let expired = (NOW + 500 * 86_400) * 1_000;
        assert!(matches!(operators.verify(&late, expired), Err(RequestError::Expired(_))));
        // Alice's token beside a signature of somebody else's.
        let stolen = sign(&KeyPair::new_user(), &jwt, &request());
        assert!(matches!(operators.verify(&stolen, NOW_MS), Err(RequestError::Signature(_))));
        let none = sign(&key, "", &request());
        assert!(matches!(operators.verify(&none, NOW_MS), Err(RequestError::Jwt(_))));
        operators.trust(installation.description.admin_issuers.clone(), [key.public_key()].into());
        assert!(matches!(operators.verify(&late, NOW_MS), Err(RequestError::Revoked(_))));
    }

    #[test]
    fn other_roles_and_other_installations_are_no_operators() {
        let (_directory, installation, ..) = installation();
        let (_other_directory, other, foreign, foreign_jwt) = self::installation();
        assert_ne!(installation.description, other.description);
        let operators = Operators::new(&installation.description);
        let bytes = sign(&foreign, &foreign_jwt, &request());
        assert!(matches!(operators.verify(&bytes, NOW_MS), Err(RequestError::Role(_))));
        let peel = KeyPair::new_user();
        let subject = Subject::peel(&PeelId::new("alice").unwrap(), &peel.public_key(), &[]).unwrap();
        let jwt = installation.issuer(Role::Peel).unwrap().token(&subject, NOW, None).unwrap();
        let bytes = sign(&peel, &jwt, &request());
        assert!(matches!(operators.verify(&bytes, NOW_MS), Err(RequestError::Role(_))));
    }
}
