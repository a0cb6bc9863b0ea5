//! What travels, byte for byte. For each struct there is a sample as JSON and its golden encoding in hex: `UPDATE=1` writes the encodings anew.
//! A changed encoding is a changed protocol. Another language's library must read the same data from them.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{collections::BTreeMap, fs, path::PathBuf, process::Command};
use zester_executor::{
    auth::signed::{Anchor, Certificate, Signed},
    bus::{codec, lease::LeaseRecord},
    enroll::message::Renewal,
    job::message::*,
    publish::{
        manifest::{Head, Manifest},
        secrets::SealedPart,
    },
};

fn directory() -> PathBuf {
    zester_tests::repository().join("tests/fixtures/golden")
}

/// All samples by file name.
fn samples() -> BTreeMap<String, Value> {
    let files = fs::read_dir(directory()).unwrap().map(|f| f.unwrap().path());
    let samples = files.filter(|p| p.extension().is_some_and(|e| e == "json")).map(|path| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let json = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        (name, json)
    });
    samples.collect()
}

fn encode<T: Serialize + DeserializeOwned>(name: &str, json: &Value) -> Vec<u8> {
    let value: T = serde_json::from_value(json.clone()).unwrap_or_else(|e| panic!("{name}: {e}"));
    // A field that the sample does not have would be missing in the encoding's test.
    assert_eq!(
        serde_json::to_value(&value).unwrap(),
        *json,
        "{name} has fields that its sample does not have"
    );
    let bytes = codec::encode(&value).unwrap();
    let back: T = codec::decode(&bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert_eq!(serde_json::to_value(&back).unwrap(), *json, "{name}");
    bytes
}

macro_rules! table {
    ($($name:ident),* $(,)?) => {
        /// The structs that travel by themselves.
        const STRUCTS: &[&str] = &[$(stringify!($name)),*];

        fn encoding(name: &str, json: &Value) -> Vec<u8> {
            match name.split('-').next().unwrap() {
                $(stringify!($name) => encode::<$name>(name, json),)*
                other => panic!("`{other}` is no struct of the table"),
            }
        }
    };
}

zester_tests::wire_structs!(table);

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for line in bytes.chunks(32) {
        for byte in line {
            text.push_str(&format!("{byte:02x}"));
        }
        text.push('\n');
    }
    text
}

#[test]
fn encodings_stay_as_they_are() {
    for (name, json) in samples() {
        let found = hex(&encoding(&name, &json));
        let path = directory().join(format!("{name}.hex"));
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, &found).unwrap();
        }
        let golden = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(found, golden, "{name} is written otherwise than before; UPDATE=1 if that is meant");
    }
}

#[test]
fn every_struct_has_a_sample() {
    let samples = samples();
    for name in STRUCTS {
        assert!(samples.keys().any(|s| s.split('-').next() == Some(name)), "{name} has no sample");
    }
    for file in ["executor/src/job/message.rs", "executor/src/auth/signed.rs"] {
        let text = fs::read_to_string(zester_tests::repository().join(file)).unwrap();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("pub struct ") {
                let name = rest.split([' ', '(', '<']).next().unwrap();
                assert!(
                    STRUCTS.contains(&name),
                    "`{name}` of {file} is not in the table of tests/tests/fleet/wire.rs"
                );
            }
        }
    }
}

#[test]
fn another_library_reads_the_same() {
    let script = r"
import json, msgpack, pathlib, sys
def plain(v):
    if isinstance(v, bytes): return list(v)
    if isinstance(v, list): return [plain(x) for x in v]
    if isinstance(v, dict): return {k: plain(x) for k, x in v.items()}
    return v
names = sorted(pathlib.Path(sys.argv[1]).glob('*.hex'))
read = {p.stem: plain(msgpack.unpackb(bytes.fromhex(p.read_text().replace('\n', '')))) for p in names}
print(json.dumps(read))
";
    let output = Command::new(zester_tests::nats::environment().join("bin/python"))
        .args(["-c", script])
        .arg(directory())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: BTreeMap<String, Value> = serde_json::from_slice(&output.stdout).unwrap();
    let samples = samples();
    assert_eq!(read.len(), samples.len());
    for (name, json) in samples {
        assert_eq!(read[&name], json, "{name}");
    }
}
