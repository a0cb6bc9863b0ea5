//! What comes over the network or from the disk as bytes: wire structs, signed envelopes, tokens, a journal.

use nkeys::{KeyPair, KeyPairType};
use serde::{Serialize, de::DeserializeOwned};
use std::{fs, sync::OnceLock};
use zester_executor::{
    auth::{
        jwt::{Claims, User},
        signed::{Anchor, Certificate, Purpose, Signed, certify},
    },
    bus::{codec, id::JobId, lease::LeaseRecord},
    enroll::message::{Answer, Application, Challenge, EnrollRequest, Grant, Problem, Renewal},
    job::{journal::Journal, ledger::Record, message::*},
    publish::{
        manifest::{Head, Manifest},
        secrets::SealedPart,
    },
};

fn message<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    let Ok(value) = codec::decode::<T>(bytes) else { return };
    let written = codec::encode(&value).expect("what was read can be written");
    let again: T = codec::decode(&written).expect("what was written can be read");
    assert_eq!(
        codec::encode(&again).expect("and written again"),
        written,
        "it says something else the second time"
    );
}

fn json<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<T>(bytes) else { return };
    let written = serde_json::to_vec(&value).expect("what was read can be written");
    serde_json::from_slice::<T>(&written).expect("what was written can be read");
}

/// Calls a macro with the structs that travel by themselves.
#[macro_export]
macro_rules! wire_structs {
    ($with:ident) => {
        $with!(
            Ack,
            Anchor,
            Batch,
            Call,
            Certificate,
            Dispatched,
            EventMessage,
            ExecRequest,
            Head,
            Job,
            JobRecord,
            JobReturn,
            LeaseRecord,
            Manifest,
            MasterHeartbeat,
            OperatorRequest,
            PeelHello,
            PendingJobs,
            Progress,
            Renewal,
            ResolveRequest,
            ResolveResponse,
            SealedPart,
            SecretsRequest,
            SecretsResponse,
            Signed,
            TargetChunk,
            Targets,
        );
    };
}

macro_rules! table {
    ($($name:ident),* $(,)?) => {
        /// Names of the structs that travel by themselves.
        pub const STRUCTS: &[&str] = &[$(stringify!($name)),*];
        const READERS: &[fn(&[u8])] = &[$(message::<$name>),*];
    };
}

wire_structs!(table);

const FURTHER: &[fn(&[u8])] = &[
    message::<Application>,
    json::<Answer>,
    json::<Challenge>,
    json::<EnrollRequest>,
    json::<Grant>,
    json::<Problem>,
];

/// The first byte chooses the struct, the others are its bytes.
pub fn structs(data: &[u8]) {
    let Some((first, bytes)) = data.split_first() else { return };
    let readers = READERS.len() + FURTHER.len();
    let index = usize::from(*first) % readers;
    match READERS.get(index) {
        Some(read) => read(bytes),
        None => FURTHER[index - READERS.len()](bytes),
    }
}

fn golden() -> Vec<(String, Vec<u8>)> {
    let directory = crate::repository().join("tests/fixtures/golden");
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    let hex = files.into_iter().filter(|p| p.extension().is_some_and(|e| e == "hex")).map(|path| {
        let text = fs::read_to_string(&path).unwrap().replace('\n', "");
        let name = path.file_stem().unwrap().to_str().unwrap().split('-').next().unwrap().to_owned();
        (name, data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap())
    });
    hex.collect()
}

pub(super) fn corpus() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for (name, bytes) in golden() {
        let index = STRUCTS.iter().position(|s| *s == name).expect("the table has all golden structs");
        all.push([&[index as u8][..], &bytes].concat());
    }
    let texts = [
        r#"{"status":"pending","fingerprint":"ab:cd"}"#,
        r#"{"v":1,"nonce":"xyz"}"#,
        r#"{"signed":"gqF2AaNrZXmhWA=="}"#,
        r#"{"error":"The window is closed"}"#,
    ];
    for (index, text) in texts.iter().enumerate() {
        all.push([&[(READERS.len() + 1 + index) as u8][..], text.as_bytes()].concat());
    }
    all
}

/// One chain of trust, always the same, so that every run begins from the same bytes.
struct Chain {
    anchor: Anchor,
    body: Anchor,
    envelope: Vec<u8>,
    user: KeyPair,
    token: String,
    account: KeyPair,
}

const NOW_MS: u64 = 1_800_000_000_000;

