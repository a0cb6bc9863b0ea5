//! `ini.*`: sections and options of configuration files.

mod document;
mod options;
mod sections;

use crate::{
    Changes, Context, Failure, Library, Plan,
    file::{
        path,
        text::{self, Edit},
    },
};
pub(crate) use document::Document;
use zester_compiler::types::Value;

/// Adds the functions of this module.
pub(crate) fn register(library: &mut Library) {
    library
        .state::<options::Present>()
        .state::<options::Absent>()
        .state::<sections::Present>()
        .state::<sections::Absent>();
}

/// How the four functions read a file.
struct File<'a> {
    name: &'a str,
    separator: &'a str,
    encoding: Option<&'a str>,
}

impl File<'_> {
    /// Reads the file, edits it, and plans what came of it. A file that is not there is empty.
    fn edit(
        &self,
        cx: &Context,
        edit: impl FnOnce(&mut Document, &mut Changes) -> Result<(), String>,
    ) -> Result<Plan<'static>, Failure> {
        if let Some(other) = self.encoding.filter(|e| !is_utf8(e)) {
            return Err(Failure::new(format!(
                "`encoding: {other}` is not supported; files are read as UTF-8"
            )));
        }
        if self.separator.trim().is_empty() && self.separator != " " {
            return Err(Failure::new("`separator` is empty, so options and values cannot be told apart"));
        }
        let target = path::absolute(cx, self.name)?;
        let old = text::read(cx, &target)?.unwrap_or_default();
        let mut document = Document::parse(&old, self.separator);
        let mut changes = Changes::new();
        edit(&mut document, &mut changes)?;
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("`{target}` is in the correct state")));
        }
        let mut plan = Edit { secret: &["sections"], ..Edit::new(target) }.plan(cx, document.to_string())?;
        if cx.is_secret("sections") {
            changes.values_mut().for_each(|value| *value = "***".into());
        }
        plan.changes = changes;
        Ok(plan)
    }
}

fn is_utf8(encoding: &str) -> bool {
    matches!(encoding.to_ascii_lowercase().as_str(), "utf-8" | "utf8" | "ascii" | "us-ascii")
}

/// Notes a change of an option; those outside of all sections stand beside the sections.
fn note(changes: &mut Changes, section: Option<&str>, key: &str, change: Value) {
    let Some(section) = section else {
        changes.insert(key.to_owned(), change);
        return;
    };
    let inner = changes.entry(section.to_owned()).or_insert_with(|| Changes::new().into());
    if let Value::Map(map) = inner {
        map.insert(key.to_owned(), change);
    }
}
