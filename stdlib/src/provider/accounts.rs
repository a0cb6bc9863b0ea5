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

    /// The line of the shadow file, split at colons: hash, last change, least, most, warn, inactive, expire.
    fn shadow(&self, name: &str) -> Result<Option<Vec<String>>, String>;

    /// Creates a user: `useradd` with these options (`--uid`, …), the name last.
    fn create_user(&self, cx: &Context, name: &str, options: &[String]) -> Result<(), String>;

    /// Changes a user: `usermod` with these options.
    fn modify_user(&self, cx: &Context, name: &str, options: &[String]) -> Result<(), String>;

    /// Removes a user.
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
