//! `user.present`: a user is there, with its groups, home, shell and password.

use super::{
    Gecos,
    ageing::Ageing,
    password::{crypt, new_salt, wanted_hash},
};
use crate::{
    Arguments, Changes, Context, Failure, Outcome, Plan, State, change,
    provider::{GroupAccount, Shadow, UserAccount},
};
use zester_compiler::types::{Group, Path, Secret, Value};

/// Homes that mean "none"; they are never created.
const NO_HOME: [&str; 5] = ["/", "/nonexistent", "/dev/null", "/var/empty", "/usr/sbin/nologin"];

/// A user exists.
///
/// The number and the primary group of a user that exists already are changed only when `allow_uid_change` and
/// `allow_gid_change` say so: files keep their old owner.
#[derive(Arguments)]
#[state("user.present")]
pub(crate) struct Present {
    /// The login name.
    #[arg(primary)]
    name: String,
    /// Its number; one that is free when not given.
    uid: Option<u32>,
    /// The primary group: a name or a number.
    #[arg(alias = "primary_group")]
    gid: Option<Group>,
    /// Whether a new user gets a group of its own name.
    usergroup: Option<bool>,
    /// Whether the primary group is the one of the user's name.
    #[arg(default = false)]
    gid_from_name: bool,
    /// Whether the number of an existing user may be changed.
    #[arg(default = false)]
    allow_uid_change: bool,
    /// Whether the primary group of an existing user may be changed.
    #[arg(default = false)]
    allow_gid_change: bool,
    /// Groups the user is a member of. They must exist.
    groups: Option<Vec<String>>,
    /// Groups the user is a member of where they exist.
    optional_groups: Option<Vec<String>>,
    /// Whether the user is taken out of all groups that `groups` does not name.
    #[arg(default = true)]
    remove_groups: bool,
    /// The home directory.
    home: Option<Path>,
    /// Whether the home directory is created.
    #[arg(default = true)]
    createhome: bool,
    /// The password's hash, as the shadow file holds it; with `hash_password` the password itself.
    #[arg(secret)]
    password: Option<Secret>,
    /// Whether `password` is a plain password that is to be hashed (SHA-512).
    #[arg(default = false)]
    hash_password: bool,
    /// Whether the password of an existing user is set, too.
    #[arg(default = true)]
    enforce_password: bool,
    /// Whether the user logs in without a password.
    #[arg(default = false)]
    empty_password: bool,
    /// Whether the password is locked.
    password_lock: Option<bool>,
    /// The login shell.
    shell: Option<Path>,
    /// Whether the number must not be another user's.
    #[arg(default = true)]
    unique: bool,
    /// Whether a new user gets a number of the system's range.
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
    /// Whether the user stays out of the login logs.
    #[arg(default = false)]
    nologinit: bool,
    /// Day of the last change of the password, counted from 1970-01-01.
    date: Option<i64>,
    /// Least days between changes of the password.
    mindays: Option<i64>,
    /// Most days between changes of the password.
    maxdays: Option<i64>,
    /// Days of grace after the password has expired.
    inactdays: Option<i64>,
    /// Days of warning before the password expires.
    warndays: Option<i64>,
    /// Day on which the account expires, counted from 1970-01-01; -1 for never.
    expire: Option<i64>,
    /// BSD only.
    #[arg(inert = "login classes are BSD's; use `home`, `shell` and limits files on Linux")]
    loginclass: Option<String>,
    /// Whether only local accounts are looked at.
    #[arg(inert = "users are always changed in the local files")]
    local: Option<bool>,
    /// Windows only.
    #[arg(inert = "it concerns Windows only")]
    win_homedrive: Option<String>,
    /// Windows only.
    #[arg(inert = "it concerns Windows only")]
    win_profile: Option<String>,
    /// Windows only.
    #[arg(inert = "it concerns Windows only")]
    win_logonscript: Option<String>,
    /// Windows only.
    #[arg(inert = "it concerns Windows only")]
    win_description: Option<String>,
    /// Subordinate numbers.
    #[arg(inert = "manage `/etc/subuid` with `file.append`")]
    subuid: Option<Value>,
}

