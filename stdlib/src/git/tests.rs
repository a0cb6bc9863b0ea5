//! `git.*` on real repositories in a temporary directory.

use super::{cloned::Cloned, config_set::ConfigSet, detached::Detached, latest::Latest};
use crate::{
    Context, State,
    provider::{Commands, Processes, fake::FakeMachine},
};
use std::{path::Path, process::Command, sync::Arc};
use zester_compiler::types::{Map, Value};

fn git(dir: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .arg("-C")
        .arg(dir)
        .args(["-c", "user.name=t", "-c", "user.email=t@x", "-c", "init.defaultBranch=main"])
        .args(args)
        .output()
        .unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn commit(dir: &Path, name: &str, text: &str) -> String {
    std::fs::write(dir.join(name), text).unwrap();
    git(dir, &["add", "."]);
    git(dir, &["commit", "--quiet", "-m", text]);
    git(dir, &["rev-parse", "HEAD"])
}

/// Runs plan and application as a runner does, and checks that nothing is left to do.
fn apply<T: State>(cx: &Context, args: &Map) -> Result<Map, String> {
    let state = T::from_values(args)?;
    let test = Context { test: true, ..cx.clone() };
    let foretold = state.plan(&test).map_err(|e| e.message)?.changes;
    let plan = state.plan(cx).map_err(|e| e.message)?;
    let changes = plan.changes;
    assert_eq!(foretold, changes);
    if let Some(apply) = plan.apply {
        apply(cx).map_err(|e| e.message)?;
    }
    let again = state.plan(cx).map_err(|e| e.message)?;
    assert!(again.apply.is_none(), "the second run would change again: {:?}", again.changes);
    Ok(changes)
}

fn args(pairs: &[(&str, &str)]) -> Map {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), Value::from(*v))).collect()
}

/// A context with the real file system and real programs.
fn context() -> Option<Context> {
    let commands = Processes::new();
    if commands.find("git").is_none() {
        eprintln!("skipped: git is not installed");
        return None;
    }
    let mut cx = FakeMachine::on_disk().context();
    let old = Arc::get_mut(&mut cx.machine).unwrap();
    old.commands = Arc::new(commands);
    Some(cx)
}

#[test]
fn a_working_copy_follows_its_branch() {
    let Some(cx) = context() else { return };
    let dir = tempfile::tempdir().unwrap();
    let origin = dir.path().join("origin");
    std::fs::create_dir(&origin).unwrap();
    git(&origin, &["init", "--quiet"]);
    let first = commit(&origin, "a", "one");
    git(&origin, &["tag", "-a", "v1", "-m", "v1"]);
    let (url, target) = (origin.to_str().unwrap(), dir.path().join("copy"));
    let wanted = args(&[("name", url), ("target", target.to_str().unwrap())]);
    let changes = apply::<Latest>(&cx, &wanted).unwrap();
    assert_eq!(changes["revision"], crate::change((), first.as_str()));
    assert_eq!(std::fs::read_to_string(target.join("a")).unwrap(), "one");

    let second = commit(&origin, "a", "two");
    let changes = apply::<Latest>(&cx, &wanted).unwrap();
    assert_eq!(changes["revision"], crate::change(first.as_str(), second.as_str()));
    assert_eq!(git(&target, &["symbolic-ref", "--short", "HEAD"]), "main");

    // Changes that are not committed stay, unless they are thrown away on purpose.
    std::fs::write(target.join("a"), "mine").unwrap();
    assert!(apply::<Latest>(&cx, &wanted).unwrap().is_empty());
    commit(&origin, "a", "three");
    let refused = apply::<Latest>(&cx, &wanted).unwrap_err();
    assert!(refused.contains("force_reset: true"), "{refused}");
    let mut forced = wanted.clone();
    forced.insert("force_reset".to_owned(), true.into());
    apply::<Latest>(&cx, &forced).unwrap();
    assert_eq!(std::fs::read_to_string(target.join("a")).unwrap(), "three");

    // So do commits that the remote side does not have.
    commit(&target, "b", "local");
    commit(&origin, "c", "remote");
    let refused = apply::<Latest>(&cx, &wanted).unwrap_err();
    assert!(refused.contains("cannot be moved forward"), "{refused}");
    apply::<Latest>(&cx, &forced).unwrap();

    let mut tag = wanted.clone();
    tag.insert("rev".to_owned(), "v1".into());
    apply::<Latest>(&cx, &tag).unwrap();
    assert_eq!(git(&target, &["rev-parse", "HEAD"]), first);
    let mut wrong = wanted;
    wrong.insert("rev".to_owned(), "mian".into());
    assert!(apply::<Latest>(&cx, &wrong).unwrap_err().contains("is it `main`?"));
}

