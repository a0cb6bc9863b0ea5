//! `file.accumulated`: texts that several states collect for one file.

use crate::{Changes, Context, Failure, Outcome, Plan, State};
use std::sync::Mutex;
use zester_compiler::types::{Map, Value};
use zester_stdlib_derive::Arguments;

/// Collects texts for a file: `file.managed` and `file.blockreplace` on the same file see them as `accumulator`.
///
/// Give it `require_in` (or `watch_in`) on the state that manages the file, so that it runs first. The texts are
/// collected in memory for one run; nothing on the machine changes.
#[derive(Arguments)]
#[state("file.accumulated", never_changes)]
pub(crate) struct Accumulated {
    /// Name of the collection, as the template knows it: `accumulator['name']`.
    #[arg(primary)]
    name: String,
    /// Path of the file it is for.
    filename: String,
    /// The texts.
    text: Vec<Value>,
}

/// File → name → texts.
type Collected = Mutex<std::collections::BTreeMap<String, Map>>;

const KEY: &str = "file.accumulated";

/// What has been collected for a file so far: name → list of texts.
pub(crate) fn of(cx: &Context, file: &str) -> Map {
    let all = cx.run.get_or(KEY, Collected::default);
    all.lock().unwrap_or_else(|e| e.into_inner()).get(file).cloned().unwrap_or_default()
}

impl State for Accumulated {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let file = super::path::absolute(cx, &self.filename)?;
        let all = cx.run.get_or(KEY, Collected::default);
        let mut all = all.lock().unwrap_or_else(|e| e.into_inner());
        // In test mode too: what the file will contain depends on it, and nothing but this run's memory changes.
        let list = all.entry(file.clone()).or_default().entry(self.name.clone());
        if let Value::List(list) = list.or_insert_with(|| Value::List(Vec::new())) {
            for text in &self.text {
                if !list.contains(text) {
                    list.push(text.clone());
                }
            }
        }
        Ok(Plan {
            changes: Changes::new(),
            comment: format!("{} texts are collected as `{}` for `{file}`", self.text.len(), self.name),
            apply: None::<Box<dyn FnOnce(&Context) -> Result<Outcome, Failure>>>,
            failure: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{file::managed::Managed, provider::fake::FakeMachine};

    fn args(json: &str) -> Map {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn texts_reach_the_template_of_the_file_once() {
        let machine = FakeMachine::new();
        machine.tree.put("hosts", "{{ accumulator }}");
        for _ in 0..2 {
            machine
                .converge::<Accumulated>(&args(
                    r#"{"name": "web", "filename": "/hosts", "text": ["a", "b"]}"#,
                ))
                .unwrap();
        }
        machine
            .converge::<Managed>(&args(
                r#"{"name": "/hosts", "source": ["salt://hosts"], "template": "jinja"}"#,
            ))
            .unwrap();
        assert_eq!(machine.files.text("/hosts"), r#"{"web":["a","b"]}"#);
    }
}
