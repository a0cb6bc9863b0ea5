//! `group.present`: a group is there, with its number and members.

use crate::{Arguments, Changes, Context, Failure, Outcome, Plan, State, change};

/// A group exists.
#[derive(Arguments)]
#[state("group.present", at_most_one_of("members", "addusers"), at_most_one_of("members", "delusers"))]
pub(crate) struct Present {
    /// The group.
    #[arg(primary)]
    name: String,
    /// Its number; one that is free when not given.
    gid: Option<u32>,
    /// Whether a new group gets a number of the system's range.
    #[arg(default = false)]
    system: bool,
    /// All its members: others are removed.
    members: Option<Vec<String>>,
    /// Members it has at least.
    addusers: Option<Vec<String>>,
    /// Users who are not members.
    delusers: Option<Vec<String>>,
    /// Whether the number may be another group's, too.
    #[arg(default = false)]
    non_unique: bool,
    /// Whether only local accounts are looked at.
    #[arg(inert = "groups are always changed in the local files")]
    local: Option<bool>,
}

impl State for Present {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let name = &self.name;
        let accounts = &cx.machine.accounts;
        if let (Some(add), Some(remove)) = (&self.addusers, &self.delusers)
            && let Some(both) = add.iter().find(|user| remove.contains(user))
        {
            return Err(format!("`{both}` stands in `addusers` and in `delusers` of group `{name}`").into());
        }
        let group = accounts.group(name)?;
        let mut changes = Changes::new();
        let change_gid = match (&group, self.gid) {
            (None, gid) => {
                changes.insert("group".to_owned(), change((), name.clone()));
                if let Some(gid) = gid {
                    changes.insert("gid".to_owned(), change((), i64::from(gid)));
                }
                false
            }
            (Some(group), Some(gid)) if group.gid != gid => {
                changes.insert("gid".to_owned(), change(i64::from(group.gid), i64::from(gid)));
                true
            }
            _ => false,
        };
        if changes.contains_key("gid")
            && !self.non_unique
            && let Some(gid) = self.gid
            && let Some(other) = accounts.group_by_id(gid)?
        {
            return Err(format!(
                "group `{name}` cannot have the number {gid}: it is group `{}`'s",
                other.name
            )
            .into());
        }
        let have = group.as_ref().map(|g| g.members.clone()).unwrap_or_default();
        let want = self.wanted_members(&have);
        let change_members = want != have;
        if change_members {
            self.check_users(cx, &want, &have)?;
            changes.insert("members".to_owned(), change(have, want.clone()));
        }
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("group `{name}` is as wanted")));
        }
        let create = group.is_none();
        let comment = match (cx.test, create) {
            (true, true) => format!("would create group `{name}`"),
            (true, false) => format!("would change group `{name}`"),
            (false, true) => format!("created group `{name}`"),
            (false, false) => format!("changed group `{name}`"),
        };
        Ok(Plan::change(changes, comment, move |cx| {
            let accounts = &cx.machine.accounts;
            let mut options = Vec::new();
            if let Some(gid) = self.gid.filter(|_| create || change_gid) {
                options.extend(["--gid".to_owned(), gid.to_string()]);
                if self.non_unique {
                    options.push("--non-unique".to_owned());
                }
            }
            if create {
                if self.system {
                    options.push("--system".to_owned());
                }
                accounts.create_group(cx, &self.name, &options)?;
            } else if change_gid {
                accounts.modify_group(cx, &self.name, &options)?;
            }
            if change_members {
                let created = if create {
                    Changes::from_iter([("group".to_owned(), change((), self.name.clone()))])
                } else {
                    Changes::new()
                };
                accounts
                    .set_members(cx, &self.name, &want)
                    .map_err(|message| Failure::new(message).with_changes(created))?;
            }
            Ok(Outcome::default())
        }))
    }
}

impl Present {
    /// The members it should have, those it has in their order.
    fn wanted_members(&self, have: &[String]) -> Vec<String> {
        let add = self.members.as_ref().or(self.addusers.as_ref());
        let mut want: Vec<String> = have
            .iter()
            .filter(|user| self.members.as_ref().is_none_or(|m| m.contains(user)))
            .filter(|user| self.delusers.as_ref().is_none_or(|d| !d.contains(user)))
            .cloned()
            .collect();
        for user in add.into_iter().flatten() {
            if !want.contains(user) {
                want.push(user.clone());
            }
        }
        want
    }

    /// Every new member must exist; in a test run it may still be created.
    fn check_users(&self, cx: &Context, want: &[String], have: &[String]) -> Result<(), String> {
        if cx.test {
            return Ok(());
        }
        for user in want.iter().filter(|user| !have.contains(user)) {
            if cx.machine.accounts.user(user)?.is_none() {
                return Err(format!(
                    "group `{}` cannot have the member `{user}`: there is no such user; require its `user.present`",
                    self.name
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Accounts, fake::FakeMachine};
    use zester_compiler::types::{Map, Value};

    fn args(pairs: &[(&str, Value)]) -> Map {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect()
    }

    #[test]
    fn creates_with_number_and_members() {
        let machine = FakeMachine::new();
        machine.accounts.put_user("a", 1, 0);
        machine.accounts.put_user("b", 2, 0);
        let wanted =
            args(&[("name", "web".into()), ("gid", 2000.into()), ("members", vec!["a", "b"].into())]);
        let outcome = machine.converge::<Present>(&wanted).unwrap();
        assert_eq!(outcome.changes["gid"], change((), 2000));
        assert_eq!(machine.accounts.group("web").unwrap().unwrap().members, ["a", "b"]);
        let fewer = args(&[("name", "web".into()), ("delusers", vec!["a"].into())]);
        let outcome = machine.converge::<Present>(&fewer).unwrap();
        assert_eq!(outcome.changes["members"], change(vec!["a", "b"], vec!["b"]));
        let more = args(&[("name", "web".into()), ("addusers", vec!["a"].into())]);
        machine.converge::<Present>(&more).unwrap();
        assert_eq!(machine.accounts.group("web").unwrap().unwrap().members, ["b", "a"]);
    }

    #[test]
    fn refuses_what_cannot_be() {
        let machine = FakeMachine::new();
        let taken =
            machine.converge::<Present>(&args(&[("name", "x".into()), ("gid", 0.into())])).unwrap_err();
        assert!(taken.message.contains("group `root`'s"), "{}", taken.message);
        let state: Present = zester_compiler::types::Arguments::from_values(&args(&[
            ("name", "x".into()),
            ("members", vec!["nobody"].into()),
        ]))
        .unwrap();
        let Err(failure) = state.plan(&machine.context()) else { panic!("there is no such user") };
        assert!(failure.message.contains("no such user"), "{}", failure.message);
    }
}