/// What has to be done.
#[derive(Default)]
struct Difference {
    changes: Changes,
    create: bool,
    options: Vec<String>,
    ageing: Vec<String>,
    hash: Option<String>,
    lock: Option<bool>,
    make_home: Option<String>,
}

impl State for Present {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let name = &self.name;
        let user = cx.machine.accounts.user(name)?;
        let difference = self.difference(cx, user.as_ref())?;
        if difference.changes.is_empty() {
            return Ok(Plan::unchanged(format!("user `{name}` is as wanted")));
        }
        let comment = match (cx.test, difference.create) {
            (true, true) => format!("would create user `{name}`"),
            (true, false) => format!("would change user `{name}`"),
            (false, true) => format!("created user `{name}`"),
            (false, false) => format!("changed user `{name}`"),
        };
        Ok(Plan::change(difference.changes.clone(), comment, move |cx| self.apply(cx, &difference)))
    }
}

impl Present {
    fn difference(&self, cx: &Context, user: Option<&UserAccount>) -> Result<Difference, Failure> {
        let mut to = Difference { create: user.is_none(), ..Difference::default() };
        if user.is_none() {
            to.changes.insert("user".to_owned(), change((), self.name.clone()));
        }
        let groups = cx.machine.accounts.groups()?;
        self.identity(cx, user, &groups, &mut to)?;
        self.membership(cx, user, &groups, &mut to)?;
        self.descriptions(user, &mut to)?;
        self.home_directory(cx, user, &mut to)?;
        self.secrets(cx, user, &mut to)?;
        Ok(to)
    }

    /// The primary group that is asked for.
    fn primary_group(
        &self,
        cx: &Context,
        user: Option<&UserAccount>,
        groups: &[GroupAccount],
    ) -> Result<Option<String>, Failure> {
        if let Some(gid) = &self.gid {
            let text = gid.0.as_str();
            let known = groups.iter().any(|g| g.name == text || g.gid.to_string() == text);
            if known || cx.test {
                return Ok(Some(text.to_owned()));
            }
            return Err(format!(
                "user `{}` cannot have the primary group `{text}`: there is no such group; require its `group.present`",
                self.name
            )
            .into());
        }
        // `useradd` refuses to make a group that is there already.
        let exists = groups.iter().any(|g| g.name == self.name);
        let implied = self.gid_from_name || (user.is_none() && self.usergroup != Some(false));
        Ok((implied && exists).then(|| self.name.clone()))
    }

