//! `user.*`, `group.*` and `shadow.*`: accounts of the machine.

use crate::{
    Context, Library,
    provider::{GroupAccount, UserAccount},
    user::{Gecos, crypt},
};
use zester_compiler::types::{Map, Secret, Value};

fn describe(cx: &Context, user: &UserAccount) -> Result<Value, String> {
    let gecos = Gecos::parse(&user.gecos);
    let mut groups = memberships(cx, user)?;
    groups.sort();
    let mut entries = Map::from_iter([
        ("name".to_owned(), Value::from(user.name.as_str())),
        ("uid".to_owned(), i64::from(user.uid).into()),
        ("gid".to_owned(), i64::from(user.gid).into()),
        ("groups".to_owned(), groups.into()),
        ("home".to_owned(), user.home.as_str().into()),
        ("passwd".to_owned(), "x".into()),
        ("shell".to_owned(), user.shell.as_str().into()),
    ]);
    entries.extend(Gecos::NAMES.into_iter().zip(gecos.parts).map(|(k, v)| (k.to_owned(), v.into())));
    Ok(entries.into())
}

/// Names of a user's groups, the primary one first.
fn memberships(cx: &Context, user: &UserAccount) -> Result<Vec<String>, String> {
    let groups = cx.machine.accounts.groups()?;
    let mut names: Vec<String> =
        groups.iter().filter(|g| g.gid == user.gid).map(|g| g.name.clone()).collect();
    for group in groups {
        if group.members.contains(&user.name) && !names.contains(&group.name) {
            names.push(group.name);
        }
    }
    Ok(names)
}

fn describe_group(group: &GroupAccount) -> Value {
    Value::Map(Map::from_iter([
        ("name".to_owned(), Value::from(group.name.as_str())),
        ("passwd".to_owned(), "x".into()),
        ("gid".to_owned(), i64::from(group.gid).into()),
        ("members".to_owned(), group.members.clone().into()),
    ]))
}

exec! {
    /// What is known about a user; empty when there is none.
    "user.info" probe Info {
        /// The user.
        name: String,
    } |it, cx| match cx.machine.accounts.user(&it.name)? {
        Some(user) => describe(cx, &user),
        None => Ok(Value::Map(Map::new())),
    }
}

exec! {
    /// Names of all users, sorted.
    "user.list_users" probe ListUsers {} |_, cx| {
        let mut names: Vec<String> = cx.machine.accounts.users()?.into_iter().map(|u| u.name).collect();
        names.sort();
        Ok(names.into())
    }
}

exec! {
    /// What is known about all users.
    "user.getent" probe Getent {} |_, cx| {
        let users = cx.machine.accounts.users()?;
        Ok(Value::List(users.iter().map(|u| describe(cx, u)).collect::<Result<_, _>>()?))
    }
}

exec! {
    /// Names of the groups of a user.
    "user.list_groups" probe ListGroups {
        /// The user.
        name: String,
    } |it, cx| match cx.machine.accounts.user(&it.name)? {
        Some(user) => Ok(memberships(cx, &user)?.into()),
        None => Ok(Value::List(Vec::new())),
    }
}

exec! {
    /// The name of the primary group of a user; empty when there is no such user.
    "user.primary_group" probe PrimaryGroup {
        /// The user.
        name: String,
    } |it, cx| {
        let Some(user) = cx.machine.accounts.user(&it.name)? else { return Ok("".into()) };
        Ok(cx.machine.accounts.group_by_id(user.gid)?.map(|g| g.name).unwrap_or_default().into())
    }
}

exec! {
    /// What is known about a group; empty when there is none.
    "group.info" probe GroupInfo {
        /// The group.
        name: String,
    } |it, cx| Ok(match cx.machine.accounts.group(&it.name)? {
        Some(group) => describe_group(&group),
        None => Value::Map(Map::new()),
    })
}

exec! {
    /// What is known about all groups.
    "group.getent" probe GroupGetent {} |_, cx| {
        Ok(Value::List(cx.machine.accounts.groups()?.iter().map(describe_group).collect()))
    }
}

exec! {
    /// Names of all groups.
    "group.list_groups" probe GroupNames {} |_, cx| {
        Ok(cx.machine.accounts.groups()?.into_iter().map(|g| g.name).collect::<Vec<_>>().into())
    }
}

exec! {
    /// The hash of a password as the shadow file holds it (SHA-512).
    "shadow.gen_password" pure GenPassword {
        /// The password.
        password: Secret,
        /// The salt; a new one when not given.
        crypt_salt: Option<String>,
        /// The method.
        #[arg(default = "sha512", one_of("sha512"))]
        algorithm: String,
    } |it, _| {
        let _ = &it.algorithm;
        let salt = match &it.crypt_salt {
            Some(salt) => salt.clone(),
            None => crate::user::new_salt()?,
        };
        Ok(crypt(&it.password.0, &salt)?.into())
    }
}

exec! {
    /// How a user's password ages. The hash is not given.
    "shadow.info" probe ShadowInfo {
        /// The user.
        name: String,
    } |it, cx| {
        let shadow = cx.machine.accounts.shadow(&it.name)?.unwrap_or_default();
        let day = |n: Option<i64>| Value::from(n.unwrap_or(-1));
        Ok(Value::Map(Map::from_iter([
            ("name".to_owned(), Value::from(it.name.as_str())),
            ("passwd".to_owned(), if shadow.hash.is_empty() { "" } else { "***" }.into()),
            ("lstchg".to_owned(), day(shadow.changed)),
            ("min".to_owned(), day(shadow.least)),
            ("max".to_owned(), day(shadow.most)),
            ("warn".to_owned(), day(shadow.warn)),
            ("inact".to_owned(), day(shadow.inactive)),
            ("expire".to_owned(), day(shadow.expire)),
        ])))
    }
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library
        .exec::<Info>()
        .exec::<ListUsers>()
        .exec::<Getent>()
        .exec::<ListGroups>()
        .exec::<PrimaryGroup>()
        .exec::<GroupInfo>()
        .exec::<GroupGetent>()
        .exec::<GroupNames>()
        .exec::<GenPassword>()
        .exec::<ShadowInfo>();
}
