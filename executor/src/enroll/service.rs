//! What masters do with applications and operators with records, whatever way they come.

use super::{
    message::{Answer, Application, Challenge, EnrollRequest, Grant, MAX_TOKEN, VERSION, fingerprint},
    nonce::{NonceError, Nonces},
    record::{Candidate, Record, RecordError, Status},
    rule::Rule,
    store::{Records, RecordsError},
};
use crate::{
    auth::{
        authority::{AuthorityError, DAY, fingerprint_der},
        installation::MasterKeys,
        issue::{IssueError, Subject},
        signed::{Purpose, SignatureError, Signed},
    },
    bus::id::PeelId,
};
use nkeys::{KeyPair, KeyPairType, XKey};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use std::{
    net::IpAddr,
    sync::{Arc, PoisonError, RwLock},
};

/// Attempts of a change while other masters change the record too.
const ATTEMPTS: u32 = 8;
/// An application's own time may be so far off, in milliseconds; only renewals rely on it.
const FRESH_MS: u64 = 300_000;

/// How long credentials of peels are good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lifetime {
    /// Seconds that token and certificate are good.
    pub good: u64,
    /// Seconds after which the peel asks for new ones.
    pub renew: u64,
}

impl Default for Lifetime {
    fn default() -> Self {
        Self { good: 7 * DAY, renew: 4 * DAY }
    }
}

/// Why an application or a decision is refused.
#[derive(Debug, thiserror::Error)]
pub enum EnrollError {
    /// The body is not what it should be.
    #[error("the application cannot be read: {0}")]
    Form(String),
    /// The signature does not hold.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The nonce.
    #[error(transparent)]
    Nonce(#[from] NonceError),
    /// The time of a renewal.
    #[error("the application is {0} s off this master's clock; set the clocks")]
    Time(u64),
    /// The record does not allow it.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The record cannot be reached.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// No credentials can be issued.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// No certificate can be made.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// An operator has to decide.
    #[error("`{0}` waits for an operator: `zester enroll approve {0}`")]
    Waits(PeelId),
    /// Nobody has asked for the id.
    #[error("no machine has asked to be `{0}`")]
    Unknown(PeelId),
    /// The peel that asks is not the one of the record.
    #[error("the key that asks is not the approved key of `{0}`")]
    Other(PeelId),
}

/// The enrollment of an installation, as one master serves it.
pub struct Service {
    keys: Arc<MasterKeys>,
    records: Arc<dyn Records>,
    nonces: Nonces,
    /// Pins of all authorities that are ours.
    pins: Vec<String>,
    rules: RwLock<Vec<Rule>>,
    lifetime: Lifetime,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("pins", &self.pins).finish_non_exhaustive()
    }
}

impl Service {
    /// With a master's keys.
    pub fn new(
        keys: Arc<MasterKeys>,
        records: Arc<dyn Records>,
        rules: Vec<Rule>,
        lifetime: Lifetime,
    ) -> Result<Self, EnrollError> {
        let secret = keys.sealer.seed().map_err(|e| EnrollError::Form(e.to_string()))?;
        let pins = CertificateDer::pem_slice_iter(keys.roots.as_bytes())
            .map(|der| {
                let der = der.map_err(|e| AuthorityError::Read(e.to_string()))?;
                fingerprint_der(&der)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            nonces: Nonces::new(secret.as_bytes()),
            keys,
            records,
            pins,
            rules: RwLock::new(rules),
            lifetime,
        })
    }

