//! A peel's identity on its disk: keys that are made once and never leave, and what the masters gave for them.

use super::message::{Application, Grant, Trust, VERSION};
use crate::{
    auth::{
        authority::{self, AuthorityError},
        creds,
        jwt::{Claims, JwtError, User},
        private::{self, FileError, Mode},
        signed::{Anchor, Purpose, SignatureError, Signed},
    },
    bus::{BusOptions, Credentials, id::PeelId, tls::TlsFiles},
};
use nkeys::{KeyPair, XKey};
use std::path::{Path, PathBuf};

/// The file with the roots that this machine believes masters by, because of a pin or a grant.
pub(super) const AUTHORITY: &str = "authority.pem";
/// The file with the root that was believed at first sight. It does not become [`AUTHORITY`] by being seen again, only by a grant or a pin.
pub(super) const BELIEVED: &str = "believed.pem";

/// Why an identity cannot be made, read or changed.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A key for TLS.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// A token.
    #[error(transparent)]
    Jwt(#[from] JwtError),
    /// The application cannot be signed.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// A key that cannot be written down.
    #[error("a key has no seed: {0}")]
    Seed(nkeys::error::Error),
    /// What the masters gave is not for this peel.
    #[error("the masters gave credentials for `{found}`, not for this peel and its key, `{expected}`")]
    Foreign {
        /// Whose they are.
        found: String,
        /// Whose they should be.
        expected: String,
    },
}

/// The keys of a machine, in a directory of their own.
pub struct Identity {
    directory: PathBuf,
    id: PeelId,
    user: KeyPair,
    curve: XKey,
    point: Vec<u8>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("id", &self.id).field("key", &self.key()).finish_non_exhaustive()
    }
}

impl Identity {
    /// Reads the keys of a directory, or makes them where there are none.
    pub fn open(directory: &Path, id: PeelId) -> Result<Self, IdentityError> {
        private::make_directory(directory)?;
        let file = |name: &str| directory.join(name);
        let user = secret(&file("peel.seed"), || KeyPair::new_user().seed().map_err(IdentityError::Seed))?;
        let curve = secret(&file("curve.seed"), || XKey::new().seed().map_err(IdentityError::Seed))?;
        let tls = secret(&file("client.key"), || Ok(authority::client_key()?.0))?;
        let wrong = |name: &str, e: nkeys::error::Error| FileError::content(&file(name), e);
        Ok(Self {
            id,
            user: KeyPair::from_seed(user.trim()).map_err(|e| wrong("peel.seed", e))?,
            curve: XKey::from_seed(curve.trim()).map_err(|e| wrong("curve.seed", e))?,
            point: authority::client_point(&tls)?,
            directory: directory.to_owned(),
        })
    }

    /// Its public user key.
    pub fn key(&self) -> String {
        self.user.public_key()
    }

    /// Its public key for TLS, a point of P-256.
    pub fn point(&self) -> &[u8] {
        &self.point
    }

    /// Its id.
    pub fn id(&self) -> &PeelId {
        &self.id
    }

    /// The seed that opens its secrets (`SX…`).
    pub fn curve_seed(&self) -> Result<String, IdentityError> {
        self.curve.seed().map_err(IdentityError::Seed)
    }

    /// A file beside the keys.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// An application, signed and encoded.
    pub fn application(
        &self,
        nonce: String,
        time_ms: u64,
        seen: (&str, Trust),
        host: &str,
        token: Option<String>,
    ) -> Result<Vec<u8>, IdentityError> {
        let application = Application {
            v: VERSION,
            id: self.id.clone(),
            curve: self.curve.public_key(),
            point: self.point.clone(),
            nonce,
            time_ms,
            authority: seen.0.to_owned(),
            trust: seen.1,
            host: host.to_owned(),
            token,
        };
        Ok(Signed::new(&self.user, &[], Purpose::Enrollment, &application)?.encode()?)
    }

    /// Any other body, signed and encoded.
    pub fn sign<T: serde::Serialize>(&self, purpose: Purpose, body: &T) -> Result<Vec<u8>, SignatureError> {
        Signed::new(&self.user, &[], purpose, body)?.encode()
    }

    /// A renewal, signed and encoded, to be asked for on `zester.up.<peel>.renew`.
    pub fn renewal(&self, time_ms: u64) -> Result<Vec<u8>, IdentityError> {
        let roots = private::read_public(&self.file("ca.pem"))?;
        let pin = authority::fingerprint(&roots)?;
        self.application(ulid::Ulid::r#gen().to_string(), time_ms, (&pin, Trust::Recorded), "", None)
    }

    /// Keeps what the masters gave. The credentials come last: where they are, all else is.
    pub fn keep(&self, grant: &Grant) -> Result<Credentials, IdentityError> {
        let claims = Claims::<User>::decode(&grant.jwt)?;
        if claims.sub != self.key() || claims.name != self.id.as_str() {
            return Err(IdentityError::Foreign { found: claims.name, expected: self.id.to_string() });
        }
        // A broken certificate must not replace a good one.
        authority::fingerprint(&grant.certificate)?;
        authority::fingerprint(&grant.roots)?;
        let public = |name: &str, text: &str| private::replace(&self.file(name), Mode::Public, text);
        public("client.pem", &grant.certificate)?;
        public("ca.pem", &grant.roots)?;
        // What is believed from now on follows a rotation.
        public(AUTHORITY, &grant.roots)?;
        public("grant.json", &serde_json::to_string_pretty(grant).map_err(JwtError::Claims)?)?;
        let seed = self.user.seed().map_err(IdentityError::Seed)?;
        let credentials = Credentials { jwt: grant.jwt.clone(), seed };
        creds::store(&self.file("peel.creds"), &credentials)?;
        Ok(credentials)
    }

    /// What the masters gave before, if they did.
    pub fn kept(&self) -> Result<Option<(Grant, Credentials)>, IdentityError> {
        if !self.file("peel.creds").exists() {
            return Ok(None);
        }
        let (credentials, claims) = creds::load(&self.file("peel.creds"))?;
        if claims.sub != self.key() || claims.name != self.id.as_str() {
            return Err(IdentityError::Foreign { found: claims.name, expected: self.id.to_string() });
        }
        let path = self.file("grant.json");
        let grant =
            serde_json::from_str(&private::read_public(&path)?).map_err(|e| FileError::content(&path, e))?;
        Ok(Some((grant, credentials)))
    }

    /// Options of the connection that the grant is for.
    pub fn bus_options(&self, grant: &Grant, credentials: Credentials) -> BusOptions {
        let tls = TlsFiles {
            roots: self.file("ca.pem"),
            identity: Some((self.file("client.pem"), self.file("client.key"))),
        };
        BusOptions {
            credentials: Some(credentials),
            tls: Some(tls),
            ..BusOptions::new(grant.nats.clone(), self.id.as_str())
        }
    }

    /// Whose signatures to obey.
    pub fn anchor(grant: &Grant) -> Anchor {
        grant.anchor.clone()
    }
}

/// Reads a file with a secret, or makes one. Two processes that begin at once agree on the first one's.
fn secret(
    path: &Path,
    make: impl FnOnce() -> Result<String, IdentityError>,
) -> Result<String, IdentityError> {
    if !path.exists() {
        match private::create(path, Mode::Secret, &make()?) {
            Ok(()) | Err(FileError::Exists(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(private::read_secret(path)?)
}
