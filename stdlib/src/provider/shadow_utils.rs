//! Accounts of a Linux machine: `/etc/passwd` and its kin read directly, `getent` for what other name services
//! hold, and the useradd family for changes.

use super::{
    Command, Commands, FileSystem,
    accounts::{Accounts, GroupAccount, Shadow, UserAccount},
    tool::{succeed, tool},
};
use crate::{Cancel, Context};
use std::sync::Arc;

/// Seconds a name service may take to answer.
const LOOKUP_TIMEOUT_S: f64 = 30.0;

/// The useradd family.
pub struct ShadowUtils {
    files: Arc<dyn FileSystem>,
    commands: Arc<dyn Commands>,
}

impl ShadowUtils {
    /// Accounts of the machine these providers reach.
    pub fn new(files: Arc<dyn FileSystem>, commands: Arc<dyn Commands>) -> Self {
        Self { files, commands }
    }

    fn read(&self, path: &str) -> Result<String, String> {
        let bytes = self.files.read(path).map_err(|e| format!("`{path}` could not be read: {e}"))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Whether names may come from elsewhere than the files: LDAP, sssd, systemd's dynamic users.
    fn asks_elsewhere(&self, database: &str) -> bool {
        let Ok(text) = self.read("/etc/nsswitch.conf") else { return false };
        text.lines()
            .filter_map(|line| line.split('#').next()?.split_once(':'))
            .filter(|(name, _)| name.trim() == database)
            .flat_map(|(_, sources)| sources.split_ascii_whitespace())
            .any(|source| !matches!(source, "files" | "compat") && !source.starts_with('['))
    }

    fn getent(&self, database: &str, key: Option<&str>) -> Result<String, String> {
        if key == Some("") || !self.asks_elsewhere(database) || self.commands.find("getent").is_none() {
            return Ok(String::new());
        }
        let mut args = vec![database];
        args.extend(key);
        let mut command = Command::new("getent", args);
        command.timeout = Some(LOOKUP_TIMEOUT_S);
        let output = self
            .commands
            .run(&command, &Cancel::default())
            .map_err(|e| format!("`getent {database}` could not be started: {e}"))?;
        match output.status {
            // 2: no such key. 3: this service does not list.
            0 | 2 | 3 => Ok(output.stdout),
            _ => Err(super::tool::failure(&command, &output)),
        }
    }

    fn find_user(
        &self,
        key: &str,
        matches: impl Fn(&UserAccount) -> bool,
    ) -> Result<Option<UserAccount>, String> {
        let text = self.read("/etc/passwd")?;
        if let Some(user) = text.lines().filter_map(parse_user).find(&matches) {
            return Ok(Some(user));
        }
        Ok(self.getent("passwd", Some(key))?.lines().filter_map(parse_user).find(&matches))
    }

    fn find_group(
        &self,
        key: &str,
        matches: impl Fn(&GroupAccount) -> bool,
    ) -> Result<Option<GroupAccount>, String> {
        let text = self.read("/etc/group")?;
        if let Some(group) = text.lines().filter_map(parse_group).find(&matches) {
            return Ok(Some(group));
        }
        Ok(self.getent("group", Some(key))?.lines().filter_map(parse_group).find(&matches))
    }

    fn act(cx: &Context, program: &str, options: &[String], name: &str) -> Result<(), String> {
        let mut args = options.to_vec();
        args.push("--".to_owned());
        args.push(name.to_owned());
        succeed(cx, tool(program, args)).map(drop)
    }
}

/// A line of `/etc/passwd`.
pub fn parse_user(line: &str) -> Option<UserAccount> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, uid, gid, gecos, home, shell] = fields.as_slice() else { return None };
    Some(UserAccount {
        name: (*name).to_owned(),
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        gecos: (*gecos).to_owned(),
        home: (*home).to_owned(),
        shell: (*shell).to_owned(),
    })
}

/// A line of `/etc/group`.
pub fn parse_group(line: &str) -> Option<GroupAccount> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, gid, members] = fields.as_slice() else { return None };
    Some(GroupAccount {
        name: (*name).to_owned(),
        gid: gid.parse().ok()?,
        members: members.split(',').filter(|m| !m.is_empty()).map(str::to_owned).collect(),
    })
}

/// A line of `/etc/shadow` for `name`.
pub fn parse_shadow(line: &str, name: &str) -> Option<Shadow> {
    let mut fields = line.split(':');
    if fields.next() != Some(name) {
        return None;
    }
    let hash = fields.next()?.to_owned();
    let mut day = || fields.next().and_then(|f| f.parse().ok());
    Some(Shadow {
        hash,
        changed: day(),
        least: day(),
        most: day(),
        warn: day(),
        inactive: day(),
        expire: day(),
    })
}

