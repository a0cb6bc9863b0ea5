//! `group.*` functions that change groups, and who is in one.

use crate::{Context, Library, provider::GroupAccount};
use zester_compiler::types::Value;

fn known(cx: &Context, name: &str) -> Result<GroupAccount, String> {
    cx.machine
        .accounts
        .group(name)?
        .ok_or_else(|| format!("there is no group `{name}`; `group.add` makes one"))
}

fn number(gid: u32, non_unique: bool) -> Vec<String> {
    let mut options = vec!["--gid".to_owned(), gid.to_string()];
    if non_unique {
        options.push("--non-unique".to_owned());
    }
    options
}

/// Sets the members when they are others. A name that is no user's would be kept by some tools.
fn set_members(cx: &Context, group: &GroupAccount, members: &[String]) -> Result<Value, String> {
    let accounts = &cx.machine.accounts;
    for name in members.iter().filter(|m| !group.members.contains(m)) {
        if accounts.user(name)?.is_none() {
            return Err(format!(
                "group `{}` cannot have the member `{name}`: there is no such user",
                group.name
            ));
        }
    }
    if group.members != members {
        accounts.set_members(cx, &group.name, members)?;
    }
    Ok(Value::Bool(true))
}

exec! {
    /// Creates a group.
    "group.add" mutating Add {
        /// The group.
        name: String,
        /// Its number; one that is free when not given.
        gid: Option<u32>,
        /// Whether it gets a number of the system's range.
        #[arg(default = false)]
        system: bool,
        /// Whether the number may be another group's.
        #[arg(default = false)]
        non_unique: bool,
        /// Whether only local accounts are looked at.
        #[arg(inert = "groups are always changed in the local files")]
        local: Option<bool>,
    } |it, cx| {
        let mut options = it.gid.map(|gid| number(gid, it.non_unique)).unwrap_or_default();
        if it.system {
            options.push("--system".to_owned());
        }
        cx.machine.accounts.create_group(cx, &it.name, &options)?;
        Ok(Value::Bool(true))
    }
}

exec! {
    /// Removes a group.
    "group.delete" mutating Delete {
        /// The group.
        name: String,
        /// Whether only local accounts are looked at.
        #[arg(inert = "groups are always changed in the local files")]
        local: Option<bool>,
    } |it, cx| {
        known(cx, &it.name)?;
        cx.machine.accounts.remove_group(cx, &it.name)?;
        Ok(Value::Bool(true))
    }
}

exec! {
    /// Sets the number of a group. Files keep the old one.
    "group.chgid" mutating Chgid {
        /// The group.
        name: String,
        /// The number.
        gid: u32,
        /// Whether the number may be another group's.
        #[arg(default = false)]
        non_unique: bool,
    } |it, cx| {
        if known(cx, &it.name)?.gid != it.gid {
            cx.machine.accounts.modify_group(cx, &it.name, &number(it.gid, it.non_unique))?;
        }
        Ok(Value::Bool(true))
    }
}

exec! {
    /// Adds a user to a group.
    "group.adduser" mutating Adduser {
        /// The group.
        name: String,
        /// The user.
        username: String,
    } |it, cx| {
        let group = known(cx, &it.name)?;
        let mut members = group.members.clone();
        if !members.contains(&it.username) {
            members.push(it.username.clone());
        }
        set_members(cx, &group, &members)
    }
}

exec! {
    /// Takes a user out of a group. One who is not in it is no error.
    "group.deluser" mutating Deluser {
        /// The group.
        name: String,
        /// The user.
        username: String,
    } |it, cx| {
        let group = known(cx, &it.name)?;
        let members: Vec<String> = group.members.iter().filter(|m| **m != it.username).cloned().collect();
        set_members(cx, &group, &members)
    }
}

exec! {
    /// Sets the whole list of the members of a group.
    "group.members" mutating Members {
        /// The group.
        name: String,
        /// The users; several with commas, or a list.
        members_list: Vec<String>,
    } |it, cx| {
        let split = it.members_list.iter().flat_map(|m| m.split(',')).map(str::trim);
        let mut members: Vec<String> = Vec::new();
        for name in split.filter(|m| !m.is_empty()) {
            if !members.iter().any(|m| m == name) {
                members.push(name.to_owned());
            }
        }
        set_members(cx, &known(cx, &it.name)?, &members)
    }
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library
        .exec::<Add>()
        .exec::<Delete>()
        .exec::<Chgid>()
        .exec::<Adduser>()
        .exec::<Deluser>()
        .exec::<Members>();
}

#[cfg(test)]
mod tests {
    use crate::{
        exec::tests::{call, gives},
        provider::fake::FakeMachine,
    };

    #[test]
    fn members_are_users_and_set_only_when_they_differ() {
        let machine = FakeMachine::new();
        machine.accounts.put_user("alice", 1001, 0);
        machine.accounts.put_user("bob", 1002, 0);
        gives(&machine, "group.add", r#"["web", 50]"#, "true");
        gives(&machine, "group.adduser", r#"["web", "alice"]"#, "true");
        gives(&machine, "group.adduser", r#"["web", "alice"]"#, "true");
        gives(&machine, "group.members", r#"["web", "alice,bob"]"#, "true");
        gives(&machine, "group.deluser", r#"["web", "alice"]"#, "true");
        gives(&machine, "group.deluser", r#"["web", "alice"]"#, "true");
        gives(&machine, "group.chgid", r#"["web", 50]"#, "true");
        let unknown = call(&machine, "group.adduser", r#"["web", "carol"]"#, "{}").unwrap_err();
        assert!(unknown.contains("member `carol`: there is no such user"), "{unknown}");
        assert!(call(&machine, "group.delete", r#"["db"]"#, "{}").unwrap_err().contains("no group `db`"));
        gives(&machine, "group.delete", r#"["web"]"#, "true");
        assert_eq!(
            machine.accounts.log(),
            [
                "groupadd --gid 50 web",
                "gpasswd alice web",
                "gpasswd alice,bob web",
                "gpasswd bob web",
                "groupdel web"
            ]
        );
    }
}
