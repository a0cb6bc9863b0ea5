//! `group.absent`: a group is not there.

use crate::{Arguments, Changes, Context, Failure, Outcome, Plan, State, change};

/// A group does not exist.
#[derive(Arguments)]
#[state("group.absent")]
pub(crate) struct Absent {
    /// The group.
    #[arg(primary)]
    name: String,
    /// Whether only local accounts are looked at.
    #[arg(inert = "groups are always changed in the local files")]
    local: Option<bool>,
}

impl State for Absent {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let name = &self.name;
        let Some(group) = cx.machine.accounts.group(name)? else {
            return Ok(Plan::unchanged(format!("there is no group `{name}`")));
        };
        let changes = Changes::from_iter([("gid".to_owned(), change(i64::from(group.gid), ()))]);
        let comment =
            if cx.test { format!("would remove group `{name}`") } else { format!("removed group `{name}`") };
        Ok(Plan::change(changes, comment, |cx| {
            cx.machine.accounts.remove_group(cx, &self.name)?;
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
    fn removes_and_keeps_the_tools_words() {
        let machine = FakeMachine::new();
        machine.accounts.put_group("web", 1000);
        machine.accounts.put_group("alice", 1001);
        machine.accounts.put_user("alice", 1001, 1001);
        let named = |name: &str| Map::from_iter([("name".to_owned(), name.into())]);
        let outcome = machine.converge::<Absent>(&named("web")).unwrap();
        assert_eq!(outcome.changes["gid"], change(1000, ()));
        let failure = machine.converge::<Absent>(&named("alice")).unwrap_err();
        assert!(failure.message.contains("primary group of user 'alice'"), "{}", failure.message);
    }
}
