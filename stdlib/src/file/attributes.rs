//! Owner, group and mode: what a state wants, how it differs from what is there, and setting it.

use crate::{
    Changes, Context, Failure, change,
    provider::{FileKind, Ownership, Stat},
};
use zester_compiler::types::{FromValue, Mode, Type, Value};

/// A mode, or `keep`: that of the source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FileMode {
    /// These bits.
    Bits(u32),
    /// Those of the source.
    Keep,
}

impl FromValue for FileMode {
    fn ty() -> Type {
        Type::Mode.or(Type::Enum(vec!["keep".to_owned()]))
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        if value.as_str() == Some("keep") {
            return Ok(Self::Keep);
        }
        Mode::from_value(value).map(|mode| Self::Bits(mode.0))
    }
}

impl FileMode {
    /// The bits, where they do not depend on a source.
    pub(crate) fn bits(self) -> Option<u32> {
        match self {
            Self::Bits(bits) => Some(bits),
            Self::Keep => None,
        }
    }
}

/// A user or group: its name as the author wrote it, and its number. The number is missing only in test mode, for
/// an account that an earlier state is going to make.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Account {
    name: String,
    id: Option<u32>,
}

/// What a state wants.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Attributes {
    user: Option<Account>,
    group: Option<Account>,
    /// Permission bits.
    pub(crate) mode: Option<u32>,
}

type Lookup = fn(&Context, &str) -> Result<Option<u32>, String>;

fn user_id(cx: &Context, name: &str) -> Result<Option<u32>, String> {
    Ok(cx.machine.accounts.user(name)?.map(|user| user.uid))
}

fn group_id(cx: &Context, name: &str) -> Result<Option<u32>, String> {
    Ok(cx.machine.accounts.group(name)?.map(|group| group.gid))
}

/// The number of an account; what was found once in a run is not asked again.
fn account(cx: &Context, kind: &str, name: &str, lookup: Lookup) -> Result<Account, Failure> {
    if let Ok(id) = name.parse() {
        return Ok(Account { name: name.to_owned(), id: Some(id) });
    }
    let key = format!("{kind}:{name}");
    let id = match cx.run.get::<u32>(&key) {
        Some(id) => Some(*id),
        None => lookup(cx, name)?.inspect(|id| cx.run.set(&key, *id)),
    };
    if id.is_none() && !cx.test {
        return Err(Failure::new(format!("There is no {kind} `{name}` on this machine")));
    }
    Ok(Account { name: name.to_owned(), id })
}

impl Attributes {
    /// Looks the accounts up.
    pub(crate) fn resolve(
        cx: &Context,
        user: Option<&str>,
        group: Option<&str>,
        mode: Option<u32>,
    ) -> Result<Self, Failure> {
        let given = |name: &&str| !name.is_empty();
        Ok(Self {
            user: user.filter(given).map(|name| account(cx, "user", name, user_id)).transpose()?,
            group: group.filter(given).map(|name| account(cx, "group", name, group_id)).transpose()?,
            mode,
        })
    }

    /// Only a mode.
    pub(crate) fn mode(mode: u32) -> Self {
        Self { mode: Some(mode), ..Self::default() }
    }

    /// The same owner and group with another mode.
    pub(crate) fn with_mode(&self, mode: Option<u32>) -> Self {
        Self { mode, ..self.clone() }
    }

    /// The owner, the group, or both, without the mode.
    pub(crate) fn only(&self, user: bool, group: bool) -> Self {
        Self {
            user: self.user.clone().filter(|_| user),
            group: self.group.clone().filter(|_| group),
            mode: None,
        }
    }

    /// For a file that is written.
    pub(crate) fn ownership(&self) -> Ownership {
        Ownership {
            uid: self.user.as_ref().and_then(|a| a.id),
            gid: self.group.as_ref().and_then(|a| a.id),
            mode: self.mode,
        }
    }

