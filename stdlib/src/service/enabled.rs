//! `service.enabled` and `service.disabled`: a service starts at boot, or not.

use super::{Known, known};
use crate::{Arguments, Changes, Context, Failure, Outcome, Plan, State, change};
use zester_compiler::types::Value;

/// A service starts at boot. Whether it runs now is not touched.
#[derive(Arguments)]
#[state("service.enabled")]
pub(crate) struct Enabled {
    /// The service.
    #[arg(primary)]
    name: String,
    /// FreeBSD, Gentoo: run levels.
    #[arg(inert = "run levels are the distribution's defaults")]
    runlevels: Option<Value>,
}

/// A service does not start at boot. Whether it runs now is not touched.
#[derive(Arguments)]
#[state("service.disabled")]
pub(crate) struct Disabled {
    /// The service.
    #[arg(primary)]
    name: String,
    /// FreeBSD, Gentoo: run levels.
    #[arg(inert = "run levels are the distribution's defaults")]
    runlevels: Option<Value>,
}

impl State for Enabled {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        plan(cx, &self.name, true)
    }
}

impl State for Disabled {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        plan(cx, &self.name, false)
    }
}

fn plan<'a>(cx: &Context, name: &'a str, wanted: bool) -> Result<Plan<'a>, Failure> {
    let services = (cx.machine.services)()?;
    let word = if wanted { "enabled" } else { "disabled" };
    let status = if wanted {
        match known(cx, &*services, name)? {
            Known::Yes(status) => status,
            Known::NotYet => {
                let changes = Changes::from_iter([("enabled".to_owned(), change(false, true))]);
                let comment = format!("`{name}` is not there; if this run creates it, it would be enabled");
                return Ok(Plan::change(changes, comment, |_| Ok(Outcome::default())));
            }
        }
    } else {
        services.status(cx, name)?
    };
    if !status.available {
        return Ok(Plan::unchanged(format!("there is no service `{name}`")));
    }
    match status.enabled {
        None => Ok(Plan::unchanged(format!("`{name}` is started by others; it cannot be {word}"))),
        Some(is) if is == wanted => Ok(Plan::unchanged(format!("`{name}` is {word}"))),
        Some(is) => {
            let changes = Changes::from_iter([("enabled".to_owned(), change(is, wanted))]);
            let comment =
                if cx.test { format!("`{name}` would be {word}") } else { format!("{word} `{name}`") };
            Ok(Plan::change(changes, comment, move |cx| {
                services.set_enabled(cx, name, wanted)?;
                if services.status(cx, name)?.enabled == Some(!wanted) {
                    return Err(format!("`{name}` was {word}, but the service manager says it is not").into());
                }
                Ok(Outcome::default())
            }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{
        ServiceStatus,
        fake::{FakeMachine, FakeServices},
    };
    use std::sync::Arc;
    use zester_compiler::types::Map;

    #[test]
    fn boot_state_only() {
        let services = Arc::new(FakeServices::default());
        let mut machine = FakeMachine::new();
        machine.services = Some(services.clone());
        services.put("a", ServiceStatus { enabled: Some(false), ..ServiceStatus::default() });
        services.put("fixed", ServiceStatus::default());
        let named = |name: &str| Map::from_iter([("name".to_owned(), Value::from(name))]);
        machine.converge::<Enabled>(&named("a")).unwrap();
        machine.converge::<Disabled>(&named("a")).unwrap();
        assert_eq!(services.log(), ["enable a", "disable a"]);
        assert!(machine.converge::<Enabled>(&named("fixed")).unwrap().changes.is_empty());
        assert!(machine.converge::<Disabled>(&named("gone")).unwrap().changes.is_empty());
    }
}
