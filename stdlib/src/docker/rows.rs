//! One option of a container after the other: what is wanted, what the container has, and how `docker create` is told.

use super::client::text;
use crate::provider::Command;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use zester_compiler::types::Value;

/// One option.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Row {
    /// The parameter.
    pub(super) name: &'static str,
    /// Whether the author says something of it.
    pub(super) stated: bool,
    /// What it is to be.
    pub(super) wanted: Value,
    /// What it is.
    pub(super) have: Value,
}

/// The options of a container, and the words that make one.
#[derive(Default)]
pub(super) struct Rows<'i> {
    /// What the daemon says of the container.
    inspected: Option<&'i Json>,
    /// The options.
    pub(super) all: Vec<Row>,
    /// Words of `docker create`.
    pub(super) words: Vec<String>,
    /// Variables of `docker create`.
    env: Vec<(String, Option<String>)>,
    /// Lines of its file of variables.
    lines: String,
}

/// Longest line of a file of variables.
const LINE_LIMIT: usize = 60_000;

/// Variables that `docker` itself listens to: what a container is to have of these must not be in its own environment.
fn steers_docker(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let prefixes = ["DOCKER", "CONTAINER", "LD_", "XDG_", "OTEL_", "BUILDKIT", "SSL_CERT_", "SSH_A", "LC_"];
    let names = ["PATH", "HOME", "USER", "TMPDIR", "TERM", "LANG", "GODEBUG", "GOGC", "GOMAXPROCS"];
    prefixes.iter().any(|prefix| upper.starts_with(prefix))
        || names.contains(&name)
        || ["GOMEMLIMIT", "GOTRACEBACK", "GOCOVERDIR"].contains(&name)
        || upper.ends_with("_PROXY")
}

fn list(texts: impl IntoIterator<Item = String>) -> Value {
    Value::List(texts.into_iter().map(Value::Str).collect())
}

/// Sorted, each once.
fn set(texts: impl IntoIterator<Item = String>) -> Value {
    list(texts.into_iter().collect::<BTreeSet<String>>())
}

/// A map of texts.
fn map(texts: impl IntoIterator<Item = (String, String)>) -> Value {
    let sorted: BTreeMap<String, String> = texts.into_iter().collect();
    Value::Map(sorted.into_iter().map(|(name, value)| (name, Value::Str(value))).collect())
}

/// Texts of a list of a description.
pub(super) fn texts(of: Option<&Json>) -> Vec<String> {
    let all = of.and_then(Json::as_array).into_iter().flatten();
    all.filter_map(Json::as_str).map(str::to_owned).collect()
}

/// Names of a map of a description.
pub(super) fn keys(of: Option<&Json>) -> Vec<String> {
    of.and_then(Json::as_object).into_iter().flat_map(|map| map.keys().cloned()).collect()
}

