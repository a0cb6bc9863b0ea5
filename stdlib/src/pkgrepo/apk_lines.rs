//! Repositories of apk: lines of `/etc/apk/repositories`, with a tag in front of some (`@edge https://…`); keys are files.

use super::{plan_edit, sections::refresh_index};
use crate::{
    Context, Failure, Plan, change, pkg,
    provider::{Ownership, files},
    source,
};
use std::sync::Arc;
use zester_compiler::types::Value;

/// Where the lines are.
pub(super) const LIST: &str = "/etc/apk/repositories";
/// Where the keys are; apk finds them by their names.
const KEYS: &str = "/etc/apk/keys";

/// A line as it is compared: its tag and its address; `None` of one that is neither.
pub(super) fn parts(line: &str) -> Option<(bool, Option<&str>, &str)> {
    let text = line.trim();
    let off = text.starts_with('#');
    let mut words = text.trim_start_matches(['#', ' ']).split_ascii_whitespace();
    let first = words.next()?;
    let (tag, address) = match first.strip_prefix('@') {
        Some(tag) => (Some(tag), words.next()?),
        None => (None, first),
    };
    let is_address = address.contains("://") || address.starts_with('/');
    (is_address && words.next().is_none()).then(|| (off, tag, address.trim_end_matches('/')))
}

/// The list with the repository in it.
fn with_line(text: &str, line: &str, disabled: bool, alone: bool) -> Result<String, String> {
    let Some((_, tag, address)) = parts(line) else {
        return Err(format!("`{line}` is not a repository of apk; it is an address, or `@tag address`"));
    };
    let wanted = format!("{}{}\n", if disabled { "#" } else { "" }, line.trim());
    if alone {
        return Ok(wanted);
    }
    let mut new = String::new();
    let mut seen = false;
    for old in text.split_inclusive('\n') {
        match parts(old) {
            Some((off, t, a)) if t == tag && a == address => {
                if !seen {
                    new.push_str(if off == disabled { old } else { &wanted });
                }
                seen = true;
            }
            _ => new.push_str(old),
        }
    }
    if !seen {
        if !new.is_empty() && !new.ends_with('\n') {
            new.push('\n');
        }
        new.push_str(&wanted);
    }
    Ok(new)
}

/// The list without the repository.
pub(super) fn without_line(text: &str, line: &str) -> Result<String, String> {
    let Some((_, tag, address)) = parts(line) else {
        return Err(format!("`{line}` is not a repository of apk; it is an address, or `@tag address`"));
    };
    let is_it = |old: &str| parts(old).is_some_and(|(_, t, a)| t == tag && a == address);
    Ok(text.split_inclusive('\n').filter(|old| !is_it(old)).collect())
}

/// Keys that are not there yet: path and content.
fn keys(cx: &Context, urls: &[String]) -> Result<Vec<(String, Arc<[u8]>)>, Failure> {
    let mut all = Vec::new();
    for url in urls {
        let name = url.rsplit('/').next().unwrap_or_default();
        if name.is_empty() || name.starts_with('.') {
            return Err(format!(
                "`{url}` does not end with the name of a key, such as `alpine@example.com-5f0a.rsa.pub`"
            )
            .into());
        }
        let path = format!("{KEYS}/{name}");
        let stat =
            cx.machine.files.stat(&path, true).map_err(|e| format!("`{path}` could not be read: {e}"))?;
        if stat.is_some() {
            // A key that is there is not fetched again: a run must not hang on a server of keys.
            continue;
        }
        let candidates = source::candidates(&[Value::from(url.as_str())]);
        // What a key says is checked by apk; the author names its address.
        let verify = source::Verify { skip: true, ..source::Verify::default() };
        let found = source::fetch(cx, &candidates, &verify, url, |_| Ok(false))?;
        all.push((path, found.ok_or_else(|| format!("`{url}` could not be read"))?.content));
    }
    Ok(all)
}