    fn identity(
        &self,
        cx: &Context,
        user: Option<&UserAccount>,
        groups: &[GroupAccount],
        to: &mut Difference,
    ) -> Result<(), Failure> {
        let name = &self.name;
        if let Some(uid) = self.uid
            && user.is_none_or(|u| u.uid != uid)
        {
            if let Some(user) = user
                && !self.allow_uid_change
            {
                return Err(format!(
                    "user `{name}` has the number {}, not {uid}; set `allow_uid_change: true` to change it \
                     (files keep their old owner)",
                    user.uid
                )
                .into());
            }
            if self.unique
                && let Some(other) = cx.machine.accounts.user_by_id(uid)?
            {
                return Err(format!(
                    "user `{name}` cannot have the number {uid}: it is user `{}`'s; set `unique: false` to share it",
                    other.name
                )
                .into());
            }
            to.changes.insert("uid".to_owned(), change(user.map(|u| i64::from(u.uid)), i64::from(uid)));
            to.options.extend(["--uid".to_owned(), uid.to_string()]);
            if !self.unique {
                to.options.push("--non-unique".to_owned());
            }
        }
        if let Some(group) = self.primary_group(cx, user, groups)? {
            let gid = groups.iter().find(|g| g.name == group || g.gid.to_string() == group).map(|g| g.gid);
            let old = user.map(|u| i64::from(u.gid));
            if user.is_none() || gid.is_some_and(|gid| user.is_some_and(|u| u.gid != gid)) {
                if let Some(user) = user
                    && !self.allow_gid_change
                {
                    return Err(format!(
                        "user `{name}` has the primary group {}, not `{group}`; set `allow_gid_change: true` to \
                         change it (files keep their old group)",
                        user.gid
                    )
                    .into());
                }
                if self.gid.is_some() || user.is_some() {
                    to.changes.insert("gid".to_owned(), change(old, gid.map(i64::from)));
                }
                to.options.extend(["--gid".to_owned(), group]);
            }
        } else if to.create {
            match self.usergroup {
                Some(true) => to.options.push("--user-group".to_owned()),
                Some(false) => to.options.push("--no-user-group".to_owned()),
                None => {}
            }
        }
        if to.create {
            for (wanted, option) in [(self.system, "--system"), (self.nologinit, "--no-log-init")] {
                if wanted {
                    to.options.push(option.to_owned());
                }
            }
            let home = if self.createhome { "--create-home" } else { "--no-create-home" };
            to.options.push(home.to_owned());
        }
        Ok(())
    }

    fn membership(
        &self,
        cx: &Context,
        user: Option<&UserAccount>,
        groups: &[GroupAccount],
        to: &mut Difference,
    ) -> Result<(), Failure> {
        if self.groups.is_none() && self.optional_groups.is_none() {
            return Ok(());
        }
        let exists = |name: &String| groups.iter().any(|g| g.name == *name || g.gid.to_string() == *name);
        let canonical = |name: &String| {
            groups
                .iter()
                .find(|g| g.name == *name)
                .or_else(|| groups.iter().find(|g| g.gid.to_string() == *name))
                .map_or_else(|| name.clone(), |g| g.name.clone())
        };
        let named = self.groups.iter().flatten();
        let missing: Vec<&str> = named.clone().filter(|g| !exists(g)).map(String::as_str).collect();
        if !missing.is_empty() && !cx.test {
            return Err(format!(
                "user `{}` cannot be a member of {}: there is no such group; require its `group.present`",
                self.name,
                missing.join(", ")
            )
            .into());
        }
        let optional = self.optional_groups.iter().flatten().filter(|g| exists(g));
        let mut want: Vec<String> = named.chain(optional).map(canonical).collect();
        want.sort();
        want.dedup();
        let mut have: Vec<String> =
            groups.iter().filter(|g| g.members.contains(&self.name)).map(|g| g.name.clone()).collect();
        have.sort();
        // Being a member of one's own primary group is the same as not being one.
        let primary = user.and_then(|u| groups.iter().find(|g| g.gid == u.gid)).map(|g| g.name.clone());
        want.retain(|g| Some(g) != primary.as_ref() || have.contains(g));
        let remove = self.remove_groups && self.groups.is_some();
        if !remove {
            want.extend(have.iter().cloned());
            want.sort();
            want.dedup();
        } else if let Some(primary) = primary.filter(|p| have.contains(p) && !want.contains(p)) {
            want.push(primary);
            want.sort();
        }
        if want != have {
            to.options.extend(["--groups".to_owned(), want.join(",")]);
            to.changes.insert("groups".to_owned(), change(have, want));
        }
        Ok(())
    }