fn chain() -> &'static Chain {
    static CHAIN: OnceLock<Chain> = OnceLock::new();
    CHAIN.get_or_init(|| {
        let key = |kind, byte| KeyPair::new_from_raw(kind, [byte; 32]).expect("a key of 32 bytes");
        let (operator, dispatch) = (key(KeyPairType::Operator, 1), key(KeyPairType::Service, 2));
        let (account, user) = (key(KeyPairType::Account, 3), key(KeyPairType::User, 4));
        let certificate = Certificate {
            v: 1,
            key: dispatch.public_key(),
            purposes: vec![Purpose::Dispatch],
            incarnation: "one".into(),
            not_before_ms: NOW_MS - 1_000,
            expires_ms: NOW_MS + 1_000,
        };
        let certificate = certify(&operator, &certificate).expect("an operator certifies");
        let body = Anchor { operators: vec!["somebody".into()], incarnation: "body".into() };
        let envelope =
            Signed::new(&dispatch, &certificate, Purpose::Dispatch, &body).unwrap().encode().unwrap();
        let claims = Claims::new(user.public_key(), "web-01", User::default());
        let token = claims.sign(&account, NOW_MS / 1_000).expect("an account signs");
        let anchor = Anchor { operators: vec![operator.public_key()], incarnation: "one".into() };
        Chain { anchor, body, envelope, user, token, account }
    })
}

/// A signed message: what opens is what was signed, whatever was done to the bytes.
pub fn signed(data: &[u8]) {
    let chain = chain();
    let Ok(signed) = Signed::decode(data) else { return };
    if let Ok(body) = signed.open::<Anchor>(&chain.anchor, Purpose::Dispatch, NOW_MS) {
        assert_eq!(body, chain.body, "a message opens that nobody signed");
    }
    let other = signed.open::<Anchor>(&chain.anchor, Purpose::Tree, NOW_MS);
    assert!(other.is_err(), "a message opens for a purpose that it was not signed for");
    assert!(signed.open_by::<Anchor>(&chain.user.public_key(), Purpose::Dispatch).is_err());
}

pub(super) fn signed_corpus() -> Vec<Vec<u8>> {
    vec![chain().envelope.clone()]
}

/// A token of NATS: what is read is what was signed.
pub fn token(data: &[u8]) {
    let chain = chain();
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(claims) = Claims::<User>::decode(text)
        && claims.iss == chain.account.public_key()
    {
        assert_eq!(claims.name, "web-01", "a token that nobody signed");
        assert_eq!(claims.sub, chain.user.public_key());
    }
    let _ = zester_executor::auth::creds::parse(text);
}

pub(super) fn token_corpus() -> Vec<Vec<u8>> {
    let chain = chain();
    let credentials = format!(
        "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        chain.token,
        chain.user.seed().expect("a seed")
    );
    vec![chain.token.clone().into_bytes(), credentials.into_bytes()]
}

fn in_a_file<T>(bytes: Option<&[u8]>, run: impl FnOnce(&std::path::Path) -> T) -> T {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("journal");
    if let Some(bytes) = bytes {
        fs::write(&path, bytes).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode");
    }
    run(&path)
}

/// A journal: what can be read is kept, what cannot is put aside, and the journal works again at once.
pub fn journal(data: &[u8]) {
    in_a_file(Some(data), |path| {
        let Ok(opened) = Journal::open(path) else { return };
        let known = opened.records;
        assert!(opened.damaged.is_none_or(|aside| aside.exists()), "nothing was put aside");
        let mut journal = opened.journal;
        let jid = JobId::new("01J00000000000000000000000").expect("a job's id");
        let record = Record::Started { jid, time_ms: 1 };
        journal.append(std::slice::from_ref(&record)).expect("the repaired journal takes records");
        drop(journal);
        let again = Journal::open(path).expect("the repaired journal opens");
        assert!(again.damaged.is_none(), "it is damaged again");
        assert_eq!(again.records.split_last(), Some((&record, known.as_slice())));
    });
}

pub(super) fn journal_corpus() -> Vec<Vec<u8>> {
    in_a_file(None, |path| {
        let mut journal = Journal::open(path).expect("a new journal").journal;
        for time_ms in 1..5 {
            let jid = JobId::new("01J00000000000000000000000").expect("a job's id");
            let records = [Record::Started { jid: jid.clone(), time_ms }, Record::Stored { jid }];
            journal.append(&records).expect("records are written");
        }
        drop(journal);
        vec![fs::read(path).expect("the journal is a file")]
    })
}