#[test]
fn clones_detached_heads_and_settings() {
    let Some(cx) = context() else { return };
    let dir = tempfile::tempdir().unwrap();
    let origin = dir.path().join("origin");
    std::fs::create_dir(&origin).unwrap();
    git(&origin, &["init", "--quiet"]);
    let first = commit(&origin, "a", "one");
    git(&origin, &["branch", "dev"]);
    commit(&origin, "a", "two");
    let url = origin.to_str().unwrap();

    let copy = dir.path().join("copy");
    let copy = copy.to_str().unwrap();
    apply::<Cloned>(&cx, &args(&[("name", url), ("target", copy)])).unwrap();
    let changes = apply::<Cloned>(&cx, &args(&[("name", copy), ("url", url), ("branch", "dev")])).unwrap();
    assert_eq!(changes["branch"], crate::change("main", "dev"));

    let other = dir.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("in-the-way"), "").unwrap();
    let other = other.to_str().unwrap();
    let mut detached = args(&[("name", url), ("target", other), ("rev", &first)]);
    assert!(apply::<Detached>(&cx, &detached).unwrap_err().contains("force_clone: true"));
    detached.insert("force_clone".to_owned(), true.into());
    apply::<Detached>(&cx, &detached).unwrap();
    assert_eq!(git(Path::new(other), &["rev-parse", "HEAD"]), first);

    let setting = args(&[("name", "user.email"), ("value", "a@b"), ("repo", copy)]);
    apply::<ConfigSet>(&cx, &setting).unwrap();
    assert_eq!(git(Path::new(copy), &["config", "--local", "user.email"]), "a@b");

    let mirror = dir.path().join("mirror.git");
    let mut bare = args(&[("name", url), ("target", mirror.to_str().unwrap())]);
    bare.insert("mirror".to_owned(), true.into());
    apply::<Latest>(&cx, &bare).unwrap();
    let newest = commit(&origin, "a", "three");
    apply::<Latest>(&cx, &bare).unwrap();
    assert_eq!(git(&mirror, &["rev-parse", "main"]), newest);
}

/// Addresses, branches and revisions that are options or programs run nothing.
#[test]
fn hostile_addresses_are_refused() {
    let Some(cx) = context() else { return };
    let dir = tempfile::tempdir().unwrap();
    let origin = dir.path().join("origin");
    std::fs::create_dir(&origin).unwrap();
    git(&origin, &["init", "--quiet"]);
    commit(&origin, "a", "1");
    let marker = dir.path().join("marker");
    let program = format!("touch {}", marker.display());
    let url = origin.to_str().unwrap();
    let hostile = [
        format!("ext::sh -c {}", program.replace(' ', "% ")),
        format!("--upload-pack={program}"),
        format!("-u{program}"),
        format!("ssh://-oProxyCommand={program}/x"),
        format!("-c core.sshCommand={program}"),
    ];
    for (number, word) in hostile.iter().enumerate() {
        let target = dir.path().join(format!("copy{number}"));
        let target = target.to_str().unwrap();
        assert!(apply::<Latest>(&cx, &args(&[("name", word), ("target", target)])).is_err(), "{word}");
        assert!(apply::<Cloned>(&cx, &args(&[("name", word), ("target", target)])).is_err(), "{word}");
        for parameter in ["rev", "branch", "remote"] {
            let target = dir.path().join(format!("copy{number}{parameter}"));
            let target = target.to_str().unwrap();
            // Refused or taken for a name, but never run.
            let _ = apply::<Latest>(&cx, &args(&[("name", url), ("target", target), (parameter, word)]));
        }
        assert!(!marker.exists(), "`{word}` has run a program");
    }
}