    /// Replaces the rules.
    pub fn set_rules(&self, rules: Vec<Rule>) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = rules;
    }

    /// The pins of the installation's authorities, as `sha256:…`, newest first.
    pub fn pins(&self) -> &[String] {
        &self.pins
    }

    /// The master's keys.
    pub fn keys(&self) -> &MasterKeys {
        &self.keys
    }

    /// A nonce to be signed.
    pub fn challenge(&self, now_ms: u64) -> Challenge {
        Challenge { v: VERSION, nonce: self.nonces.make(now_ms) }
    }

    /// An application that came over HTTPS from `address`.
    pub async fn apply(
        &self,
        request: &EnrollRequest,
        address: IpAddr,
        now_ms: u64,
    ) -> Result<Answer, EnrollError> {
        let bytes = data_encoding::BASE64
            .decode(request.signed.as_bytes())
            .map_err(|_| EnrollError::Form("it is not base64".to_owned()))?;
        let (key, application) = open(&bytes)?;
        self.nonces.redeem(&application.nonce, now_ms)?;
        // A name that can never be a peel's must not wait for an operator.
        Subject::peel(&application.id, &key, &[])?;
        let mismatch = !self.pins.contains(&application.authority);
        let record = self
            .change(&application.id, |record| {
                let mut changed = record.apply(&key, &application, address, mismatch, now_ms)?;
                if record.may_be_automatic(&key)
                    && let Some(rule) = self.rule(&application, address, now_ms)
                {
                    let by = format!("rule {}", rule.name);
                    record.approve(Some(&key), &by, rule.groups, false, now_ms)?;
                    changed = true;
                }
                Ok(changed)
            })
            .await?;
        let candidate = record.candidate(&key).ok_or_else(|| EnrollError::Unknown(application.id.clone()))?;
        Ok(match candidate.status {
            Status::Pending => Answer::Pending { fingerprint: fingerprint(&key) },
            Status::Rejected | Status::Revoked => Answer::Rejected { reason: candidate.reason.clone() },
            Status::Approved => {
                Answer::Granted(Box::new(self.grant(&record.id, candidate, now_ms / 1_000)?))
            }
        })
    }

    /// A renewal that came over NATS on the subject of `peel`: whoever asks is the peel, as the server says; the signature says that it has
    /// the approved key.
    pub async fn renew(&self, peel: &PeelId, bytes: &[u8], now_ms: u64) -> Result<Grant, EnrollError> {
        let (key, application) = open(bytes)?;
        let off = now_ms.abs_diff(application.time_ms);
        if off > FRESH_MS {
            return Err(EnrollError::Time(off / 1_000));
        }
        if application.id != *peel {
            return Err(EnrollError::Other(peel.clone()));
        }
        let record = self
            .change(peel, |record| {
                // Its credentials were made by hand: it waits for an operator like any other.
                if record.candidates.is_empty() {
                    return Ok(record.apply(&key, &application, [0; 4].into(), false, now_ms)?);
                }
                match record.candidates.iter_mut().find(|c| c.key == key) {
                    Some(known) if known.status == Status::Approved => {
                        let (curve, point) = (application.curve.clone(), application.point.clone());
                        let changed = (&known.curve, &known.point) != (&curve, &point);
                        (known.curve, known.point) = (curve, point);
                        Ok(changed)
                    }
                    Some(known) if known.status == Status::Pending => Ok(false),
                    _ => Err(EnrollError::Other(peel.clone())),
                }
            })
            .await?;
        if record.candidate(&key).is_some_and(|c| c.status == Status::Pending) {
            return Err(EnrollError::Waits(peel.clone()));
        }
        let candidate = record.approved().ok_or_else(|| EnrollError::Other(peel.clone()))?;
        self.grant(peel, candidate, now_ms / 1_000)
    }

    /// All records, by id.
    pub async fn list(&self) -> Result<Vec<Record>, EnrollError> {
        Ok(self.records.list().await?)
    }

    /// The record of an id.
    pub async fn show(&self, id: &PeelId) -> Result<Record, EnrollError> {
        match self.records.get(id).await? {
            Some((record, _)) if !record.candidates.is_empty() => Ok(record),
            _ => Err(EnrollError::Unknown(id.clone())),
        }
    }

    /// Approves a key for an id: by fingerprint or its beginning, or the only one that waits. Gives keys that are to be revoked on the
    /// servers, because they were the peel until now.
    pub async fn approve(
        &self,
        id: &PeelId,
        which: Option<&str>,
        by: &str,
        groups: &[String],
        force: bool,
        now_ms: u64,
    ) -> Result<Vec<String>, EnrollError> {
        // Groups that cannot be signed are refused now and not when the peel comes.
        Subject::peel(id, &KeyPair::new_user().public_key(), groups)?;
        self.known(id).await?;
        let mut superseded = Vec::new();
        self.change(id, |record| {
            superseded = record.approve(which, by, groups.to_vec(), force, now_ms)?;
            Ok(true)
        })
        .await?;
        Ok(superseded)
    }

    /// Rejects a key that waits.
    pub async fn reject(
        &self,
        id: &PeelId,
        which: Option<&str>,
        by: &str,
        reason: Option<String>,
        now_ms: u64,
    ) -> Result<(), EnrollError> {
        self.known(id).await?;
        self.change(id, |record| {
            record.reject(which, by, reason.clone(), now_ms)?;
            Ok(true)
        })
        .await?;
        Ok(())
    }

    /// Revokes a peel: it gets no new credentials. Gives its key, to be [revoked on the servers](crate::auth::account::revoke).
    pub async fn revoke(
        &self,
        id: &PeelId,
        by: &str,
        reason: Option<String>,
        now_ms: u64,
    ) -> Result<String, EnrollError> {
        self.known(id).await?;
        let mut key = String::new();
        self.change(id, |record| {
            key = record.revoke(by, reason.clone(), now_ms)?;
            Ok(true)
        })
        .await?;
        Ok(key)
    }

    /// The keys that the servers must refuse: of all revoked peels.
    pub async fn revoked(&self) -> Result<Vec<String>, EnrollError> {
        let records = self.records.list().await?;
        let all = records.iter().flat_map(|r| &r.candidates).filter(|c| c.status == Status::Revoked);
        Ok(all.map(|c| c.key.clone()).collect())
    }

    async fn known(&self, id: &PeelId) -> Result<(), EnrollError> {
        self.show(id).await.map(|_| ())
    }

    fn rule(&self, application: &Application, address: IpAddr, now_ms: u64) -> Option<Rule> {
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        let token = application.token.as_deref().filter(|t| t.len() <= MAX_TOKEN);
        rules.iter().find(|r| r.approves(application.id.as_str(), address, token, now_ms / 1_000)).cloned()
    }

    /// Changes a record by compare-and-set; `edit` says whether there is something to write.
    async fn change(
        &self,
        id: &PeelId,
        mut edit: impl FnMut(&mut Record) -> Result<bool, EnrollError>,
    ) -> Result<Record, EnrollError> {
        let mut attempt = 0;
        loop {
            let found = self.records.get(id).await?;
            let (mut record, revision) = found.unwrap_or_else(|| (Record::new(id.clone()), 0));
            if !edit(&mut record)? {
                return Ok(record);
            }
            record.nonce = ulid::Ulid::r#gen().to_string();
            attempt += 1;
            match self.records.put(&record, revision).await {
                Ok(()) => return Ok(record),
                Err(RecordsError::Conflict) if attempt < ATTEMPTS => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The peel's public key for secrets, if an operator or a rule has approved it.
    pub async fn curve(&self, id: &PeelId) -> Result<String, EnrollError> {
        let record = self.show(id).await?;
        record.approved().map(|c| c.curve.clone()).ok_or_else(|| EnrollError::Waits(id.clone()))
    }

    fn grant(&self, id: &PeelId, candidate: &Candidate, now: u64) -> Result<Grant, EnrollError> {
        issue(&self.keys, id, (&candidate.key, &candidate.point), &candidate.groups, (now, self.lifetime))
    }
}

/// Credentials for the peel `id` with its public user key and its public key for TLS; `now` in seconds of Unix time.
pub fn issue(
    keys: &MasterKeys,
    id: &PeelId,
    (key, point): (&str, &[u8]),
    groups: &[String],
    (now, lifetime): (u64, Lifetime),
) -> Result<Grant, EnrollError> {
    let (expires, renew) = (now.saturating_add(lifetime.good), now.saturating_add(lifetime.renew));
    let subject = Subject::peel(id, key, groups)?;
    let of = &keys.description;
    Ok(Grant {
        v: VERSION,
        jwt: keys.peels.token(&subject, now, Some(expires))?,
        certificate: keys.authority.client(point, id.as_str(), now, expires)?,
        roots: keys.roots.clone(),
        anchor: of.anchor.clone(),
        sealers: vec![of.sealer.clone()],
        nats: of.nats.clone(),
        masters: of.masters.clone(),
        expires,
        renew,
    })
}

/// Verifies an application: signed by the user key that it is for, with keys of the right classes. Gives that key.
fn open(bytes: &[u8]) -> Result<(String, Application), EnrollError> {
    let signed = Signed::decode(bytes)?;
    let class = KeyPair::from_public_key(&signed.key).map(|k| k.key_pair_type());
    if !matches!(class, Ok(KeyPairType::User)) {
        return Err(EnrollError::Form("the key is not the public key of a user".to_owned()));
    }
    if !signed.certificate.is_empty() {
        return Err(EnrollError::Form("it carries a certificate that nobody asked for".to_owned()));
    }
    let application: Application = signed.open_by(&signed.key, Purpose::Enrollment)?;
    if application.v != VERSION {
        return Err(EnrollError::Form(format!("it has version {}", application.v)));
    }
    if XKey::from_public_key(&application.curve).is_err() {
        return Err(EnrollError::Form("the key for secrets is not a public curve key".to_owned()));
    }
    if application.point.len() != 65 || application.point.first() != Some(&4) {
        return Err(AuthorityError::Point.into());
    }
    Ok((signed.key, application))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        auth::{
            init::{InitOptions, init},
            jwt::{Claims, User},
        },
        bus::id::AdminId,
        enroll::{identity::Identity, message::Trust, rule::RuleText, store::Memory},
    };
    use std::path::Path;

    const NOW: u64 = 1_800_000_000;
    const NOW_MS: u64 = NOW * 1_000;
    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 7));

    struct Scene {
        directory: tempfile::TempDir,
        records: Arc<Memory>,
        service: Service,
    }

    fn scene(rules: &[RuleText]) -> Scene {
        let directory = tempfile::tempdir().unwrap();
        let options = InitOptions::local(AdminId::new("alice").unwrap(), NOW);
        let installation = init(&directory.path().join("installation"), &options).unwrap();
        let keys = Arc::new(MasterKeys::load(&installation.master()).unwrap());
        let records = Arc::new(Memory::default());
        let rules = rules.iter().map(|r| Rule::read(r).unwrap()).collect();
        let service = Service::new(keys, records.clone(), rules, Lifetime::default()).unwrap();
        Scene { directory, records, service }
    }

    fn near() -> RuleText {
        RuleText {
            name: "near".into(),
            networks: vec!["10.0.0.0/8".into()],
            groups: vec!["web".into()],
            ..RuleText::default()
        }
    }

    impl Scene {
        fn machine(&self, directory: &str, id: &str) -> Identity {
            Identity::open(&self.directory.path().join(directory), PeelId::new(id).unwrap()).unwrap()
        }

        fn request(&self, machine: &Identity, nonce: &str, authority: &str) -> EnrollRequest {
            let bytes =
                machine.application(nonce.to_owned(), NOW_MS, (authority, Trust::Pinned), "host", None);
            EnrollRequest { signed: data_encoding::BASE64.encode(&bytes.unwrap()) }
        }

        async fn apply_seeing(&self, machine: &Identity, authority: &str) -> Result<Answer, EnrollError> {
            let nonce = self.service.challenge(NOW_MS).nonce;
            self.service.apply(&self.request(machine, &nonce, authority), HERE, NOW_MS).await
        }

        async fn apply(&self, machine: &Identity) -> Result<Answer, EnrollError> {
            self.apply_seeing(machine, &self.service.pins()[0]).await
        }
    }

    fn id() -> PeelId {
        PeelId::new("web-1").unwrap()
    }

    #[tokio::test]
    async fn an_operator_approves_and_the_machine_is_a_peel() {
        let scene = scene(&[]);
        let machine = scene.machine("a", "web-1");
        let print = fingerprint(&machine.key());
        assert_eq!(scene.apply(&machine).await.unwrap(), Answer::Pending { fingerprint: print.clone() });
        assert_eq!(scene.service.show(&id()).await.unwrap().candidates[0].fingerprint(), print);
        scene.service.approve(&id(), None, "alice", &["db".into()], false, NOW_MS).await.unwrap();
        let Answer::Granted(grant) = scene.apply(&machine).await.unwrap() else { panic!("no grant") };
        let claims = Claims::<User>::decode(&grant.jwt).unwrap();
        assert_eq!(
            (claims.name.as_str(), &claims.sub, claims.nats.tags),
            ("web-1", &machine.key(), vec!["grp:db".to_owned()])
        );
        assert_eq!(claims.exp, Some(grant.expires));
        machine.keep(&grant).unwrap();
        let again = scene.machine("a", "web-1");
        assert_eq!(again.kept().unwrap().unwrap().0, *grant);
        // Somebody else's grant is not kept.
        let other = scene.machine("b", "web-1");
        assert!(other.keep(&grant).is_err());
    }

    #[tokio::test]
    async fn replays_and_forgeries_are_refused() {
        let scene = scene(&[near()]);
        let machine = scene.machine("a", "web-1");
        let pin = scene.service.pins()[0].clone();
        let nonce = scene.service.challenge(NOW_MS).nonce;
        let request = scene.request(&machine, &nonce, &pin);
        scene.service.apply(&request, HERE, NOW_MS).await.unwrap();
        let again = scene.service.apply(&request, HERE, NOW_MS).await;
        assert!(matches!(again, Err(EnrollError::Nonce(NonceError::Used))), "{again:?}");
        let made_up = scene.request(&machine, "00", &pin);
        assert!(matches!(
            scene.service.apply(&made_up, HERE, NOW_MS).await,
            Err(EnrollError::Nonce(NonceError::Unknown))
        ));
        // Each byte changed: the signature, or something before it, does not hold.
        let nonce = scene.service.challenge(NOW_MS).nonce;
        let whole =
            data_encoding::BASE64.decode(scene.request(&machine, &nonce, &pin).signed.as_bytes()).unwrap();
        for place in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[place] ^= 1;
            let request = EnrollRequest { signed: data_encoding::BASE64.encode(&bytes) };
            assert!(scene.service.apply(&request, HERE, NOW_MS).await.is_err(), "{place}");
        }
        for text in ["", "x", "AAAA"] {
            assert!(scene.service.apply(&EnrollRequest { signed: text.into() }, HERE, NOW_MS).await.is_err());
        }
    }

    #[tokio::test]
    async fn rules_approve_only_what_is_beyond_doubt() {
        let scene = scene(&[near()]);
        assert!(matches!(scene.apply(&scene.machine("a", "web-1")).await.unwrap(), Answer::Granted(_)));
        assert_eq!(
            scene.service.show(&id()).await.unwrap().approved().unwrap().decided_by.as_deref(),
            Some("rule near")
        );
        // A second key for the same id waits for an operator, and does not disturb the first.
        assert!(matches!(scene.apply(&scene.machine("b", "web-1")).await.unwrap(), Answer::Pending { .. }));
        assert!(matches!(scene.apply(&scene.machine("a", "web-1")).await.unwrap(), Answer::Granted(_)));
        // Somebody stands in between.
        let other = format!("sha256:{}", "0".repeat(64));
        let seen = scene.apply_seeing(&scene.machine("c", "web-2"), &other).await.unwrap();
        assert!(matches!(seen, Answer::Pending { .. }));
        let second = PeelId::new("web-2").unwrap();
        let refused = scene.service.approve(&second, None, "alice", &[], false, NOW_MS).await;
        assert!(matches!(refused, Err(EnrollError::Record(RecordError::Mismatch(_)))), "{refused:?}");
        // An id that would hear what is for all.
        let refused = scene.apply(&scene.machine("d", "all")).await;
        assert!(matches!(refused, Err(EnrollError::Issue(IssueError::Reserved(_)))), "{refused:?}");
    }

    /// Two machines ask at the same time, at two masters over the same records: at most one is approved by the rule.
    #[tokio::test]
    async fn two_keys_at_once_are_never_both_approved() {
        {
            let scene = scene(&[near()]);
            let second = Service::new(
                scene.service.keys.clone(),
                scene.records.clone(),
                vec![Rule::read(&near()).unwrap()],
                Lifetime::default(),
            )
            .unwrap();
            let (a, b) = (scene.machine("a", "web-1"), scene.machine("b", "web-1"));
            let pin = scene.service.pins()[0].clone();
            let asked_a = scene.request(&a, &scene.service.challenge(NOW_MS).nonce, &pin);
            let asked_b = scene.request(&b, &second.challenge(NOW_MS).nonce, &pin);
            let (one, two) = tokio::join!(
                scene.service.apply(&asked_a, HERE, NOW_MS),
                second.apply(&asked_b, HERE, NOW_MS)
            );
            let granted =
                [one.unwrap(), two.unwrap()].iter().filter(|a| matches!(a, Answer::Granted(_))).count();
            assert!(granted <= 1);
            assert_eq!(scene.service.show(&id()).await.unwrap().candidates.len(), 2);
        }
    }

    #[tokio::test]
    async fn renewals_are_for_the_approved_key_and_revocation_ends_them() {
        let scene = scene(&[near()]);
        let (machine, thief) = (scene.machine("a", "web-1"), scene.machine("b", "web-1"));
        let Answer::Granted(grant) = scene.apply(&machine).await.unwrap() else { panic!("no grant") };
        machine.keep(&grant).unwrap();
        thief.keep(&Grant { jwt: grant.jwt.clone(), ..(*grant).clone() }).unwrap_err();
        let renewed =
            scene.service.renew(&id(), &machine.renewal(NOW_MS).unwrap(), NOW_MS + 1_000).await.unwrap();
        assert_eq!(renewed.expires, grant.expires + 1);
        let old = scene.service.renew(&id(), &machine.renewal(NOW_MS).unwrap(), NOW_MS + FRESH_MS + 1).await;
        assert!(matches!(old, Err(EnrollError::Time(300))), "{old:?}");
        let other = PeelId::new("web-2").unwrap();
        let refused = scene.service.renew(&other, &machine.renewal(NOW_MS).unwrap(), NOW_MS).await;
        assert!(matches!(refused, Err(EnrollError::Other(_))));
        std::fs::copy(machine.file("ca.pem"), thief.file("ca.pem")).unwrap();
        let refused = scene.service.renew(&id(), &thief.renewal(NOW_MS).unwrap(), NOW_MS).await;
        assert!(matches!(refused, Err(EnrollError::Other(_))));
        assert_eq!(
            scene.service.revoke(&id(), "alice", Some("stolen".into()), NOW_MS).await.unwrap(),
            machine.key()
        );
        assert_eq!(scene.service.revoked().await.unwrap(), [machine.key()]);
        let refused = scene.service.renew(&id(), &machine.renewal(NOW_MS).unwrap(), NOW_MS).await;
        assert!(matches!(refused, Err(EnrollError::Other(_))));
        assert_eq!(scene.apply(&machine).await.unwrap(), Answer::Rejected { reason: Some("stolen".into()) });
    }

    #[test]
    fn keys_are_made_once_and_are_their_owners_alone() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let directory = tempfile::tempdir().unwrap();
        let open = |path: &Path| Identity::open(path, id());
        let first = open(directory.path()).unwrap().key();
        assert_eq!(open(directory.path()).unwrap().key(), first);
        for name in ["peel.seed", "curve.seed", "client.key"] {
            let path = directory.path().join(name);
            assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
            assert!(open(directory.path()).is_err(), "{name}");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
}
