//! `git.config_set`: a setting of Git has a value.

use super::client::Client;
use crate::{Arguments, Changes, Context, Failure, Outcome, Plan, State, change};
use zester_compiler::types::{Path, User, Value};

/// A setting of Git has a value: of a repository, or of a user (`global`).
#[derive(Arguments)]
#[state("git.config_set", any_of("value", "multivar"), any_of("repo", "global"))]
pub(crate) struct ConfigSet {
    /// The setting (`user.email`).
    #[arg(primary)]
    name: String,
    /// Its value.
    value: Option<String>,
    /// Its values, of a setting that has several.
    multivar: Option<Vec<String>>,
    /// The repository.
    repo: Option<Path>,
    /// User to run as, and whose settings are meant.
    user: Option<User>,
    /// Whether the user's own settings are meant.
    #[arg(default = false)]
    global: bool,
    /// Password of the user.
    #[arg(inert = "it concerns Windows only")]
    password: Option<Value>,
    /// How output is read.
    #[arg(inert = "output is always UTF-8")]
    output_encoding: Option<String>,
}

impl State for ConfigSet {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let client = Client {
            dir: self.repo.as_ref().filter(|_| !self.global).map(|r| r.0.clone()),
            user: self
                .user
                .as_ref()
                .map(|u| u.0.clone())
                .or_else(|| cx.runas.as_ref().map(|r| r.to_string())),
            ..Client::default()
        };
        let scope = if self.global { "--global" } else { "--local" };
        let wanted = self.multivar.clone().unwrap_or_else(|| self.value.clone().into_iter().collect());
        let output = client.try_git(cx, &["config", scope, "--get-all", &self.name])?;
        let have: Vec<String> = match output.status {
            0 => output.stdout.lines().map(str::to_owned).collect(),
            // 1: there is no such setting.
            1 => Vec::new(),
            _ => return Err(format!("`{}` could not be asked: {}", self.name, output.stderr.trim()).into()),
        };
        if have == wanted {
            return Ok(Plan::unchanged(format!("`{}` is set", self.name)));
        }
        let changes = Changes::from_iter([(self.name.clone(), change(have.clone(), wanted.clone()))]);
        let comment = if cx.test { "would set" } else { "set" };
        Ok(Plan::change(changes, format!("{comment} `{}`", self.name), move |cx| {
            if !have.is_empty() {
                client.git(cx, &["config", scope, "--unset-all", &self.name])?;
            }
            for value in &wanted {
                client.git(cx, &["config", scope, "--add", &self.name, value])?;
            }
            Ok(Outcome::default())
        }))
    }
}
