//! What machines and masters say to each other over HTTPS: JSON, with the signed part as MessagePack in base64.

use crate::{auth::signed::Anchor, bus::id::PeelId};
use serde::{Deserialize, Serialize};

/// The version of every struct here.
pub const VERSION: u8 = 1;
/// The longest body of a request, in bytes.
pub const MAX_BODY: usize = 16 * 1024;
/// The longest host name, in bytes.
pub const MAX_HOST: usize = 255;
/// The longest join token, in bytes.
pub const MAX_TOKEN: usize = 256;

/// The answer to `POST /v1/nonce`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Challenge {
    /// [`VERSION`]
    pub v: u8,
    /// To be signed, once.
    pub nonce: String,
}

/// The body of `POST /v1/enroll`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrollRequest {
    /// An encoded [`Signed`](crate::auth::signed::Signed) [`Application`] in base64.
    pub signed: String,
}

/// What a machine signs with its user key, for [`Purpose::Enrollment`](crate::auth::signed::Purpose).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Application {
    /// [`VERSION`]
    pub v: u8,
    /// Who it wants to be.
    pub id: PeelId,
    /// Its public key for secrets (`X…`).
    pub curve: String,
    /// Its public key for TLS: a point of P-256.
    #[serde(with = "serde_bytes")]
    pub point: Vec<u8>,
    /// Of the [`Challenge`]; of its own making in a renewal, where the server says who asks.
    pub nonce: String,
    /// When it was signed, milliseconds of Unix time.
    pub time_ms: u64,
    /// The pin of the authority that it saw.
    pub authority: String,
    /// Why it trusts that authority.
    pub trust: Trust,
    /// The machine's own name, for the operator to read.
    #[serde(default)]
    pub host: String,
    /// A word that a rule may ask for; never sent to an authority that is trusted at first sight.
    #[serde(default)]
    pub token: Option<String>,
}

/// Why a machine trusts the authority behind a master.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// Somebody gave it the pin, or the authority's certificate.
    Pinned,
    /// The same authority has granted it credentials before, or was pinned.
    Recorded,
    /// It believes the first authority that it has seen; nobody has compared pins.
    FirstUse,
}

/// The answer to `POST /v1/enroll`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "status")]
pub enum Answer {
    /// An operator has to approve.
    Pending {
        /// What to compare with what the operator sees.
        fingerprint: String,
    },
    /// Here it is.
    Granted(Box<Grant>),
    /// An operator said no.
    Rejected {
        /// Why.
        #[serde(default)]
        reason: Option<String>,
    },
}

/// What makes a machine a peel.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Grant {
    /// [`VERSION`]
    pub v: u8,
    /// Its token for NATS.
    pub jwt: String,
    /// The certificate for its TLS key, with the intermediate, as PEM.
    pub certificate: String,
    /// Roots to trust, as PEM.
    pub roots: String,
    /// Whose signatures to obey.
    pub anchor: Anchor,
    /// Public keys of those who seal secrets (`X…`).
    pub sealers: Vec<String>,
    /// Where NATS is.
    pub nats: Vec<String>,
    /// Where masters are.
    pub masters: Vec<String>,
    /// When token and certificate end, seconds of Unix time.
    pub expires: u64,
    /// When to ask for new ones, seconds of Unix time.
    pub renew: u64,
}

/// The answer to a renewal on `zester.up.<peel>.renew`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Renewal {
    /// [`VERSION`]
    pub v: u8,
    /// New credentials.
    #[serde(default)]
    pub grant: Option<Grant>,
    /// Why there are none.
    #[serde(default)]
    pub error: Option<String>,
}

/// An answer that is not a success.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Problem {
    /// A sentence.
    pub error: String,
}

/// What people compare of a user's public key: short enough to read out, long enough not to be met by trying.
pub fn fingerprint(key: &str) -> String {
    use sha2::{Digest, Sha256};
    let digest = crate::auth::authority::hex(&Sha256::digest(key.as_bytes()));
    let mut groups: Vec<&str> = Vec::with_capacity(8);
    let mut rest = digest.get(..32).unwrap_or_default();
    while let Some((group, after)) = rest.split_at_checked(4) {
        groups.push(group);
        rest = after;
    }
    groups.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_out_in_groups() {
        let print = fingerprint("UABC");
        assert_eq!(print.split('-').count(), 8);
        assert!(print.split('-').all(|g| g.len() == 4));
        assert_ne!(print, fingerprint("UABD"));
    }
}
