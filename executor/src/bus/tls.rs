//! TLS 1.3 with certificates of our own authority, read from files at every connect so that renewed ones need no restart.
//!
//! The client is given paths and not a ready configuration: with one it reads the machine's trust store at every connect, and a missing file
//! behind `SSL_CERT_FILE` then keeps a peel away. TLS 1.2 is ruled out by the process-wide provider, which knows no suite of it.

use super::error::BusError;
use rustls::{
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::path::{Path, PathBuf};

/// The files of a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsFiles {
    /// Certificates of the authorities that may have signed the server's, as PEM. More than one while a rotation lasts.
    pub roots: PathBuf,
    /// The client's certificate with its chain, and its key, as PEM.
    pub identity: Option<(PathBuf, PathBuf)>,
}

impl TlsFiles {
    /// Reads them once, so that mistakes are found before the first connect and told with the file's name.
    pub(super) fn check(&self) -> Result<(), BusError> {
        certificates(&self.roots)?;
        if let Some((certificate, key)) = &self.identity {
            certificates(certificate)?;
            PrivateKeyDer::from_pem_file(key)
                .map_err(|e| BusError::Tls(format!("`{}` has no private key as PEM: {e}", key.display())))?;
        }
        Ok(())
    }
}

fn certificates(path: &Path) -> Result<(), BusError> {
    let said = |e: &dyn std::fmt::Display| {
        BusError::Tls(format!("`{}` has no certificates as PEM: {e}", path.display()))
    };
    let found = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| said(&e))?;
    if found.is_empty() { Err(said(&"it holds none")) } else { Ok(()) }
}

/// A provider on ring that knows TLS 1.3 only.
pub fn provider() -> CryptoProvider {
    let mut provider = ring::default_provider();
    provider.cipher_suites.retain(|suite| suite.version() == &rustls::version::TLS13);
    provider
}

/// Makes [`provider`] the process's own. Refuses if another was there before that would accept TLS 1.2.
pub fn install() -> Result<(), BusError> {
    // An error only says that one is installed already.
    let _ = provider().install_default();
    let narrow = CryptoProvider::get_default()
        .is_some_and(|p| p.cipher_suites.iter().all(|s| s.version() == &rustls::version::TLS13));
    if narrow {
        Ok(())
    } else {
        Err(BusError::Tls(
            "this process has set up TLS with versions before 1.3; nothing may do so before the bus".into(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_without_older_versions() {
        install().unwrap();
        assert!(!provider().cipher_suites.is_empty());
        assert!(provider().cipher_suites.iter().all(|s| s.version() == &rustls::version::TLS13));
    }

    #[test]
    fn wrong_files_are_named() {
        let directory = tempfile::tempdir().unwrap();
        let empty = directory.path().join("ca.pem");
        std::fs::write(&empty, "").unwrap();
        let said = TlsFiles { roots: empty.clone(), identity: None }.check().unwrap_err().to_string();
        assert!(said.contains("ca.pem") && said.contains("it holds none"), "{said}");
        let missing = directory.path().join("none.pem");
        assert!(TlsFiles { roots: missing, identity: None }.check().is_err());
    }
}
