//! Replacing keys of an installation while everything runs: first both are good, then only the new one.
//!
//! | what | begins with | ends with |
//! |---|---|---|
//! | the key that signs peels or operators | [`Installation::rotate_issuer`] | [`Installation::retire_issuers`] |
//! | the certificate authority | [`Installation::rotate_root`], then [`Installation::reissue`] | [`Installation::retire_roots`] |
//! | the dispatch key | [`Installation::rotate_dispatch`] | nothing: peels know it by its certificate |
//!
//! Between beginning and end, users renew their credentials by themselves. Changes of the account come back as a token to be
//! [pushed](super::account::push).

use super::{
    authority::{Authority, AuthorityError, DAY, Use},
    init::{INFRASTRUCTURE_DAYS, signing_key},
    installation::Installation,
    issue::IssueError,
    jwt::{Account, Claims, JwtError, SigningKey},
    permission::Role,
    private::{self, FileError, Mode},
    signed::{self, Certificate, Purpose, SignatureError},
};
use nkeys::KeyPair;

/// The rotation of the key that signs peels.
pub const PEELS: &str = "peels";
/// The rotation of the authority.
pub const AUTHORITY: &str = "authority";

/// Why a rotation does not go on.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A token.
    #[error(transparent)]
    Jwt(#[from] JwtError),
    /// A certificate.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// Credentials.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// The certificate of the dispatch key.
    #[error(transparent)]
    Certify(#[from] SignatureError),
    /// A key that cannot be written down.
    #[error("a key has no seed: {0}")]
    Seed(nkeys::error::Error),
    /// Only keys that sign peels and operators are many users' trust.
    #[error("the key of the role `{0}` is not rotated this way; issue its credentials anew")]
    Role(&'static str),
    /// Something else is under way.
    #[error("a rotation of this is under way already; end it first")]
    UnderWay,
}

impl Installation {
    /// The account's token as it lies in the installation.
    pub fn account(&self) -> Result<Claims<Account>, RotateError> {
        Ok(Claims::decode(&private::read_public(&self.operator("account.jwt"))?)?)
    }

    /// Keeps the account's token, for servers that are set up later.
    pub fn store_account(&self, token: &str) -> Result<(), RotateError> {
        Ok(private::replace(&self.operator("account.jwt"), Mode::Public, token)?)
    }

    /// A new key signs peels or operators; the old one's users stay good. Gives the account's token, which has to be pushed before anybody
    /// uses the new key.
    pub fn rotate_issuer(&mut self, role: Role, now: u64) -> Result<String, RotateError> {
        let file = self.issuer_file(role)?;
        if self.issuers(role).len() > 1 {
            return Err(RotateError::UnderWay);
        }
        let key = KeyPair::new_account();
        let token = self.change_account(now, |account| {
            account.signing_keys.push(signing_key(role, &key.public_key()));
        })?;
        self.issuers_mut(role).insert(0, key.public_key());
        if role == Role::Peel {
            self.description.rotations.insert(PEELS.to_owned(), now);
        }
        self.store_description()?;
        private::replace(&file, Mode::Secret, &(key.seed().map_err(RotateError::Seed)? + "\n"))?;
        Ok(token)
    }

    /// Only the newest key signs peels or operators: whoever has not renewed is turned away. Gives the account's token.
    pub fn retire_issuers(&mut self, role: Role, now: u64) -> Result<String, RotateError> {
        self.issuer_file(role)?;
        let old = self.issuers(role).get(1..).unwrap_or_default().to_vec();
        let token = self.change_account(now, |account| {
            account.signing_keys.retain(|key: &SigningKey| !old.iter().any(|o| o == key.key()));
        })?;
        self.issuers_mut(role).truncate(1);
        if role == Role::Peel {
            self.description.rotations.remove(PEELS);
        }
        self.store_description()?;
        Ok(token)
    }

    /// A new root is trusted beside the old one. Its certificates are made by [`Installation::reissue`], when everybody has the new bundle.
    pub fn rotate_root(&mut self, now: u64) -> Result<(), RotateError> {
        if self.operator("next-root.pem").exists() {
            return Err(RotateError::UnderWay);
        }
        let next = Authority::root(now)?;
        private::create(&self.operator("next-root.key"), Mode::Secret, &next.key())?;
        private::create(&self.operator("next-root.pem"), Mode::Public, next.certificate())?;
        let old = private::read_public(&self.operator("root.pem"))?;
        self.store_roots(&format!("{}{old}", next.certificate()))?;
        self.description.rotations.insert(AUTHORITY.to_owned(), now);
        self.store_description()
    }

    /// Makes a new intermediate and all certificates of the installation anew, under the newest root.
    pub fn reissue(
        &mut self,
        nats_hosts: &[String],
        master_hosts: &[String],
        admin: &str,
        now: u64,
    ) -> Result<(), RotateError> {
        if self.operator("next-root.pem").exists() {
            for (next, current) in [("next-root.key", "root.key"), ("next-root.pem", "root.pem")] {
                let mode = if current == "root.key" { Mode::Secret } else { Mode::Public };
                let read = match mode {
                    Mode::Secret => private::read_secret(&self.operator(next))?,
                    Mode::Public => private::read_public(&self.operator(next))?,
                };
                private::replace(&self.operator(current), mode, &read)?;
            }
        }
        let intermediate = self.root_authority()?.intermediate(now)?;
        let master = self.master();
        private::replace(&master.join("intermediate.key"), Mode::Secret, intermediate.key())?;
        private::replace(&master.join("intermediate.pem"), Mode::Public, intermediate.certificate())?;
        let all = [
            (self.nats(), "server", Use::Node(nats_hosts)),
            (self.master(), "https", Use::Server(master_hosts)),
            (self.master(), "client", Use::Client("master")),
            (self.admin(), "client", Use::Client(admin)),
            (self.operator(""), "client", Use::Client("safe")),
        ];
        for (directory, name, purpose) in all {
            let made = intermediate.identity(&purpose, now, INFRASTRUCTURE_DAYS)?;
            private::replace(&directory.join(format!("{name}.key")), Mode::Secret, &made.key)?;
            private::replace(&directory.join(format!("{name}.pem")), Mode::Public, &made.chain)?;
        }
        if let Some(step) = self.description.rotations.get_mut(AUTHORITY) {
            *step = now;
        }
        self.store_description()
    }

    /// Only the newest root is trusted.
    pub fn retire_roots(&mut self) -> Result<(), RotateError> {
        let root = private::read_public(&self.operator("root.pem"))?;
        self.store_roots(&root)?;
        for name in ["next-root.pem", "next-root.key"] {
            let path = self.operator(name);
            match std::fs::remove_file(&path) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(FileError::Io { path, doing: "removed", source }.into());
                }
                _ => {}
            }
        }
        self.description.rotations.remove(AUTHORITY);
        self.store_description()
    }

    /// When all peels have renewed since the last step of a rotation, in Unix seconds, if their credentials are good for `good` seconds: before,
    /// the next step turns away whoever has not. `None` where nothing is under way.
    pub fn renewed_by(&self, rotation: &str, good: u64) -> Option<u64> {
        self.description.rotations.get(rotation).map(|step| step.saturating_add(good))
    }

    /// A new dispatch key with a certificate of the operator, good for the usual time.
    pub fn rotate_dispatch(&self, now: u64) -> Result<(), RotateError> {
        let key = KeyPair::new_service();
        let certificate = Certificate {
            v: 1,
            key: key.public_key(),
            purposes: vec![Purpose::Dispatch, Purpose::Tree],
            incarnation: self.description.anchor.incarnation.clone(),
            not_before_ms: now.saturating_sub(600).saturating_mul(1_000),
            expires_ms: now.saturating_add(INFRASTRUCTURE_DAYS * DAY).saturating_mul(1_000),
        };
        let certificate = signed::certify(&self.operator_key()?, &certificate)?;
        let master = self.master();
        // A master that starts in between finds a certificate of another key and says so.
        let seed = key.seed().map_err(RotateError::Seed)? + "\n";
        private::replace(&master.join("dispatch.seed"), Mode::Secret, &seed)?;
        let text = data_encoding::BASE64.encode(&certificate);
        Ok(private::replace(&master.join("dispatch.certificate"), Mode::Public, &text)?)
    }

    fn issuer_file(&self, role: Role) -> Result<std::path::PathBuf, RotateError> {
        match role {
            Role::Peel => Ok(self.master().join("peel-signing.seed")),
            Role::Admin => Ok(self.operator("admin-signing.seed")),
            other => Err(RotateError::Role(other.name())),
        }
    }

    fn issuers(&self, role: Role) -> &[String] {
        if role == Role::Peel { &self.description.peel_issuers } else { &self.description.admin_issuers }
    }

    fn issuers_mut(&mut self, role: Role) -> &mut Vec<String> {
        if role == Role::Peel {
            &mut self.description.peel_issuers
        } else {
            &mut self.description.admin_issuers
        }
    }

    fn change_account(&self, now: u64, edit: impl FnOnce(&mut Account)) -> Result<String, RotateError> {
        let mut claims = self.account()?;
        edit(&mut claims.nats);
        let when = now.max(claims.iat.saturating_add(1));
        let token = claims.sign(&self.operator_key()?, when)?;
        self.store_account(&token)?;
        Ok(token)
    }

    fn store_description(&self) -> Result<(), RotateError> {
        let text = serde_json::to_string_pretty(&self.description).map_err(JwtError::Claims)? + "\n";
        // The installation's own last: it says that the others are there.
        for directory in [self.operator(""), self.master(), self.admin(), self.root().to_owned()] {
            private::replace(&directory.join("installation.json"), Mode::Public, &text)?;
        }
        Ok(())
    }

    fn store_roots(&self, bundle: &str) -> Result<(), RotateError> {
        let enroll = self.root().join("enroll");
        for directory in [self.operator(""), self.nats(), self.master(), self.admin(), enroll] {
            private::replace(&directory.join("ca.pem"), Mode::Public, bundle)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        auth::{
            init::{InitOptions, init},
            installation::MasterKeys,
        },
        bus::id::AdminId,
    };

    const NOW: u64 = 1_800_000_000;

    fn made(root: &std::path::Path) -> Installation {
        init(root, &InitOptions::local(AdminId::new("alice").unwrap(), NOW)).unwrap()
    }

    fn keys(token: &str) -> Vec<String> {
        let account = Claims::<Account>::decode(token).unwrap();
        account.nats.signing_keys.iter().map(|k| k.key().to_owned()).collect()
    }

    #[test]
    fn both_keys_are_good_until_the_old_one_is_retired() {
        let directory = tempfile::tempdir().unwrap();
        let mut installation = made(directory.path());
        let old = installation.issuer(Role::Peel).unwrap().key.public_key();
        let overlap = keys(&installation.rotate_issuer(Role::Peel, NOW).unwrap());
        let new = MasterKeys::load(&installation.master()).unwrap().peels.key.public_key();
        assert_ne!(old, new);
        assert!(overlap.contains(&old) && overlap.contains(&new));
        assert!(matches!(installation.rotate_issuer(Role::Peel, NOW), Err(RotateError::UnderWay)));
        let after = keys(&installation.retire_issuers(Role::Peel, NOW).unwrap());
        assert!(!after.contains(&old) && after.contains(&new));
        assert_eq!(after.len(), overlap.len() - 1);
        let again = Installation::load(directory.path()).unwrap();
        assert_eq!(again.description.peel_issuers, [new]);
        assert_eq!(again.account().unwrap().iat, NOW + 2);
        assert!(matches!(installation.rotate_issuer(Role::Master, NOW), Err(RotateError::Role(_))));
    }

    #[test]
    fn a_new_root_is_trusted_before_it_is_used() {
        let directory = tempfile::tempdir().unwrap();
        let mut installation = made(directory.path());
        let bundle = |i: &Installation| private::read_public(&i.nats().join("ca.pem")).unwrap();
        let count = |text: &str| text.matches("BEGIN CERTIFICATE").count();
        let (old, server) =
            (bundle(&installation), private::read_public(&installation.nats().join("server.pem")));
        installation.rotate_root(NOW).unwrap();
        assert_eq!(installation.renewed_by(AUTHORITY, 60), Some(NOW + 60));
        assert_eq!(count(&bundle(&installation)), 2);
        assert!(bundle(&installation).contains(&old), "the old root stays trusted");
        assert_eq!(private::read_public(&installation.nats().join("server.pem")).unwrap(), server.unwrap());
        let hosts = ["localhost".to_owned()];
        installation.reissue(&hosts, &hosts, "alice", NOW + 60).unwrap();
        let read = Installation::load(installation.root()).unwrap();
        assert_eq!(read.renewed_by(AUTHORITY, 60), Some(NOW + 120));
        assert!(MasterKeys::load(&installation.master()).is_ok());
        installation.retire_roots().unwrap();
        assert_eq!(Installation::load(installation.root()).unwrap().renewed_by(AUTHORITY, 60), None);
        assert_eq!(count(&bundle(&installation)), 1);
        assert_ne!(bundle(&installation), old);
        assert_eq!(installation.root_authority().unwrap().certificate(), bundle(&installation));
        installation.rotate_root(NOW).unwrap();
    }

    #[test]
    fn a_new_dispatch_key_is_the_operators_word() {
        let directory = tempfile::tempdir().unwrap();
        let installation = made(directory.path());
        let before = MasterKeys::load(&installation.master()).unwrap().dispatch.public_key();
        installation.rotate_dispatch(NOW).unwrap();
        let keys = MasterKeys::load(&installation.master()).unwrap();
        assert_ne!(keys.dispatch.public_key(), before);
        let signed = signed::Signed::new(
            &keys.dispatch,
            &keys.dispatch_certificate,
            Purpose::Dispatch,
            &keys.description,
        );
        let anchor = &installation.description.anchor;
        let opened = signed.unwrap().open::<super::super::installation::Description>(
            anchor,
            Purpose::Dispatch,
            NOW * 1_000,
        );
        assert!(opened.is_ok());
    }
}