    fn descriptions(&self, user: Option<&UserAccount>, to: &mut Difference) -> Result<(), Failure> {
        let mut gecos = Gecos::parse(user.map_or("", |u| u.gecos.as_str()));
        let wanted = [&self.fullname, &self.roomnumber, &self.workphone, &self.homephone, &self.other];
        let mut differs = false;
        for ((part, wanted), name) in gecos.parts.iter_mut().zip(wanted).zip(Gecos::NAMES) {
            let Some(wanted) = wanted else { continue };
            if wanted.contains([':', '\n']) || (wanted.contains(',') && name != "other") {
                return Err(format!(
                    "`{name}` of user `{}` cannot contain a colon, a comma or a line break",
                    self.name
                )
                .into());
            }
            if part != wanted {
                to.changes.insert(name.to_owned(), change(part.clone(), wanted.clone()));
                part.clone_from(wanted);
                differs = true;
            }
        }
        if differs {
            to.options.extend(["--comment".to_owned(), gecos.to_string()]);
        }
        if let Some(shell) = &self.shell
            && user.is_none_or(|u| u.shell != shell.0)
        {
            to.changes.insert("shell".to_owned(), change(user.map(|u| u.shell.clone()), shell.0.clone()));
            to.options.extend(["--shell".to_owned(), shell.0.clone()]);
        }
        Ok(())
    }

    fn home_directory(
        &self,
        cx: &Context,
        user: Option<&UserAccount>,
        to: &mut Difference,
    ) -> Result<(), Failure> {
        if let Some(home) = &self.home
            && user.is_none_or(|u| u.home != home.0)
        {
            to.changes.insert("home".to_owned(), change(user.map(|u| u.home.clone()), home.0.clone()));
            let option = if to.create { "--home-dir" } else { "--home" };
            to.options.extend([option.to_owned(), home.0.clone()]);
        }
        // A home that was lost is made again; a new user's is made by `useradd`.
        if let Some(user) = user
            && self.createhome
        {
            let home = self.home.as_ref().map_or(user.home.as_str(), |h| h.0.as_str());
            if home.starts_with('/') && !NO_HOME.contains(&home) {
                let stat = cx.machine.files.stat(home, true);
                if stat.map_err(|e| format!("`{home}` could not be read: {e}"))?.is_none() {
                    to.changes.insert("home_directory".to_owned(), change((), home));
                    to.make_home = Some(home.to_owned());
                }
            }
        }
        Ok(())
    }

    fn secrets(&self, cx: &Context, user: Option<&UserAccount>, to: &mut Difference) -> Result<(), Failure> {
        let accounts = &cx.machine.accounts;
        let name = &self.name;
        let masked = || change("***", "***");
        if self.empty_password {
            let empty = user.is_some()
                && accounts.shadow(name)?.is_some_and(|s| s.hash.trim_start_matches('!').is_empty());
            if !empty || (user.is_some() && accounts.shadow(name)?.is_some_and(|s| s.hash.starts_with('!'))) {
                to.hash = Some(String::new());
                to.changes.insert("password".to_owned(), masked());
            }
        } else if let Some(password) = &self.password {
            let hash = match user {
                None if self.hash_password => Some(crypt(&password.0, &new_salt()?)?),
                None => Some(password.0.to_string()),
                Some(_) if self.enforce_password => wanted_hash(cx, name, &password.0, self.hash_password)?,
                Some(_) => None,
            };
            if hash.is_some() {
                to.changes.insert("password".to_owned(), masked());
            }
            to.hash = hash;
        }
        if let Some(lock) = self.password_lock {
            let locked = match &to.hash {
                Some(hash) => hash.starts_with('!'),
                None if user.is_none() => true,
                None => accounts.shadow(name)?.is_some_and(|s| s.hash.starts_with('!')),
            };
            if locked != lock {
                to.lock = Some(lock);
                to.changes.insert("password_lock".to_owned(), change(locked, lock));
            }
        }
        let ageing = Ageing {
            mindays: self.mindays,
            maxdays: self.maxdays,
            inactdays: self.inactdays,
            warndays: self.warndays,
            expire: self.expire,
            date: self.date,
        };
        if !ageing.is_empty() {
            let shadow = match user {
                Some(_) => accounts.shadow(name)?.unwrap_or_default(),
                None => Shadow::default(),
            };
            for difference in ageing.differences(&shadow) {
                to.changes.insert(difference.name.to_owned(), change(difference.old, difference.new));
                to.ageing.extend([difference.option.to_owned(), difference.new.to_string()]);
            }
        }
        Ok(())
    }

