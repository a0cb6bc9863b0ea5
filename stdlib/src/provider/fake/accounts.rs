//! Accounts that are lists. Options are read as the useradd family reads its long ones.

use crate::{
    Context,
    provider::{Accounts, GroupAccount, Shadow, UserAccount},
};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Users and groups in memory.
#[derive(Debug)]
pub struct FakeAccounts {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    users: Vec<(UserAccount, Shadow)>,
    groups: Vec<GroupAccount>,
    log: Vec<String>,
}

impl Default for FakeAccounts {
    fn default() -> Self {
        Self::new()
    }
}

impl FakeAccounts {
    /// Only `root`.
    pub fn new() -> Self {
        let fake = Self { state: Mutex::default() };
        fake.put_group("root", 0);
        fake.put_user("root", 0, 0);
        fake
    }

    /// Adds a user.
    pub fn put_user(&self, name: &str, uid: u32, gid: u32) {
        let home = if uid == 0 { "/root".to_owned() } else { format!("/home/{name}") };
        let user = UserAccount {
            name: name.to_owned(),
            uid,
            gid,
            home,
            shell: "/bin/sh".to_owned(),
            ..UserAccount::default()
        };
        self.lock().users.push((user, Shadow { hash: "!".to_owned(), ..Shadow::default() }));
    }

    /// Adds a group.
    pub fn put_group(&self, name: &str, gid: u32) {
        self.lock().groups.push(GroupAccount { name: name.to_owned(), gid, members: Vec::new() });
    }

    /// What was done, in order: `useradd --uid 1000 alice`.
    pub fn log(&self) -> Vec<String> {
        self.lock().log.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The value after `flag`.
fn option<'a>(options: &'a [String], flag: &str) -> Option<&'a str> {
    let at = options.iter().position(|o| o == flag)?;
    options.get(at + 1).map(String::as_str)
}

fn has(options: &[String], flag: &str) -> bool {
    options.iter().any(|o| o == flag)
}

impl State {
    fn group_id(&self, text: &str) -> Result<u32, String> {
        self.groups
            .iter()
            .find(|g| g.name == text || g.gid.to_string() == text)
            .map(|g| g.gid)
            .ok_or_else(|| format!("group '{text}' does not exist"))
    }

    fn free_id(&self, system: bool) -> u32 {
        let mut id = if system { 100 } else { 1000 };
        while self.users.iter().any(|(u, _)| u.uid == id) || self.groups.iter().any(|g| g.gid == id) {
            id += 1;
        }
        id
    }

