//! `alternatives.install`

use super::{act, look};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change, file::path};
use zester_compiler::types::Path;
use zester_stdlib_derive::Arguments;

/// A program is registered as one that a common name can stand for.
///
/// ```yaml
/// editor:
///   alternatives.install:
///     - link: /usr/bin/editor
///     - path: /usr/bin/vim.basic
///     - priority: 50
/// ```
#[derive(Arguments)]
#[state("alternatives.install")]
pub(crate) struct Install {
    /// The common name.
    #[arg(primary)]
    name: String,
    /// The link that people use.
    link: Path,
    /// The program.
    path: Path,
    /// Which of several is taken by itself: the one with the highest.
    priority: i64,
}

impl State for Install {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let (link, target) = (path::absolute(cx, &self.link)?, path::absolute(cx, &self.path)?);
        let group = look(cx, &self.name)?.unwrap_or_default();
        let mut changes = Changes::new();
        match group.priority(&target) {
            None => {
                changes.insert("path".to_owned(), change((), target.as_str()));
                changes.insert("priority".to_owned(), change((), self.priority));
            }
            Some(old) if old != self.priority => {
                changes.insert("priority".to_owned(), change(old, self.priority));
            }
            Some(_) => {}
        }
        if let Some(old) = group.link.filter(|old| *old != link) {
            changes.insert("link".to_owned(), change(old, link.as_str()));
        }
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("`{target}` is an alternative for `{}`", self.name)));
        }
        // A package of this run may bring it, so a test run says nothing.
        if !cx.test && path::stat(cx, &target, true)?.is_none() {
            return Err(Failure::new(format!(
                "`{target}` does not exist, so it is no alternative for `{}`",
                self.name
            )));
        }
        let comment = format!("`{target}` is registered as an alternative for `{}`", self.name);
        Ok(Plan::change(changes, comment, move |cx| {
            act(cx, &["--install", &link, &self.name, &target, &self.priority.to_string()])?;
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::machine, *};

    #[test]
    fn registered_once_and_with_another_priority() {
        let machine = machine(&[("/bin/nano", 40)], "/bin/nano", false);
        let args = |priority: i64| {
            let json = format!(
                r#"{{"name": "editor", "link": "/usr/bin/editor", "path": "/bin/vi", "priority": {priority}}}"#
            );
            serde_json::from_str(&json).unwrap()
        };
        let state = <Install as zester_compiler::types::Arguments>::from_values(&args(1)).unwrap();
        assert!(state.plan(&machine.context()).err().unwrap().message.contains("`/bin/vi` does not exist"));
        machine.files.put("/bin/vi", "");
        assert_eq!(machine.converge::<Install>(&args(30)).unwrap().changes["path"], change((), "/bin/vi"));
        assert_eq!(machine.converge::<Install>(&args(50)).unwrap().changes["priority"], change(30, 50));
    }
}
