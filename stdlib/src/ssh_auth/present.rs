//! `ssh_auth.present`: a key may log in as a user.

use super::{
    authorized::{Authorized, keys_of_source},
    key::Key,
};
use crate::{Arguments, Context, Failure, Plan, State};

/// A key stands in a user's `authorized_keys`.
#[derive(Arguments)]
#[state("ssh_auth.present")]
pub(crate) struct Present {
    /// The key: a whole line, or its Base64 alone.
    #[arg(primary)]
    name: String,
    /// Who may be logged in as.
    user: String,
    /// The key's type, where `name` does not say it.
    #[arg(default = "ssh-rsa", ty = super::key::types())]
    enc: String,
    /// The remark behind the key.
    comment: Option<String>,
    /// What the key may do (`no-pty`).
    options: Vec<String>,
    /// A file of keys in place of `name`.
    #[arg(ty = Type::Source)]
    source: Option<String>,
    /// The file, `%h` is the user's home, `%u` the name.
    #[arg(default = ".ssh/authorized_keys")]
    config: String,
    /// The kind of fingerprint.
    #[arg(inert = "keys are compared themselves, not their fingerprints")]
    fingerprint_hash_type: Option<String>,
}

impl State for Present {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let keys = match &self.source {
            Some(source) => keys_of_source(cx, source, &self.options)?,
            None => vec![Key::of(&self.name, &self.enc, self.comment.as_deref(), &self.options)?],
        };
        let file = Authorized::open(cx, &self.user, &self.config)?;
        let mut text = file.text.clone();
        for key in &keys {
            let mut key = key.clone();
            // A remark that nobody asked for is left as it is.
            if key.comment.is_empty()
                && let Some(old) = file.keys().find(|k| k.blob == key.blob)
            {
                key.comment = old.comment;
            }
            text = Authorized::with(&text, &key);
        }
        Ok(file.plan(cx, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{FileSystem, fake::FakeMachine};
    use zester_compiler::types::{Arguments as _, Map, Value};

    const BLOB: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIJ0example";

    fn machine() -> FakeMachine {
        let machine = FakeMachine::new();
        machine.accounts.put_user("alice", 1000, 1000);
        machine.files.put_dir("/home/alice");
        machine
    }

    fn args(pairs: &[(&str, Value)]) -> Map {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect()
    }

    #[test]
    fn a_key_is_added_changed_and_belongs_to_its_user() {
        let machine = machine();
        let line = format!("ssh-ed25519 {BLOB} alice@home");
        machine
            .converge::<Present>(&args(&[("name", line.as_str().into()), ("user", "alice".into())]))
            .unwrap();
        let path = "/home/alice/.ssh/authorized_keys";
        assert_eq!(machine.files.text(path), format!("{line}\n"));
        let stat = machine.files.stat(path, false).unwrap().unwrap();
        assert_eq!((stat.uid, stat.mode), (1000, 0o600));
        assert_eq!(machine.files.stat("/home/alice/.ssh", false).unwrap().unwrap().mode, 0o700);
        let narrower = args(&[
            ("name", BLOB.into()),
            ("user", "alice".into()),
            ("enc", "ed25519".into()),
            ("options", vec!["no-pty"].into()),
        ]);
        machine.converge::<Present>(&narrower).unwrap();
        assert_eq!(machine.files.text(path), format!("no-pty {line}\n"));
    }

    #[test]
    fn keys_of_a_file() {
        let machine = machine();
        machine.tree.put("keys", format!("# team\nssh-rsa {BLOB} a\nssh-ed25519 {BLOB}2 b\n"));
        let wanted = args(&[
            ("name", "team".into()),
            ("user", "alice".into()),
            ("source", "zester://keys".into()),
            ("config", "/etc/ssh/keys/%u".into()),
        ]);
        machine.files.put_dir("/etc/ssh/keys");
        machine.converge::<Present>(&wanted).unwrap();
        assert_eq!(machine.files.text("/etc/ssh/keys/alice").lines().count(), 2);
    }

    #[test]
    fn a_directory_of_another_is_not_written() {
        let machine = machine();
        machine.files.put_dir("/home/bob/.ssh");
        machine.files.set_owner("/home/bob/.ssh", Some(2000), None, true).unwrap();
        machine.files.symlink("/home/bob/.ssh", "/home/alice/.ssh").unwrap();
        let state = Present::from_values(&args(&[("name", BLOB.into()), ("user", "alice".into())])).unwrap();
        let cx = machine.context();
        let failure = state.plan(&cx).unwrap().apply.unwrap()(&cx).unwrap_err();
        assert!(failure.message.contains("belongs to user 2000"), "{}", failure.message);
    }
}
