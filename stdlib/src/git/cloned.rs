//! `git.cloned`: a repository is cloned; what is there already is left as it is.

use super::client::{Client, Target, look, make_room};
use crate::{Arguments, Changes, Context, Failure, Outcome, Plan, State, change};
use zester_compiler::types::{Path, Secret, User, Value};

/// A repository is cloned. A clone that is there is not moved on, but for its branch.
#[derive(Arguments)]
#[state("git.cloned", any_of("target", "url"))]
pub(crate) struct Cloned {
    /// The address; with `url`, where the working copy lies.
    #[arg(primary)]
    name: String,
    /// Where the working copy lies.
    target: Option<Path>,
    /// The address, in place of `name`.
    url: Option<String>,
    /// The branch that is checked out.
    #[arg(alias = "rev")]
    branch: Option<String>,
    /// User to run as.
    user: Option<User>,
    /// Whether what is at `target` may be replaced.
    #[arg(default = false, alias = "force")]
    force_clone: bool,
    /// How many commits of history are cloned; all when not given.
    depth: Option<u32>,
    /// Private keys for SSH.
    identity: Vec<String>,
    /// User for HTTPS.
    https_user: Option<String>,
    /// Password for HTTPS.
    #[arg(secret)]
    https_pass: Option<Secret>,
    /// Password of the user.
    #[arg(inert = "it concerns Windows only")]
    password: Option<Value>,
    /// How output is read.
    #[arg(inert = "output is always UTF-8")]
    output_encoding: Option<String>,
}

impl State for Cloned {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let (url, target) = match (&self.url, &self.target) {
            (Some(url), target) => (url, target.as_ref().map_or(&self.name, |t| &t.0)),
            (None, Some(target)) => (&self.name, &target.0),
            (None, None) => return Err(format!("`git.cloned` of `{}` needs `target`", self.name).into()),
        };
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
        match look(cx, target)? {
            Target::Repository => self.branch_plan(cx, client, target),
            Target::Other if !self.force_clone => {
                Err(format!("`{target}` is there and is no Git repository; `force_clone: true` replaces it")
                    .into())
            }
            _ => {
                let changes =
                    Changes::from_iter([("new".to_owned(), Value::from(format!("{url} => {target}")))]);
                let comment = if cx.test { "would clone" } else { "cloned" };
                Ok(Plan::change(changes, format!("{comment} `{url}` to `{target}`"), move |cx| {
                    make_room(cx, target, self.force_clone)?;
                    let depth = self.depth.map(|d| d.to_string());
                    let mut args = vec!["clone", "--quiet"];
                    if let Some(branch) = &self.branch {
                        args.extend(["--branch", branch]);
                    }
                    if let Some(depth) = &depth {
                        args.extend(["--depth", depth]);
                    }
                    args.extend(["--", url, target]);
                    client.git(cx, &args)?;
                    Ok(Outcome::default())
                }))
            }
        }
    }
}

impl Cloned {
    fn branch_plan<'a>(&'a self, cx: &Context, client: Client, target: &str) -> Result<Plan<'a>, Failure> {
        let client = Client { dir: Some(target.to_owned()), ..client };
        let unchanged = || Plan::unchanged(format!("`{target}` is cloned"));
        let Some(want) = &self.branch else { return Ok(unchanged()) };
        let branch = client.branch(cx)?;
        // A tag or commit is checked out without a branch.
        let head = client.local(cx, "HEAD")?;
        if branch.as_ref() == Some(want) || (branch.is_none() && client.local(cx, want)? == head) {
            return Ok(unchanged());
        }
        let changes = Changes::from_iter([("branch".to_owned(), change(branch, want.clone()))]);
        let comment = if cx.test { "would check out" } else { "checked out" };
        Ok(Plan::change(changes, format!("{comment} `{want}` in `{target}`"), move |cx| {
            let known = client.local(cx, want)?.is_some()
                || client.local(cx, &format!("refs/remotes/origin/{want}"))?.is_some();
            if !known {
                client.git(cx, &["fetch", "--quiet", "--tags", "origin"])?;
            }
            client.git(cx, &["checkout", "--quiet", want, "--"])?;
            Ok(Outcome::default())
        }))
    }
}
