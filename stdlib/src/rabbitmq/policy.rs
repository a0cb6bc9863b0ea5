//! `rabbitmq_policy.present`, `rabbitmq_policy.absent`

use super::client::{Words, ask, check_name, tell};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change};
use serde::Deserialize;
use serde_json::Value as Json;
use zester_compiler::types::Value;
use zester_stdlib_derive::Arguments;

/// A policy of a virtual host of a RabbitMQ server exists, with this definition.
///
/// ```yaml
/// short-lived:
///   rabbitmq_policy.present:
///     - vhost: /shop
///     - pattern: ^tmp\.
///     - definition: {expires: 1800000}
///     - apply_to: queues
/// ```
#[derive(Arguments)]
#[state("rabbitmq_policy.present")]
pub(crate) struct Present {
    /// The policy.
    #[arg(primary)]
    name: String,
    /// The names of what it applies to, as a regular expression.
    pattern: String,
    /// What it says, as a map, or as a text of JSON.
    #[arg(ty = Type::Map(Box::new(Type::Any)).or(Type::Str))]
    definition: Value,
    /// Of several policies for one thing the one with the greatest number applies.
    #[arg(default = 0)]
    priority: i64,
    /// The virtual host.
    #[arg(default = "/")]
    vhost: String,
    /// What it applies to: `queues`, `exchanges`, `all`; newer servers have `classic_queues`, `quorum_queues` and `streams`, too.
    #[arg(default = "all")]
    apply_to: String,
}

/// A policy as the server has it.
#[derive(Deserialize)]
struct Policy {
    name: String,
    pattern: String,
    #[serde(rename = "apply-to")]
    apply_to: String,
    definition: Json,
    priority: i64,
}

fn find(cx: &Context, vhost: &str, name: &str) -> Result<Option<Policy>, Failure> {
    check_name("policy", name)?;
    check_name("virtual host", vhost)?;
    let policies: Option<Vec<Policy>> = ask(cx, Words::of("list_policies", &[]).with(&["-p", vhost]))?;
    Ok(policies.unwrap_or_default().into_iter().find(|policy| policy.name == name))
}

/// A definition, also one that is JSON inside of a text.
fn object(definition: Json) -> Option<Json> {
    match definition {
        Json::String(text) => serde_json::from_str(&text).ok().filter(Json::is_object),
        object => object.is_object().then_some(object),
    }
}

impl Present {
    fn definition(&self) -> Result<Json, Failure> {
        serde_json::to_value(&self.definition).ok().and_then(object).ok_or_else(|| {
            Failure::new(format!(
                "`definition` of the policy `{}` is no map of names to values, such as `{{\"expires\": 1800000}}`",
                self.name
            ))
        })
    }
}

impl State for Present {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let name = &self.name;
        let wanted = self.definition()?;
        let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if self.apply_to.is_empty() || !self.apply_to.chars().all(good) {
            return Err(Failure::new(format!(
                "`{}` is no `apply_to`; write `queues`, `exchanges` or `all`",
                self.apply_to.escape_debug()
            )));
        }
        let policy = find(cx, &self.vhost, name)?;
        let mut changes = Changes::new();
        if let Some(policy) = &policy {
            if policy.pattern != self.pattern {
                changes.insert("pattern".to_owned(), change(policy.pattern.as_str(), self.pattern.as_str()));
            }
            if policy.apply_to != self.apply_to {
                changes
                    .insert("apply_to".to_owned(), change(policy.apply_to.as_str(), self.apply_to.as_str()));
            }
            if policy.priority != self.priority {
                changes.insert("priority".to_owned(), change(policy.priority, self.priority));
            }
            let have = object(policy.definition.clone()).unwrap_or_default();
            if have != wanted {
                changes.insert("definition".to_owned(), change(have.to_string(), wanted.to_string()));
            }
        } else {
            changes.insert(name.clone(), change((), "a policy"));
        }
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("the policy `{name}` is as it should be")));
        }
        let is = if policy.is_some() { "changed" } else { "made" };
        Ok(Plan::change(changes, format!("the policy `{name}` is {is}"), move |cx| {
            let (priority, definition) = (self.priority.to_string(), wanted.to_string());
            let words = Words::of("set_policy", &[&self.name, &self.pattern, &definition]);
            let priority = format!("--priority={priority}");
            tell(cx, &words.with(&["-p", &self.vhost, &priority, "--apply-to", &self.apply_to]), None)?;
            Ok(Outcome::default())
        }))
    }
}

