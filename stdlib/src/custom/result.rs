//! What a custom state says when it has run.

use crate::Changes;
use zester_compiler::{diagnostic::nearest, types::Value};

/// Most bytes of logged lines that a comment repeats.
const LOG_BYTES: usize = 4_096;

const KEYS: [&str; 4] = ["changes", "comment", "name", "result"];

/// The result of a function, read.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Said {
    /// What changed, or would.
    pub changes: Changes,
    /// For people.
    pub comment: String,
    /// It says itself that it failed.
    pub failed: bool,
    /// It says that something would change, and perhaps not what.
    pub pending: bool,
}

impl Said {
    /// Reads a result: a map with `changes` (a map), `comment` (text) and `result` (`False` where it failed).
    pub fn read(name: &str, value: Value) -> Result<Self, String> {
        let Value::Map(map) = value else {
            return Err(format!(
                "`{name}` gives {}; a state gives a map with `changes`, `comment` and `result`",
                value.describe()
            ));
        };
        let mut said = Self::default();
        for (key, value) in map {
            let wrong = |expected: &str, value: &Value| {
                Err(format!("`{key}` in what `{name}` gives is {expected}, and this is {}", value.describe()))
            };
            match (&*key, value) {
                ("changes", Value::Map(changes)) => said.changes = changes,
                ("changes" | "comment", Value::Null) | ("name", _) => {}
                ("changes", other) => return wrong("a map", &other),
                ("comment", Value::Str(comment)) => said.comment = comment,
                ("comment", other) => return wrong("text", &other),
                ("result", Value::Bool(good)) => said.failed = !good,
                // Salt's modules say so of what would change.
                ("result", Value::Null) => said.pending = true,
                ("result", other) => return wrong("true or false", &other),
                _ => {
                    let near = match (&*key, nearest(&key, KEYS)) {
                        ("changed" | "diff" | "needs_change" | "details", _) => Some("changes"),
                        (_, near) => near,
                    };
                    let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                    return Err(format!(
                        "What `{name}` gives has the key `{key}`, which means nothing{near}"
                    ));
                }
            }
        }
        if said.failed && said.comment.is_empty() {
            said.comment = format!("`{name}` says that it failed, and not why");
        }
        Ok(said)
    }

    /// The comment, or another one where there is none.
    pub fn comment_or(&self, other: &str) -> String {
        if self.comment.is_empty() { other.to_owned() } else { self.comment.clone() }
    }

    /// Puts what was logged below the comment.
    pub fn add_log(&mut self, log: &[String]) {
        self.comment = with_log(std::mem::take(&mut self.comment), log);
    }
}

/// A comment with what was logged below it.
pub(super) fn with_log(mut comment: String, log: &[String]) -> String {
    let end = comment.len() + LOG_BYTES;
    for (at, line) in log.iter().enumerate() {
        if comment.len() + line.len() > end {
            comment.push_str(&format!("\n… and {} more lines", log.len() - at));
            break;
        }
        if !comment.is_empty() {
            comment.push('\n');
        }
        comment.push_str(line);
    }
    comment
}
