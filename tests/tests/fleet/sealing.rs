//! Sealed values against another implementation of NaCl.

use data_encoding::HEXLOWER;
use nkeys::XKey;
use std::process::Command;
use zester_executor::{
    auth::{
        seal::{Expected, Label, open, seal},
        sealed_text::{Keyring, seal_text},
    },
    bus::id::PeelId,
};
use zester_tests::nats::environment;

fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

fn bytes(hex: &str) -> Vec<u8> {
    HEXLOWER.decode(hex.as_bytes()).unwrap()
}

fn python(script: &str, arguments: &[String]) -> String {
    let output = Command::new(environment().join("bin/python"))
        .arg("-c")
        .arg(script)
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

const OPEN: &str = r#"
import sys, base64
from nacl.public import Box, PrivateKey, PublicKey
reader, sender, sealed = (bytes.fromhex(a) for a in sys.argv[1:])
assert sealed[:4] == b"xkv1"
print(Box(PrivateKey(reader), PublicKey(sender)).decrypt(sealed[4:]).hex())
"#;

const SEAL: &str = r#"
import sys
from nacl.public import Box, PrivateKey, PublicKey
sender, reader, content, nonce = (bytes.fromhex(a) for a in sys.argv[1:])
print((b"xkv1" + bytes(Box(PrivateKey(sender), PublicKey(reader)).encrypt(content, nonce))).hex())
"#;

const PUBLIC: &str = r"
import sys
from nacl.public import PrivateKey
print(bytes(PrivateKey(bytes.fromhex(sys.argv[1])).public_key).hex())
";

/// The key's raw bytes.
fn raw(key: &XKey) -> String {
    hex(&nkeys::decode_seed(&key.seed().unwrap()).unwrap().1)
}

#[test]
fn boxes_are_those_of_nacl() {
    let (master, web) = (XKey::new(), XKey::new());
    let peel = PeelId::new("web-1").unwrap();
    let label = Label {
        bucket: "secrets".into(),
        key: "web-1".into(),
        peel: peel.clone(),
        revision: 3,
        expires_ms: 900,
    };
    let expected = Expected { bucket: "secrets", key: "web-1", peel: &peel, revision: 3, now_ms: 1 };
    let sealed = seal(&master, &web.public_key(), label, b"hunter2").unwrap();
    let sender = python(PUBLIC, &[raw(&master)]);
    let content = python(OPEN, &[raw(&web), sender, hex(&sealed)]);
    assert!(bytes(&content).windows(7).any(|w| w == b"hunter2"));
    // The way back: sealed there, opened here; with the same nonce it is the same bytes.
    let reader = python(PUBLIC, &[raw(&web)]);
    let theirs = bytes(&python(SEAL, &[raw(&master), reader, content, hex(&sealed[4..28])]));
    assert_eq!(theirs, sealed);
    let opened = open(&web, &[master.public_key()], &theirs, expected).unwrap();
    assert_eq!(opened.value, b"hunter2");
}

/// Reads nkeys' text forms by itself: base32 of a prefix, the key and a checksum.
const SEALED_TEXTS: &str = r#"
import base64, binascii, sys
from nacl.public import Box, PrivateKey, PublicKey

def decode(key):
    raw = base64.b32decode(key + "=" * (-len(key) % 8))
    assert binascii.crc_hqx(raw[:-2], 0) == int.from_bytes(raw[-2:], "little"), "checksum"
    return raw[:-2]

def public(key):
    raw = decode(key)
    assert raw[0] == 23 << 3, "a curve key begins with X"
    return PublicKey(raw[1:])

def encode(public):
    raw = bytes([23 << 3]) + bytes(public)
    raw += binascii.crc_hqx(raw, 0).to_bytes(2, "little")
    return base64.b32encode(raw).decode().rstrip("=")

seed, sealed, text = sys.argv[1:]
mine = PrivateKey(decode(seed)[2:])
to, sender, content = sealed.removeprefix("ENC[nkey,").removesuffix("]").split(",")
assert public(to) == mine.public_key
box = base64.b64decode(content, validate=True)
assert box[:4] == b"xkv1"
opened = Box(mine, public(sender)).decrypt(box[4:]).decode()
assert opened == text, "another text"
other = PrivateKey.generate()
again = b"xkv1" + bytes(Box(other, mine.public_key).encrypt((text + ", again").encode()))
print(f"ENC[nkey,{to},{encode(other.public_key)},{base64.b64encode(again).decode()}]")
"#;

#[test]
fn sealed_texts_are_those_of_nacl() {
    let key = XKey::new();
    let text = "hunter2 \u{e4}\nzwei";
    let sealed = seal_text(&key.public_key(), text).unwrap();
    let theirs = python(SEALED_TEXTS, &[key.seed().unwrap(), sealed, text.to_owned()]);
    assert_eq!(Keyring::of(key).open_text(&theirs).unwrap(), format!("{text}, again"));
}
