//! `rabbitmq_user.present`, `rabbitmq_user.absent`

use super::client::{Words, ask, check_name, lets_in, tell};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use zester_compiler::types::{Map, Secret, Value};
use zester_stdlib_derive::Arguments;

/// A user of a RabbitMQ server exists, with this password, these tags and these permissions. The password is tried; what is not named stays.
///
/// ```yaml
/// app:
///   rabbitmq_user.present:
///     - password: {{ pillar['app_password'] }}
///     - tags: [monitoring]
///     - perms:
///       - /shop: [".*", ".*", ".*"]
///     - require:
///       - rabbitmq_vhost: /shop
/// ```
#[derive(Arguments)]
#[state("rabbitmq_user.present")]
pub(crate) struct Present {
    /// The user.
    #[arg(primary)]
    name: String,
    /// Its password.
    #[arg(secret)]
    password: Option<Secret>,
    /// Whether the password is set in every run, without trying the one there is; without `password` the user gets none.
    #[arg(default = false)]
    force: bool,
    /// Its tags, as `administrator`, `monitoring`, and no others.
    #[arg(ty = Type::Str.or(Type::List(Box::new(Type::Str))))]
    tags: Option<Value>,
    /// What it may configure, write and read in virtual hosts: a list of maps of their names to three regular expressions.
    #[arg(ty = Type::List(Box::new(Type::Any)).or(Type::Map(Box::new(Type::Any))))]
    perms: Option<Value>,
}

/// A user as the server has it.
#[derive(Deserialize)]
struct User {
    user: String,
    tags: BTreeSet<String>,
}

/// What a user may do in a virtual host.
#[derive(Deserialize)]
struct Permission {
    vhost: String,
    configure: String,
    write: String,
    read: String,
}

/// What a user may configure, write and read.
type Three = [String; 3];

fn find(cx: &Context, name: &str) -> Result<Option<User>, Failure> {
    check_name("user", name)?;
    let users: Option<Vec<User>> = ask(cx, Words::of("list_users", &[]))?;
    Ok(users.unwrap_or_default().into_iter().find(|user| user.user == name))
}

fn permissions(cx: &Context, name: &str) -> Result<BTreeMap<String, Three>, Failure> {
    let all: Option<Vec<Permission>> = ask(cx, Words::of("list_user_permissions", &[name]))?;
    let one = |one: Permission| (one.vhost, [one.configure, one.write, one.read]);
    Ok(all.unwrap_or_default().into_iter().map(one).collect())
}

/// What changes show of permissions.
fn shown(three: &Three) -> Vec<String> {
    three.to_vec()
}

impl Present {
    fn tags(&self) -> Option<BTreeSet<String>> {
        let texts: Vec<String> = match self.tags.as_ref()? {
            Value::Null => return None,
            Value::List(list) => list.iter().map(Value::to_string).collect(),
            text => text.to_string().split(',').map(|tag| tag.trim().to_owned()).collect(),
        };
        Some(texts.into_iter().filter(|tag| !tag.is_empty()).collect())
    }

    fn perms(&self) -> Result<BTreeMap<String, Three>, Failure> {
        let mut all = BTreeMap::new();
        let mut add = |map: &Map| {
            for (vhost, value) in map {
                check_name("virtual host", vhost)?;
                let texts: Vec<String> =
                    value.as_list().unwrap_or_default().iter().map(Value::to_string).collect();
                let three = Three::try_from(texts).map_err(|_| {
                    Failure::new(format!(
                        "`perms` of `{}` says for `{vhost}` what are no three regular expressions; write `[\".*\", \".*\", \".*\"]`: to configure, to write, to read",
                        self.name
                    ))
                })?;
                all.insert(vhost.clone(), three);
            }
            Ok::<(), Failure>(())
        };
        match &self.perms {
            None | Some(Value::Null) => {}
            Some(Value::Map(map)) => add(map)?,
            Some(value) => {
                for item in value.as_list().unwrap_or_default() {
                    let Some(map) = item.as_map() else {
                        return Err(Failure::new(format!(
                            "`perms` of `{}` has `{item}`, which is no map of a virtual host to three regular expressions",
                            self.name
                        )));
                    };
                    add(map)?;
                }
            }
        }
        Ok(all)
    }

