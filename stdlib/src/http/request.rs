//! What is asked, and what the answer has to be.

use crate::{Context, exec::http::Query, file::pattern};
use zester_compiler::types::{Arguments, Map, Value};

/// What the answer has to be.
pub(super) struct Expected<'a> {
    /// What the body has to have in it.
    pub(super) text: Option<&'a str>,
    /// `string` or `pcre`.
    pub(super) text_kind: &'a str,
    /// The status.
    pub(super) status: Option<&'a Value>,
    /// `string`, `pcre` or `list`.
    pub(super) status_kind: &'a str,
}

/// A request that is sent as often as needed.
pub(super) struct Request(Query);

impl Request {
    /// The request that the loose parameters of a state describe.
    pub(super) fn of(url: &str, options: &Map) -> Result<Self, String> {
        let known = Query::signature();
        for key in options.keys() {
            if known.param(key).is_none() {
                let names = known.params.iter().map(|p| &*p.name);
                return Err(match zester_compiler::diagnostic::nearest(key, names) {
                    Some(near) => format!("a request has no `{key}`; is it `{near}`?"),
                    None => format!("a request has no `{key}`"),
                });
            }
        }
        let mut all = options.clone();
        all.insert("url".to_owned(), url.into());
        all.insert("status".to_owned(), true.into());
        all.insert("text".to_owned(), true.into());
        Query::from_values(&all).map(Self)
    }

    /// Asks once; the error says what was not as expected.
    pub(super) fn ask(&self, cx: &Context, expected: &Expected<'_>) -> Result<i64, String> {
        if cx.cancel.is_cancelled() {
            return Err("the run was cancelled".to_owned());
        }
        let answer = self.0.answer()?;
        let status = answer.get("status").and_then(Value::as_int).unwrap_or_default();
        match expected.status {
            Some(wanted) => check_status(status, wanted, expected.status_kind)?,
            None => {
                if let Some(error) = answer.get("error") {
                    return Err(error.to_string());
                }
            }
        }
        if let Some(wanted) = expected.text {
            let body = answer.get("body").and_then(Value::as_str).unwrap_or_default();
            let found = match expected.text_kind {
                "pcre" => {
                    let regex = pattern::compile(wanted, pattern::Flags::default()).map_err(|e| e.message)?;
                    pattern::is_match(&regex, body).map_err(|e| e.message)?
                }
                _ => body.contains(wanted),
            };
            if !found {
                return Err(format!("the answer, with status {status}, does not have `{wanted}` in it"));
            }
        }
        Ok(status)
    }
}

fn check_status(status: i64, wanted: &Value, kind: &str) -> Result<(), String> {
    let text = status.to_string();
    let good = match (kind, wanted) {
        ("pcre", pattern) => {
            let regex =
                pattern::compile(&pattern.to_string(), pattern::Flags::default()).map_err(|e| e.message)?;
            pattern::is_match(&regex, &text).map_err(|e| e.message)?
        }
        (_, Value::List(list)) => list.iter().any(|one| one.to_string() == text),
        (_, one) => one.to_string() == text,
    };
    if good { Ok(()) } else { Err(format!("the status is {status}, not {wanted}")) }
}
