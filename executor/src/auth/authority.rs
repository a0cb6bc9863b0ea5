//! The certificate authority: a root that stays with the operator, an intermediate on the masters, certificates for servers and clients.
//!
//! Keys are P-256. A client's key never leaves its machine: it sends the public point, and gets a certificate for it.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm,
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use sha2::{Digest, Sha256};
use std::fmt;
use time::OffsetDateTime;

/// Seconds of a day.
pub const DAY: u64 = 86_400;
/// How long a root is good.
pub const ROOT_DAYS: u64 = 3_650;
/// How long an intermediate is good.
pub const INTERMEDIATE_DAYS: u64 = 1_825;
fn first_of(names: &[String]) -> &str {
    names.first().map_or("server", String::as_str)
}

/// Clocks that are behind by less than this, in seconds, accept a certificate at once.
const SKEW: u64 = 600;
/// Bytes of a point of P-256, not compressed.
const POINT_BYTES: usize = 65;

/// Why a certificate could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The library refused.
    #[error("the certificate cannot be made: {0}")]
    Make(#[from] rcgen::Error),
    /// The text is no certificate.
    #[error("this is not a certificate as PEM: {0}")]
    Read(String),
    /// Not a point of the one curve that is used.
    #[error("the public key for TLS is not a point of P-256 of 65 bytes")]
    Point,
    /// A name that no certificate can have.
    #[error("`{0}` can be neither a host name nor an address in a certificate")]
    Name(String),
}

/// A certificate and the key it is for.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate, with the intermediate after it, as PEM.
    pub chain: String,
    /// The private key, as PEM.
    pub key: String,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(..)")
    }
}

/// A root or an intermediate with its key.
pub struct Authority {
    key: KeyPair,
    level: Level,
    /// Its own certificate, as PEM.
    certificate: String,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("level", &self.level).finish_non_exhaustive()
    }
}

/// Where an authority stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// Trusted by everybody; signs intermediates.
    Root,
    /// Signed by a root; signs certificates of servers and clients.
    Intermediate,
}

/// What a certificate is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Use<'a> {
    /// A server under these host names and addresses.
    Server(&'a [String]),
    /// A server of NATS, which is a client of the others of its cluster.
    Node(&'a [String]),
    /// A client of this name.
    Client(&'a str),
}

impl Authority {
    /// A new root, good from `now` (seconds of Unix time).
    pub fn root(now: u64) -> Result<Self, AuthorityError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = authority_params(Level::Root, &key, now, ROOT_DAYS)?.self_signed(&key)?.pem();
        Ok(Self { key, level: Level::Root, certificate })
    }

    /// A new intermediate under this root.
    pub fn intermediate(&self, now: u64) -> Result<Self, AuthorityError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let params = authority_params(Level::Intermediate, &key, now, INTERMEDIATE_DAYS)?;
        let certificate = params.signed_by(&key, &self.issuer()?)?.pem();
        Ok(Self { key, level: Level::Intermediate, certificate })
    }

    /// One from its files.
    pub fn load(level: Level, certificate: &str, key: &str) -> Result<Self, AuthorityError> {
        let (key, certificate) = (KeyPair::from_pem(key)?, certificate.to_owned());
        if fingerprint(&certificate)? != fingerprint_of(&key) {
            return Err(AuthorityError::Read("the certificate is of another key".to_owned()));
        }
        Ok(Self { key, level, certificate })
    }

    /// Its certificate, as PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Its private key, as PEM.
    pub fn key(&self) -> String {
        self.key.serialize_pem()
    }

    /// A certificate with a new key, for so many days from `now` (seconds of Unix time).
    pub fn identity(&self, purpose: &Use<'_>, now: u64, days: u64) -> Result<Identity, AuthorityError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let chain = self.chain(&key, purpose, now, now.saturating_add(days * DAY))?;
        Ok(Identity { chain, key: key.serialize_pem() })
    }

    /// A certificate for a client's own key, given as its point; good until `until`. The chain, as PEM.
    pub fn client(&self, point: &[u8], name: &str, now: u64, until: u64) -> Result<String, AuthorityError> {
        if point.len() != POINT_BYTES || point.first() != Some(&4) {
            return Err(AuthorityError::Point);
        }
        self.chain(&Point(point), &Use::Client(name), now, until)
    }

    fn chain(
        &self,
        key: &impl PublicKeyData,
        purpose: &Use<'_>,
        now: u64,
        until: u64,
    ) -> Result<String, AuthorityError> {
        let mut params = match purpose {
            Use::Server(names) | Use::Node(names) => {
                CertificateParams::new(names.to_vec()).map_err(|_| AuthorityError::Name(names.join(", ")))?
            }
            Use::Client(_) => CertificateParams::default(),
        };
        let (name, purposes) = match purpose {
            Use::Server(names) => (first_of(names), vec![ExtendedKeyUsagePurpose::ServerAuth]),
            Use::Node(names) => (
                first_of(names),
                vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
            ),
            Use::Client(name) => (*name, vec![ExtendedKeyUsagePurpose::ClientAuth]),
        };
        params.distinguished_name = common_name(name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = purposes;
        params.use_authority_key_identifier_extension = true;
        (params.not_before, params.not_after) = (moment(now.saturating_sub(SKEW))?, moment(until)?);
        let leaf = params.signed_by(key, &self.issuer()?)?.pem();
        Ok(match self.level {
            Level::Root => leaf,
            Level::Intermediate => format!("{leaf}{}", self.certificate),
        })
    }

    /// The library wants the parameters again that the certificate was made with: name and key identifier follow from the key.
    fn issuer(&self) -> Result<Issuer<'static, &KeyPair>, AuthorityError> {
        Ok(Issuer::new(authority_params(self.level, &self.key, 0, 1)?, &self.key))
    }
}

