//! `ssh_auth.manage`: exactly these keys may log in as a user.

use super::{
    authorized::{Authorized, keys_of_source},
    key::Key,
};
use crate::{Arguments, Context, Failure, Plan, State};

/// A user's `authorized_keys` holds these keys and no others.
#[derive(Arguments)]
#[state("ssh_auth.manage")]
pub(crate) struct Manage {
    /// A label.
    #[arg(primary)]
    name: String,
    /// Who may be logged in as.
    user: String,
    /// The keys: whole lines, or Base64 alone.
    ssh_keys: Vec<String>,
    /// The type of the keys that do not say it.
    #[arg(default = "ssh-rsa", ty = super::key::types())]
    enc: String,
    /// The remark behind the keys.
    comment: Option<String>,
    /// A file of further keys.
    #[arg(ty = Type::Source)]
    source: Option<String>,
    /// What the keys may do.
    options: Vec<String>,
    /// The file, `%h` is the user's home, `%u` the name.
    #[arg(default = ".ssh/authorized_keys")]
    config: String,
    /// The kind of fingerprint.
    #[arg(inert = "keys are compared themselves, not their fingerprints")]
    fingerprint_hash_type: Option<String>,
}

impl State for Manage {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let mut keys = Vec::new();
        for text in &self.ssh_keys {
            keys.push(Key::of(text, &self.enc, self.comment.as_deref(), &self.options)?);
        }
        if let Some(source) = &self.source {
            keys.extend(keys_of_source(cx, source, &self.options)?);
        }
        if keys.is_empty() {
            return Err(format!(
                "`{}` has neither `ssh_keys` nor `source`; use `ssh_auth.absent` to take keys away",
                self.name
            )
            .into());
        }
        let file = Authorized::open(cx, &self.user, &self.config)?;
        let mut text = file.text.clone();
        for old in file.keys().filter(|old| !keys.iter().any(|k| k.blob == old.blob)) {
            text = Authorized::without(&text, &old.blob);
        }
        for key in &keys {
            text = Authorized::with(&text, key);
        }
        Ok(file.plan(cx, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;
    use zester_compiler::types::{Map, Value};

    #[test]
    fn others_go() {
        let blob = "AAAAC3NzaC1lZDI1NTE5AAAAIJ0example";
        let machine = FakeMachine::new();
        let path = "/root/.ssh/authorized_keys";
        machine.files.put(path, format!("# mine\nssh-ed25519 {blob}1 old\nssh-ed25519 {blob}2 kept\n"));
        let args = Map::from_iter([
            ("name".to_owned(), Value::from("keys")),
            ("user".to_owned(), "root".into()),
            (
                "ssh_keys".to_owned(),
                vec![format!("ssh-ed25519 {blob}2 kept"), format!("ssh-rsa {blob}3 new")].into(),
            ),
        ]);
        let outcome = machine.converge::<Manage>(&args).unwrap();
        assert_eq!(outcome.changes.len(), 2);
        assert_eq!(
            machine.files.text(path),
            format!("# mine\nssh-ed25519 {blob}2 kept\nssh-rsa {blob}3 new\n")
        );
    }
}
