//! `user.*` functions that change accounts: for `module.run` and the command line, never while rendering.

use crate::{Context, Library, provider::UserAccount, user::Gecos};
use zester_compiler::types::{Group, Path, Value};

fn known(cx: &Context, name: &str) -> Result<UserAccount, String> {
    cx.machine.accounts.user(name)?.ok_or_else(|| format!("there is no user `{name}`; `user.add` makes one"))
}

/// Changes a user unless it is so already. The tool is not asked then: it would report an error for some of them.
fn set(
    cx: &Context,
    name: &str,
    is_so: impl FnOnce(&UserAccount) -> bool,
    options: &[&str],
) -> Result<Value, String> {
    if !is_so(&known(cx, name)?) {
        let options: Vec<String> = options.iter().map(|o| (*o).to_owned()).collect();
        cx.machine.accounts.modify_user(cx, name, &options)?;
    }
    Ok(Value::Bool(true))
}

/// A colon or a line break would be another field or another account, a comma another part.
fn gecos_part(name: &str, value: &str, commas: bool) -> Result<(), String> {
    if value.contains([':', '\n']) || (!commas && value.contains(',')) {
        return Err(format!("`{name}` of a user cannot contain a colon, a comma or a line break"));
    }
    Ok(())
}

exec! {
    /// Creates a user.
    "user.add" mutating Add {
        /// The login name.
        name: String,
        /// Its number; one that is free when not given.
        uid: Option<u32>,
        /// The primary group: a name or a number.
        gid: Option<Group>,
        /// Groups it is a member of.
        groups: Option<Vec<String>>,
        /// The home directory.
        home: Option<Path>,
        /// The login shell.
        shell: Option<Path>,
        /// Whether the number must not be another user's.
        #[arg(default = true)]
        unique: bool,
        /// Whether it gets a number of the system's range.
        #[arg(default = false)]
        system: bool,
        /// Full name.
        fullname: Option<String>,
        /// Room number.
        roomnumber: Option<String>,
        /// Phone at work.
        workphone: Option<String>,
        /// Phone at home.
        homephone: Option<String>,
        /// Anything else.
        other: Option<String>,
        /// Whether the home directory is created.
        #[arg(default = true)]
        createhome: bool,
        /// BSD only.
        #[arg(inert = "login classes are BSD's; use `home`, `shell` and limits files on Linux")]
        loginclass: Option<String>,
        /// Whether the user stays out of the login logs.
        #[arg(default = false)]
        nologinit: bool,
        /// Whether the user gets a group of its own name.
        usergroup: Option<bool>,
        /// Whether only local accounts are looked at.
        #[arg(inert = "users are always changed in the local files")]
        local: Option<bool>,
    } |it, cx| {
        let mut options = Vec::new();
        let mut option = |flag: &str, value: Option<String>| {
            options.extend(value.into_iter().flat_map(|value| [flag.to_owned(), value]));
        };
        option("--uid", it.uid.map(|uid| uid.to_string()));
        option("--gid", it.gid.as_ref().map(|g| g.0.clone()));
        option("--groups", it.groups.as_ref().filter(|g| !g.is_empty()).map(|g| g.join(",")));
        option("--home-dir", it.home.as_ref().map(|h| h.0.clone()));
        option("--shell", it.shell.as_ref().map(|s| s.0.clone()));
        let parts = [&it.fullname, &it.roomnumber, &it.workphone, &it.homephone, &it.other];
        for (name, part) in Gecos::NAMES.iter().zip(parts) {
            gecos_part(name, part.as_deref().unwrap_or_default(), *name == "other")?;
        }
        let gecos = Gecos { parts: parts.map(|p| p.clone().unwrap_or_default()) }.to_string();
        option("--comment", Some(gecos).filter(|g| !g.is_empty()));
        let flags = [
            (!it.unique && it.uid.is_some(), "--non-unique"),
            (it.system, "--system"),
            (it.nologinit, "--no-log-init"),
            (it.usergroup == Some(true), "--user-group"),
            (it.usergroup == Some(false), "--no-user-group"),
            (it.createhome, "--create-home"),
            (!it.createhome, "--no-create-home"),
        ];
        options.extend(flags.iter().filter(|(on, _)| *on).map(|(_, flag)| (*flag).to_owned()));
        cx.machine.accounts.create_user(cx, &it.name, &options)?;
        Ok(Value::Bool(true))
    }
}

