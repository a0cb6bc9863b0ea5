//! `service.*`: services run or not, start at boot or not.

mod dead;
mod enabled;
mod masked;
mod running;

use crate::provider::{ServiceStatus, Services};
use crate::{Context, Library};

/// Adds the module's functions.
pub(crate) fn register(library: &mut Library) {
    library
        .state::<running::Running>()
        .state::<dead::Dead>()
        .state::<enabled::Enabled>()
        .state::<enabled::Disabled>()
        .state::<masked::Masked>()
        .state::<masked::Unmasked>();
}

/// The status of a service whose package may only come with this run: in test mode a missing one is no failure.
enum Known {
    /// It is there.
    Yes(ServiceStatus),
    /// It is not there, but this is a test run.
    NotYet,
}

fn known(cx: &Context, services: &dyn Services, name: &str) -> Result<Known, String> {
    let status = services.status(cx, name)?;
    if status.available {
        return Ok(Known::Yes(status));
    }
    if cx.test {
        return Ok(Known::NotYet);
    }
    Err(unknown(cx, services, name))
}

/// The error for a service that is not there, with the nearest name.
fn unknown(cx: &Context, services: &dyn Services, name: &str) -> String {
    let all = services.all(cx).unwrap_or_default();
    let near = zester_compiler::diagnostic::nearest(name, all.iter().map(String::as_str));
    match near {
        Some(near) => format!("{} knows no service `{name}`; is it `{near}`?", services.name()),
        None => format!("{} knows no service `{name}`; is its package installed before?", services.name()),
    }
}

/// Waits for a service to reach a state, at most `limit_s` seconds; looks ten times a second.
fn wait_for(
    cx: &Context,
    services: &dyn Services,
    name: &str,
    running: bool,
    limit_s: f64,
) -> Result<bool, String> {
    let mut waited = 0.0;
    loop {
        if services.running(cx, name)? == running {
            return Ok(true);
        }
        if waited >= limit_s || cx.cancel.is_cancelled() {
            return Ok(false);
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
        waited += 0.1;
    }
}
