//! `http.query`

use super::request::{Expected, Request};
use crate::{Context, Failure, Plan, State};
use zester_compiler::types::{Map, Url, Value};
use zester_stdlib_derive::Arguments;

/// A web server answers, and as expected. In test mode nobody is asked.
///
/// All other parameters are those of the function `http.query`: `method`, `data`, `params`, `header_dict`, `username`, `password`, `verify_ssl`.
///
/// ```yaml
/// "http://localhost/health":
///   http.query:
///     - status: 200
///     - match: healthy
/// ```
#[derive(Arguments)]
#[state("http.query", never_changes)]
pub(crate) struct Query {
    /// The address.
    #[arg(primary)]
    name: Url,
    /// What the answer has to have in it.
    r#match: Option<String>,
    /// Whether that is a text or a regular expression.
    #[arg(default = "string", one_of("string", "pcre"))]
    match_type: String,
    /// The status that is expected; without it every one that is no error.
    #[arg(ty = Type::INT.or(Type::Str).or(Type::List(Box::new(Type::Any))))]
    status: Option<Value>,
    /// Whether that is one, a regular expression, or a list.
    #[arg(default = "string", one_of("string", "pcre", "list"))]
    status_type: String,
    /// Seconds in which it is asked again until the answer is as expected.
    wait_for: Option<f64>,
    /// The rest of the request.
    #[arg(rest)]
    options: Map,
}

impl State for Query {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let request = Request::of(&self.name, &self.options)?;
        if cx.test {
            return Ok(Plan::unchanged(format!("would ask `{}`", self.name)));
        }
        let expected = Expected {
            text: self.r#match.as_deref(),
            text_kind: &self.match_type,
            status: self.status.as_ref(),
            status_kind: &self.status_type,
        };
        let status = match self.wait_for {
            Some(limit_s) => super::wait::until(cx, &request, &expected, limit_s, 1.0)?,
            None => request.ask(cx, &expected)?,
        };
        Ok(Plan::unchanged(format!("`{}` answered with status {status}", self.name)))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::server, *};
    use crate::provider::fake::FakeMachine;

    fn ask(url: &str, more: &str) -> Result<String, String> {
        let json = format!(r#"{{"name": "{url}"{more}}}"#);
        let args = serde_json::from_str(&json).unwrap();
        let outcome = FakeMachine::new().converge::<Query>(&args);
        outcome.map(|o| o.comment.unwrap_or_default()).map_err(|e| e.message)
    }

    #[test]
    fn status_and_text_are_compared() {
        let url = server(&[("200 OK", "all is healthy")]);
        assert_eq!(ask(&url, "").unwrap(), format!("`{url}` answered with status 200"));
        assert!(ask(&url, r#", "status": 200, "match": "healthy""#).is_ok());
        assert!(ask(&url, r#", "match": "is h.*y$", "match_type": "pcre""#).is_ok());
        assert!(ask(&url, r#", "status": [201, 200], "status_type": "list""#).is_ok());
        assert_eq!(ask(&url, r#", "status": 404"#).unwrap_err(), "the status is 200, not 404");
        let missed = ask(&url, r#", "match": "ill""#).unwrap_err();
        assert_eq!(missed, "the answer, with status 200, does not have `ill` in it");
        assert_eq!(
            ask(&url, r#", "metod": "POST""#).unwrap_err(),
            "a request has no `metod`; is it `method`?"
        );
    }

    #[test]
    fn an_error_is_a_failure_unless_it_is_expected() {
        let url = server(&[("404 Not Found", "no")]);
        assert!(ask(&url, "").unwrap_err().contains("404"));
        assert!(ask(&url, r#", "status": 404"#).is_ok());
    }
}