exec! {
    /// Removes a user.
    "user.delete" mutating Delete {
        /// The user.
        name: String,
        /// Whether home directory and mail are removed, too.
        #[arg(default = false)]
        remove: bool,
        /// Whether one who is logged in is removed, too.
        #[arg(default = false)]
        force: bool,
        /// Whether only local accounts are looked at.
        #[arg(inert = "users are always removed from the local files")]
        local: Option<bool>,
    } |it, cx| {
        known(cx, &it.name)?;
        cx.machine.accounts.remove_user(cx, &it.name, it.remove, it.force)?;
        Ok(Value::Bool(true))
    }
}

exec! {
    /// Gives a user another login name.
    "user.rename" mutating Rename {
        /// The user.
        name: String,
        /// The new name.
        new_name: String,
    } |it, cx| {
        known(cx, &it.name)?;
        if cx.machine.accounts.user(&it.new_name)?.is_some() {
            return Err(format!("user `{}` cannot be renamed: there is a user `{}`", it.name, it.new_name));
        }
        cx.machine.accounts.modify_user(cx, &it.name, &["--login".to_owned(), it.new_name.clone()])?;
        Ok(Value::Bool(true))
    }
}

exec! {
    /// Sets the number of a user. Files outside of its home keep the old one.
    "user.chuid" mutating Chuid {
        /// The user.
        name: String,
        /// The number.
        uid: u32,
    } |it, cx| set(cx, &it.name, |u| u.uid == it.uid, &["--uid", &it.uid.to_string()])
}

exec! {
    /// Sets the primary group of a user.
    "user.chgid" mutating Chgid {
        /// The user.
        name: String,
        /// The group: a name or a number.
        gid: Group,
    } |it, cx| {
        let group = cx.machine.accounts.group(&it.gid)?;
        let number = group.map(|g| g.gid).or_else(|| it.gid.parse().ok());
        set(cx, &it.name, |u| number == Some(u.gid), &["--gid", it.gid.0.as_str()])
    }
}

exec! {
    /// Sets the login shell of a user.
    "user.chshell" mutating Chshell {
        /// The user.
        name: String,
        /// The shell.
        shell: Path,
    } |it, cx| set(cx, &it.name, |u| u.shell == it.shell.0, &["--shell", it.shell.0.as_str()])
}

exec! {
    /// Sets the home directory of a user.
    "user.chhome" mutating Chhome {
        /// The user.
        name: String,
        /// The directory.
        home: Path,
        /// Whether the old one is moved there.
        #[arg(default = false)]
        persist: bool,
    } |it, cx| {
        let mut options = vec!["--home", it.home.0.as_str()];
        if it.persist {
            options.push("--move-home");
        }
        set(cx, &it.name, |u| u.home == it.home.0, &options)
    }
}

exec! {
    /// Sets the groups of which a user is a member.
    "user.chgroups" mutating Chgroups {
        /// The user.
        name: String,
        /// The groups; several with commas, or a list.
        groups: Vec<String>,
        /// Whether it stays in the groups it is in.
        #[arg(default = false)]
        append: bool,
    } |it, cx| {
        let split = it.groups.iter().flat_map(|g| g.split(',')).map(str::trim);
        let mut want: Vec<&str> = split.filter(|g| !g.is_empty()).collect();
        want.sort_unstable();
        want.dedup();
        let groups = cx.machine.accounts.groups()?;
        let have: Vec<&str> =
            groups.iter().filter(|g| g.members.contains(&it.name)).map(|g| g.name.as_str()).collect();
        let none_missing = want.iter().all(|g| have.contains(g));
        let is_so = none_missing && (it.append || have.iter().all(|g| want.contains(g)));
        let list = want.join(",");
        let mut options = vec!["--groups", list.as_str()];
        if it.append {
            options.push("--append");
        }
        set(cx, &it.name, |_| is_so, &options)
    }
}

/// Sets one part of the GECOS field; the others stay.
fn set_part(cx: &Context, name: &str, index: usize, value: &str) -> Result<Value, String> {
    let part = Gecos::NAMES[index];
    gecos_part(part, value, part == "other")?;
    let mut gecos = Gecos::parse(&known(cx, name)?.gecos);
    let is_so = gecos.parts[index] == value;
    value.clone_into(&mut gecos.parts[index]);
    set(cx, name, |_| is_so, &["--comment", &gecos.to_string()])
}

