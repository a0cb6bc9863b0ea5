//! `rabbitmq_vhost.present`, `rabbitmq_vhost.absent`

use super::client::{Words, ask, check_name, tell};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change};
use serde::Deserialize;
use zester_stdlib_derive::Arguments;

/// A virtual host of a RabbitMQ server exists.
///
/// ```yaml
/// /shop:
///   rabbitmq_vhost.present: []
/// ```
#[derive(Arguments)]
#[state("rabbitmq_vhost.present")]
pub(crate) struct Present {
    /// The virtual host.
    #[arg(primary)]
    name: String,
}

/// A virtual host of a RabbitMQ server does not exist, nor any of its queues.
///
/// ```yaml
/// /shop:
///   rabbitmq_vhost.absent: []
/// ```
#[derive(Arguments)]
#[state("rabbitmq_vhost.absent")]
pub(crate) struct Absent {
    /// The virtual host.
    #[arg(primary)]
    name: String,
}

#[derive(Deserialize)]
struct Host {
    name: String,
}

fn is_there(cx: &Context, name: &str) -> Result<bool, Failure> {
    check_name("virtual host", name)?;
    let hosts: Option<Vec<Host>> = ask(cx, Words::of("list_vhosts", &[]))?;
    Ok(hosts.unwrap_or_default().iter().any(|host| host.name == name))
}

impl State for Present {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let name = &self.name;
        if is_there(cx, name)? {
            return Ok(Plan::unchanged(format!("the virtual host `{name}` is there")));
        }
        let changes = Changes::from_iter([(name.clone(), change((), "a virtual host"))]);
        Ok(Plan::change(changes, format!("the virtual host `{name}` is made"), move |cx| {
            tell(cx, &Words::of("add_vhost", &[&self.name]), None)?;
            Ok(Outcome::default())
        }))
    }
}

impl State for Absent {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        Ok(Plan::removal(("virtual host", &self.name), is_there(cx, &self.name)?, move |cx| {
            tell(cx, &Words::of("delete_vhost", &[&self.name]), None)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::client::tests::{machine, rows},
        *,
    };

    #[test]
    fn made_and_removed_once() {
        let (machine, told) = machine(|_, told| {
            let there = told.iter().filter(|line| line.ends_with(" -- /my vh")).count() % 2 == 1;
            rows(if there { r#"{"name":"/my vh"},{"name":"/"}"# } else { r#"{"name":"/"}"# })
        });
        let args: zester_compiler::types::Map = serde_json::from_str(r#"{"name": "/my vh"}"#).unwrap();
        let made = machine.converge::<Present>(&args).unwrap();
        assert_eq!(made.changes["/my vh"], change((), "a virtual host"));
        let gone = machine.converge::<Absent>(&args).unwrap();
        assert_eq!(gone.changes["/my vh"], change("a virtual host", ()));
        assert_eq!(*told.lock().unwrap(), ["add_vhost -- /my vh", "delete_vhost -- /my vh"]);
    }
}
