//! `debconf.set`

use crate::{
    Changes, Context, Failure, Outcome, Plan, State, change,
    provider::tool::{failure, run, succeed, tool},
};
use zester_compiler::types::{Map, Value};
use zester_stdlib_derive::Arguments;

/// Questions that a package asks when it is configured have these answers.
///
/// ```yaml
/// postfix:
///   debconf.set:
///     - data:
///         postfix/main_mailer_type: {type: select, value: "Internet Site"}
///         postfix/mailname: {type: string, value: mail.example.com}
///     - require_in:
///       - pkg: postfix
/// ```
#[derive(Arguments)]
#[state("debconf.set")]
pub(crate) struct Set {
    /// The package.
    #[arg(primary)]
    name: String,
    /// Questions, each with the type and the value of its answer.
    data: Map,
}

/// An answer.
#[derive(Clone, PartialEq, Debug)]
struct Answer {
    question: String,
    kind: String,
    value: String,
}

impl Answer {
    fn of(question: &str, answer: &Value) -> Result<Self, String> {
        let mut fields = Map::new();
        match answer {
            Value::Map(map) => fields.clone_from(map),
            // The list of maps that older states have.
            Value::List(list) => {
                list.iter().filter_map(Value::as_map).for_each(|map| fields.extend(map.clone()));
            }
            _ => {}
        }
        let text = |name: &str| match fields.get(name) {
            None | Some(Value::Null) => {
                Err(format!("`data` has no `{name}` for `{question}`: an answer is `{{type: …, value: …}}`"))
            }
            Some(Value::List(_) | Value::Map(_)) => {
                Err(format!("the `{name}` of `{question}` is not a text"))
            }
            Some(scalar) => Ok(scalar.to_string()),
        };
        let answer = Self { question: question.to_owned(), kind: text("type")?, value: text("value")? };
        let blank = |text: &str| text.is_empty() || text.contains(char::is_whitespace);
        if blank(question) || blank(&answer.kind) || answer.value.contains('\n') {
            return Err(format!("the answer to `{}` does not fit on one line", question.escape_debug()));
        }
        Ok(answer)
    }

    fn shown(&self, value: &str) -> Value {
        if self.kind == "password" { "***".into() } else { value.into() }
    }
}

impl Set {
    /// The answers that are set; `None` for a question that is not known yet.
    fn current(&self, cx: &Context, answers: &[Answer]) -> Result<Vec<Option<String>>, String> {
        let mut command = tool("debconf-communicate", [self.name.as_str()]);
        let questions: String = answers.iter().flat_map(|a| ["GET ", &a.question, "\n"]).collect();
        command.stdin = Some(questions.into_bytes());
        let output = run(cx, command.clone())?;
        // One line for each question: `0 value`, or another number and why there is none. The exit status is the last line's number.
        let lines: Vec<&str> = output.stdout.lines().collect();
        if output.timed_out || lines.len() != answers.len() {
            return Err(failure(&command, &output));
        }
        let value = |line: &str| {
            let (code, value) = line.split_once(' ').unwrap_or((line, ""));
            (code == "0").then(|| value.to_owned())
        };
        Ok(lines.into_iter().map(value).collect())
    }
}

impl State for Set {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let odd = |c: char| !(c.is_ascii_alphanumeric() || "+-._".contains(c));
        if self.name.is_empty() || self.name.starts_with('-') || self.name.contains(odd) {
            return Err(Failure::new(format!("`{}` is not the name of a package", self.name)));
        }
        if cx.machine.commands.find("debconf-set-selections").is_none() {
            return Err(Failure::new(
                "this machine has no `debconf-set-selections`; debconf is Debian's alone",
            ));
        }
        let answers: Vec<Answer> = self
            .data
            .iter()
            .map(|(question, answer)| Answer::of(question, answer))
            .collect::<Result<_, _>>()?;
        let current = self.current(cx, &answers)?;
        let mut changes = Changes::new();
        let mut lines = String::new();
        for (answer, old) in answers.iter().zip(current) {
            if old.as_deref() == Some(answer.value.as_str()) {
                continue;
            }
            let old = old.map(|old| answer.shown(&old));
            changes.insert(answer.question.clone(), change(old, answer.shown(&answer.value)));
            lines.push_str(&format!("{} {} {} {}\n", self.name, answer.question, answer.kind, answer.value));
        }
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("the answers for `{}` are set", self.name)));
        }
        if cx.is_secret("data") {
            changes.values_mut().for_each(|value| *value = "***".into());
        }
        Ok(Plan::change(changes, format!("the answers for `{}` are set", self.name), move |cx| {
            let mut command = tool("debconf-set-selections", [""; 0]);
            command.stdin = Some(lines.into_bytes());
            succeed(cx, command)?;
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Output, fake::FakeMachine};
    use std::{
        collections::BTreeMap,
        sync::{Arc, Mutex},
    };

    #[test]
    fn answers_are_compared_and_passwords_hidden() {
        let machine = FakeMachine::new();
        let known = Arc::new(Mutex::new(BTreeMap::from([("app/port".to_owned(), "80".to_owned())])));
        let asked = known.clone();
        let text = |c: &crate::provider::Command| String::from_utf8(c.stdin.clone().unwrap()).unwrap();
        machine.commands.on("debconf-communicate app", move |command, _| {
            let answer = |line: &str| match asked.lock().unwrap().get(line.strip_prefix("GET ").unwrap()) {
                Some(value) => format!("0 {value}\n"),
                None => "10 it doesn't exist\n".to_owned(),
            };
            let stdout: String = text(command).lines().map(answer).collect();
            let last = stdout.lines().last().and_then(|l| l.split(' ').next()?.parse().ok());
            Output { status: last.unwrap_or_default(), stdout, ..Output::default() }
        });
        machine.commands.on("debconf-set-selections", move |command, _| {
            for line in text(command).lines() {
                let words: Vec<&str> = line.splitn(4, ' ').collect();
                known.lock().unwrap().insert(words[1].to_owned(), words[3].to_owned());
            }
            Output::default()
        });
        let args = r#"{"name": "app", "data": {"app/port": {"type": "string", "value": 81}, "app/on": {"type": "boolean", "value": true},
            "app/pass": {"type": "password", "value": "geheim"}}}"#;
        let outcome = machine.converge::<Set>(&serde_json::from_str(args).unwrap()).unwrap();
        assert_eq!(outcome.changes["app/port"], change("80", "81"));
        assert_eq!(outcome.changes["app/on"], change((), "true"));
        assert!(!format!("{:?}", outcome.changes).contains("geheim"));
        let odd =
            serde_json::from_str(r#"{"name": "app", "data": {"app/port": {"type": "string"}}}"#).unwrap();
        let message = machine.converge::<Set>(&odd).unwrap_err().message;
        assert_eq!(message, "`data` has no `value` for `app/port`: an answer is `{type: …, value: …}`");
    }
}
