//! `alternatives.set`

use super::{act, look};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change, file::path};
use zester_compiler::types::Path;
use zester_stdlib_derive::Arguments;

/// A common name stands for this program. It has to be registered, by its package or by `alternatives.install`.
///
/// ```yaml
/// editor:
///   alternatives.set:
///     - path: /usr/bin/vim.basic
/// ```
#[derive(Arguments)]
#[state("alternatives.set")]
pub(crate) struct Set {
    /// The common name.
    #[arg(primary)]
    name: String,
    /// The program.
    path: Path,
}

impl State for Set {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let target = path::absolute(cx, &self.path)?;
        let group = look(cx, &self.name)?.unwrap_or_default();
        if group.current.as_ref() == Some(&target) {
            return Ok(Plan::unchanged(format!("`{}` is `{target}`", self.name)));
        }
        // A state before this one may register it.
        if group.priority(&target).is_none() && !cx.test {
            let known: Vec<&str> = group.choices.iter().map(|(path, _)| path.as_str()).collect();
            return Err(Failure::new(match known.as_slice() {
                [] => format!("nothing is registered for `{}`; `alternatives.install` does that", self.name),
                known => format!(
                    "`{target}` is not registered for `{}`, which can be {}",
                    self.name,
                    known.join(", ")
                ),
            }));
        }
        let changes = Changes::from_iter([("path".to_owned(), change(group.current, target.as_str()))]);
        Ok(Plan::change(changes, format!("`{}` becomes `{target}`", self.name), move |cx| {
            act(cx, &["--set", &self.name, &target])?;
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::machine, *};
    use zester_compiler::types::Arguments;

    #[test]
    fn chosen_once() {
        let machine = machine(&[("/bin/nano", 40), ("/bin/vi", 30)], "/bin/nano", false);
        let args = serde_json::from_str(r#"{"name": "editor", "path": "/bin/vi"}"#).unwrap();
        assert_eq!(machine.converge::<Set>(&args).unwrap().changes["path"], change("/bin/nano", "/bin/vi"));
        let args = serde_json::from_str(r#"{"name": "editor", "path": "/bin/ed"}"#).unwrap();
        let state = Set::from_values(&args).unwrap();
        let message = state.plan(&machine.context()).err().unwrap().message;
        assert_eq!(message, "`/bin/ed` is not registered for `editor`, which can be /bin/nano, /bin/vi");
    }
}
