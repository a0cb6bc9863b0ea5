//! An installation on disk: what `zester init` made, in a directory for each kind of machine.
//!
//! | directory | goes to | holds |
//! |---|---|---|
//! | `operator/` | nowhere: it belongs into a safe | seeds of operator, accounts and roles, the root's key, `system.creds`, `provisioner.creds` |
//! | `nats/` | servers | `nats-server.conf`, certificate and key |
//! | `master/` | masters | both credentials, the keys a master signs and seals with, the intermediate authority |
//! | `admin/` | an operator's machine | `admin.creds`, certificate and key |
//! | `enroll/` | new machines, where the network asks for it | `enroll.creds` |

use super::{
    authority::{Authority, Level},
    creds,
    issue::Issuer,
    jwt::{Claims, User},
    permission::Role,
    private::{self, FileError},
    server_config::Tokens,
    signed::Anchor,
};
use crate::bus::{Credentials, tls::TlsFiles};
use nkeys::{KeyPair, XKey};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// What everybody may know of an installation: `installation.json`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Description {
    /// 1
    pub v: u8,
    /// Its name.
    pub name: String,
    /// The fleet's account.
    pub account: String,
    /// The system account.
    pub system_account: String,
    /// Keys that sign peels: more than one while a rotation lasts, the newest first.
    pub peel_issuers: Vec<String>,
    /// Keys that sign operators, likewise.
    pub admin_issuers: Vec<String>,
    /// The public key of sealed secrets' sender (`X…`).
    pub sealer: String,
    /// Where NATS is: `tls://host:port`.
    pub nats: Vec<String>,
    /// Where masters answer enrollments: `https://host:port`.
    pub masters: Vec<String>,
    /// What peels trust.
    pub anchor: Anchor,
    /// When the last step of a rotation that is under way was made, in Unix seconds: `peels`, `authority`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rotations: BTreeMap<String, u64>,
}

/// A directory that [`init`](super::init) made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Installation {
    root: PathBuf,
    /// What everybody may know.
    pub description: Description,
}

impl Installation {
    /// Reads the description; keys are read when they are asked for.
    pub fn load(root: &Path) -> Result<Self, FileError> {
        let description = description(&root.join("installation.json"))?;
        Ok(Self { root: root.to_owned(), description })
    }

    /// Its directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A file of the safe.
    pub fn operator(&self, name: &str) -> PathBuf {
        self.root.join("operator").join(name)
    }

    /// The directory for servers.
    pub fn nats(&self) -> PathBuf {
        self.root.join("nats")
    }

    /// The directory for masters; [`MasterKeys::load`] reads it.
    pub fn master(&self) -> PathBuf {
        self.root.join("master")
    }

    /// The directory for operators; [`Access::load`] reads it.
    pub fn admin(&self) -> PathBuf {
        self.root.join("admin")
    }

    /// The key that signs accounts.
    pub fn operator_key(&self) -> Result<KeyPair, FileError> {
        seed(&self.operator("operator-signing.seed"))
    }

    /// The issuer of a role.
    pub fn issuer(&self, role: Role) -> Result<Issuer, FileError> {
        let account = match role {
            Role::System => self.description.system_account.clone(),
            _ => self.description.account.clone(),
        };
        let path = match role {
            Role::Peel => self.master().join("peel-signing.seed"),
            Role::Master | Role::Dispatcher => self.operator("master-signing.seed"),
            other => self.operator(&format!("{}-signing.seed", other.name())),
        };
        Ok(Issuer { key: seed(&path)?, account, role })
    }

    /// The root authority.
    pub fn root_authority(&self) -> Result<Authority, FileError> {
        authority(Level::Root, &self.operator("root.pem"), &self.operator("root.key"))
    }

    /// The access of a user whose credentials are in the safe: `system` or `provisioner`.
    pub fn safe_access(&self, role: Role) -> Result<Access, FileError> {
        let directory = self.root.join("operator");
        Access::of(&directory, &format!("{}.creds", role.name()), role, &self.description)
    }

    /// The tokens that servers start with.
    pub fn tokens(&self) -> Result<Tokens, FileError> {
        let token = |name: &str| private::read_public(&self.operator(name)).map(|t| t.trim().to_owned());
        Ok(Tokens {
            operator: token("operator.jwt")?,
            system: (self.description.system_account.clone(), token("system.jwt")?),
            account: (self.description.account.clone(), token("account.jwt")?),
        })
    }
}

/// What it takes to connect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Access {
    /// Token and seed.
    pub credentials: Credentials,
    /// The token's claims, not verified against an issuer: that is for the server to do.
    pub claims: Claims<User>,
    /// The owner of its inbox: the connection's name.
    pub who: String,
    /// Certificates.
    pub tls: TlsFiles,
    /// Servers.
    pub nats: Vec<String>,
}