    fn apply(&self, cx: &Context, to: &Difference) -> Result<Outcome, Failure> {
        let accounts = &cx.machine.accounts;
        let name = &self.name;
        let mut done = Changes::new();
        if to.create {
            accounts.create_user(cx, name, &to.options)?;
            done.insert("user".to_owned(), change((), name.clone()));
        } else if !to.options.is_empty() {
            accounts.modify_user(cx, name, &to.options)?;
            let later = ["password", "password_lock", "home_directory"];
            done.extend(to.changes.clone().into_iter().filter(|(key, _)| !later.contains(&key.as_str())));
        }
        let failed = |message: String| Failure::new(message).with_changes(done.clone());
        if let Some(hash) = &to.hash {
            accounts.set_password_hash(cx, name, hash).map_err(failed)?;
        }
        if let Some(lock) = to.lock {
            let option = if lock { "--lock" } else { "--unlock" };
            accounts.modify_user(cx, name, &[option.to_owned()]).map_err(failed)?;
        }
        if !to.ageing.is_empty() {
            accounts.modify_ageing(cx, name, &to.ageing).map_err(failed)?;
        }
        if let Some(home) = &to.make_home {
            self.make_home(cx, home).map_err(failed)?;
        }
        Ok(Outcome::default())
    }

    fn make_home(&self, cx: &Context, home: &str) -> Result<(), String> {
        let files = &cx.machine.files;
        let user = cx.machine.accounts.user(&self.name)?.ok_or("the user is gone")?;
        let failed = |e: std::io::Error| format!("home `{home}` could not be created: {e}");
        if let Some((parent, _)) = home.trim_end_matches('/').rsplit_once('/')
            && !parent.is_empty()
            && files.stat(parent, true).map_err(failed)?.is_none()
        {
            return Err(format!("home `{home}` could not be created: `{parent}` does not exist"));
        }
        files.create_dir(home, home_mode(cx)).map_err(failed)?;
        files.set_owner(home, Some(user.uid), Some(user.gid), false).map_err(failed)
    }
}