/// A policy of a virtual host of a RabbitMQ server does not exist.
///
/// ```yaml
/// short-lived:
///   rabbitmq_policy.absent:
///     - vhost: /shop
/// ```
#[derive(Arguments)]
#[state("rabbitmq_policy.absent")]
pub(crate) struct Absent {
    /// The policy.
    #[arg(primary)]
    name: String,
    /// The virtual host.
    #[arg(default = "/")]
    vhost: String,
}

impl State for Absent {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let is_there = find(cx, &self.vhost, &self.name)?.is_some();
        Ok(Plan::removal(("policy", &self.name), is_there, move |cx| {
            tell(cx, &Words::of("clear_policy", &[&self.name]).with(&["-p", &self.vhost]), None)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::client::tests::{machine, no, rows},
        *,
    };

    fn args(json: &str) -> zester_compiler::types::Map {
        serde_json::from_str(json).unwrap()
    }

    fn row(pattern: &str, to: &str, definition: &str, priority: i64) -> String {
        let definition = serde_json::to_string(definition).unwrap();
        format!(
            r#"{{"vhost":"/","name":"ha","pattern":"{pattern}","apply-to":"{to}","definition":{definition},"priority":{priority}}}"#
        )
    }

    #[test]
    fn made_and_changed() {
        let (machine, told) = machine(|_, told| match told.len() {
            0 => rows(""),
            1 => rows(&row("^a", "queues", "{\"max-length\":5,\"expires\":1}", 0)),
            _ => rows(&row("^a", "all", "{\"expires\":2}", 5)),
        });
        let wanted = args(
            r#"{"name": "ha", "pattern": "^a", "definition": "{\"expires\": 1, \"max-length\": 5}", "apply_to": "queues"}"#,
        );
        assert_eq!(machine.converge::<Present>(&wanted).unwrap().changes["ha"], change((), "a policy"));
        let other = args(r#"{"name": "ha", "pattern": "^a", "definition": {"expires": 2}, "priority": 5}"#);
        let changes = machine.converge::<Present>(&other).unwrap().changes;
        assert_eq!(changes.keys().collect::<Vec<_>>(), ["apply_to", "priority", "definition"]);
        assert_eq!(
            *told.lock().unwrap(),
            [
                r#"set_policy -p / --priority=0 --apply-to queues -- ha ^a {"expires":1,"max-length":5}"#,
                r#"set_policy -p / --priority=5 --apply-to all -- ha ^a {"expires":2}"#,
            ]
        );
        let odd = args(r#"{"name": "ha", "pattern": "^a", "definition": "[1]"}"#);
        assert!(machine.converge::<Present>(&odd).unwrap_err().message.contains("no map"));
    }

    #[test]
    fn removed_once() {
        let (machine, told) =
            machine(|_, told| if told.is_empty() { rows(&row("^a", "all", "{}", 0)) } else { rows("") });
        let gone = machine.converge::<Absent>(&args(r#"{"name": "ha"}"#)).unwrap();
        assert_eq!(gone.changes["ha"], change("a policy", ()));
        assert_eq!(*told.lock().unwrap(), ["clear_policy -p / -- ha"]);
    }

    #[test]
    fn its_virtual_host_may_come_in_a_test_run_alone() {
        let (machine, _) = machine(|_, _| no(65, "Virtual host 'shop' does not exist"));
        let cx = machine.context();
        assert!(find(&Context { test: true, ..cx.clone() }, "shop", "ha").unwrap().is_none());
        let failure = find(&cx, "shop", "ha").err().unwrap().message;
        assert!(failure.ends_with("exited with 65): Virtual host 'shop' does not exist"), "{failure}");
    }
}