    fn set_groups(&mut self, user: &str, groups: &str, append: bool) -> Result<(), String> {
        let wanted: Vec<&str> = groups.split(',').filter(|g| !g.is_empty()).collect();
        if let Some(missing) = wanted.iter().find(|g| !self.groups.iter().any(|x| x.name == **g)) {
            return Err(format!("group '{missing}' does not exist"));
        }
        for group in &mut self.groups {
            let member = group.members.iter().position(|m| m == user);
            match (wanted.contains(&group.name.as_str()), member) {
                (true, None) => group.members.push(user.to_owned()),
                (false, Some(at)) if !append => {
                    group.members.remove(at);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn change(&mut self, name: &str, options: &[String]) -> Result<(), String> {
        let gid = option(options, "--gid").map(|g| self.group_id(g)).transpose()?;
        if let Some(groups) = option(options, "--groups") {
            self.set_groups(name, groups, has(options, "--append"))?;
        }
        let (user, shadow) = self
            .users
            .iter_mut()
            .find(|(u, _)| u.name == name)
            .ok_or_else(|| format!("user '{name}' does not exist"))?;
        if let Some(gid) = gid {
            user.gid = gid;
        }
        if let Some(uid) = option(options, "--uid") {
            user.uid = uid.parse().map_err(|_| format!("invalid user ID '{uid}'"))?;
        }
        let home = option(options, "--home-dir").or(option(options, "--home"));
        for (value, field) in [
            (option(options, "--comment"), &mut user.gecos),
            (home, &mut user.home),
            (option(options, "--shell"), &mut user.shell),
            (option(options, "--password"), &mut shadow.hash),
        ] {
            if let Some(value) = value {
                value.clone_into(field);
            }
        }
        Ok(())
    }
}

impl Accounts for FakeAccounts {
    fn user(&self, name: &str) -> Result<Option<UserAccount>, String> {
        Ok(self.lock().users.iter().find(|(u, _)| u.name == name).map(|(u, _)| u.clone()))
    }

    fn user_by_id(&self, uid: u32) -> Result<Option<UserAccount>, String> {
        Ok(self.lock().users.iter().find(|(u, _)| u.uid == uid).map(|(u, _)| u.clone()))
    }

    fn users(&self) -> Result<Vec<UserAccount>, String> {
        Ok(self.lock().users.iter().map(|(u, _)| u.clone()).collect())
    }

    fn group(&self, name: &str) -> Result<Option<GroupAccount>, String> {
        Ok(self.lock().groups.iter().find(|g| g.name == name).cloned())
    }

    fn group_by_id(&self, gid: u32) -> Result<Option<GroupAccount>, String> {
        Ok(self.lock().groups.iter().find(|g| g.gid == gid).cloned())
    }

    fn groups(&self) -> Result<Vec<GroupAccount>, String> {
        Ok(self.lock().groups.clone())
    }

    fn shadow(&self, name: &str) -> Result<Option<Shadow>, String> {
        Ok(self.lock().users.iter().find(|(u, _)| u.name == name).map(|(_, s)| s.clone()))
    }

    fn create_user(&self, _cx: &Context, name: &str, options: &[String]) -> Result<(), String> {
        let mut state = self.lock();
        state.log.push(format!("useradd {} {name}", options.join(" ")));
        if state.users.iter().any(|(u, _)| u.name == name) {
            return Err(format!("user '{name}' already exists"));
        }
        let uid = state.free_id(has(options, "--system"));
        let gid = match option(options, "--gid") {
            Some(group) => state.group_id(group)?,
            None if has(options, "--no-user-group") => 100,
            None => {
                let group = GroupAccount { name: name.to_owned(), gid: uid, members: Vec::new() };
                state.groups.push(group);
                uid
            }
        };
        let user = UserAccount {
            name: name.to_owned(),
            uid,
            gid,
            gecos: String::new(),
            home: format!("/home/{name}"),
            shell: "/bin/sh".to_owned(),
        };
        state.users.push((user, Shadow { hash: "!".to_owned(), ..Shadow::default() }));
        state.change(name, options)
    }

    fn modify_user(&self, _cx: &Context, name: &str, options: &[String]) -> Result<(), String> {
        let mut state = self.lock();
        state.log.push(format!("usermod {} {name}", options.join(" ")));
        state.change(name, options)
    }

    fn modify_ageing(&self, _cx: &Context, name: &str, options: &[String]) -> Result<(), String> {
        let mut state = self.lock();
        state.log.push(format!("chage {} {name}", options.join(" ")));
        let (_, shadow) = state
            .users
            .iter_mut()
            .find(|(u, _)| u.name == name)
            .ok_or_else(|| format!("user '{name}' does not exist"))?;
        for (flag, field) in [
            ("--mindays", &mut shadow.least),
            ("--maxdays", &mut shadow.most),
            ("--warndays", &mut shadow.warn),
            ("--inactive", &mut shadow.inactive),
            ("--expiredate", &mut shadow.expire),
            ("--lastday", &mut shadow.changed),
        ] {
            if let Some(value) = option(options, flag) {
                *field = value.parse().ok().filter(|days| *days >= 0);
            }
        }
        Ok(())
    }

    fn remove_user(&self, _cx: &Context, name: &str, purge: bool, force: bool) -> Result<(), String> {
        let mut state = self.lock();
        state.log.push(format!("userdel purge={purge} force={force} {name}"));
        state.users.retain(|(u, _)| u.name != name);
        for group in &mut state.groups {
            group.members.retain(|m| m != name);
        }
        Ok(())
    }

    fn set_password_hash(&self, _cx: &Context, name: &str, hash: &str) -> Result<(), String> {
        let mut state = self.lock();
        state.log.push(format!("chpasswd {name}"));
        let (_, shadow) = state
            .users
            .iter_mut()
            .find(|(u, _)| u.name == name)
            .ok_or_else(|| format!("user '{name}' does not exist"))?;
        hash.clone_into(&mut shadow.hash);
        Ok(())
    }

    fn create_group(&self, _cx: &Context, name: &str, options: &[String]) -> Result<(), String> {
        let mut state = self.lock();
        state.log.push(format!("groupadd {} {name}", options.join(" ")));
        let gid = match option(options, "--gid") {
            Some(gid) => gid.parse().map_err(|_| format!("invalid group ID '{gid}'"))?,
            None => state.free_id(has(options, "--system")),
        };
        if state.groups.iter().any(|g| g.gid == gid) && !has(options, "--non-unique") {
            return Err(format!("GID '{gid}' already exists"));
        }
        state.groups.push(GroupAccount { name: name.to_owned(), gid, members: Vec::new() });
        Ok(())
    }

    fn modify_group(&self, _cx: &Context, name: &str, options: &[String]) -> Result<(), String> {
        let mut state = self.lock();
        state.log.push(format!("groupmod {} {name}", options.join(" ")));
        let gid = option(options, "--gid").and_then(|g| g.parse().ok());
        let group = state
            .groups
            .iter_mut()
            .find(|g| g.name == name)
            .ok_or_else(|| format!("group '{name}' does not exist"))?;
        if let Some(gid) = gid {
            group.gid = gid;
        }
        Ok(())
    }

    fn set_members(&self, _cx: &Context, name: &str, members: &[String]) -> Result<(), String> {
        let mut state = self.lock();
        state.log.push(format!("gpasswd {} {name}", members.join(",")));
        let group = state
            .groups
            .iter_mut()
            .find(|g| g.name == name)
            .ok_or_else(|| format!("group '{name}' does not exist"))?;
        group.members = members.to_vec();
        Ok(())
    }

    fn remove_group(&self, _cx: &Context, name: &str) -> Result<(), String> {
        let mut state = self.lock();
        state.log.push(format!("groupdel {name}"));
        if let Some(group) = state.groups.iter().find(|g| g.name == name)
            && let Some((user, _)) = state.users.iter().find(|(u, _)| u.gid == group.gid)
        {
            return Err(format!("cannot remove the primary group of user '{}'", user.name));
        }
        state.groups.retain(|g| g.name != name);
        Ok(())
    }
}