/// Plans a repository of apk.
pub(super) fn plan<'a>(
    cx: &Context,
    line: &str,
    disabled: bool,
    clean: bool,
    key_url: &[String],
    refresh: bool,
) -> Result<Plan<'a>, Failure> {
    let old = files::text(cx, LIST)?;
    let new = with_line(old.as_deref().unwrap_or_default(), line, disabled, clean)?;
    let keys = keys(cx, key_url)?;
    let edit = plan_edit(LIST, old.as_deref(), &new, false)?;
    if edit.is_none() && keys.is_empty() {
        return Ok(Plan::unchanged(format!("`{line}` is known")));
    }
    let (mut changes, write) =
        edit.map_or_else(|| (crate::Changes::new(), None), |(changes, write)| (changes, Some(write)));
    changes.extend(keys.iter().map(|(path, _)| (path.clone(), change((), "key"))));
    if cx.test {
        pkg::note_new_repository(cx);
    }
    let line = line.to_owned();
    let said = if cx.test { format!("would add `{line}`") } else { format!("added `{line}`") };
    Ok(Plan::change(changes, said, move |cx| {
        for (path, content) in &keys {
            let ownership = Ownership { mode: Some(0o644), ..Ownership::default() };
            let written = cx.machine.files.write(path, content, ownership, true);
            written.map_err(|e| format!("`{path}` could not be written: {e}"))?;
        }
        if let Some(write) = write {
            write(cx)?;
        }
        refresh_index(cx, refresh, parts(&line).map_or(&line, |(_, _, address)| address))
    }))
}

#[cfg(test)]
mod tests {
    use super::super::{absent::Absent, managed::Managed};
    use super::*;
    use crate::provider::{
        RepositoryFiles,
        fake::{FakeMachine, FakePackages},
    };
    use zester_compiler::types::Map;

    fn args(json: &str) -> Map {
        match serde_json::from_str(json).unwrap() {
            Value::Map(map) => map,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn lines_come_and_go() {
        let packages = Arc::new(FakePackages::default());
        packages.set_repositories(RepositoryFiles::Apk);
        let mut machine = FakeMachine::new();
        machine.packages = Some(packages.clone());
        machine.files.put_dir(KEYS);
        machine.tree.put("keys/me-1.rsa.pub", "-----BEGIN PUBLIC KEY-----\n");
        machine.files.put(
            LIST,
            "#/media/cdrom/apks\nhttps://dl/alpine/v3.20/main\n#https://dl/alpine/v3.20/community\n",
        );
        machine.converge::<Managed>(&args(r#"{"name": "https://dl/alpine/v3.20/community/"}"#)).unwrap();
        let tagged = args(
            r#"{"name": "@edge https://dl/alpine/edge/main", "key_url": ["zester://keys/me-1.rsa.pub"]}"#,
        );
        assert_eq!(machine.converge::<Managed>(&tagged).unwrap().changes.len(), 2);
        assert_eq!(
            machine.files.text(LIST),
            "#/media/cdrom/apks\nhttps://dl/alpine/v3.20/main\nhttps://dl/alpine/v3.20/community/\n@edge https://dl/alpine/edge/main\n"
        );
        assert!(machine.files.text("/etc/apk/keys/me-1.rsa.pub").starts_with("-----BEGIN"));
        machine
            .converge::<Managed>(&args(r#"{"name": "https://dl/alpine/v3.20/main", "disabled": true}"#))
            .unwrap();
        machine.converge::<Absent>(&args(r#"{"name": "@edge https://dl/alpine/edge/main"}"#)).unwrap();
        assert_eq!(
            machine.files.text(LIST),
            "#/media/cdrom/apks\n#https://dl/alpine/v3.20/main\nhttps://dl/alpine/v3.20/community/\n"
        );
        // A removal waits for the next state that needs an index.
        assert_eq!(packages.log(), ["refresh"; 3]);
    }

    #[test]
    fn what_is_no_repository_is_said() {
        assert!(with_line("", "main", false, false).unwrap_err().contains("`@tag address`"));
        assert_eq!(with_line("x", "/srv/apk", false, true).unwrap(), "/srv/apk\n");
    }
}