impl Access {
    /// Reads an operator's directory: `admin.creds`, `client.pem`, `client.key`, `ca.pem`, `installation.json`.
    pub fn load(directory: &Path) -> Result<Self, FileError> {
        let description = description(&directory.join("installation.json"))?;
        Self::of(directory, "admin.creds", Role::Admin, &description)
    }

    fn of(directory: &Path, file: &str, role: Role, of: &Description) -> Result<Self, FileError> {
        let (credentials, claims) = creds::load(&directory.join(file))?;
        Ok(Self {
            who: role.who(&claims.name),
            credentials,
            claims,
            tls: tls_files(directory)?,
            nats: of.nats.clone(),
        })
    }

    /// Options for a connection.
    pub fn bus_options(&self) -> crate::bus::BusOptions {
        crate::bus::BusOptions {
            credentials: Some(self.credentials.clone()),
            tls: Some(self.tls.clone()),
            ..crate::bus::BusOptions::new(self.nats.clone(), self.who.clone())
        }
    }
}

/// The files of a connection in a directory; the key must be its owner's alone.
fn tls_files(directory: &Path) -> Result<TlsFiles, FileError> {
    let key = directory.join("client.key");
    private::read_secret(&key)?;
    Ok(TlsFiles { roots: directory.join("ca.pem"), identity: Some((directory.join("client.pem"), key)) })
}

/// A master's directory, read.
#[derive(Debug)]
pub struct MasterKeys {
    /// What everybody may know.
    pub description: Description,
    /// The connection that answers requests.
    pub responder: Access,
    /// The connection that sends commands.
    pub dispatcher: Access,
    /// Signs peels.
    pub peels: Issuer,
    /// Signs commands and trees.
    pub dispatch: KeyPair,
    /// The operator's word for [`MasterKeys::dispatch`], to be put beside its signatures.
    pub dispatch_certificate: Vec<u8>,
    /// Seals secrets.
    pub sealer: XKey,
    /// Signs certificates of clients, and of the master's own HTTPS server.
    pub authority: Authority,
    /// The roots that peers trust, as PEM.
    pub roots: String,
}

impl MasterKeys {
    /// Reads `master/`. Refuses files with secrets that others may read.
    pub fn load(directory: &Path) -> Result<Self, FileError> {
        let file = |name: &str| directory.join(name);
        let description = description(&file("installation.json"))?;
        let certificate = file("dispatch.certificate");
        let dispatch_certificate = data_encoding::BASE64
            .decode(private::read_public(&certificate)?.trim().as_bytes())
            .map_err(|e| FileError::content(&certificate, e))?;
        let sealer = file("seal.seed");
        let keys = Self {
            responder: Access::of(directory, "master.creds", Role::Master, &description)?,
            dispatcher: Access::of(directory, "dispatcher.creds", Role::Dispatcher, &description)?,
            peels: Issuer {
                key: seed(&file("peel-signing.seed"))?,
                account: description.account.clone(),
                role: Role::Peel,
            },
            dispatch: seed(&file("dispatch.seed"))?,
            dispatch_certificate,
            sealer: XKey::from_seed(private::read_secret(&sealer)?.trim())
                .map_err(|e| FileError::content(&sealer, e))?,
            authority: authority(Level::Intermediate, &file("intermediate.pem"), &file("intermediate.key"))?,
            roots: private::read_public(&file("ca.pem"))?,
            description,
        };
        if !keys.description.peel_issuers.contains(&keys.peels.key.public_key()) {
            return Err(FileError::content(
                &file("peel-signing.seed"),
                "`installation.json` does not name this key among those that sign peels",
            ));
        }
        Ok(keys)
    }
}

/// Reads `installation.json`.
pub fn description(path: &Path) -> Result<Description, FileError> {
    let read: Description =
        serde_json::from_str(&private::read_public(path)?).map_err(|e| FileError::content(path, e))?;
    match read.v {
        1 => Ok(read),
        other => {
            Err(FileError::content(path, format!("it has version {other}; this program knows version 1")))
        }
    }
}

/// Reads a seed.
pub fn seed(path: &Path) -> Result<KeyPair, FileError> {
    KeyPair::from_seed(private::read_secret(path)?.trim()).map_err(|e| FileError::content(path, e))
}

fn authority(level: Level, certificate: &Path, key: &Path) -> Result<Authority, FileError> {
    Authority::load(level, &private::read_public(certificate)?, &private::read_secret(key)?)
        .map_err(|e| FileError::content(certificate, e))
}
