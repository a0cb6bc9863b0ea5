//! Certificates and credentials: mutual TLS 1.3, and user JWTs that expire and are replaced.

use super::connection::options;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use nkeys::KeyPair;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa};
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, SystemTime},
};
use tokio::time::timeout;
use zester_executor::bus::{
    Bus, BusError, BusOptions, ConnectionState, Credentials, Refusal, reconnect::Backoff, tls::TlsFiles,
};
use zester_tests::nats::Server;

/// Long enough for any machine; only failures take it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Writes an authority `<name>-ca.pem` and a certificate of it, `<name>.pem` and `<name>.key`.
fn certificates(directory: &Path, name: &str) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, rcgen::KeyPair::generate().unwrap()).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
    let write =
        |suffix: &str, text: String| fs::write(directory.join(format!("{name}{suffix}")), text).unwrap();
    write("-ca.pem", authority.pem());
    write(".pem", certificate.pem());
    write(".key", key.serialize_pem());
}

fn tls(directory: &Path, roots: &str, identity: Option<&str>) -> TlsFiles {
    let file = |name: String| directory.join(name);
    TlsFiles {
        roots: file(format!("{roots}-ca.pem")),
        identity: identity.map(|name| (file(format!("{name}.pem")), file(format!("{name}.key")))),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_show_certificates() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    certificates(path, "ours");
    certificates(path, "other");
    let file = |name: &str| path.join(name).display().to_string();
    let server = Server::start(&format!(
        "tls {{ cert_file: {:?}, key_file: {:?}, ca_file: {:?}, verify: true, handshake_first: true, min_version: \"1.3\" }}",
        file("ours.pem"),
        file("ours.key"),
        file("ours-ca.pem")
    ));
    let connect = async |files: Option<TlsFiles>| {
        let options =
            BusOptions { tls: files, connect_timeout: Duration::from_secs(5), ..options(&server, "peel") };
        Bus::connect(options).await
    };
    let bus = connect(Some(tls(path, "ours", Some("ours")))).await.unwrap();
    bus.round_trip().await.unwrap();
    assert!(connect(Some(tls(path, "ours", None))).await.is_err(), "no certificate");
    assert!(
        connect(Some(tls(path, "ours", Some("other")))).await.is_err(),
        "another authority's certificate"
    );
    let unknown = connect(Some(tls(path, "other", Some("ours")))).await.unwrap_err();
    assert!(unknown.to_string().contains("invalid peer certificate"), "{unknown}");
    assert!(connect(None).await.is_err(), "no TLS at all");
}

/// A machine's trust store has nothing to do with ours; a broken one must not keep a peel away.
#[test]
fn a_broken_trust_store_does_not_matter() {
    let test = std::env::current_exe().unwrap();
    let output = Command::new(test)
        .args(["--exact", "bus::identity::both_sides_show_certificates"])
        .env("SSL_CERT_FILE", "/nonexistent/roots.pem")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn jwt(issuer: &KeyPair, subject: &KeyPair, expires: Option<u64>, nats: &Value) -> String {
    let mut claims = json!({
        "jti": "test", "iat": 0, "iss": issuer.public_key(), "sub": subject.public_key(), "name": "test", "nats": nats,
    });
    if let Some(expires) = expires {
        claims["exp"] = expires.into();
    }
    let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
    let head = encode(json!({ "typ": "JWT", "alg": "ed25519-nkey" }).to_string());
    let signed = format!("{head}.{}", encode(claims.to_string()));
    let signature = URL_SAFE_NO_PAD.encode(issuer.sign(signed.as_bytes()).unwrap());
    format!("{signed}.{signature}")
}

/// An operator, an account, and its users.
struct Trust {
    account: KeyPair,
    config: String,
}

impl Trust {
    fn new() -> Self {
        let (operator, account, system) =
            (KeyPair::new_operator(), KeyPair::new_account(), KeyPair::new_account());
        let limits = json!({
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
        });
        let claims = json!({ "type": "account", "version": 2, "limits": limits });
        let config = format!(
            "operator: {}\nsystem_account: {}\nresolver: MEMORY\nresolver_preload: {{ {}: {}, {}: {} }}",
            jwt(&operator, &operator, None, &json!({ "type": "operator", "version": 2 })),
            system.public_key(),
            account.public_key(),
            jwt(&operator, &account, None, &claims),
            system.public_key(),
            jwt(&operator, &system, None, &claims),
        );
        Self { account, config }
    }

    /// A user with so many seconds to live.
    fn user(&self, seconds: i64) -> Credentials {
        let user = KeyPair::new_user();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let expires = now.saturating_add_signed(seconds);
        let claims = json!({ "type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1 });
        let jwt = jwt(&self.account, &user, Some(expires), &claims);
        Credentials { jwt, seed: user.seed().unwrap() }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_credentials_are_told_and_replaced_without_a_restart() {
    let trust = Trust::new();
    let server = Server::start(&trust.config);
    let with = |credentials: Option<Credentials>| {
        // Long enough for attempts to be counted, short enough for a test.
        let backoff = Backoff {
            wait: Duration::from_millis(300),
            jitter: (Duration::ZERO, Duration::from_millis(10)),
            longest: Duration::from_secs(2),
            steady: Duration::from_secs(60),
        };
        Bus::connect(BusOptions { credentials, backoff, ..options(&server, "peel") })
    };
    // Nobody, a stranger, somebody whose time is over.
    let stranger = Trust::new().user(3600);
    let over = trust.user(-60);
    for credentials in [None, Some(stranger), Some(over)] {
        let refused = with(credentials).await.unwrap_err();
        assert_eq!(refused, BusError::Refused(Refusal::Violation));
    }
    // In their last second they are let in, and thrown out again.
    match with(Some(trust.user(0))).await {
        Ok(bus) => timeout(PATIENCE, bus.disconnected()).await.expect("it does not last"),
        Err(error) => assert!(matches!(error, BusError::Refused(_) | BusError::Disconnected), "{error}"),
    }
    let broken = Credentials { jwt: String::new(), seed: "SUnonsense".into() };
    assert!(matches!(with(Some(broken)).await, Err(BusError::Connect { .. })));
    let bus = with(Some(trust.user(3))).await.unwrap();
    let session = bus.connected().await.unwrap();
    let mut state = bus.state();
    let expired = ConnectionState::Disconnected { refusal: Some(Refusal::Expired) };
    timeout(PATIENCE, state.wait_for(|s| *s == expired)).await.expect("the expiry is told").unwrap();
    // The server lets it in again for the rest of that second; a client without patience would use that a hundred times.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(bus.counters().sessions < 5, "{:?}", bus.counters());
    assert!(bus.publish("a", "x").await.is_err());
    bus.replace_credentials(trust.user(3600));
    timeout(PATIENCE, bus.reconnected(session)).await.expect("it comes back").unwrap();
    bus.round_trip().await.unwrap();
}
