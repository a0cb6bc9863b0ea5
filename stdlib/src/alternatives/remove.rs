//! `alternatives.remove`

use super::{act, look};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change, file::path};
use zester_compiler::types::Path;
use zester_stdlib_derive::Arguments;

/// A program is no longer registered for a common name.
///
/// ```yaml
/// editor:
///   alternatives.remove:
///     - path: /usr/bin/mcedit
/// ```
#[derive(Arguments)]
#[state("alternatives.remove")]
pub(crate) struct Remove {
    /// The common name.
    #[arg(primary)]
    name: String,
    /// The program.
    path: Path,
}

impl State for Remove {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let target = path::absolute(cx, &self.path)?;
        if look(cx, &self.name)?.unwrap_or_default().priority(&target).is_none() {
            return Ok(Plan::unchanged(format!("`{target}` is no alternative for `{}`", self.name)));
        }
        let changes = Changes::from_iter([("path".to_owned(), change(target.as_str(), ()))]);
        let comment = format!("`{target}` is removed from the alternatives for `{}`", self.name);
        Ok(Plan::change(changes, comment, move |cx| {
            act(cx, &["--remove", &self.name, &target])?;
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::machine, *};

    #[test]
    fn removed_once() {
        let machine = machine(&[("/bin/nano", 40)], "/bin/nano", false);
        let args = serde_json::from_str(r#"{"name": "editor", "path": "/bin/nano"}"#).unwrap();
        assert_eq!(machine.converge::<Remove>(&args).unwrap().changes["path"], change("/bin/nano", ()));
    }
}
