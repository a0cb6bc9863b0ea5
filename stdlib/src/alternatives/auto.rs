//! `alternatives.auto`

use super::{act, look};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change};
use zester_stdlib_derive::Arguments;

/// A common name stands for the registered program with the highest priority; nobody's choice is kept.
///
/// ```yaml
/// editor:
///   alternatives.auto: []
/// ```
#[derive(Arguments)]
#[state("alternatives.auto")]
pub(crate) struct Auto {
    /// The common name.
    #[arg(primary)]
    name: String,
}

impl State for Auto {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let name = &self.name;
        match look(cx, name)? {
            None if !cx.test => {
                return Err(Failure::new(format!(
                    "nothing is registered for `{name}`; `alternatives.install` does that"
                )));
            }
            Some(group) if !group.manual => {
                return Ok(Plan::unchanged(format!("`{name}` is chosen by priority")));
            }
            _ => {}
        }
        let changes = Changes::from_iter([("mode".to_owned(), change("manual", "auto"))]);
        Ok(Plan::change(changes, format!("`{name}` is chosen by priority from now on"), move |cx| {
            act(cx, &["--auto", &self.name])?;
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::machine, *};

    #[test]
    fn a_choice_is_given_up() {
        let machine = machine(&[("/bin/nano", 40), ("/bin/vi", 30)], "/bin/vi", true);
        let args = serde_json::from_str(r#"{"name": "editor"}"#).unwrap();
        assert_eq!(machine.converge::<Auto>(&args).unwrap().changes["mode"], change("manual", "auto"));
    }
}
