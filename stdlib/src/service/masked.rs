//! `service.masked` and `service.unmasked`: a service cannot be started by anything, or can.

use crate::{Arguments, Changes, Context, Failure, Outcome, Plan, State, change};

/// A service is masked: nothing can start it. A running one goes on running.
#[derive(Arguments)]
#[state("service.masked")]
pub(crate) struct Masked {
    /// The service.
    #[arg(primary)]
    name: String,
    /// Whether the mask lasts only until the next boot.
    #[arg(default = false)]
    runtime: bool,
}

/// A service is not masked.
#[derive(Arguments)]
#[state("service.unmasked")]
pub(crate) struct Unmasked {
    /// The service.
    #[arg(primary)]
    name: String,
    /// Whether a mask that lasts until the next boot is meant.
    #[arg(default = false)]
    runtime: bool,
}

impl State for Masked {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        plan(cx, &self.name, true, self.runtime)
    }
}

impl State for Unmasked {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        plan(cx, &self.name, false, self.runtime)
    }
}

fn plan<'a>(cx: &Context, name: &'a str, wanted: bool, runtime: bool) -> Result<Plan<'a>, Failure> {
    let services = (cx.machine.services)()?;
    let word = if wanted { "masked" } else { "unmasked" };
    if !services.can_mask() {
        if wanted {
            return Err(format!(
                "`{name}` cannot be masked: only systemd masks services, and it does not run here; \
                 use `service.dead` with `enable: false`"
            )
            .into());
        }
        return Ok(Plan::unchanged(format!("`{name}` is not masked: nothing can be, without systemd")));
    }
    let status = services.status(cx, name)?;
    if status.masked == wanted {
        return Ok(Plan::unchanged(format!("`{name}` is {word}")));
    }
    let changes = Changes::from_iter([("masked".to_owned(), change(!wanted, wanted))]);
    let comment = if cx.test { format!("`{name}` would be {word}") } else { format!("{word} `{name}`") };
    Ok(Plan::change(changes, comment, move |cx| {
        services.set_masked(cx, name, wanted, runtime)?;
        Ok(Outcome::default())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{
        ServiceStatus, SysV,
        fake::{FakeMachine, FakeServices},
    };
    use std::sync::Arc;
    use zester_compiler::types::{Map, Value};

    #[test]
    fn masks_and_unmasks() {
        let services = Arc::new(FakeServices::default());
        let mut machine = FakeMachine::new();
        machine.services = Some(services.clone());
        services.put("a", ServiceStatus::default());
        let named = Map::from_iter([("name".to_owned(), Value::from("a"))]);
        machine.converge::<Masked>(&named).unwrap();
        machine.converge::<Unmasked>(&named).unwrap();
        assert_eq!(services.log(), ["mask a", "unmask a"]);
    }

    #[test]
    fn without_systemd_masking_fails_and_says_what_to_do() {
        let mut machine = FakeMachine::new();
        machine.services = Some(Arc::new(SysV));
        let named = Map::from_iter([("name".to_owned(), Value::from("a"))]);
        let failure = machine.converge::<Masked>(&named).unwrap_err();
        assert!(failure.message.contains("service.dead"), "{}", failure.message);
        assert!(machine.converge::<Unmasked>(&named).unwrap().changes.is_empty());
    }
}
