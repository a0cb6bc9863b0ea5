//! Users and groups in memory.

use crate::{
    Context,
    provider::{Accounts, GroupAccount, UserAccount},
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

#[derive(Default)]
struct Database {
    users: BTreeMap<String, UserAccount>,
    groups: BTreeMap<String, GroupAccount>,
    passwords: BTreeMap<String, String>,
}

/// Users and groups in memory: `root` to begin with. Options of `create_*` and `modify_*` are understood in the
/// long form `--uid 5` as separate words.
pub struct FakeAccounts(Mutex<Database>);

impl Default for FakeAccounts {
    fn default() -> Self {
        Self::new()
    }
}

impl FakeAccounts {
    /// Only `root`.
    pub fn new() -> Self {
        let fake = Self(Mutex::new(Database::default()));
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
        self.lock().users.insert(name.to_owned(), user);
    }

    /// Adds a group.
    pub fn put_group(&self, name: &str, gid: u32) {
        let group = GroupAccount { name: name.to_owned(), gid, members: Vec::new() };
        self.lock().groups.insert(name.to_owned(), group);
    }

    fn lock(&self) -> MutexGuard<'_, Database> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_user(&self, name: &str, options: &[String]) -> Result<(), String> {
        let mut database = self.lock();
        let groups = database.groups.clone();
        let user = database.users.get_mut(name).ok_or_else(|| format!("user `{name}` does not exist"))?;
        let mut member_of: Option<Vec<String>> = None;
        let mut words = options.iter();
        while let Some(option) = words.next() {
            match option.as_str() {
                "--uid" => user.uid = number(words.next())?,
                "--gid" => {
                    let text = words.next().cloned().unwrap_or_default();
                    user.gid = match groups.get(&text) {
                        Some(group) => group.gid,
                        None => number(Some(&text))?,
                    };
                }
                "--home" | "--home-dir" => user.home = words.next().cloned().unwrap_or_default(),
                "--shell" => user.shell = words.next().cloned().unwrap_or_default(),
                "--comment" => user.gecos = words.next().cloned().unwrap_or_default(),
                "--groups" => {
                    let list = words.next().cloned().unwrap_or_default();
                    member_of = Some(list.split(',').filter(|g| !g.is_empty()).map(str::to_owned).collect());
                }
                _ => {}
            }
        }
        if let Some(wanted) = member_of {
            let append = options.iter().any(|o| o == "--append");
            for group in database.groups.values_mut() {
                let is_member = group.members.iter().any(|m| m == name);
                if wanted.contains(&group.name) && !is_member {
                    group.members.push(name.to_owned());
                } else if !append && is_member && !wanted.contains(&group.name) {
                    group.members.retain(|m| m != name);
                }
            }
        }
        Ok(())
    }
}

fn number(word: Option<&String>) -> Result<u32, String> {
    let word = word.map(String::as_str).unwrap_or_default();
    word.parse().map_err(|_| format!("`{word}` is not a number"))
}

impl Accounts for FakeAccounts {
    fn user(&self, name: &str) -> Result<Option<UserAccount>, String> {
        Ok(self.lock().users.get(name).cloned())
    }

    fn user_by_id(&self, uid: u32) -> Result<Option<UserAccount>, String> {
        Ok(self.lock().users.values().find(|u| u.uid == uid).cloned())
    }

    fn users(&self) -> Result<Vec<UserAccount>, String> {
        Ok(self.lock().users.values().cloned().collect())
    }

    fn group(&self, name: &str) -> Result<Option<GroupAccount>, String> {
        Ok(self.lock().groups.get(name).cloned())
    }

    fn group_by_id(&self, gid: u32) -> Result<Option<GroupAccount>, String> {
        Ok(self.lock().groups.values().find(|g| g.gid == gid).cloned())
    }

    fn groups(&self) -> Result<Vec<GroupAccount>, String> {
        Ok(self.lock().groups.values().cloned().collect())
    }

    fn shadow(&self, name: &str) -> Result<Option<Vec<String>>, String> {
        let database = self.lock();
        if !database.users.contains_key(name) {
            return Ok(None);
        }
        let hash = database.passwords.get(name).cloned().unwrap_or_else(|| "!".to_owned());
        Ok(Some([hash.as_str(), "19000", "0", "99999", "7", "", ""].map(str::to_owned).to_vec()))
    }

    fn create_user(&self, _cx: &Context, name: &str, options: &[String]) -> Result<(), String> {
        let free = self.lock().users.values().map(|u| u.uid + 1).max().unwrap_or(0).max(1000);
        let named = options.iter().any(|o| o == "--gid");
        if !named && self.group(name)?.is_none() {
            self.put_group(name, free);
        }
        self.put_user(name, free, free);
        self.set_user(name, options)
    }

    fn modify_user(&self, _cx: &Context, name: &str, options: &[String]) -> Result<(), String> {
        self.set_user(name, options)
    }

    fn remove_user(&self, _cx: &Context, name: &str, _purge: bool, _force: bool) -> Result<(), String> {
        let mut database = self.lock();
        for group in database.groups.values_mut() {
            group.members.retain(|m| m != name);
        }
        match database.users.remove(name) {
            Some(_) => Ok(()),
            None => Err(format!("user `{name}` does not exist")),
        }
    }

    fn set_password_hash(&self, _cx: &Context, name: &str, hash: &str) -> Result<(), String> {
        self.lock().passwords.insert(name.to_owned(), hash.to_owned());
        Ok(())
    }

    fn create_group(&self, cx: &Context, name: &str, options: &[String]) -> Result<(), String> {
        let free = self.lock().groups.values().map(|g| g.gid + 1).max().unwrap_or(0).max(1000);
        self.put_group(name, free);
        self.modify_group(cx, name, options)
    }

    fn modify_group(&self, _cx: &Context, name: &str, options: &[String]) -> Result<(), String> {
        let mut words = options.iter();
        while let Some(option) = words.next() {
            if option == "--gid" {
                let gid = number(words.next())?;
                if let Some(group) = self.lock().groups.get_mut(name) {
                    group.gid = gid;
                }
            }
        }
        Ok(())
    }

    fn set_members(&self, _cx: &Context, name: &str, members: &[String]) -> Result<(), String> {
        match self.lock().groups.get_mut(name) {
            Some(group) => {
                group.members = members.to_vec();
                Ok(())
            }
            None => Err(format!("group `{name}` does not exist")),
        }
    }

    fn remove_group(&self, _cx: &Context, name: &str) -> Result<(), String> {
        self.lock().groups.remove(name);
        Ok(())
    }
}
