//! `tuned.*`: profiles of the TuneD daemon.

use crate::{
    Changes, Context, Failure, Library, Outcome, Plan, State, change,
    provider::tool::{run, succeed, tool},
};
use zester_compiler::types::Value;
use zester_stdlib_derive::Arguments;

/// Adds the functions of this module.
pub(crate) fn register(library: &mut Library) {
    library.state::<Profile>().state::<Off>();
}

/// The profile that is active, empty when there is none. `tuned-adm` ends with 1 then, so its words count.
fn active(cx: &Context) -> Result<String, String> {
    let output = run(cx, tool("tuned-adm", ["active"]))?;
    let said = output.stdout.lines().find_map(|line| line.strip_prefix("Current active profile:"));
    match said {
        Some(profile) => Ok(words(profile)),
        None if output.stdout.contains("No current active profile") => Ok(String::new()),
        None => succeed(cx, tool("tuned-adm", ["active"])).map(|_| String::new()),
    }
}

/// Profiles that TuneD has: `- name   - what it is for`.
fn profiles(cx: &Context) -> Result<Vec<String>, String> {
    let text = succeed(cx, tool("tuned-adm", ["list"]))?.stdout;
    let names = text.lines().filter_map(|line| line.strip_prefix("- ")?.split_ascii_whitespace().next());
    Ok(names.map(str::to_owned).collect())
}

fn words(text: &str) -> String {
    text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// A profile of TuneD is active.
///
/// ```yaml
/// virtual-guest:
///   tuned.profile: []
/// ```
#[derive(Arguments)]
#[state("tuned.profile")]
pub(crate) struct Profile {
    /// The profile; several with blanks between them are merged.
    #[arg(primary)]
    name: String,
}

impl State for Profile {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let wanted = words(&self.name);
        let now = active(cx)?;
        if now == wanted {
            return Ok(Plan::unchanged(format!("`{wanted}` is active")));
        }
        let known = profiles(cx)?;
        if let Some(odd) = wanted.split(' ').find(|name| !known.iter().any(|k| k == name)) {
            let near = zester_compiler::diagnostic::nearest(odd, known.iter().map(String::as_str));
            let hint = near
                .map_or_else(|| format!("it has {}", known.join(", ")), |near| format!("is it `{near}`?"));
            return Err(Failure::new(format!("TuneD has no profile `{odd}`; {hint}")));
        }
        let changes = Changes::from_iter([("profile".to_owned(), change(Value::from(now), wanted.as_str()))]);
        let comment =
            if cx.test { format!("would activate `{wanted}`") } else { format!("activated `{wanted}`") };
        Ok(Plan::change(changes, comment, move |cx| {
            let mut args = vec!["profile"];
            args.extend(wanted.split(' '));
            succeed(cx, tool("tuned-adm", args))?;
            Ok(Outcome::default())
        }))
    }
}

/// No profile of TuneD is active: what it tuned is as it was before.
///
/// ```yaml
/// tuning is off:
///   tuned.off: []
/// ```
#[derive(Arguments)]
#[state("tuned.off")]
pub(crate) struct Off {
    /// A label.
    #[arg(primary)]
    name: String,
}

impl State for Off {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let now = active(cx)?;
        if now.is_empty() {
            return Ok(Plan::unchanged("no profile is active"));
        }
        let changes = Changes::from_iter([("profile".to_owned(), change(Value::from(now), ""))]);
        let verb = if cx.test { "would switch" } else { "switched" };
        Ok(Plan::change(changes, format!("{}: {verb} tuning off", self.name), |cx| {
            succeed(cx, tool("tuned-adm", ["off"]))?;
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Output, fake::FakeMachine};
    use std::sync::{Arc, Mutex};
    use zester_compiler::types::Map;

    /// A `tuned-adm` in the words of TuneD 2.20.
    fn machine() -> FakeMachine {
        let machine = FakeMachine::new();
        let profile = Arc::new(Mutex::new("balanced".to_owned()));
        machine.commands.on("tuned-adm", move |_, line| {
            let mut profile = profile.lock().unwrap();
            let (status, stdout) = match line.split_once(' ').unwrap().1 {
                "active" if profile.is_empty() => (1, "No current active profile.\n".to_owned()),
                "active" => (0, format!("Current active profile: {profile}\n")),
                "list" => (
                    0,
                    format!(
                        "Available profiles:\n- balanced                    - General non-specialized tuned profile\n\
                         - virtual-guest               - Optimize for running inside a virtual guest\n- own\n\
                         Current active profile: {profile}\n"
                    ),
                ),
                "off" => {
                    profile.clear();
                    (0, String::new())
                }
                other => {
                    other.strip_prefix("profile ").unwrap().clone_into(&mut profile);
                    (0, String::new())
                }
            };
            Output { status, stdout, ..Output::default() }
        });
        machine
    }

    fn args(name: &str) -> Map {
        Map::from_iter([("name".to_owned(), name.into())])
    }

    #[test]
    fn profiles_come_and_go() {
        let machine = machine();
        let outcome = machine.converge::<Profile>(&args("virtual-guest")).unwrap();
        assert_eq!(outcome.changes["profile"], change("balanced", "virtual-guest"));
        machine.converge::<Profile>(&args("balanced  own")).unwrap();
        machine.converge::<Off>(&args("x")).unwrap();
        assert_eq!(machine.converge::<Profile>(&args("own")).unwrap().changes["profile"], change("", "own"));
    }

    #[test]
    fn an_unknown_profile_is_named() {
        let Err(failure) = machine().converge::<Profile>(&args("virtual-gest")) else { panic!() };
        assert_eq!(failure.message, "TuneD has no profile `virtual-gest`; is it `virtual-guest`?");
    }

    #[test]
    fn without_the_daemon_its_words_are_repeated() {
        let machine = FakeMachine::new();
        machine.commands.on("tuned-adm", |_, _| Output {
            status: 1,
            stderr: "Cannot talk to TuneD daemon via DBus. Is TuneD daemon running?\n".to_owned(),
            ..Output::default()
        });
        let Err(failure) = machine.converge::<Off>(&args("x")) else { panic!() };
        assert!(failure.message.contains("Is TuneD daemon running?"), "{}", failure.message);
    }
}
