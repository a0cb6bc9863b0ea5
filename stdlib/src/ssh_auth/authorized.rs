//! The file of a user's keys: where it is, what it holds, how it is written.

use super::key::Key;
use crate::{
    Changes, Context, Failure, Outcome, Plan, change,
    provider::{Ownership, UserAccount, files},
    source,
};
use zester_compiler::types::Value;

/// A user's `authorized_keys`.
pub(crate) struct Authorized {
    /// Where it lies.
    pub path: String,
    /// Its text.
    pub text: String,
    user: UserAccount,
}

impl Authorized {
    /// Finds and reads it. In a test run a user who is still to be created has an empty one.
    pub(crate) fn open(cx: &Context, user: &str, config: &str) -> Result<Self, Failure> {
        let account = match cx.machine.accounts.user(user)? {
            Some(account) => account,
            None if cx.test => {
                UserAccount { name: user.to_owned(), home: format!("/home/{user}"), ..UserAccount::default() }
            }
            None => {
                return Err(format!("there is no user `{user}`; require its `user.present`").into());
            }
        };
        let home = account.home.trim_end_matches('/');
        let config = config.replace("%h", home).replace("%u", user).replace("%%", "%");
        let path = if config.starts_with('/') { config } else { format!("{home}/{config}") };
        let text = files::text(cx, &path)?.unwrap_or_default();
        Ok(Self { path, text, user: account })
    }

    /// The keys in it.
    pub(crate) fn keys(&self) -> impl Iterator<Item = Key> {
        self.text.lines().filter_map(Key::parse)
    }

    /// The text with a key in it: in place of the same key's line, else at the end.
    pub(crate) fn with(text: &str, key: &Key) -> String {
        let mut lines: Vec<String> = Vec::new();
        let mut placed = false;
        for line in text.lines() {
            match Key::parse(line) {
                Some(old) if old.blob == key.blob => {
                    if !placed {
                        lines.push(if old == *key { line.to_owned() } else { key.to_string() });
                        placed = true;
                    }
                }
                _ => lines.push(line.to_owned()),
            }
        }
        if !placed {
            lines.push(key.to_string());
        }
        lines.join("\n") + "\n"
    }

    /// The text without a key.
    pub(crate) fn without(text: &str, blob: &str) -> String {
        let kept = text.lines().filter(|line| Key::parse(line).is_none_or(|k| k.blob != blob));
        kept.map(|line| format!("{line}\n")).collect::<Vec<_>>().concat()
    }

    /// The plan that makes this text the file's.
    pub(crate) fn plan<'a>(self, cx: &Context, new: String) -> Plan<'a> {
        let (old, user) = (self.text.clone(), self.user.name.clone());
        let mut changes = Changes::new();
        let before: Vec<Key> = self.keys().collect();
        let after: Vec<Key> = new.lines().filter_map(Key::parse).collect();
        for key in &after {
            match before.iter().find(|k| k.blob == key.blob) {
                Some(same) if same == key => {}
                Some(same) => {
                    changes.insert(key.label(), change(same.to_string(), key.to_string()));
                }
                None => {
                    changes.insert(key.label(), change((), key.to_string()));
                }
            }
        }
        for key in before.iter().filter(|k| !after.iter().any(|a| a.blob == k.blob)) {
            changes.insert(key.label(), change(key.to_string(), ()));
        }
        if changes.is_empty() || new == old {
            return Plan::unchanged(format!("the keys of `{user}` are as wanted"));
        }
        let comment = if cx.test {
            format!("would change keys of `{user}`")
        } else {
            format!("changed keys of `{user}`")
        };
        Plan::change(changes, comment, move |cx| {
            self.write(cx, &new)?;
            Ok(Outcome::default())
        })
    }

    /// sshd refuses files and directories that others may write, so all of it is the user's alone.
    fn write(&self, cx: &Context, text: &str) -> Result<(), String> {
        let files = &cx.machine.files;
        let failed = |e: std::io::Error| format!("`{}` could not be written: {e}", self.path);
        let ids = Ownership { uid: Some(self.user.uid), gid: Some(self.user.gid), mode: Some(0o600) };
        let dir = self.path.rsplit_once('/').map_or("", |(dir, _)| dir);
        match files.stat(dir, true).map_err(failed)? {
            None => {
                files.create_dir(dir, 0o700).map_err(failed)?;
                files.set_owner(dir, ids.uid, ids.gid, false).map_err(failed)?;
            }
            // The user may have put a link there that leads into another's directory.
            Some(stat) if stat.uid != self.user.uid && stat.uid != 0 => {
                return Err(format!("`{}` is not written: `{dir}` belongs to user {}", self.path, stat.uid));
            }
            Some(_) => {}
        }
        let exists = files.stat(&self.path, false).map_err(failed)?.is_some();
        let home = format!("{}/", self.user.home.trim_end_matches('/'));
        // A file elsewhere (`/etc/ssh/keys/%u`) keeps its owner.
        let ownership = if exists && !self.path.starts_with(&home) { Ownership::default() } else { ids };
        files.write(&self.path, text.as_bytes(), ownership, false).map_err(failed)
    }
}

/// The keys of a source: lines of a file.
pub(crate) fn keys_of_source(cx: &Context, address: &str, options: &[String]) -> Result<Vec<Key>, Failure> {
    let candidates = source::candidates(&[Value::from(address)]);
    let verify = source::Verify { skip: true, ..source::Verify::default() };
    let found = source::fetch(cx, &candidates, &verify, address, |_| Ok(false))?
        .ok_or_else(|| format!("`{address}` could not be read"))?;
    let text = String::from_utf8_lossy(&found.content).into_owned();
    let mut keys: Vec<Key> = text.lines().filter_map(Key::parse).collect();
    if keys.is_empty() {
        return Err(format!("`{address}` holds no public key").into());
    }
    if !options.is_empty() {
        for key in &mut keys {
            key.options = options.to_vec();
        }
    }
    Ok(keys)
}
