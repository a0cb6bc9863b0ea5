//! Users and groups of a machine.

use crate::Context;

/// A user.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct UserAccount {
    /// Login name.
    pub name: String,
    /// Number.
    pub uid: u32,
    /// Number of the primary group.
    pub gid: u32,
    /// The whole GECOS field.
    pub gecos: String,
    /// Home directory.
    pub home: String,
    /// Login shell.
    pub shell: String,
}

/// A group.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GroupAccount {
    /// Name.
    pub name: String,
    /// Number.
    pub gid: u32,
    /// Names of its members, those who have it as their primary group not among them.
    pub members: Vec<String>,
}

/// A line of the shadow file. Days count from 1970-01-01; `None` is an empty field.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Shadow {
    /// The hash; `!` in front locks it, an empty one lets anyone in.
    pub hash: String,
    /// Day of the last change.
    pub changed: Option<i64>,
    /// Least days between changes.
    pub least: Option<i64>,
    /// Most days between changes.
    pub most: Option<i64>,
    /// Days of warning.
    pub warn: Option<i64>,
    /// Days of grace after expiry.
    pub inactive: Option<i64>,
    /// Day on which the account expires.
    pub expire: Option<i64>,
}

/// The hash is never shown.
impl std::fmt::Debug for Shadow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shadow")
            .field("changed", &self.changed)
            .field("least", &self.least)
            .field("most", &self.most)
            .field("warn", &self.warn)
            .field("inactive", &self.inactive)
            .field("expire", &self.expire)
            .finish_non_exhaustive()
    }
}

/// Users and groups: reading, and running the system's own tools to change them.
pub trait Accounts: Send + Sync {
    /// The user of that name, from the system's name service.
    fn user(&self, name: &str) -> Result<Option<UserAccount>, String>;

    /// The user of that number.
    fn user_by_id(&self, uid: u32) -> Result<Option<UserAccount>, String>;

    /// All users.
    fn users(&self) -> Result<Vec<UserAccount>, String>;

    /// The group of that name.
    fn group(&self, name: &str) -> Result<Option<GroupAccount>, String>;

    /// The group of that number.
    fn group_by_id(&self, gid: u32) -> Result<Option<GroupAccount>, String>;

    /// All groups.
    fn groups(&self) -> Result<Vec<GroupAccount>, String>;

    /// The line of the shadow file.
    fn shadow(&self, name: &str) -> Result<Option<Shadow>, String>;

    /// Creates a user: `useradd` with these options (`--uid`, …), the name last.
    fn create_user(&self, cx: &Context, name: &str, options: &[String]) -> Result<(), String>;

    /// Changes a user: `usermod` with these options.
    fn modify_user(&self, cx: &Context, name: &str, options: &[String]) -> Result<(), String>;

    /// Changes how a user's password ages: `chage` with these options.
    fn modify_ageing(&self, cx: &Context, name: &str, options: &[String]) -> Result<(), String>;

    /// Removes a user; `purge` removes home and mail too, `force` also one who is logged in.
    fn remove_user(&self, cx: &Context, name: &str, purge: bool, force: bool) -> Result<(), String>;

    /// Sets a password hash.
    fn set_password_hash(&self, cx: &Context, name: &str, hash: &str) -> Result<(), String>;

    /// Creates a group: `groupadd` with these options.
    fn create_group(&self, cx: &Context, name: &str, options: &[String]) -> Result<(), String>;

    /// Changes a group: `groupmod` with these options.
    fn modify_group(&self, cx: &Context, name: &str, options: &[String]) -> Result<(), String>;

    /// Sets the whole list of members.
    fn set_members(&self, cx: &Context, name: &str, members: &[String]) -> Result<(), String>;

    /// Removes a group.
    fn remove_group(&self, cx: &Context, name: &str) -> Result<(), String>;
}