/// A new key for a client: the private key as PEM, and its point for [`Authority::client`].
pub fn client_key() -> Result<(String, Vec<u8>), AuthorityError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    Ok((key.serialize_pem(), key.public_key_raw().to_vec()))
}

/// The point of a key that [`client_key`] made.
pub fn client_point(key: &str) -> Result<Vec<u8>, AuthorityError> {
    Ok(KeyPair::from_pem(key)?.public_key_raw().to_vec())
}

/// The pin of the first certificate of a PEM text: `sha256:` and the hex of SHA-256 over its public key as DER.
pub fn fingerprint(certificate: &str) -> Result<String, AuthorityError> {
    let der = CertificateDer::from_pem_slice(certificate.as_bytes())
        .map_err(|e| AuthorityError::Read(e.to_string()))?;
    fingerprint_der(&der)
}

/// The pin of a certificate.
pub fn fingerprint_der(certificate: &CertificateDer<'_>) -> Result<String, AuthorityError> {
    let parsed =
        webpki::EndEntityCert::try_from(certificate).map_err(|e| AuthorityError::Read(e.to_string()))?;
    Ok(pin(&parsed.subject_public_key_info()))
}

fn fingerprint_of(key: &KeyPair) -> String {
    pin(&key.subject_public_key_info())
}

fn pin(key: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(key)))
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

fn authority_params(
    level: Level,
    key: &KeyPair,
    now: u64,
    days: u64,
) -> Result<CertificateParams, AuthorityError> {
    let mut params = CertificateParams::default();
    let digest = hex(&Sha256::digest(key.subject_public_key_info()));
    let (kind, below) = match level {
        Level::Root => ("root", 1),
        Level::Intermediate => ("intermediate", 0),
    };
    params.distinguished_name = common_name(&format!("Zester {kind} {}", digest.get(..16).unwrap_or("")));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = level == Level::Intermediate;
    (params.not_before, params.not_after) =
        (moment(now.saturating_sub(SKEW))?, moment(now.saturating_add(days * DAY))?);
    Ok(params)
}

fn common_name(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

fn moment(seconds: u64) -> Result<OffsetDateTime, AuthorityError> {
    i64::try_from(seconds)
        .ok()
        .and_then(|s| OffsetDateTime::from_unix_timestamp(s).ok())
        .ok_or_else(|| AuthorityError::Read(format!("{seconds} is not a time that certificates can have")))
}

/// A public key whose private half is elsewhere.
struct Point<'a>(&'a [u8]);

impl PublicKeyData for Point<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::UnixTime;
    use std::time::Duration;

    fn accepted(chain: &str, root: &str, usage: webpki::KeyUsage, at: u64) -> bool {
        let certificates: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(chain.as_bytes()).map(Result::unwrap).collect();
        let root = CertificateDer::from_pem_slice(root.as_bytes()).unwrap();
        let anchor = webpki::anchor_from_trusted_cert(&root).unwrap();
        let leaf = webpki::EndEntityCert::try_from(&certificates[0]).unwrap();
        leaf.verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            &[anchor],
            &certificates[1..],
            UnixTime::since_unix_epoch(Duration::from_secs(at)),
            usage,
            None,
            None,
        )
        .is_ok()
    }

    #[test]
    fn certificates_are_for_their_use_and_time() {
        let now = 1_800_000_000;
        let root = Authority::root(now).unwrap();
        let made = root.intermediate(now).unwrap();
        // As it comes from its files.
        let intermediate = Authority::load(Level::Intermediate, made.certificate(), &made.key()).unwrap();
        let (key, point) = client_key().unwrap();
        assert_eq!(client_point(&key).unwrap(), point);
        let client = intermediate.client(&point, "web-1", now, now + DAY).unwrap();
        let check = |chain: &str, usage, at| accepted(chain, root.certificate(), usage, at);
        assert!(check(&client, webpki::KeyUsage::client_auth(), now));
        assert!(!check(&client, webpki::KeyUsage::server_auth(), now));
        assert!(!check(&client, webpki::KeyUsage::client_auth(), now + 2 * DAY));
        let server =
            intermediate.identity(&Use::Server(&["localhost".into(), "127.0.0.1".into()]), now, 9).unwrap();
        assert!(check(&server.chain, webpki::KeyUsage::server_auth(), now + 8 * DAY));
        let other = Authority::root(now).unwrap();
        assert!(!accepted(&client, other.certificate(), webpki::KeyUsage::client_auth(), now));
        assert!(matches!(intermediate.client(&point[1..], "x", now, now), Err(AuthorityError::Point)));
        assert!(Authority::load(Level::Root, other.certificate(), &root.key()).is_err());
        assert_eq!(fingerprint(root.certificate()).unwrap(), fingerprint_of(&root.key));
    }
}