impl Accounts for ShadowUtils {
    fn user(&self, name: &str) -> Result<Option<UserAccount>, String> {
        self.find_user(name, |u| u.name == name)
    }

    fn user_by_id(&self, uid: u32) -> Result<Option<UserAccount>, String> {
        self.find_user(&uid.to_string(), |u| u.uid == uid)
    }

    fn users(&self) -> Result<Vec<UserAccount>, String> {
        let mut users: Vec<UserAccount> = self.read("/etc/passwd")?.lines().filter_map(parse_user).collect();
        for user in self.getent("passwd", None)?.lines().filter_map(parse_user) {
            if !users.iter().any(|u| u.name == user.name) {
                users.push(user);
            }
        }
        Ok(users)
    }

    fn group(&self, name: &str) -> Result<Option<GroupAccount>, String> {
        self.find_group(name, |g| g.name == name)
    }

    fn group_by_id(&self, gid: u32) -> Result<Option<GroupAccount>, String> {
        self.find_group(&gid.to_string(), |g| g.gid == gid)
    }

    fn groups(&self) -> Result<Vec<GroupAccount>, String> {
        let mut groups: Vec<GroupAccount> =
            self.read("/etc/group")?.lines().filter_map(parse_group).collect();
        for group in self.getent("group", None)?.lines().filter_map(parse_group) {
            if !groups.iter().any(|g| g.name == group.name) {
                groups.push(group);
            }
        }
        Ok(groups)
    }

    fn shadow(&self, name: &str) -> Result<Option<Shadow>, String> {
        let text = self.read("/etc/shadow")?;
        if let Some(shadow) = text.lines().find_map(|line| parse_shadow(line, name)) {
            return Ok(Some(shadow));
        }
        Ok(self.getent("shadow", Some(name))?.lines().find_map(|line| parse_shadow(line, name)))
    }

    fn create_user(&self, cx: &Context, name: &str, options: &[String]) -> Result<(), String> {
        Self::act(cx, "useradd", options, name)
    }

    fn modify_user(&self, cx: &Context, name: &str, options: &[String]) -> Result<(), String> {
        Self::act(cx, "usermod", options, name)
    }

    fn modify_ageing(&self, cx: &Context, name: &str, options: &[String]) -> Result<(), String> {
        Self::act(cx, "chage", options, name)
    }

    fn remove_user(&self, cx: &Context, name: &str, purge: bool, force: bool) -> Result<(), String> {
        let mut options = Vec::new();
        if purge {
            options.push("--remove".to_owned());
        }
        if force {
            options.push("--force".to_owned());
        }
        Self::act(cx, "userdel", &options, name)
    }

    /// Through `chpasswd`'s standard input: a command line could be read by everyone.
    fn set_password_hash(&self, cx: &Context, name: &str, hash: &str) -> Result<(), String> {
        if hash.contains([':', '\n']) || name.contains([':', '\n']) {
            return Err(format!(
                "the password of `{name}` is not a hash: it contains a colon or a line break"
            ));
        }
        let mut command = tool("chpasswd", ["--encrypted"]);
        command.stdin = Some(format!("{name}:{hash}\n").into_bytes());
        succeed(cx, command).map(drop)
    }

    fn create_group(&self, cx: &Context, name: &str, options: &[String]) -> Result<(), String> {
        Self::act(cx, "groupadd", options, name)
    }

    fn modify_group(&self, cx: &Context, name: &str, options: &[String]) -> Result<(), String> {
        Self::act(cx, "groupmod", options, name)
    }

    fn set_members(&self, cx: &Context, name: &str, members: &[String]) -> Result<(), String> {
        Self::act(cx, "gpasswd", &["--members".to_owned(), members.join(",")], name)
    }

    fn remove_group(&self, cx: &Context, name: &str) -> Result<(), String> {
        Self::act(cx, "groupdel", &[], name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_files() {
        let user = parse_user("www:x:33:34:Web,1,2,3:/var/www:/bin/sh").unwrap();
        assert_eq!((user.uid, user.gid, user.gecos.as_str()), (33, 34, "Web,1,2,3"));
        assert_eq!(parse_user("+::::::"), None);
        assert_eq!(parse_group("adm:x:4:a,b").unwrap().members, ["a", "b"]);
        assert_eq!(parse_group("adm:x:4:").unwrap().members, [""; 0]);
        let shadow = parse_shadow("a:$6$x:19000:0:99999:7:::", "a").unwrap();
        assert_eq!(
            (shadow.most, shadow.warn, shadow.inactive, shadow.expire),
            (Some(99999), Some(7), None, None)
        );
        assert_eq!(parse_shadow("ab:!:1", "a"), None);
        assert!(!format!("{shadow:?}").contains("$6$"));
    }
}
