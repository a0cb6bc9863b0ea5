//! `user.absent`: a user is not there.

use crate::{Arguments, Changes, Context, Failure, Outcome, Plan, State, change};

/// A user does not exist.
#[derive(Arguments)]
#[state("user.absent")]
pub(crate) struct Absent {
    /// The user.
    #[arg(primary)]
    name: String,
    /// Whether home directory and mail are removed, too.
    #[arg(default = false)]
    purge: bool,
    /// Whether one who is logged in is removed, too.
    #[arg(default = false)]
    force: bool,
    /// Whether only local accounts are looked at.
    #[arg(inert = "users are always removed from the local files")]
    local: Option<bool>,
}

impl State for Absent {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let name = &self.name;
        let accounts = &cx.machine.accounts;
        let Some(user) = accounts.user(name)? else {
            return Ok(Plan::unchanged(format!("there is no user `{name}`")));
        };
        let mut changes = Changes::from_iter([("uid".to_owned(), change(i64::from(user.uid), ()))]);
        if self.purge {
            changes.insert("home".to_owned(), change(user.home, ()));
        }
        let comment =
            if cx.test { format!("would remove user `{name}`") } else { format!("removed user `{name}`") };
        Ok(Plan::change(changes, comment, |cx| {
            cx.machine.accounts.remove_user(cx, &self.name, self.purge, self.force)?;
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;
    use zester_compiler::types::Map;

    #[test]
    fn removes() {
        let machine = FakeMachine::new();
        machine.accounts.put_user("alice", 1000, 0);
        let args = Map::from_iter([("name".to_owned(), "alice".into()), ("purge".to_owned(), true.into())]);
        let outcome = machine.converge::<Absent>(&args).unwrap();
        assert_eq!(outcome.changes["home"], change("/home/alice", ()));
        assert_eq!(machine.accounts.log(), ["userdel purge=true force=false alice"]);
    }
}
