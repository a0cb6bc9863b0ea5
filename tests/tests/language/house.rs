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

/// All sources below a directory, by their paths from the root, tests and fakes apart.
fn sources(directory: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut pending = vec![root().join(directory)];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory).expect("a directory").flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "fake" && name != "tests" {
                    pending.push(path);
                }
            } else if path.extension().is_some_and(|e| e == "rs") && !name.ends_with("tests.rs") {
                let text = fs::read_to_string(&path).expect("a source");
                let code = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
                let path = path.strip_prefix(root()).expect("a path below the root");
                found.insert(path.to_string_lossy().into_owned(), code);
            }
        }
    }
    found
}

#[test]
fn a_shell_reads_only_what_is_meant_for_one() {
    // Every other argument goes to a program as it is, whatever is in it: `;`, `$(…)`, quotes, line breaks.
    let about_a_shell = [
        // `onlyif`, `unless`
        "executor/src/runner/guard.rs",
        "stdlib/src/cmd/execution.rs",
        "stdlib/src/cmd/run.rs",
        "stdlib/src/cmd/script.rs",
        "stdlib/src/exec/cmd.rs",
        // `check_cmd`
        "stdlib/src/file/desired.rs",
        "stdlib/src/provider/commands.rs",
        "stdlib/src/provider/processes.rs",
        // The program's name, for errors.
        "stdlib/src/provider/tool.rs",
    ];
    let mut found: Vec<String> = Vec::new();
    for directory in ["stdlib/src", "executor/src", "compiler/src", "lsp/src", "cli/src"] {
        for (path, code) in sources(directory) {
            let starts =
                ["Command::shell(", "Program::Shell", "\"sh\"", "\"/bin/sh\", \"-c\"", "\"bash\", \"-c\""];
            if starts.iter().any(|start| code.contains(start)) {
                found.push(path);
            }
        }
    }
    found.sort();
    assert_eq!(found, about_a_shell);
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
