//! `ssh_auth.absent`: a key may not log in as a user.

use super::{
    authorized::{Authorized, keys_of_source},
    key::Key,
};
use crate::{Arguments, Context, Failure, Plan, State};
use zester_compiler::types::Value;

/// A key does not stand in a user's `authorized_keys`.
#[derive(Arguments)]
#[state("ssh_auth.absent")]
pub(crate) struct Absent {
    /// The key: a whole line, or its Base64 alone.
    #[arg(primary)]
    name: String,
    /// Whose keys.
    user: String,
    /// The key's type.
    #[arg(default = "ssh-rsa", ty = super::key::types())]
    enc: String,
    /// The remark behind the key.
    #[arg(inert = "a key is known by itself, not by its remark")]
    comment: Option<String>,
    /// What the key may do.
    #[arg(inert = "a key is known by itself, not by its options")]
    options: Option<Value>,
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

impl State for Absent {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let keys = match &self.source {
            Some(source) => keys_of_source(cx, source, &[])?,
            None => vec![Key::of(&self.name, &self.enc, None, &[])?],
        };
        if cx.machine.accounts.user(&self.user)?.is_none() {
            return Ok(Plan::unchanged(format!("there is no user `{}`", self.user)));
        }
        let file = Authorized::open(cx, &self.user, &self.config)?;
        let text = keys.iter().fold(file.text.clone(), |text, key| Authorized::without(&text, &key.blob));
        Ok(file.plan(cx, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;
    use zester_compiler::types::Map;

    #[test]
    fn whatever_its_remark() {
        let blob = "AAAAC3NzaC1lZDI1NTE5AAAAIJ0example";
        let machine = FakeMachine::new();
        machine.files.put("/root/.ssh/authorized_keys", format!("# mine\nssh-ed25519 {blob} old remark\n"));
        let args =
            Map::from_iter([("name".to_owned(), Value::from(blob)), ("user".to_owned(), "root".into())]);
        let outcome = machine.converge::<Absent>(&args).unwrap();
        assert!(outcome.changes.contains_key("old remark"));
        assert_eq!(machine.files.text("/root/.ssh/authorized_keys"), "# mine\n");
        let nobody =
            Map::from_iter([("name".to_owned(), Value::from(blob)), ("user".to_owned(), "gone".into())]);
        assert!(machine.converge::<Absent>(&nobody).unwrap().changes.is_empty());
    }
}
