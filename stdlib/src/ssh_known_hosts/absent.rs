//! `ssh_known_hosts.absent`: no key of a host is known.

use super::entries::{file, keys_of, pattern, read, without, write};
use crate::{Arguments, Changes, Context, Failure, Outcome, Plan, State, change};

/// No key of a host is known to a user, or to everybody.
#[derive(Arguments)]
#[state("ssh_known_hosts.absent")]
pub(crate) struct Absent {
    /// The host.
    #[arg(primary)]
    name: String,
    /// Who knows it; everybody when not given.
    user: Option<String>,
    /// The port.
    port: Option<u16>,
    /// The file.
    config: Option<String>,
}

impl State for Absent {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let host = pattern(&self.name, self.port);
        let (path, ownership) = file(cx, self.user.as_deref(), self.config.as_deref())?;
        let old = read(cx, &path)?;
        let known = keys_of(&old, &host);
        if known.is_empty() {
            return Ok(Plan::unchanged(format!("no key of `{host}` is known")));
        }
        let keys: Vec<String> = known.iter().map(|k| format!("{} {}", k.kind, k.blob)).collect();
        let changes = Changes::from_iter([(host.clone(), change(keys, ()))]);
        let comment = if cx.test { "would forget" } else { "forgot" };
        Ok(Plan::change(changes, format!("{comment} the keys of `{host}`"), move |cx| {
            write(cx, &path, &without(&old, &host, None), ownership)?;
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;
    use zester_compiler::types::{Map, Value};

    #[test]
    fn forgets() {
        let machine = FakeMachine::new();
        machine.files.put("/etc/ssh/ssh_known_hosts", "a ssh-rsa AAAA1\nb ssh-rsa AAAA2\n");
        let args = Map::from_iter([("name".to_owned(), Value::from("a"))]);
        machine.converge::<Absent>(&args).unwrap();
        assert_eq!(machine.files.text("/etc/ssh/ssh_known_hosts"), "b ssh-rsa AAAA2\n");
    }
}