    /// How what is there differs; of a link only the owner counts.
    pub(crate) fn differences(&self, cx: &Context, stat: &Stat) -> Changes {
        let mut changes = Changes::new();
        if let Some(user) = self.user.as_ref().filter(|u| u.id != Some(stat.uid)) {
            let old = cx.machine.accounts.user_by_id(stat.uid).ok().flatten();
            let old = old.map_or_else(|| stat.uid.to_string(), |u| u.name);
            changes.insert("user".to_owned(), change(old, user.name.as_str()));
        }
        if let Some(group) = self.group.as_ref().filter(|g| g.id != Some(stat.gid)) {
            let old = cx.machine.accounts.group_by_id(stat.gid).ok().flatten();
            let old = old.map_or_else(|| stat.gid.to_string(), |g| g.name);
            changes.insert("group".to_owned(), change(old, group.name.as_str()));
        }
        if let Some(mode) = self.mode.filter(|m| *m != stat.mode && stat.kind != FileKind::Symlink) {
            changes.insert("mode".to_owned(), change(octal(stat.mode), octal(mode)));
        }
        changes
    }

    /// What a new file or directory gets, as changes.
    pub(crate) fn of_new(&self) -> Changes {
        let mut changes = Changes::new();
        if let Some(user) = &self.user {
            changes.insert("user".to_owned(), change(Value::Null, user.name.as_str()));
        }
        if let Some(group) = &self.group {
            changes.insert("group".to_owned(), change(Value::Null, group.name.as_str()));
        }
        if let Some(mode) = self.mode {
            changes.insert("mode".to_owned(), change(Value::Null, octal(mode)));
        }
        changes
    }

    /// Removes the differences. Links are not followed.
    pub(crate) fn set(&self, cx: &Context, path: &str, stat: &Stat, follow: bool) -> Result<(), Failure> {
        let Ownership { uid, gid, mode } = self.ownership();
        let uid = uid.filter(|uid| *uid != stat.uid);
        let gid = gid.filter(|gid| *gid != stat.gid);
        let files = &cx.machine.files;
        if uid.is_some() || gid.is_some() {
            files
                .set_owner(path, uid, gid, follow)
                .map_err(|e| Failure::new(format!("The owner of `{path}` cannot be set: {e}")))?;
        }
        // A change of owner takes setuid bits away, so the mode is set again when both are wanted.
        let cleared = (uid.is_some() || gid.is_some()) && mode.is_some_and(|m| m & 0o6000 != 0);
        match mode {
            Some(mode) if (mode != stat.mode || cleared) && stat.kind != FileKind::Symlink => files
                .set_mode(path, mode)
                .map_err(|e| Failure::new(format!("The mode of `{path}` cannot be set: {e}"))),
            _ => Ok(()),
        }
    }

    /// Sets owner and group of something that was just made, where they are wanted.
    pub(crate) fn give(&self, cx: &Context, path: &str) -> Result<(), Failure> {
        let Ownership { uid, gid, mode } = self.ownership();
        if uid.is_none() && gid.is_none() {
            return Ok(());
        }
        cx.machine
            .files
            .set_owner(path, uid, gid, false)
            .map_err(|e| Failure::new(format!("The owner of `{path}` cannot be set: {e}")))?;
        match mode.filter(|m| m & 0o6000 != 0) {
            Some(mode) => cx
                .machine
                .files
                .set_mode(path, mode)
                .map_err(|e| Failure::new(format!("The mode of `{path}` cannot be set: {e}"))),
            None => Ok(()),
        }
    }
}

/// Four octal digits.
pub(crate) fn octal(mode: u32) -> String {
    format!("{mode:04o}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;

    #[test]
    fn an_unknown_user_fails_except_in_test_mode() {
        let machine = FakeMachine::new();
        let cx = machine.context();
        let failure = Attributes::resolve(&cx, Some("web"), None, None).unwrap_err();
        assert_eq!(failure.message, "There is no user `web` on this machine");
        let test = Context { test: true, ..cx };
        let wanted = Attributes::resolve(&test, Some("web"), None, None).unwrap();
        machine.files.put("/f", "");
        let stat = test.machine.files.stat("/f", true).unwrap().unwrap();
        assert_eq!(wanted.differences(&test, &stat).get("user"), Some(&change("root", "web")));
    }
}
