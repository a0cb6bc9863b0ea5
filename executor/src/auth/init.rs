//! `zester init`: a new installation, made without a network. All keys are made here and go nowhere but into its files.

use super::{
    authority::{Authority, AuthorityError, DAY, Identity, Use},
    creds,
    installation::{Description, Installation},
    issue::{IssueError, Issuer, Subject},
    jwt::{Account, Claims, JwtError, Operator, Scope, SigningKey},
    permission::Role,
    private::{self, FileError, Mode},
    server_config::{Cluster, ServerConfig, Tokens},
    signed::{self, Anchor, Certificate, Purpose, SignatureError},
};
use crate::bus::id::{AdminId, IdError, MasterId};
use nkeys::{KeyPair, XKey};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// What an installation is made for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InitOptions {
    /// Its name.
    pub name: String,
    /// The first operator.
    pub admin: AdminId,
    /// Host names and addresses of the NATS servers.
    pub nats_hosts: Vec<String>,
    /// Their port for clients.
    pub nats_port: u16,
    /// Their port for monitoring, on loopback.
    pub monitor_port: Option<u16>,
    /// The servers of a cluster, which replicate; none where one server is all there is. Their hosts must be among `nats_hosts`.
    pub nats_nodes: Vec<NatsNode>,
    /// Host names and addresses of the masters.
    pub master_hosts: Vec<String>,
    /// Their port for enrollment.
    pub master_port: u16,
    /// Where the servers will find `nats/`; where it is made, if nothing is said.
    pub nats_directory: Option<PathBuf>,
    /// Where the servers will keep their data; `data` beside their configuration, if nothing is said.
    pub nats_store: Option<PathBuf>,
    /// Now, in seconds of Unix time.
    pub now: u64,
}

/// A server of a cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NatsNode {
    /// Its name in the cluster, and of its configuration.
    pub name: String,
    /// Host name or address.
    pub host: String,
    /// Its port for clients.
    pub port: u16,
    /// Its port for the other servers.
    pub cluster_port: u16,
}

impl NatsNode {
    fn at(&self, port: u16) -> String {
        if self.host.contains(':') {
            format!("[{}]:{port}", self.host)
        } else {
            format!("{}:{port}", self.host)
        }
    }
}

impl InitOptions {
    /// Everything on this machine.
    pub fn local(admin: AdminId, now: u64) -> Self {
        let hosts = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        Self {
            name: "zester".to_owned(),
            admin,
            nats_hosts: hosts.clone(),
            nats_port: 4222,
            monitor_port: Some(8222),
            nats_nodes: Vec::new(),
            master_hosts: hosts,
            master_port: 8443,
            nats_directory: None,
            nats_store: None,
            now,
        }
    }
}

/// Days that credentials and certificates last. Peels' are much shorter and renewed by themselves.
pub(super) const INFRASTRUCTURE_DAYS: u64 = 397;
/// Hours that the shared credentials of new machines last.
const ENROLL_HOURS: u64 = 24;

