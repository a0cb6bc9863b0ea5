//! `service.dead`: a service does not run.

use super::wait_for;
use crate::{Arguments, Changes, Context, Failure, Outcome, Plan, State, change};
use zester_compiler::types::{Seconds, Value};

/// A service does not run. One that is not there does not run either.
#[derive(Arguments)]
#[state("service.dead")]
pub(crate) struct Dead {
    /// The service.
    #[arg(primary)]
    name: String,
    /// Whether it starts at boot; left alone when not given.
    enable: Option<bool>,
    /// Seconds after the stop before it is looked at.
    init_delay: Option<Seconds>,
    /// Process to look for instead of asking the service manager.
    #[arg(
        inert = "the service manager is asked, or the init script's own status; a process name is not looked for"
    )]
    sig: Option<String>,
    /// Whether the service manager returns at once.
    #[arg(inert = "a stop is always waited for, so that its failure is seen")]
    no_block: Option<bool>,
    /// FreeBSD, Gentoo: run levels.
    #[arg(inert = "run levels are the distribution's defaults; use `service.disabled`")]
    runlevels: Option<Value>,
}

impl State for Dead {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let services = (cx.machine.services)()?;
        let name = &self.name;
        let status = services.status(cx, name)?;
        if !status.available {
            return Ok(Plan::unchanged(format!("there is no service `{name}`")));
        }
        let mut changes = Changes::new();
        let stop = status.running;
        if stop {
            changes.insert("running".to_owned(), change(true, false));
        }
        let enable = self.enable.filter(|wanted| status.enabled.is_some_and(|is| is != *wanted));
        if let Some(enable) = enable {
            changes.insert("enabled".to_owned(), change(!enable, enable));
        }
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("`{name}` does not run")));
        }
        let comment = match (cx.test, stop) {
            (true, true) => format!("would stop `{name}`"),
            (false, true) => format!("stopped `{name}`"),
            (true, false) => format!("would change `{name}`"),
            (false, false) => format!("changed `{name}`"),
        };
        Ok(Plan::change(changes, comment, move |cx| {
            let mut done = Changes::new();
            if stop {
                services.stop(cx, &self.name)?;
                if let Some(Seconds(delay)) = self.init_delay {
                    std::thread::sleep(std::time::Duration::from_secs_f64(delay.clamp(0.0, 3_600.0)));
                }
                if !wait_for(cx, &*services, &self.name, false, 10.0)? {
                    return Err(format!("`{}` was stopped but still runs", self.name).into());
                }
                done.insert("running".to_owned(), change(true, false));
            }
            if let Some(enable) = enable {
                services
                    .set_enabled(cx, &self.name, enable)
                    .map_err(|message| Failure::new(message).with_changes(done.clone()))?;
            }
            Ok(Outcome::default())
        }))
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
    fn stops_and_disables_and_minds_no_absence() {
        let services = Arc::new(FakeServices::default());
        let mut machine = FakeMachine::new();
        machine.services = Some(services.clone());
        services.put("a", ServiceStatus { running: true, enabled: Some(true), ..ServiceStatus::default() });
        let args = Map::from_iter([("name".to_owned(), "a".into()), ("enable".to_owned(), false.into())]);
        let outcome = machine.converge::<Dead>(&args).unwrap();
        assert_eq!(outcome.changes.len(), 2);
        assert_eq!(services.log(), ["stop a", "disable a"]);
        let absent = Map::from_iter([("name".to_owned(), "nowhere".into())]);
        assert!(machine.converge::<Dead>(&absent).unwrap().changes.is_empty());
    }
}
