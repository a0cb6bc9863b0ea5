//! On the real `openssl`, in a temporary directory.

use super::{certificate, csr, pem, private_key};
use crate::{Context, State, provider::fake::FakeMachine};
use std::{fs, os::unix::fs::PermissionsExt};
use zester_compiler::types::{Arguments as _, Map, Value};

struct Place {
    directory: tempfile::TempDir,
    machine: FakeMachine,
}

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), machine: FakeMachine::real() }
    }

    /// Arguments in JSON, `DIR` being the directory.
    fn args(&self, json: &str) -> Map {
        serde_json::from_str(&json.replace("DIR", &self.directory.path().display().to_string())).unwrap()
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.directory.path().join(name)).unwrap()
    }

    fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.directory.path().join(name)).unwrap().permissions().mode() & 0o7777
    }

    fn key(&self, json: &str) -> Value {
        Value::Map(self.machine.converge::<private_key::Managed>(&self.args(json)).unwrap().changes)
    }

    fn fails<T: State>(&self, json: &str) -> String {
        self.machine.converge::<T>(&self.args(json)).unwrap_err().message
    }
}

#[test]
fn keys_of_all_kinds_are_made_once() {
    let place = Place::new();
    for (name, options, kind) in [
        ("r", r#""keysize": 2048"#, "rsa 2048"),
        ("e", r#""algo": "ec", "keysize": 384"#, "ec 384"),
        ("d", r#""algo": "ed25519""#, "ed25519"),
        ("p", r#""algo": "ec", "passphrase": "se$cr et""#, "ec 256"),
    ] {
        let changes = place.key(&format!(r#"{{"name": "DIR/{name}", {options}}}"#));
        assert_eq!(changes.lookup("key.new", '.').and_then(Value::as_str), Some(kind));
        assert!(!changes.to_string().contains("BEGIN") && !changes.to_string().contains("cr et"));
        assert_eq!(place.mode(name), 0o600);
    }
    assert!(place.text("p").starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    // The key stays what it is when it gets a phrase.
    let public = |phrase: &str| {
        let path = place.directory.path().join("e").display().to_string();
        super::openssl::public_half(&place.machine.context(), &path, Some(phrase)).unwrap()
    };
    let (plain, encrypted) =
        (public(""), r#"{"name": "DIR/e", "algo": "ec", "keysize": 384, "passphrase": "later"}"#);
    assert!(place.key(encrypted).lookup("encrypted", '.').is_some());
    assert!(place.text("e").contains("ENCRYPTED") && public("later") == plain);
    let before = place.text("d");
    // Another kind is another key.
    place.key(r#"{"name": "DIR/d", "algo": "ec"}"#);
    assert_ne!(place.text("d"), before);
    assert!(
        place
            .fails::<private_key::Managed>(r#"{"name": "DIR/p", "algo": "ec", "passphrase": "no"}"#)
            .contains("`overwrite: true` replaces it")
    );
    assert!(
        place.fails::<private_key::Managed>(r#"{"name": "DIR/x", "keysize": 512}"#).contains("2048 to 16384")
    );
}

#[test]
fn an_authority_signs() {
    let place = Place::new();
    place.key(r#"{"name": "DIR/ca.key", "algo": "ec", "passphrase": "hush"}"#);
    place.key(r#"{"name": "DIR/www.key", "keysize": 2048}"#);
    let ca = place.args(
        r#"{"name": "DIR/ca.crt", "signing_private_key": "DIR/ca.key", "signing_private_key_passphrase": "hush", "CN": "Test CA", "O": "A, B $x #1",
            "basicConstraints": "critical CA:true, pathlen:1", "keyUsage": {"critical": true, "cRLSign": true, "keyCertSign": true},
            "subjectKeyIdentifier": "hash", "authorityKeyIdentifier": "keyid,issuer:always", "days_valid": 400, "days_remaining": 90}"#,
    );
    let outcome = place.machine.converge::<certificate::Managed>(&ca).unwrap();
    let said = outcome.changes["created"].to_string();
    for words in ["A, B $x #1", "CA:TRUE, pathlen:1", "Certificate Sign, CRL Sign", "CN=Test CA"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let www = r#"{"name": "DIR/www.crt", "signing_private_key": "DIR/ca.key", "signing_private_key_passphrase": "hush", "signing_cert": "DIR/ca.crt",
        "private_key": "DIR/www.key", "subject": "CN=www.example.com,OU=One", "OU": ["Two"], "subjectAltName": ["DNS:www.example.com", "IP:192.0.2.1"],
        "extendedKeyUsage": "serverAuth, clientAuth", "authorityKeyIdentifier": "keyid", "append_certs": ["DIR/ca.crt"], "days_valid": 90 MORE}"#;
    let outcome =
        place.machine.converge::<certificate::Managed>(&place.args(&www.replace("MORE", ""))).unwrap();
    let said = outcome.changes["created"].to_string();
    for words in [
        "OU=One",
        "OU=Two",
        "Issuer: O=A, B",
        "IP Address:192.0.2.1",
        "(2048 bit)",
        "TLS Web Client Authentication",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(place.text("www.crt").matches("-----BEGIN CERTIFICATE-----").count(), 2);
    assert_eq!(place.mode("www.crt"), 0o644);
    // Something else is asked for; it ends too soon; another key signs.
    let other = place.args(&www.replace("MORE", "").replace("192.0.2.1", "192.0.2.9"));
    let outcome = place.machine.converge::<certificate::Managed>(&other).unwrap();
    assert!(
        outcome.changes["diff"]
            .to_string()
            .contains("+                DNS:www.example.com, IP Address:192.0.2.9")
    );
    let later =
        place.args(&www.replace("192.0.2.1", "192.0.2.9").replace("90 MORE", "200, \"days_remaining\": 100"));
    let outcome = place.machine.converge::<certificate::Managed>(&later).unwrap();
    assert_eq!(outcome.changes["renewed"], Value::Bool(true));
    let plain =
        place.args(r#"{"name": "DIR/plain.crt", "signing_private_key": "DIR/www.key", "CN": "self"}"#);
    place.machine.converge::<certificate::Managed>(&plain).unwrap();
    fs::remove_file(place.directory.path().join("www.key")).unwrap();
    place.key(r#"{"name": "DIR/www.key", "keysize": 2048}"#);
    assert!(place.machine.converge::<certificate::Managed>(&plain).unwrap().changes.contains_key("diff"));
}

#[test]
fn requests_are_made_and_signed() {
    let place = Place::new();
    place.key(r#"{"name": "DIR/a.key", "algo": "ed25519"}"#);
    place.key(r#"{"name": "DIR/ca.key", "algo": "ec"}"#);
    let key = serde_json::to_string(&place.text("a.key")).unwrap();
    let request = format!(
        r#"{{"name": "DIR/a.csr", "private_key": {key}, "CN": "a", "subjectAltName": "DNS:a", "basicConstraints": "CA:FALSE"}}"#
    );
    let outcome = place.machine.converge::<csr::Managed>(&place.args(&request)).unwrap();
    let said = Value::Map(outcome.changes).to_string();
    assert!(said.contains("DNS:a") && !said.contains("PRIVATE"), "{said}");
    assert!(
        place
            .machine
            .converge::<csr::Managed>(&place.args(&request.replace("DNS:a", "DNS:b")))
            .unwrap()
            .changes
            .contains_key("diff")
    );
    let ca = r#"{"name": "DIR/ca.crt", "signing_private_key": "DIR/ca.key", "private_key": "DIR/ca.key", "CN": "CA"}"#;
    place.machine.converge::<certificate::Managed>(&place.args(ca)).unwrap();
    for (name, subject, words) in
        [("x", "", "Subject: CN=a"), ("y", r#", "CN": "other""#, "Subject: CN=other")]
    {
        let signed = format!(
            r#"{{"name": "DIR/{name}.crt", "csr": "DIR/a.csr", "signing_private_key": "DIR/ca.key", "signing_cert": "DIR/ca.crt" {subject}}}"#
        );
        let outcome = place.machine.converge::<certificate::Managed>(&place.args(&signed)).unwrap();
        let said = outcome.changes["created"].to_string();
        assert!(said.contains(words) && said.contains("ED25519"), "{said}");
    }
    assert!(
        place
            .fails::<csr::Managed>(r#"{"name": "DIR/b.csr", "private_key": "DIR/a.key"}"#)
            .contains("needs a name")
    );
}

#[test]
fn what_cannot_be_is_said() {
    let place = Place::new();
    let base = r#"{"name": "DIR/c", "signing_private_key": "DIR/k", "CN": "a" MORE}"#;
    for (more, words) in [
        (r#", "ca_server": "ca""#, "which peels do not do for each other"),
        (r#", "days_remaining": 30"#, "each run would make it anew"),
        (r#", "serial_number": "xyz""#, "40 hexadecimal digits"),
        (r#", "subject": "XX=1""#, "`XX` is no part of a subject's name"),
        (r#", "subjectAltName": "DNS:a\nbasicConstraints = CA:TRUE""#, "has a line break"),
        (r#", "keyUsage": "nonsense""#, "unknown bit string argument; error in extension"),
        (r#", "private_key": "DIR/other""#, "as `signing_cert`"),
    ] {
        place.key(r#"{"name": "DIR/k", "algo": "ec"}"#);
        let message = place.fails::<certificate::Managed>(&base.replace("MORE", more));
        assert!(message.contains(words), "{message}");
    }
    // In a test run a key may come from a state before this one.
    let args = place.args(r#"{"name": "DIR/c", "signing_private_key": "DIR/none", "CN": "a"}"#);
    let state = certificate::Managed::from_values(&args).unwrap();
    let cx = place.machine.context();
    assert!(state.plan(&Context { test: true, ..cx.clone() }).unwrap().comment.contains("is not there yet"));
    let Err(failure) = state.plan(&cx) else { panic!() };
    assert!(
        failure.message.contains("does not exist; require the state that makes it"),
        "{}",
        failure.message
    );
}

#[test]
fn pem_gets_its_lines_back() {
    let place = Place::new();
    let body = "QUJD".repeat(20);
    let args = format!(
        r#"{{"name": "DIR/p.pem", "text": "x -----BEGIN CERTIFICATE----- {body} -----END CERTIFICATE----- -----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----"}}"#
    );
    let outcome = place.machine.converge::<pem::Managed>(&place.args(&args)).unwrap();
    assert_eq!(
        outcome.changes["pem"].lookup("new", '.').and_then(Value::as_str),
        Some("CERTIFICATE, PRIVATE KEY")
    );
    assert!(!Value::Map(outcome.changes).to_string().contains("QUJD"));
    let text = place.text("p.pem");
    assert!(
        text.starts_with(&format!("-----BEGIN CERTIFICATE-----\n{}\n", &body[..64]))
            && text.lines().count() == 8
    );
    assert_eq!(place.mode("p.pem"), 0o600);
    assert!(
        place
            .fails::<pem::Managed>(r#"{"name": "DIR/q", "text": "-----BEGIN X-----\n!!\n-----END X-----"}"#)
            .contains("is not base64")
    );
}
