//! `pkg.*` on a made-up package manager.

use super::{
    held::Held,
    installed::Installed,
    latest::Latest,
    removed::{Purged, Removed},
    unheld::Unheld,
    uptodate::UpToDate,
};
use crate::{
    Context, State, change,
    provider::{
        Packages,
        fake::{FakeMachine, FakePackages},
    },
};
use std::sync::Arc;
use zester_compiler::types::{Arguments, Map, Value};

fn machine() -> (FakeMachine, Arc<FakePackages>) {
    let packages = Arc::new(FakePackages::default());
    packages.set_age(10.0);
    let mut machine = FakeMachine::new();
    machine.packages = Some(packages.clone());
    (machine, packages)
}

fn args(json: &str) -> Map {
    match serde_json::from_str(json).unwrap() {
        Value::Map(map) => map,
        other => panic!("{other:?}"),
    }
}

fn refusal<T: State>(machine: &FakeMachine, json: &str) -> String {
    let state = T::from_values(&args(json)).unwrap();
    match state.plan(&machine.context()) {
        Ok(plan) => match plan.apply {
            Some(apply) => apply(&machine.context()).expect_err("it should fail").message,
            None => panic!("it should fail"),
        },
        Err(failure) => failure.message,
    }
}

#[test]
fn one_transaction_for_a_list_and_dependencies_are_changes() {
    let (machine, packages) = machine();
    packages.index("nginx", &["1.22", "1.24"]);
    packages.index("libssl", &["3"]);
    packages.index("tree", &["2.1"]);
    packages.needs("nginx", "libssl");
    let wanted = args(r#"{"name": "web", "pkgs": ["tree", {"nginx": "1.22"}]}"#);
    let outcome = machine.converge::<Installed>(&wanted).unwrap();
    assert_eq!(packages.log(), ["install tree nginx=1.22"]);
    assert_eq!(outcome.changes["nginx"], change("", "1.22"));
    assert_eq!(outcome.changes["libssl"], change("", "3"));
}

#[test]
fn versions_by_pattern_condition_and_downgrade() {
    let (machine, packages) = machine();
    packages.index("a", &["1.0-1", "1.2-1", "1.2-3", "2.0-1"]);
    machine.converge::<Installed>(&args(r#"{"name": "a", "version": "1.2*"}"#)).unwrap();
    machine.converge::<Installed>(&args(r#"{"name": "a", "version": ">=2"}"#)).unwrap();
    machine.converge::<Installed>(&args(r#"{"name": "a", "version": "1.0-1"}"#)).unwrap();
    machine
        .converge::<Installed>(&args(r#"{"name": "a", "version": "0.9", "allow_updates": true}"#))
        .unwrap();
    machine.converge::<Installed>(&args(r#"{"name": "a", "version": "latest"}"#)).unwrap();
    assert_eq!(packages.log(), ["install a=1.2-3", "install a=2.0-1", "install a=1.0-1", "install a"]);
    let message = refusal::<Installed>(&machine, r#"{"name": "a", "version": "7.*"}"#);
    assert!(message.starts_with("no version of `a` is `7.*`; there are 2.0-1"), "{message}");
}

#[test]
fn an_unknown_package_is_looked_for_in_a_newer_index() {
    let (machine, packages) = machine();
    packages.publish("new", &["1"]);
    machine.converge::<Installed>(&args(r#"{"name": "new"}"#)).unwrap();
    assert_eq!(packages.log(), ["refresh", "install new"]);
    let message = refusal::<Installed>(&machine, r#"{"name": "nowhere"}"#);
    assert!(message.contains("Unable to locate package nowhere"), "{message}");
    let (machine, packages) = self::machine();
    packages.publish("new", &["1"]);
    assert!(refusal::<Installed>(&machine, r#"{"name": "new", "refresh": false}"#).contains("Unable"));
}

#[test]
fn a_virtual_name_is_there_when_something_provides_it() {
    let (machine, packages) = machine();
    packages.put("nullmailer", "1");
    packages.provide("mail-transport-agent", "nullmailer");
    let outcome = machine.converge::<Installed>(&args(r#"{"name": "mail-transport-agent"}"#)).unwrap();
    assert!(outcome.changes.is_empty());
}

#[test]
fn a_held_package_moves_only_when_told() {
    let (machine, packages) = machine();
    packages.index("a", &["1", "2"]);
    machine.converge::<Installed>(&args(r#"{"name": "a", "version": "1", "hold": true}"#)).unwrap();
    let message = refusal::<Installed>(&machine, r#"{"name": "a", "version": "2"}"#);
    assert!(message.contains("Held packages"), "{message}");
    machine.converge::<Installed>(&args(r#"{"name": "a", "version": "2", "update_holds": true}"#)).unwrap();
    assert_eq!(packages.log(), ["install a=1", "hold a", "refresh", "install a=2"]);
}

#[test]
fn a_file_is_installed_when_its_version_is_not_there() {
    let (machine, packages) = machine();
    machine.files.put("/tmp/tool.deb", "x");
    packages.file("/tmp/tool.deb", "tool", "1.5");
    let wanted = args(r#"{"name": "tools", "sources": [{"tool": "/tmp/tool.deb"}]}"#);
    let outcome = machine.converge::<Installed>(&wanted).unwrap();
    assert_eq!(outcome.changes["tool"], change("", "1.5"));
    let wrong = r#"{"name": "tools", "sources": [{"other": "/tmp/tool.deb"}]}"#;
    assert!(refusal::<Installed>(&machine, wrong).contains("holds the package `tool`, not `other`"));
}

#[test]
fn a_test_run_believes_in_a_repository_it_would_add() {
    let (machine, _) = machine();
    let test = Context { test: true, ..machine.context() };
    let state = Installed::from_values(&args(r#"{"name": "corp-agent"}"#)).unwrap();
    assert!(state.plan(&test).is_err());
    super::note_new_repository(&test);
    assert_eq!(state.plan(&test).unwrap().changes["corp-agent"], change("", "latest"));
}

#[test]
fn latest_moves_up_and_installs() {
    let (machine, packages) = machine();
    packages.put("a", "1");
    packages.publish("a", &["1", "1.10", "1.9"]);
    packages.publish("b", &["7"]);
    packages.put("local-only", "3");
    let wanted = args(r#"{"name": "x", "pkgs": ["a", "b", "local-only"]}"#);
    let outcome = machine.converge::<Latest>(&wanted).unwrap();
    assert_eq!(outcome.changes["a"], change("1", "1.10"));
    assert_eq!(packages.log(), ["refresh", "install a=1.10 b"]);
    assert!(refusal::<Latest>(&machine, r#"{"name": "gone"}"#).contains("no package `gone`"));
}

#[test]
fn removal_names_what_goes_with_it_and_purge_what_was_left() {
    let (machine, packages) = machine();
    for name in ["lib", "app", "linux-image-1", "linux-image-2"] {
        packages.put(name, "1");
    }
    packages.needs("app", "lib");
    let outcome = machine.converge::<Removed>(&args(r#"{"name": "lib"}"#)).unwrap();
    assert_eq!(outcome.changes.len(), 2);
    assert_eq!(outcome.changes["app"], change("1", ""));
    assert!(machine.converge::<Removed>(&args(r#"{"name": "lib"}"#)).unwrap().changes.is_empty());
    let outcome = machine.converge::<Purged>(&args(r#"{"name": "x", "pkgs": ["lib", "app"]}"#)).unwrap();
    assert_eq!(outcome.changes["lib"], change("1", ""));
    machine.converge::<Removed>(&args(r#"{"name": "linux-image-*"}"#)).unwrap();
    assert_eq!(packages.log().last().unwrap(), "remove linux-image-1 linux-image-2");
}

#[test]
fn holds_come_and_go() {
    let (machine, packages) = machine();
    packages.put("a", "1");
    packages.put("b", "1");
    machine.converge::<Held>(&args(r#"{"name": "a"}"#)).unwrap();
    machine.converge::<Held>(&args(r#"{"name": "b", "replace": true}"#)).unwrap();
    machine.converge::<Unheld>(&args(r#"{"name": "b"}"#)).unwrap();
    assert_eq!(packages.log(), ["hold a", "hold b", "unhold a", "unhold b"]);
    assert!(packages.held(&machine.context()).unwrap().is_empty());
    assert!(refusal::<Held>(&machine, r#"{"name": "gone"}"#).contains("is not installed"));
}

#[test]
fn everything_is_brought_up_to_date() {
    let (machine, packages) = machine();
    packages.put("a", "1");
    packages.put("b", "1");
    packages.publish("a", &["2"]);
    packages.publish("b", &["2"]);
    let some = args(r#"{"name": "x", "pkgs": ["a", "not-here"]}"#);
    assert_eq!(machine.converge::<UpToDate>(&some).unwrap().changes.len(), 1);
    assert_eq!(machine.converge::<UpToDate>(&args(r#"{"name": "all"}"#)).unwrap().changes.len(), 1);
    assert_eq!(packages.log(), ["refresh", "install a", "upgrade"]);
}
