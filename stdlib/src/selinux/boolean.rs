//! `selinux.boolean`

use crate::{
    Changes, Context, Failure, Outcome, Plan, State, change,
    provider::tool::{succeed, tool},
};
use zester_compiler::types::Value;
use zester_stdlib_derive::Arguments;

/// A switch of SELinux is on or off.
///
/// ```yaml
/// httpd_can_network_connect:
///   selinux.boolean:
///     - value: true
///     - persist: true
/// ```
#[derive(Arguments)]
#[state("selinux.boolean")]
pub(crate) struct Boolean {
    /// The switch.
    #[arg(primary)]
    name: String,
    /// Whether it is on: a truth value, or `on` and `off`.
    #[arg(ty = Type::Bool)]
    value: Value,
    /// Whether it stays so after a boot.
    #[arg(default = false)]
    persist: bool,
}

fn is_on(value: &Value) -> Result<bool, String> {
    match value.to_string().to_ascii_lowercase().as_str() {
        "true" | "on" | "1" | "yes" => Ok(true),
        "false" | "off" | "0" | "no" => Ok(false),
        other => Err(format!("`value` is `{other}`, which is neither on nor off")),
    }
}

/// `name  (on   ,  off)  what it is for`: what it is now, and after a boot.
fn after_boot(list: &str, name: &str) -> Option<bool> {
    let line = list.lines().find(|line| line.split_whitespace().next() == Some(name))?;
    let (_, rest) = line.split_once('(')?;
    let (_, kept) = rest.split_once(')')?.0.split_once(',')?;
    Some(kept.trim() == "on")
}

impl State for Boolean {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let name = &self.name;
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(Failure::new(format!(
                "`{}` is not the name of a switch of SELinux",
                name.escape_debug()
            )));
        }
        let wanted = is_on(&self.value)?;
        let word = |on: bool| if on { "on" } else { "off" };
        let mut changes = Changes::new();
        match cx.machine.commands.find("getsebool") {
            Some(_) => {
                let said = succeed(cx, tool("getsebool", [name.as_str()]))?.stdout;
                let on = said.split_once("-->").is_some_and(|(_, state)| state.trim().starts_with("on"));
                if on != wanted {
                    changes.insert("running".to_owned(), change(word(on), word(wanted)));
                }
            }
            None if cx.test => drop(changes.insert("running".to_owned(), change((), word(wanted)))),
            None => return Err(Failure::new("this machine has no SELinux: there is no `getsebool`")),
        }
        // Only `semanage` tells what is kept; without it what is in force has to do.
        if self.persist && cx.machine.commands.find("semanage").is_some() {
            let list = succeed(cx, tool("semanage", ["boolean", "-l"]))?.stdout;
            if let Some(kept) = after_boot(&list, name).filter(|kept| *kept != wanted) {
                changes.insert("persist".to_owned(), change(word(kept), word(wanted)));
            }
        }
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("`{name}` is {}", word(wanted))));
        }
        Ok(Plan::change(changes, format!("`{name}` is set {}", word(wanted)), move |cx| {
            let flag = self.persist.then_some("-P");
            let words: Vec<&str> = flag.into_iter().chain([self.name.as_str(), word(wanted)]).collect();
            succeed(cx, tool("setsebool", words))?;
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Output, fake::FakeMachine};
    use std::sync::{Arc, Mutex};

    #[test]
    fn set_now_and_kept() {
        let machine = FakeMachine::new();
        let state = Arc::new(Mutex::new(("off", "off")));
        let word = state.clone();
        machine.commands.on("getsebool httpd_x", move |_, _| Output {
            stdout: format!("httpd_x --> {}\n", word.lock().unwrap().0),
            ..Output::default()
        });
        let list = state.clone();
        machine.commands.on("semanage boolean -l", move |_, _| {
            let (now, kept) = *list.lock().unwrap();
            Output {
                stdout: format!(
                    "SELinux boolean  State  Default Description\n\nhttpd_x   ({now}   ,  {kept})  Allow\n"
                ),
                ..Output::default()
            }
        });
        machine.commands.on("setsebool", move |_, line| {
            let now = if line.ends_with(" on") { "on" } else { "off" };
            let mut state = state.lock().unwrap();
            *state = (now, if line.contains(" -P ") { now } else { state.1 });
            Output::default()
        });
        let args = |json: &str| serde_json::from_str(json).unwrap();
        let now = args(r#"{"name": "httpd_x", "value": true}"#);
        assert_eq!(machine.converge::<Boolean>(&now).unwrap().changes["running"], change("off", "on"));
        let kept = args(r#"{"name": "httpd_x", "value": "on", "persist": true}"#);
        assert_eq!(machine.converge::<Boolean>(&kept).unwrap().changes["persist"], change("off", "on"));
        let odd = args(r#"{"name": "httpd_x", "value": "maybe"}"#);
        assert!(machine.converge::<Boolean>(&odd).unwrap_err().message.contains("neither on nor off"));
    }
}