/// Why no installation was made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// There is something in the directory.
    #[error(
        "`{0}` is not empty; an installation's keys cannot be made twice, so nothing is written over: name a new directory"
    )]
    NotEmpty(PathBuf),
    /// Neither host names nor addresses.
    #[error("no host name of {0} is given; certificates need at least one")]
    NoHost(&'static str),
    /// A file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A token could not be signed.
    #[error(transparent)]
    Jwt(#[from] JwtError),
    /// Credentials could not be issued.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// A certificate could not be made.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The dispatch key could not be certified.
    #[error(transparent)]
    Certify(#[from] SignatureError),
    /// A name is outside the grammar.
    #[error(transparent)]
    Name(#[from] IdError),
    /// A key could not be written down.
    #[error("a key has no seed: {0}")]
    Seed(nkeys::error::Error),
}

/// Makes an installation in `root`, which must be new or empty.
pub fn init(root: &Path, options: &InitOptions) -> Result<Installation, InitError> {
    for (hosts, of) in [(&options.nats_hosts, "the NATS servers"), (&options.master_hosts, "the masters")] {
        if hosts.is_empty() {
            return Err(InitError::NoHost(of));
        }
    }
    claim(root)?;
    let root = &fs::canonicalize(root).map_err(|source| FileError::Io {
        path: root.to_owned(),
        doing: "made",
        source,
    })?;
    let keys = Keys::new();
    let tokens = keys.tokens(options)?;
    let authority = Authority::root(options.now)?;
    let intermediate = authority.intermediate(options.now)?;
    let description = keys.description(options);
    let anchor = &description.anchor;

    let files = Files { root, description: &description, roots: authority.certificate() };
    for directory in ["operator", "nats", "master", "admin", "enroll"] {
        private::make_directory(&root.join(directory))?;
    }
    let until = options.now.saturating_add(INFRASTRUCTURE_DAYS * DAY);
    let client = |name: &str| {
        intermediate.identity(&Use::Client(name), options.now, INFRASTRUCTURE_DAYS).map_err(InitError::from)
    };

    // The safe.
    files.seed("operator/operator.seed", &keys.operator)?;
    files.seed("operator/operator-signing.seed", &keys.operator_signing)?;
    files.seed("operator/account.seed", &keys.account)?;
    files.seed("operator/system.seed", &keys.system)?;
    files.seed("operator/system-signing.seed", &keys.system_signing)?;
    files.public("operator/operator.jwt", &tokens.operator)?;
    files.public("operator/account.jwt", &tokens.account.1)?;
    files.public("operator/system.jwt", &tokens.system.1)?;
    for (role, key) in &keys.roles {
        if *role != Role::Peel {
            files.seed(&format!("operator/{}-signing.seed", role.name()), key)?;
        }
    }
    files.public("operator/root.pem", authority.certificate())?;
    files.secret("operator/root.key", &authority.key())?;
    for role in [Role::System, Role::Provisioner] {
        let issuer = keys.issuer(role);
        let made = issuer.credentials(|key| Subject::role(role, key), options.now, Some(until))?;
        files.secret(&format!("operator/{}.creds", role.name()), &creds::format(&made))?;
    }
    files.client("operator", &client("safe")?)?;

    // Servers.
    let server = intermediate.identity(&Use::Node(&options.nats_hosts), options.now, INFRASTRUCTURE_DAYS)?;
    files.public("nats/server.pem", &server.chain)?;
    files.secret("nats/server.key", &server.key)?;
    files.public("nats/ca.pem", files.roots)?;
    let directory = options.nats_directory.clone().unwrap_or_else(|| root.join("nats"));
    let store = options.nats_store.clone().unwrap_or_else(|| directory.join("data"));
    let mut config = ServerConfig::new(&directory, &store, options.nats_port);
    config.monitor = options.monitor_port.map(|port| format!("127.0.0.1:{port}"));
    if options.nats_hosts.iter().all(|host| matches!(host.as_str(), "localhost" | "127.0.0.1")) {
        // An installation for one machine is nobody else's to reach.
        config.listen = format!("127.0.0.1:{}", options.nats_port);
    }
    if options.nats_nodes.is_empty() {
        files.public("nats/nats-server.conf", &config.render(&tokens))?;
    }
    for node in &options.nats_nodes {
        let others = options.nats_nodes.iter().filter(|n| n.name != node.name);
        let is_local = matches!(node.host.as_str(), "localhost" | "127.0.0.1");
        let listen = |port: u16| if is_local { node.at(port) } else { format!("0.0.0.0:{port}") };
        let config = ServerConfig {
            name: node.name.clone(),
            listen: listen(node.port),
            // Servers that share a machine do not share its files.
            store: if is_local { store.join(&node.name) } else { store.clone() },
            cluster: Some(Cluster {
                name: options.name.clone(),
                listen: listen(node.cluster_port),
                routes: others.map(|n| n.at(n.cluster_port)).collect(),
            }),
            ..config.clone()
        };
        files.public(&format!("nats/{}.conf", node.name), &config.render(&tokens))?;
    }

    // Masters.
    let master = MasterId::new("master")?;
    for role in [Role::Master, Role::Dispatcher] {
        let issuer = keys.issuer(role);
        let made = issuer.credentials(|key| Subject::master(&master, key), options.now, Some(until))?;
        files.secret(&format!("master/{}.creds", role.name()), &creds::format(&made))?;
    }
    files.seed("master/peel-signing.seed", keys.role(Role::Peel))?;
    files.seed("master/dispatch.seed", &keys.dispatch)?;
    let certificate = signed::certify(
        &keys.operator_signing,
        &Certificate {
            v: 1,
            key: keys.dispatch.public_key(),
            purposes: vec![Purpose::Dispatch, Purpose::Tree],
            incarnation: anchor.incarnation.clone(),
            not_before_ms: options.now.saturating_sub(600).saturating_mul(1_000),
            expires_ms: until.saturating_mul(1_000),
        },
    )?;
    files.public("master/dispatch.certificate", &data_encoding::BASE64.encode(&certificate))?;
    files.secret("master/seal.seed", &keys.sealer.seed().map_err(InitError::Seed)?)?;
    files.public("master/intermediate.pem", intermediate.certificate())?;
    files.secret("master/intermediate.key", &intermediate.key())?;
    let https =
        intermediate.identity(&Use::Server(&options.master_hosts), options.now, INFRASTRUCTURE_DAYS)?;
    files.public("master/https.pem", &https.chain)?;
    files.secret("master/https.key", &https.key)?;
    files.client("master", &client("master")?)?;

    // Operators and new machines.
    let issuer = keys.issuer(Role::Admin);
    let made = issuer.credentials(|key| Subject::admin(&options.admin, key), options.now, Some(until))?;
    files.secret("admin/admin.creds", &creds::format(&made))?;
    files.client("admin", &client(options.admin.as_str())?)?;
    let issuer = keys.issuer(Role::Enroll);
    let soon = options.now.saturating_add(ENROLL_HOURS * 3_600);
    let made = issuer.credentials(|key| Subject::role(Role::Enroll, key), options.now, Some(soon))?;
    files.secret("enroll/enroll.creds", &creds::format(&made))?;
    files.public("enroll/ca.pem", files.roots)?;

    files.public("anchor.json", &json(anchor)?)?;
    // Last: a directory with it is whole.
    files.public("installation.json", &json(&description)?)?;
    Ok(Installation::load(root)?)
}

/// Makes the directory, or takes an empty one.
fn claim(root: &Path) -> Result<(), InitError> {
    match fs::read_dir(root) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(InitError::NotEmpty(root.to_owned())),
        },
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(private::make_directory(root)?),
        Err(source) => Err(FileError::Io { path: root.to_owned(), doing: "read", source }.into()),
    }
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, InitError> {
    serde_json::to_string_pretty(value).map(|text| text + "\n").map_err(|e| JwtError::Claims(e).into())
}

struct Keys {
    operator: KeyPair,
    operator_signing: KeyPair,
    system: KeyPair,
    system_signing: KeyPair,
    account: KeyPair,
    roles: Vec<(Role, KeyPair)>,
    dispatch: KeyPair,
    sealer: XKey,
}

impl Keys {
    fn new() -> Self {
        let roles = [Role::Peel, Role::Master, Role::Admin, Role::Provisioner, Role::Enroll];
        Self {
            operator: KeyPair::new_operator(),
            operator_signing: KeyPair::new_operator(),
            system: KeyPair::new_account(),
            system_signing: KeyPair::new_account(),
            account: KeyPair::new_account(),
            roles: roles.into_iter().map(|role| (role, KeyPair::new_account())).collect(),
            dispatch: KeyPair::new_service(),
            sealer: XKey::new(),
        }
    }

    /// The signing key of a role; both connections of a master share one.
    fn role(&self, role: Role) -> &KeyPair {
        let role = if role == Role::Dispatcher { Role::Master } else { role };
        self.roles.iter().find(|(r, _)| *r == role).map_or(&self.system_signing, |(_, key)| key)
    }

    fn issuer(&self, role: Role) -> Issuer {
        let account = if role == Role::System { &self.system } else { &self.account };
        Issuer { key: self.role(role).clone(), account: account.public_key(), role }
    }

    fn tokens(&self, options: &InitOptions) -> Result<Tokens, InitError> {
        let operator = Operator {
            signing_keys: vec![self.operator_signing.public_key()],
            system_account: Some(self.system.public_key()),
            // Accounts are signed by operator's signing keys and users by accounts': the first keys stay in the safe.
            strict_signing_key_usage: true,
        };
        let storage = [
            ("mem_storage", -1),
            ("disk_storage", -1),
            ("streams", -1),
            ("consumer", -1),
            ("max_ack_pending", -1),
            ("mem_max_stream_bytes", -1),
            ("disk_max_stream_bytes", -1),
        ];
        let mut account = Account::new(&storage);
        account.signing_keys =
            self.roles.iter().map(|(role, key)| signing_key(*role, &key.public_key())).collect();
        let mut system = Account::new(&[]);
        system.signing_keys = vec![signing_key(Role::System, &self.system_signing.public_key())];
        let signed = |key: &KeyPair, name: &str, account: Account| {
            Claims::new(key.public_key(), name, account).sign(&self.operator_signing, options.now)
        };
        Ok(Tokens {
            operator: Claims::new(self.operator.public_key(), &*options.name, operator)
                .sign(&self.operator, options.now)?,
            system: (self.system.public_key(), signed(&self.system, "SYS", system)?),
            account: (self.account.public_key(), signed(&self.account, "ZESTER", account)?),
        })
    }

    fn description(&self, options: &InitOptions) -> Description {
        let urls = |scheme: &str, hosts: &[String], port: u16| {
            let one = |host: &String| {
                if host.contains(':') {
                    format!("{scheme}://[{host}]:{port}")
                } else {
                    format!("{scheme}://{host}:{port}")
                }
            };
            hosts.iter().map(one).collect()
        };
        Description {
            v: 1,
            name: options.name.clone(),
            account: self.account.public_key(),
            system_account: self.system.public_key(),
            peel_issuers: vec![self.role(Role::Peel).public_key()],
            admin_issuers: vec![self.role(Role::Admin).public_key()],
            sealer: self.sealer.public_key(),
            nats: if options.nats_nodes.is_empty() {
                urls("tls", &options.nats_hosts, options.nats_port)
            } else {
                options.nats_nodes.iter().map(|n| format!("tls://{}", n.at(n.port))).collect()
            },
            masters: urls("https", &options.master_hosts, options.master_port),
            anchor: Anchor {
                operators: vec![self.operator_signing.public_key()],
                incarnation: ulid::Ulid::r#gen().to_string(),
            },
            rotations: BTreeMap::new(),
        }
    }
}

/// A key as the account's token names it: bound to its role, unless the role has queue permissions.
pub(super) fn signing_key(role: Role, key: &str) -> SigningKey {
    if role.is_scoped() {
        SigningKey::Scoped(Scope {
            kind: "user_scope".to_owned(),
            key: key.to_owned(),
            role: role.name().to_owned(),
            template: role.template(),
        })
    } else {
        SigningKey::Plain(key.to_owned())
    }
}

struct Files<'a> {
    root: &'a Path,
    description: &'a Description,
    roots: &'a str,
}

impl Files<'_> {
    fn secret(&self, name: &str, content: &str) -> Result<(), FileError> {
        private::create(&self.root.join(name), Mode::Secret, content)
    }

    fn public(&self, name: &str, content: &str) -> Result<(), FileError> {
        private::create(&self.root.join(name), Mode::Public, content)
    }

    fn seed(&self, name: &str, key: &KeyPair) -> Result<(), InitError> {
        Ok(self.secret(name, &(key.seed().map_err(InitError::Seed)? + "\n"))?)
    }

    /// What a client of NATS needs in its directory besides credentials.
    fn client(&self, directory: &str, identity: &Identity) -> Result<(), InitError> {
        self.public(&format!("{directory}/client.pem"), &identity.chain)?;
        self.secret(&format!("{directory}/client.key"), &identity.key)?;
        self.public(&format!("{directory}/ca.pem"), self.roots)?;
        Ok(self.public(&format!("{directory}/installation.json"), &json(self.description)?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{
        installation::{Access, MasterKeys},
        jwt::User,
    };
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    fn made(root: &Path) -> Installation {
        init(root, &InitOptions::local(AdminId::new("alice").unwrap(), 1_800_000_000)).unwrap()
    }

    fn files(root: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(root).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { files(&path, found) } else { found.push(path) }
        }
    }

    #[test]
    fn an_installation_is_read_as_it_was_made() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("new");
        let installation = made(&root);
        let keys = MasterKeys::load(&installation.master()).unwrap();
        assert_eq!(keys.responder.who, "_master.master");
        assert_eq!(keys.dispatcher.who, "_dispatcher.master");
        assert_eq!(keys.sealer.public_key(), installation.description.sealer);
        let access = Access::load(&installation.admin()).unwrap();
        assert_eq!((access.who.as_str(), access.claims.name.as_str()), ("_admin.alice", "alice"));
        assert!(installation.description.admin_issuers.contains(&access.claims.iss));
        let opened =
            signed::Signed::new(&keys.dispatch, &keys.dispatch_certificate, Purpose::Tree, &keys.description)
                .unwrap()
                .open::<Description>(&installation.description.anchor, Purpose::Tree, 1_800_000_000_000);
        assert_eq!(opened.unwrap(), installation.description);
        for role in Role::ALL {
            assert!(installation.issuer(role).is_ok(), "{role:?}");
        }
        assert!(installation.safe_access(Role::System).is_ok() && installation.root_authority().is_ok());
    }

    #[test]
    fn secrets_are_their_owners_alone_and_only_where_they_belong() {
        let directory = tempfile::tempdir().unwrap();
        let installation = made(directory.path());
        let mut found = Vec::new();
        files(directory.path(), &mut found);
        for path in found {
            let text = fs::read_to_string(&path).unwrap();
            let secret = text.contains("PRIVATE KEY")
                || text.split_whitespace().any(|w| w.len() == 58 && w.starts_with('S'));
            let mode = fs::metadata(&path).unwrap().mode() & 0o777;
            assert_eq!(mode, if secret { 0o600 } else { 0o644 }, "{}", path.display());
        }
        // The keys of operator, account and root are in the safe only.
        for name in ["operator.seed", "account.seed", "root.key"] {
            let secret = fs::read_to_string(installation.operator(name)).unwrap();
            let mut found = Vec::new();
            files(directory.path(), &mut found);
            let holders =
                found.iter().filter(|p| fs::read_to_string(p).unwrap().contains(secret.trim())).count();
            assert_eq!(holders, 1, "{name}");
        }
        let seed = installation.master().join("dispatch.seed");
        fs::set_permissions(&seed, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(MasterKeys::load(&installation.master()), Err(FileError::Readable { .. })));
    }

    #[test]
    fn nothing_is_written_over() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("x"), "x").unwrap();
        let options = InitOptions::local(AdminId::new("alice").unwrap(), 1_800_000_000);
        assert!(matches!(init(directory.path(), &options), Err(InitError::NotEmpty(_))));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn keys_of_roles_are_bound_to_them() {
        let directory = tempfile::tempdir().unwrap();
        let installation = made(directory.path());
        let tokens = installation.tokens().unwrap();
        let account = Claims::<Account>::decode(&tokens.account.1).unwrap();
        let plain: Vec<&str> = account
            .nats
            .signing_keys
            .iter()
            .filter(|key| matches!(key, SigningKey::Plain(_)))
            .map(SigningKey::key)
            .collect();
        let master = installation.issuer(Role::Master).unwrap().key.public_key();
        assert_eq!(plain, [master.as_str()], "the one key without a bound is in the safe");
        assert_eq!(account.iss, installation.operator_key().unwrap().public_key());
        let (_, claims) = creds::load(&installation.master().join("master.creds")).unwrap();
        let claims: Claims<User> = claims;
        assert!(claims.nats.limits.subscribe.allow.contains(&"zester.dispatch zester.masters".to_owned()));
    }
}