/// A map of texts of a description.
pub(super) fn strings(of: Option<&Json>) -> BTreeMap<String, String> {
    let all = of.and_then(Json::as_object).into_iter().flatten();
    all.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

impl<'i> Rows<'i> {
    /// Of a container that there is, or is not yet.
    pub(super) fn of(inspected: Option<&'i Json>) -> Self {
        Self { inspected, ..Self::default() }
    }

    /// What the container has at a place.
    pub(super) fn at(&self, path: &str) -> Option<&'i Json> {
        self.inspected.and_then(|json| json.pointer(path))
    }

    /// An option with its two sides.
    pub(super) fn row(&mut self, name: &'static str, stated: bool, wanted: Value, have: Value) {
        self.all.push(Row { name, stated, wanted, have });
    }

    /// Tells `docker create` something.
    pub(super) fn say(&mut self, option: &str, value: &str) {
        self.words.push(format!("{option}={value}"));
    }

    /// What is on or off; off if nothing is said.
    pub(super) fn switch(&mut self, name: &'static str, option: &str, path: &str, wanted: Option<bool>) {
        let have = self.at(path).and_then(Json::as_bool).unwrap_or_default();
        if wanted == Some(true) {
            self.words.push(option.to_owned());
        }
        self.row(name, wanted.is_some(), wanted.unwrap_or_default().into(), have.into());
    }

    /// A text; without a default whatever there is will do if nothing is said.
    pub(super) fn text(
        &mut self,
        name: &'static str,
        option: &str,
        path: &str,
        wanted: Option<&str>,
        default: Option<&str>,
    ) {
        let have = self.inspected.map(|json| text(json, path)).unwrap_or_default();
        if let Some(wanted) = wanted {
            self.say(option, wanted);
        }
        if let Some(value) = wanted.or(default) {
            self.row(name, wanted.is_some(), value.into(), have.into());
        }
    }

    /// A number; without a default whatever there is will do if nothing is said.
    pub(super) fn number(
        &mut self,
        name: &'static str,
        option: &str,
        path: &str,
        wanted: Option<i64>,
        default: Option<i64>,
    ) {
        let have = self.at(path).and_then(Json::as_i64);
        if let Some(wanted) = wanted {
            self.say(option, &wanted.to_string());
        }
        if let Some(value) = wanted.or(default) {
            self.row(name, wanted.is_some(), value.into(), have.unwrap_or_default().into());
        }
    }

    /// Texts in any order, each brought to one form; none if nothing is said.
    pub(super) fn list(
        &mut self,
        name: &'static str,
        option: &str,
        path: &str,
        wanted: &[String],
        form: fn(&str) -> String,
    ) {
        for one in wanted {
            self.say(option, one);
        }
        let have = set(texts(self.at(path)).iter().map(|one| form(one)));
        self.row(name, !wanted.is_empty(), set(wanted.iter().map(|one| form(one))), have);
    }

    /// Names with values; none if nothing is said.
    pub(super) fn pairs(
        &mut self,
        name: &'static str,
        option: &str,
        path: &str,
        wanted: BTreeMap<String, String>,
    ) {
        for (key, value) in &wanted {
            self.say(option, &format!("{key}={value}"));
        }
        let have = strings(self.at(path));
        self.row(name, !wanted.is_empty(), map(wanted), map(have));
    }

    /// Two lists in their order.
    pub(super) fn ordered(
        &mut self,
        name: &'static str,
        stated: bool,
        wanted: Vec<String>,
        have: Vec<String>,
    ) {
        self.row(name, stated, list(wanted), list(have));
    }

    /// Two sets.
    pub(super) fn sets(
        &mut self,
        name: &'static str,
        stated: bool,
        wanted: BTreeSet<String>,
        have: BTreeSet<String>,
    ) {
        self.row(name, stated, list(wanted), list(have));
    }

    /// The variables: what the image has, and the author's on top. Their values are in the environment of `docker`, or in a file that it reads from its
    /// standard input, and never on its command line.
    pub(super) fn variables(
        &mut self,
        image: Option<&Json>,
        wanted: &BTreeMap<String, String>,
    ) -> Result<(), String> {
        let split = |of: Option<&Json>| {
            let all = texts(of).into_iter();
            all.map(|line| {
                line.split_once('=').map_or((line.clone(), String::new()), |(n, v)| (n.into(), v.into()))
            })
            .collect::<BTreeMap<String, String>>()
        };
        for (name, value) in wanted {
            if steers_docker(name) {
                if value.contains(['\n', '\r']) || value.len() > LINE_LIMIT {
                    return Err(format!(
                        "the variable `{name}` of `environment` is one that `docker` itself listens to; it can have one line of {LINE_LIMIT} bytes at most"
                    ));
                }
                self.lines.push_str(&format!("{name}={value}\n"));
            } else {
                self.say("--env", name);
                self.env.push((name.clone(), Some(value.clone())));
            }
        }
        if !self.lines.is_empty() {
            self.say("--env-file", "/dev/stdin");
        }
        let have = split(self.at("/Config/Env"));
        let mut all = split(image.and_then(|image| image.pointer("/Config/Env")));
        all.extend(wanted.clone());
        self.row("environment", !wanted.is_empty(), map(all), map(have));
        Ok(())
    }

    /// The labels: what the image has, and the author's on top. `own` is the one that we add.
    pub(super) fn labels(&mut self, image: Option<&Json>, wanted: &BTreeMap<String, String>, own: &str) {
        for (name, value) in wanted {
            self.say("--label", &format!("{name}={value}"));
        }
        let mut have = strings(self.at("/Config/Labels"));
        have.remove(own);
        let mut all = strings(image.and_then(|image| image.pointer("/Config/Labels")));
        // An image that was made of a container has the container's.
        all.remove(own);
        all.extend(wanted.clone());
        self.row("labels", !wanted.is_empty(), map(all), map(have));
    }

    /// Gives a command the variables that its words name.
    pub(super) fn with_variables(&self, mut command: Command) -> Command {
        command.env.extend(self.env.iter().cloned());
        if !self.lines.is_empty() {
            command.stdin = Some(self.lines.as_bytes().to_vec());
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn variables_are_not_on_the_command_line() {
        let image = json!({"Config": {"Env": ["PATH=/bin", "A=0"]}});
        let container = json!({"Config": {"Env": ["PATH=/bin", "A=1", "KEY=geheim"]}});
        let mut rows = Rows::of(Some(&container));
        let wanted = [("A", "1"), ("KEY", "geheim"), ("HTTP_PROXY", "http://u:geheim@p")];
        let wanted = wanted.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        rows.variables(Some(&image), &wanted).unwrap();
        assert_eq!(rows.words, ["--env=A", "--env=KEY", "--env-file=/dev/stdin"]);
        let command = rows.with_variables(Command::new("docker", ["create"]));
        assert!(command.env.contains(&("KEY".to_owned(), Some("geheim".to_owned()))));
        assert_eq!(command.stdin.as_deref(), Some("HTTP_PROXY=http://u:geheim@p\n".as_bytes()));
        assert_ne!(rows.all[0].wanted, rows.all[0].have);
        let two = [("A", "1"), ("KEY", "geheim")].map(|(n, v)| (n.into(), v.into())).into();
        rows.variables(Some(&image), &two).unwrap();
        assert_eq!(rows.all[1].wanted, rows.all[1].have);
        let lines = [("DOCKER_KEY".to_owned(), "a\nb".to_owned())].into();
        assert!(rows.variables(None, &lines).unwrap_err().contains("`DOCKER_KEY`"));
    }

    #[test]
    fn lists_are_compared_in_one_form() {
        let container = json!({"HostConfig": {"CapAdd": ["CAP_NET_ADMIN", "CAP_SYS_TIME"], "CapDrop": null}});
        let mut rows = Rows::of(Some(&container));
        let wanted = ["sys_time".to_owned(), "NET_ADMIN".to_owned()];
        rows.list("cap_add", "--cap-add", "/HostConfig/CapAdd", &wanted, super::super::text::capability);
        rows.list("cap_drop", "--cap-drop", "/HostConfig/CapDrop", &[], super::super::text::capability);
        assert!(rows.all.iter().all(|row| row.wanted == row.have), "{:?}", rows.all);
    }
}
