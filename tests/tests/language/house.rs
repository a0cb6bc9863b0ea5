//! The shape of the house: which crate may know which, and that the architecture page tells the truth.

use std::{collections::BTreeMap, fs, path::PathBuf, process::Command};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Members and their dependencies on each other, as cargo sees them (development ones apart).
fn dependencies() -> BTreeMap<String, Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let members: Vec<&str> = packages.iter().filter_map(|p| p["name"].as_str()).collect();
    packages
        .iter()
        .map(|package| {
            let uses = package["dependencies"]
                .as_array()
                .expect("dependencies")
                .iter()
                .filter(|d| d["kind"].is_null())
                .filter_map(|d| d["name"].as_str())
                .filter(|name| members.contains(name))
                .map(str::to_owned)
                .collect();
            (package["name"].as_str().expect("name").to_owned(), uses)
        })
        .collect()
}

#[test]
fn dependencies_point_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("zester-compiler", &[][..]),
        ("zester-stdlib-derive", &[][..]),
        ("zester-stdlib", &["zester-compiler", "zester-stdlib-derive"][..]),
        ("zester-executor", &["zester-compiler", "zester-stdlib"][..]),
        ("zester-lsp", &["zester-compiler", "zester-stdlib"][..]),
        ("zester", &["zester-compiler", "zester-stdlib", "zester-executor", "zester-lsp"][..]),
        (
            "zester-tests",
            &["zester-compiler", "zester-stdlib", "zester-executor", "zester-lsp", "zester"][..],
        ),
    ]);
    let found = dependencies();
    assert!(found.len() >= allowed.len(), "members are missing: {found:?}");
    for (package, uses) in found {
        let permitted =
            allowed.get(package.as_str()).unwrap_or_else(|| panic!("{package} has no place in the house"));
        for used in uses {
            assert!(permitted.contains(&used.as_str()), "{package} may not depend on {used}");
        }
    }
}

#[test]
fn the_compiler_stays_pure() {
    let manifest = fs::read_to_string(root().join("compiler/Cargo.toml")).expect("manifest");
    for impure in ["tokio", "async-nats", "rustix", "nix", "ureq", "reqwest"] {
        assert!(!manifest.contains(&format!("\n{impure}")), "the compiler may not use {impure}");
    }
}

#[test]
fn every_path_in_the_architecture_page_exists() {
    let page = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).expect("docs/ARCHITECTURE.md");
    let mut named = 0;
    for (line, text) in page.lines().enumerate() {
        for word in text.split('`').skip(1).step_by(2) {
            let is_path =
                word.contains('/') && !word.contains("://") && !word.contains([' ', '<', '*', '{', '…']);
            if is_path && !word.starts_with('/') {
                named += 1;
                assert!(
                    root().join(word).exists(),
                    "docs/ARCHITECTURE.md:{}: `{word}` does not exist",
                    line + 1
                );
            }
        }
    }
    assert!(named > 20, "the page names only {named} paths");
}