/// `HOME_MODE` of `/etc/login.defs`, as `useradd` reads it.
fn home_mode(cx: &Context) -> u32 {
    let text = cx.machine.files.read("/etc/login.defs").unwrap_or_default();
    String::from_utf8_lossy(&text)
        .lines()
        .find_map(|line| line.trim().strip_prefix("HOME_MODE")?.trim().parse::<String>().ok())
        .and_then(|mode| u32::from_str_radix(&mode, 8).ok())
        .filter(|mode| *mode <= 0o7777)
        .unwrap_or(0o755)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Accounts, fake::FakeMachine};
    use zester_compiler::types::{Arguments as _, Map};

    fn args(pairs: &[(&str, Value)]) -> Map {
        let name = [("name".to_owned(), Value::from("alice"))];
        name.into_iter().chain(pairs.iter().map(|(k, v)| ((*k).to_owned(), v.clone()))).collect()
    }

    fn machine() -> FakeMachine {
        let machine = FakeMachine::new();
        machine.files.put_dir("/home/alice");
        for (gid, group) in ["adm", "sudo", "docker"].iter().enumerate() {
            machine.accounts.put_group(group, 50 + gid as u32);
        }
        machine
    }

    #[test]
    fn creates_with_everything() {
        let machine = machine();
        let wanted = args(&[
            ("uid", 1234.into()),
            ("shell", "/bin/bash".into()),
            ("groups", vec!["sudo", "adm"].into()),
            ("optional_groups", vec!["nowhere", "docker"].into()),
            ("fullname", "Alice A".into()),
            ("workphone", "12".into()),
            ("password", "$6$x$y".into()),
            ("maxdays", 90.into()),
        ]);
        let outcome = machine.converge::<Present>(&wanted).unwrap();
        assert_eq!(outcome.changes["password"], change("***", "***"));
        assert_eq!(outcome.changes["groups"], change(Vec::<String>::new(), vec!["adm", "docker", "sudo"]));
        let user = machine.accounts.user("alice").unwrap().unwrap();
        assert_eq!((user.uid, user.gecos.as_str(), user.shell.as_str()), (1234, "Alice A,,12", "/bin/bash"));
        let shadow = machine.accounts.shadow("alice").unwrap().unwrap();
        assert_eq!((shadow.hash.as_str(), shadow.most), ("$6$x$y", Some(90)));
    }

    #[test]
    fn groups_are_exact_unless_remove_groups_is_off() {
        let machine = machine();
        machine.converge::<Present>(&args(&[("groups", vec!["adm", "sudo"].into())])).unwrap();
        let kept = args(&[("groups", vec!["docker"].into()), ("remove_groups", false.into())]);
        let outcome = machine.converge::<Present>(&kept).unwrap();
        assert_eq!(outcome.changes["groups"], change(vec!["adm", "sudo"], vec!["adm", "docker", "sudo"]));
        machine.converge::<Present>(&args(&[("groups", Value::List(Vec::new()))])).unwrap();
        assert!(machine.accounts.group("adm").unwrap().unwrap().members.is_empty());
    }

    #[test]
    fn numbers_change_only_when_allowed() {
        let machine = machine();
        machine.accounts.put_user("alice", 1000, 0);
        let refused = machine.converge::<Present>(&args(&[("uid", 5.into())])).unwrap_err();
        assert!(refused.message.contains("allow_uid_change: true"), "{}", refused.message);
        machine.converge::<Present>(&args(&[("uid", 5.into()), ("allow_uid_change", true.into())])).unwrap();
        let refused = machine.converge::<Present>(&args(&[("gid", "adm".into())])).unwrap_err();
        assert!(refused.message.contains("allow_gid_change: true"), "{}", refused.message);
        let other =
            machine.converge::<Present>(&args(&[("uid", 0.into()), ("allow_uid_change", true.into())]));
        assert!(other.unwrap_err().message.contains("user `root`'s"));
    }

    #[test]
    fn a_plain_password_is_hashed_once() {
        let machine = machine();
        let wanted = args(&[("password", "geheim".into()), ("hash_password", true.into())]);
        machine.converge::<Present>(&wanted).unwrap();
        let hash = machine.accounts.shadow("alice").unwrap().unwrap().hash;
        assert!(hash.starts_with("$6$"), "{hash}");
        machine
            .converge::<Present>(&args(&[("password", "other".into()), ("enforce_password", false.into())]))
            .unwrap();
        assert_eq!(machine.accounts.shadow("alice").unwrap().unwrap().hash, hash);
    }

    #[test]
    fn a_lost_home_is_made_again() {
        let machine = FakeMachine::new();
        machine.files.put_dir("/home");
        machine.files.put("/etc/login.defs", "UMASK 022\nHOME_MODE 0700\n");
        machine.accounts.put_user("alice", 1000, 0);
        machine.converge::<Present>(&args(&[])).unwrap();
        let stat = crate::provider::FileSystem::stat(&*machine.files, "/home/alice", true).unwrap().unwrap();
        assert_eq!((stat.mode, stat.uid), (0o700, 1000));
    }

    #[test]
    fn missing_groups_are_named() {
        let machine = machine();
        let state = Present::from_values(&args(&[("groups", vec!["adm", "gone"].into())])).unwrap();
        let Err(failure) = state.plan(&machine.context()) else { panic!("there is no such group") };
        assert!(failure.message.contains("member of gone"), "{}", failure.message);
    }
}
