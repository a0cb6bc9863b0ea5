//! `rabbitmq_plugin.enabled`, `rabbitmq_plugin.disabled`

use crate::{
    Changes, Context, Failure, Outcome, Plan, State, change,
    provider::tool::{run, succeed, tool},
};
use zester_stdlib_derive::Arguments;

/// A plugin of a RabbitMQ server is enabled, and those that it needs. A server that runs has it at once.
///
/// ```yaml
/// rabbitmq_management:
///   rabbitmq_plugin.enabled: []
/// ```
#[derive(Arguments)]
#[state("rabbitmq_plugin.enabled")]
pub(crate) struct Enabled {
    /// The plugin.
    #[arg(primary)]
    name: String,
}

/// A plugin of a RabbitMQ server is not enabled. One that another one needs runs all the same.
///
/// ```yaml
/// rabbitmq_management:
///   rabbitmq_plugin.disabled: []
/// ```
#[derive(Arguments)]
#[state("rabbitmq_plugin.disabled")]
pub(crate) struct Disabled {
    /// The plugin.
    #[arg(primary)]
    name: String,
}

/// Whether a plugin is among those that are enabled by name. It is written in a file, so that the server need not run.
fn is_enabled(cx: &Context, name: &str) -> Result<bool, Failure> {
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(Failure::new(format!(
            "`{}` is not the name of a plugin such as `rabbitmq_management`",
            name.escape_debug()
        )));
    }
    if cx.machine.commands.find("rabbitmq-plugins").is_none() {
        return if cx.test {
            Ok(false)
        } else {
            Err(Failure::new("this machine has no `rabbitmq-plugins`; install RabbitMQ before"))
        };
    }
    let command = tool("rabbitmq-plugins", ["list", "--quiet", "--enabled", "--minimal"]);
    let output = run(cx, command.clone())?;
    if !output.success() {
        return Err(Failure::new(crate::provider::tool::failure(&command, &output)));
    }
    Ok(output.stdout.lines().any(|line| line.trim() == name))
}

fn plan<'p>(cx: &Context, name: &'p str, verb: &'static str, wanted: bool) -> Result<Plan<'p>, Failure> {
    let word = |enabled: bool| if enabled { "enabled" } else { "disabled" };
    if is_enabled(cx, name)? == wanted {
        return Ok(Plan::unchanged(format!("the plugin `{name}` is {}", word(wanted))));
    }
    let changes = Changes::from_iter([(name.to_owned(), change(word(!wanted), word(wanted)))]);
    Ok(Plan::change(changes, format!("the plugin `{name}` is {} from now on", word(wanted)), move |cx| {
        succeed(cx, tool("rabbitmq-plugins", [verb, "--quiet", name]))?;
        Ok(Outcome::default())
    }))
}

impl State for Enabled {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        plan(cx, &self.name, "enable", true)
    }
}

impl State for Disabled {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        plan(cx, &self.name, "disable", false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Output, fake::FakeMachine};
    use std::sync::{Arc, Mutex};

    #[test]
    fn enabled_and_disabled_once() {
        let machine = FakeMachine::new();
        let enabled = Arc::new(Mutex::new(vec!["rabbitmq_mqtt".to_owned()]));
        machine.commands.on("rabbitmq-plugins ", move |_, line| {
            let mut enabled = enabled.lock().unwrap();
            match line.split(' ').collect::<Vec<_>>()[1..] {
                ["list", ..] => {
                    return Output { stdout: enabled.join("\n") + "\n", ..Output::default() };
                }
                ["enable", "--quiet", name] => enabled.push(name.to_owned()),
                ["disable", "--quiet", name] => enabled.retain(|one| one != name),
                _ => panic!("what is {line}?"),
            }
            Output::default()
        });
        let args: zester_compiler::types::Map =
            serde_json::from_str(r#"{"name": "rabbitmq_management"}"#).unwrap();
        assert!(machine.converge::<Disabled>(&args).unwrap().changes.is_empty());
        let changes = machine.converge::<Enabled>(&args).unwrap().changes;
        assert_eq!(changes["rabbitmq_management"], change("disabled", "enabled"));
        let changes = machine.converge::<Disabled>(&args).unwrap().changes;
        assert_eq!(changes["rabbitmq_management"], change("enabled", "disabled"));
        let odd = serde_json::from_str(r#"{"name": "--offline"}"#).unwrap();
        assert!(machine.converge::<Enabled>(&odd).unwrap_err().message.contains("`rabbitmq_management`"));
    }

    #[test]
    fn a_server_may_come_in_a_test_run_alone() {
        let machine = FakeMachine::new();
        machine.commands.without("rabbitmq-plugins");
        let cx = machine.context();
        assert!(is_enabled(&cx, "rabbitmq_mqtt").unwrap_err().message.contains("install RabbitMQ"));
        assert!(!is_enabled(&Context { test: true, ..cx }, "rabbitmq_mqtt").unwrap());
    }
}