exec! {
    /// Sets the full name of a user.
    "user.chfullname" mutating Chfullname {
        /// The user.
        name: String,
        /// What is set.
        fullname: String,
    } |it, cx| set_part(cx, &it.name, 0, &it.fullname)
}

exec! {
    /// Sets the room number of a user.
    "user.chroomnumber" mutating Chroomnumber {
        /// The user.
        name: String,
        /// What is set.
        roomnumber: String,
    } |it, cx| set_part(cx, &it.name, 1, &it.roomnumber)
}

exec! {
    /// Sets the phone at work of a user.
    "user.chworkphone" mutating Chworkphone {
        /// The user.
        name: String,
        /// What is set.
        workphone: String,
    } |it, cx| set_part(cx, &it.name, 2, &it.workphone)
}

exec! {
    /// Sets the phone at home of a user.
    "user.chhomephone" mutating Chhomephone {
        /// The user.
        name: String,
        /// What is set.
        homephone: String,
    } |it, cx| set_part(cx, &it.name, 3, &it.homephone)
}

exec! {
    /// Sets the last part of a user, which may have commas.
    "user.chother" mutating Chother {
        /// The user.
        name: String,
        /// What is set.
        other: String,
    } |it, cx| set_part(cx, &it.name, 4, &it.other)
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library
        .exec::<Add>()
        .exec::<Delete>()
        .exec::<Rename>()
        .exec::<Chuid>()
        .exec::<Chgid>()
        .exec::<Chshell>()
        .exec::<Chhome>()
        .exec::<Chgroups>()
        .exec::<Chfullname>()
        .exec::<Chroomnumber>()
        .exec::<Chworkphone>()
        .exec::<Chhomephone>()
        .exec::<Chother>();
}

#[cfg(test)]
mod tests {
    use crate::{
        exec::tests::{call, gives, value},
        provider::fake::FakeMachine,
    };

    #[test]
    fn only_what_differs_is_changed() {
        let machine = FakeMachine::new();
        for (name, gid) in [("web", 50), ("adm", 4)] {
            machine.accounts.put_group(name, gid);
        }
        let add =
            r#"{"uid": 1001, "groups": ["web"], "fullname": "Alice", "other": "a,b", "createhome": false}"#;
        assert_eq!(call(&machine, "user.add", r#"["alice"]"#, add), Ok(value("true")));
        gives(&machine, "user.chshell", r#"["alice", "/bin/sh"]"#, "true");
        gives(&machine, "user.chuid", r#"["alice", 1001]"#, "true");
        gives(&machine, "user.chgroups", r#"["alice", "web"]"#, "true");
        gives(&machine, "user.chgroups", r#"["alice", "adm, web", true]"#, "true");
        gives(&machine, "user.chgroups", r#"["alice", ["adm"]]"#, "true");
        gives(&machine, "user.chroomnumber", r#"["alice", "12"]"#, "true");
        gives(&machine, "user.chhome", r#"["alice", "/srv/alice", true]"#, "true");
        gives(&machine, "user.chgid", r#"["alice", "web"]"#, "true");
        gives(&machine, "user.chgid", r#"["alice", 50]"#, "true");
        gives(&machine, "user.delete", r#"["alice", true]"#, "true");
        assert_eq!(
            machine.accounts.log(),
            [
                "useradd --uid 1001 --groups web --comment Alice,,,,a,b --no-create-home alice",
                "usermod --groups adm,web --append alice",
                "usermod --groups adm alice",
                "usermod --comment Alice,12,,,a,b alice",
                "usermod --home /srv/alice --move-home alice",
                "usermod --gid web alice",
                "userdel purge=true force=false alice",
            ]
        );
    }

    #[test]
    fn what_would_break_the_file_is_refused() {
        let machine = FakeMachine::new();
        machine.accounts.put_user("alice", 1001, 0);
        for (name, args, why) in [
            ("user.chshell", r#"["bob", "/bin/sh"]"#, "there is no user `bob`"),
            ("user.delete", r#"["bob"]"#, "there is no user `bob`"),
            ("user.rename", r#"["alice", "root"]"#, "there is a user `root`"),
            ("user.chfullname", r#"["alice", "a:b"]"#, "cannot contain a colon"),
            ("user.chfullname", r#"["alice", "a,b"]"#, "a comma"),
        ] {
            assert!(call(&machine, name, args, "{}").unwrap_err().contains(why), "{name}{args}");
        }
        assert_eq!(machine.accounts.log(), [""; 0]);
    }
}