    fn password(&self) -> Result<Option<&str>, Failure> {
        let Some(Secret(password)) = &self.password else { return Ok(None) };
        if password.is_empty() || password.trim() != &**password || password.contains(['\n', '\r']) {
            return Err(Failure::new(format!(
                "the password of `{}` is empty, has more than one line, or begins or ends with a space; `rabbitmqctl` takes no such password",
                self.name
            )));
        }
        Ok(Some(password))
    }
}

impl State for Present {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let name = &self.name;
        let (password, tags, perms) = (self.password()?, self.tags(), self.perms()?);
        let user = find(cx, name)?;
        if user.is_none() && password.is_none() {
            return Err(Failure::new(format!("the user `{name}` is to be made, and has no `password`")));
        }
        let mut changes = Changes::new();
        let is_new = user.is_none();
        if is_new {
            changes.insert(name.clone(), change((), "a user"));
        }
        let sets_password = match password {
            Some(password) => is_new || self.force || !lets_in(cx, name, password)?,
            None => false,
        };
        let clears_password = password.is_none() && self.force;
        if sets_password {
            changes.insert("password".to_owned(), change((!is_new).then_some("***"), "***"));
        } else if clears_password {
            changes.insert("password".to_owned(), change("***", ()));
        }
        let have = user.map(|user| user.tags).unwrap_or_default();
        let tags = tags.filter(|tags| *tags != have);
        if let Some(tags) = &tags {
            let list = |tags: &BTreeSet<String>| tags.iter().cloned().collect::<Vec<_>>();
            changes.insert("tags".to_owned(), change(list(&have), list(tags)));
        }
        let now = if is_new || perms.is_empty() { BTreeMap::new() } else { permissions(cx, name)? };
        let gets: BTreeMap<String, Three> =
            perms.into_iter().filter(|(vhost, three)| now.get(vhost) != Some(three)).collect();
        if !gets.is_empty() {
            let both = |(vhost, new): (&String, &Three)| {
                (vhost.clone(), change(now.get(vhost).map(shown), shown(new)))
            };
            changes.insert("perms".to_owned(), Value::Map(gets.iter().map(both).collect()));
        }
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("the user `{name}` is as it should be")));
        }
        let is = if is_new { "made" } else { "changed" };
        Ok(Plan::change(changes, format!("the user `{name}` is {is}"), move |cx| {
            let name = self.name.as_str();
            if sets_password {
                let verb = if is_new { "add_user" } else { "change_password" };
                tell(cx, &Words::of(verb, &[name]), password)?;
            } else if clears_password {
                tell(cx, &Words::of("clear_password", &[name]), None)?;
            }
            if let Some(tags) = &tags {
                let words: Vec<&str> = [name].into_iter().chain(tags.iter().map(String::as_str)).collect();
                tell(cx, &Words::of("set_user_tags", &words), None)?;
            }
            for (vhost, [configure, write, read]) in &gets {
                let words = Words::of("set_permissions", &[name, configure, write, read]);
                tell(cx, &words.with(&["-p", vhost]), None)?;
            }
            Ok(Outcome::default())
        }))
    }
}

/// A user of a RabbitMQ server does not exist.
///
/// ```yaml
/// guest:
///   rabbitmq_user.absent: []
/// ```
#[derive(Arguments)]
#[state("rabbitmq_user.absent")]
pub(crate) struct Absent {
    /// The user.
    #[arg(primary)]
    name: String,
}

