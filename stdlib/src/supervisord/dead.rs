//! `supervisord.dead`

use super::client::{Supervisor, argument, check};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change};
use zester_compiler::types::{Path, User};
use zester_stdlib_derive::Arguments;

/// A program of Supervisor does not run.
///
/// ```yaml
/// worker:
///   supervisord.dead: []
/// ```
#[derive(Arguments)]
#[state("supervisord.dead")]
pub(crate) struct Dead {
    /// The program; `group:` for all of a group.
    #[arg(primary)]
    name: String,
    /// User to run as.
    user: Option<User>,
    /// Supervisor's configuration.
    conf_file: Option<Path>,
    /// The `supervisorctl`, or the Python environment that has it.
    bin_env: Option<Path>,
}

impl State for Dead {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let name = &self.name;
        check(name)?;
        let supervisor = Supervisor {
            bin_env: self.bin_env.as_deref(),
            conf_file: self.conf_file.as_deref(),
            user: self.user.as_deref(),
        };
        if !supervisor.is_there(cx) {
            return Ok(Plan::unchanged(format!("there is no Supervisor, so `{name}` does not run")));
        }
        let states = supervisor.find(cx, name)?;
        let runs = |state: &str| matches!(state, "RUNNING" | "STARTING" | "BACKOFF");
        let Some((_, state)) = states.into_iter().find(|(_, state)| runs(state)) else {
            return Ok(Plan::unchanged(format!("`{name}` does not run")));
        };
        let changes = Changes::from_iter([("state".to_owned(), change(state, "STOPPED"))]);
        Ok(Plan::change(changes, format!("`{name}` is stopped"), move |cx| {
            supervisor.act(cx, &["stop", &argument(&self.name)])?;
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::running::tests::machine, *};

    #[test]
    fn stopped_once() {
        let machine = machine(&[("web", "RUNNING"), ("g:a", "RUNNING"), ("g:b", "STOPPED")]);
        let args = |json: &str| serde_json::from_str(json).unwrap();
        assert_eq!(
            machine.converge::<Dead>(&args(r#"{"name": "g:*"}"#)).unwrap().changes["state"],
            change("RUNNING", "STOPPED")
        );
        assert!(machine.converge::<Dead>(&args(r#"{"name": "none"}"#)).unwrap().changes.is_empty());
    }
}
