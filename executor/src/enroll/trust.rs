//! Why a machine believes that it talks to a master: a pin that it was given, an authority that it has seen before, or, where neither is
//! there, what it sees first.

use super::message::Trust;
use crate::auth::authority::fingerprint_der;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use std::sync::{Arc, Mutex, PoisonError};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

/// What the machine goes by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ground {
    /// The pin of the authority: `sha256:` and 64 hexadecimal digits.
    Pin(String),
    /// Roots, as PEM: given by somebody, or recorded at an earlier time.
    Roots(String, Trust),
    /// Nothing: the first authority is believed, and its pin has to be compared by a person.
    FirstUse,
}

/// The authority that a master showed and that was accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Its pin.
    pub pin: String,
    /// Why it was accepted.
    pub trust: Trust,
    /// Its certificate.
    pub root: CertificateDer<'static>,
}

/// Checks a text as a pin; gives it in one form.
pub fn read_pin(text: &str) -> Result<String, String> {
    let pin = text.trim().to_ascii_lowercase();
    match pin.strip_prefix("sha256:") {
        Some(digits) if digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit()) => Ok(pin),
        _ => Err(format!(
            "`{}` is not a pin: it is `sha256:` and 64 hexadecimal digits, as `zester init` shows it",
            text.chars().take(80).collect::<String>()
        )),
    }
}

/// Verifies a master's certificate on some ground, and notes the authority.
#[derive(Debug)]
pub struct Verifier {
    ground: Ground,
    seen: Mutex<Option<Seen>>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    /// On this ground.
    pub fn new(ground: Ground) -> Self {
        Self { ground, seen: Mutex::default(), provider: Arc::new(crate::bus::tls::provider()) }
    }

    /// The authority of the last connection.
    pub fn seen(&self) -> Option<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Roots that may be believed, with the reason, in the order of trying.
    fn candidates(
        &self,
        chain: &[CertificateDer<'_>],
    ) -> Result<Vec<(CertificateDer<'static>, Trust)>, Error> {
        let shown = || chain.iter().rev().map(|c| c.clone().into_owned());
        Ok(match &self.ground {
            Ground::Pin(pin) => shown()
                .filter(|c| fingerprint_der(c).is_ok_and(|p| p == *pin))
                .map(|c| (c, Trust::Pinned))
                .collect(),
            Ground::Roots(pem, trust) => CertificateDer::pem_slice_iter(pem.as_bytes())
                .map(|c| c.map(|c| (c, *trust)).map_err(|e| Error::General(e.to_string())))
                .collect::<Result<_, _>>()?,
            // The root comes last.
            Ground::FirstUse => shown().map(|c| (c, Trust::FirstUse)).collect(),
        })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let leaf = EndEntityCert::try_from(end_entity)
            .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
        leaf.verify_is_valid_for_subject_name(server_name)
            .map_err(|_| Error::InvalidCertificate(CertificateError::NotValidForName))?;
        let mut why = CertificateError::UnknownIssuer;
        for (root, trust) in self.candidates(intermediates)? {
            let Ok(anchor) = anchor_from_trusted_cert(&root) else { continue };
            let anchors = [anchor];
            let verified = leaf.verify_for_usage(
                self.provider.signature_verification_algorithms.all,
                &anchors,
                intermediates,
                now,
                KeyUsage::server_auth(),
                None,
                None,
            );
            match verified {
                Ok(_) => {
                    let pin = fingerprint_der(&root).map_err(|e| Error::General(e.to_string()))?;
                    let seen = Seen { pin, trust, root };
                    *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
                    return Ok(ServerCertVerified::assertion());
                }
                Err(webpki::Error::CertExpired { .. }) => why = CertificateError::Expired,
                Err(webpki::Error::CertNotValidYet { .. }) => why = CertificateError::NotValidYet,
                Err(_) => {}
            }
        }
        Err(Error::InvalidCertificate(why))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::authority::{Authority, Use, fingerprint};

    const NOW: u64 = 1_800_000_000;

    struct Shown {
        root: String,
        pin: String,
        chain: Vec<CertificateDer<'static>>,
    }

    fn master() -> Shown {
        let root = Authority::root(NOW).unwrap();
        let names = ["localhost".to_owned()];
        let made = root.intermediate(NOW).unwrap().identity(&Use::Server(&names), NOW, 1).unwrap();
        let all = format!("{}{}", made.chain, root.certificate());
        let chain = CertificateDer::pem_slice_iter(all.as_bytes()).map(Result::unwrap).collect();
        Shown { root: root.certificate().to_owned(), pin: fingerprint(root.certificate()).unwrap(), chain }
    }

    fn verify(shown: &Shown, ground: Ground, name: &'static str, at: u64) -> Result<Seen, Error> {
        let verifier = Verifier::new(ground);
        let (name, at) = (
            ServerName::try_from(name).unwrap(),
            UnixTime::since_unix_epoch(std::time::Duration::from_secs(at)),
        );
        verifier.verify_server_cert(&shown.chain[0], &shown.chain[1..], &name, &[], at)?;
        Ok(verifier.seen().unwrap())
    }

    #[test]
    fn grounds_for_trust() {
        let (ours, other) = (master(), master());
        let pinned = verify(&ours, Ground::Pin(ours.pin.clone()), "localhost", NOW).unwrap();
        assert_eq!((pinned.pin, pinned.trust), (ours.pin.clone(), Trust::Pinned));
        assert!(verify(&other, Ground::Pin(ours.pin.clone()), "localhost", NOW).is_err());
        let recorded = Ground::Roots(ours.root.clone(), Trust::Recorded);
        assert_eq!(verify(&ours, recorded.clone(), "localhost", NOW).unwrap().trust, Trust::Recorded);
        assert!(verify(&other, recorded, "localhost", NOW).is_err());
        let first = verify(&ours, Ground::FirstUse, "localhost", NOW).unwrap();
        assert_eq!(
            (first.pin, first.trust),
            (ours.pin.clone(), Trust::FirstUse),
            "the root, not the intermediate"
        );
        assert!(verify(&ours, Ground::FirstUse, "other", NOW).is_err());
        assert!(verify(&ours, Ground::Pin(ours.pin.clone()), "localhost", NOW + 200_000).is_err());
    }

    /// Somebody shows the pinned root beside a chain of his own.
    #[test]
    fn a_pinned_root_that_has_not_signed_is_worth_nothing() {
        let (ours, mut other) = (master(), master());
        other.chain.push(ours.chain.last().unwrap().clone());
        assert!(verify(&other, Ground::Pin(ours.pin.clone()), "localhost", NOW).is_err());
    }

    #[test]
    fn pins_have_one_form() {
        let pin = format!("sha256:{}", "aB".repeat(32));
        assert_eq!(read_pin(&format!(" {pin}\n")).unwrap(), pin.to_lowercase());
        for wrong in ["", "sha256:", "sha256:zz", &"a".repeat(64)] {
            assert!(read_pin(wrong).is_err());
        }
    }
}