impl State for Absent {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let is_there = find(cx, &self.name)?.is_some();
        Ok(Plan::removal(("user", &self.name), is_there, move |cx| {
            tell(cx, &Words::of("delete_user", &[&self.name]), None)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::client::tests::{Told, machine, no, rows},
        *,
    };
    use crate::provider::{Output, fake::FakeMachine};

    fn args(json: &str) -> Map {
        serde_json::from_str(json).unwrap()
    }

    /// A server with the users `guest`, and `app` with a password if one is given.
    fn server(initial: Option<&'static str>) -> (FakeMachine, Told) {
        machine(move |question, told| {
            let mut password = initial.map(str::to_owned);
            let (mut tags, mut permissions) = (String::new(), String::new());
            for line in told {
                if let Some(new) =
                    line.strip_prefix("add_user -- app < ").or(line.strip_prefix("change_password -- app < "))
                {
                    password = Some(new.to_owned());
                } else if let Some(words) = line.strip_prefix("set_user_tags -- app") {
                    tags = words
                        .split_whitespace()
                        .map(|tag| format!("\"{tag}\""))
                        .collect::<Vec<_>>()
                        .join(",");
                } else if line.starts_with("set_permissions") {
                    permissions = r#"{"vhost":"/shop","configure":"^a$","write":".*","read":""}"#.to_owned();
                } else if line.starts_with("delete_user") {
                    password = None;
                }
            }
            if question.starts_with("list_users") {
                let app =
                    password.map(|_| format!(",{{\"user\":\"app\",\"tags\":[{tags}]}}")).unwrap_or_default();
                return rows(&format!("{{\"user\":\"guest\",\"tags\":[\"administrator\"]}}{app}"));
            }
            if question.starts_with("list_user_permissions") {
                return rows(&permissions);
            }
            let right = password.is_some_and(|password| question.ends_with(&format!(" < {password}")));
            if right {
                Output::default()
            } else {
                no(65, "Error: failed to authenticate user \"app\"\nuser 'app' - invalid credentials")
            }
        })
    }

    #[test]
    fn a_user_is_made_with_all_that_it_has() {
        let (machine, told) = server(None);
        let wanted = args(
            r#"{"name": "app", "password": "ge\"h$x", "tags": ["monitoring", "management"], "perms": [{"/shop": ["^a$", ".*", ""]}]}"#,
        );
        let changes = machine.converge::<Present>(&wanted).unwrap().changes;
        assert_eq!(changes.keys().collect::<Vec<_>>(), ["app", "password", "tags", "perms"]);
        assert_eq!(changes["password"], change((), "***"));
        assert_eq!(
            *told.lock().unwrap(),
            [
                "add_user -- app < ge\"h$x",
                "set_user_tags -- app management monitoring",
                "set_permissions -p /shop -- app ^a$ .* ",
            ]
        );
        assert!(!machine.commands.lines().iter().any(|line| line.contains("h$x")));
    }

    #[test]
    fn only_what_differs_is_changed() {
        let (machine, told) = server(Some("geheim"));
        assert!(
            machine
                .converge::<Present>(&args(r#"{"name": "app", "password": "geheim"}"#))
                .unwrap()
                .changes
                .is_empty()
        );
        let other =
            machine.converge::<Present>(&args(r#"{"name": "app", "password": "neu", "tags": ""}"#)).unwrap();
        assert_eq!(other.changes.keys().collect::<Vec<_>>(), ["password"]);
        let tags = machine.converge::<Present>(&args(r#"{"name": "app", "tags": "policymaker"}"#)).unwrap();
        assert_eq!(tags.changes["tags"], change(Vec::<String>::new(), vec!["policymaker"]));
        assert_eq!(
            *told.lock().unwrap(),
            ["change_password -- app < neu", "set_user_tags -- app policymaker"]
        );
    }

    #[test]
    fn what_cannot_be_is_said_before() {
        let (machine, _) = server(None);
        let failure = |json: &str| machine.converge::<Present>(&args(json)).unwrap_err().message;
        assert!(failure(r#"{"name": "app"}"#).contains("has no `password`"));
        assert!(failure(r#"{"name": "app", "password": " x"}"#).contains("begins or ends with a space"));
        let perms = failure(r#"{"name": "app", "password": "x", "perms": [{"/": [".*"]}]}"#);
        assert!(perms.contains("no three regular expressions"), "{perms}");
    }

    #[test]
    fn removed_once() {
        let (machine, told) = server(Some("geheim"));
        let gone = machine.converge::<Absent>(&args(r#"{"name": "app"}"#)).unwrap();
        assert_eq!(gone.changes["app"], change("a user", ()));
        assert_eq!(*told.lock().unwrap(), ["delete_user -- app"]);
    }
}
