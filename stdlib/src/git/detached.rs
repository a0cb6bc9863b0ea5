//! `git.detached`: a working copy is at a commit, on no branch.

use super::client::{Client, Target, look, make_room};
use crate::{Arguments, Changes, Context, Failure, Outcome, Plan, State, change};
use zester_compiler::types::{Path, Secret, User, Value};

/// A repository is cloned, and its working copy is at a revision, on no branch.
#[derive(Arguments)]
#[state("git.detached")]
pub(crate) struct Detached {
    /// The address.
    #[arg(primary)]
    name: String,
    /// Branch, tag or commit.
    #[arg(alias = "ref")]
    rev: String,
    /// Where the working copy lies.
    target: Path,
    /// Name of the remote.
    #[arg(default = "origin")]
    remote: String,
    /// User to run as.
    user: Option<User>,
    /// Whether what is at `target` may be replaced.
    #[arg(default = false)]
    force_clone: bool,
    /// Whether a checkout may overwrite changed files.
    #[arg(default = false)]
    force_checkout: bool,
    /// Whether changes that are not committed are thrown away.
    #[arg(default = false)]
    hard_reset: bool,
    /// Whether submodules are brought along.
    #[arg(default = false)]
    submodules: bool,
    /// Private keys for SSH.
    identity: Vec<String>,
    /// User for HTTPS.
    https_user: Option<String>,
    /// Password for HTTPS.
    #[arg(secret)]
    https_pass: Option<Secret>,
    /// Whether the remote is asked.
    #[arg(inert = "the remote is always asked")]
    fetch_remote: Option<bool>,
    /// Password of the user.
    #[arg(inert = "it concerns Windows only")]
    password: Option<Value>,
    /// How output is read.
    #[arg(inert = "output is always UTF-8")]
    output_encoding: Option<String>,
}

impl State for Detached {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let password = self.https_pass.as_ref().map(|p| p.0.to_string()).unwrap_or_default();
        let client = Client {
            dir: None,
            user: self
                .user
                .as_ref()
                .map(|u| u.0.clone())
                .or_else(|| cx.runas.as_ref().map(|r| r.to_string())),
            identity: self.identity.clone(),
            https: self.https_user.clone().map(|user| (user, password)),
        };
        let wanted = client.resolve(cx, &self.name, &self.rev)?.commit().to_owned();
        let target = look(cx, &self.target)?;
        let inside = Client { dir: Some(self.target.0.clone()), ..client.clone() };
        let mut changes = Changes::new();
        if target == Target::Repository {
            let head = inside.local(cx, "HEAD")?;
            let branch = inside.branch(cx)?;
            let dirty = inside.is_dirty(cx)?;
            let at_wanted = head.as_deref().is_some_and(|h| h.starts_with(&wanted));
            if at_wanted && branch.is_none() && !(dirty && self.hard_reset) {
                return Ok(Plan::unchanged(format!("`{}` is at {wanted}", self.target)));
            }
            if dirty && !self.hard_reset && !self.force_checkout {
                return Err(format!(
                    "`{}` has changes that are not committed; `hard_reset: true` throws them away",
                    self.target
                )
                .into());
            }
            if !at_wanted {
                changes.insert("revision".to_owned(), change(head, wanted.clone()));
            }
            if branch.is_some() {
                changes.insert("branch".to_owned(), change(branch, ()));
            }
            if dirty {
                changes.insert("local_changes".to_owned(), change(true, false));
            }
        } else {
            if target == Target::Other && !self.force_clone {
                return Err(format!(
                    "`{}` is there and is no Git repository; `force_clone: true` replaces it",
                    self.target
                )
                .into());
            }
            changes.insert("new".to_owned(), format!("{} => {}", self.name, self.target).into());
            changes.insert("revision".to_owned(), change((), wanted.clone()));
        }
        let comment = if cx.test { "would check out" } else { "checked out" };
        let comment = format!("{comment} {wanted} in `{}`", self.target);
        Ok(Plan::change(changes, comment, move |cx| {
            if target == Target::Repository {
                if inside.local(cx, &wanted)?.is_none() {
                    inside.git(cx, &["fetch", "--quiet", "--tags", "--force", &self.remote])?;
                }
            } else {
                make_room(cx, &self.target, self.force_clone)?;
                let args = [
                    "clone",
                    "--quiet",
                    "--no-checkout",
                    "--origin",
                    &self.remote,
                    "--",
                    &self.name,
                    &self.target,
                ];
                client.git(cx, &args)?;
            }
            let mut args = vec!["checkout", "--quiet", "--detach"];
            if self.force_checkout || self.hard_reset {
                args.push("--force");
            }
            args.push(&wanted);
            inside.git(cx, &args)?;
            if self.hard_reset {
                inside.git(cx, &["reset", "--quiet", "--hard", &wanted])?;
            }
            if self.submodules {
                inside.git(cx, &["submodule", "--quiet", "update", "--init", "--recursive"])?;
            }
            Ok(Outcome::default())
        }))
    }
}
