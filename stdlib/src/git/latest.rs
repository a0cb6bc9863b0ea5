//! `git.latest`: a working copy is at the newest commit of a branch, or at a tag or commit.

use super::client::{Client, Revision, Target, look, make_room};
use crate::{Arguments, Changes, Context, Failure, Outcome, Plan, State, change};
use zester_compiler::types::{Path, Secret, User, Value};

/// A repository is cloned, and its working copy is at the newest commit of the wanted revision.
///
/// Changes that are not committed, and commits that the remote side does not have, are kept: the state fails, unless
/// `force_reset` says that they may go.
#[derive(Arguments)]
#[state("git.latest")]
pub(crate) struct Latest {
    /// The address.
    #[arg(primary)]
    name: String,
    /// Where the working copy lies.
    target: Path,
    /// Branch, tag or commit; the remote side's main branch when not given.
    #[arg(default = "HEAD")]
    rev: String,
    /// Name of the local branch; that of `rev` when it is a branch.
    branch: Option<String>,
    /// User to run as.
    user: Option<User>,
    /// Whether an existing working copy is moved on.
    #[arg(default = true)]
    update_head: bool,
    /// Whether a checkout may overwrite changed files.
    #[arg(default = false)]
    force_checkout: bool,
    /// Whether what is at `target` may be replaced.
    #[arg(default = false, alias = "force")]
    force_clone: bool,
    /// Whether moved branches and tags are fetched.
    #[arg(default = false)]
    force_fetch: bool,
    /// Whether local changes and commits may go; `remote-changes` when the remote side has moved only.
    #[arg(ty = Type::Union(vec![Type::Bool, Type::Enum(vec!["remote-changes".to_owned()])]))]
    force_reset: Option<Value>,
    /// Whether submodules are brought along.
    #[arg(default = false)]
    submodules: bool,
    /// Whether the clone has no working copy.
    #[arg(default = false)]
    bare: bool,
    /// Whether the clone mirrors all refs.
    #[arg(default = false)]
    mirror: bool,
    /// Name of the remote.
    #[arg(default = "origin")]
    remote: String,
    /// Whether tags are fetched.
    #[arg(default = true)]
    fetch_tags: bool,
    /// Whether tags that are gone are removed.
    #[arg(default = true)]
    sync_tags: bool,
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
    /// Pattern of branches to fetch.
    #[arg(inert = "all branches are fetched")]
    refspec_branch: Option<String>,
    /// Pattern of tags to fetch.
    #[arg(inert = "all tags are fetched")]
    refspec_tag: Option<String>,
}

impl State for Latest {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let client = self.client(cx);
        let wanted = client.resolve(cx, &self.name, &self.rev)?;
        if look(cx, &self.target)? != Target::Repository {
            return self.clone_plan(cx, client, wanted);
        }
        let client = Client { dir: Some(self.target.0.clone()), ..client };
        let mut changes = Changes::new();
        let url = client.remote_url(cx, &self.remote)?;
        if url.as_deref() != Some(self.name.as_str()) {
            changes.insert(format!("remotes/{}", self.remote), change(url.clone(), self.name.clone()));
        }
        let head = client.local(cx, "HEAD")?;
        if self.bare || self.mirror {
            return self.bare_plan(cx, client, url.is_some(), changes);
        }
        let at_wanted = head.as_deref().is_some_and(|h| h.starts_with(wanted.commit()));
        let branch = client.branch(cx)?;
        let want_branch = self.local_branch(&wanted);
        let dirty = client.is_dirty(cx)?;
        let reset = matches!(self.force_reset, Some(Value::Bool(true)))
            || (self.force_reset.is_some_and_text("remote-changes") && !at_wanted);
        if at_wanted && !(dirty && reset) && (want_branch.is_none() || branch == want_branch) {
            if changes.is_empty() {
                let local = if dirty { ", with changes that are not committed" } else { "" };
                return Ok(Plan::unchanged(format!("`{}` is at {}{local}", self.target, wanted.commit())));
            }
        } else if !self.update_head {
            if changes.is_empty() {
                return Ok(Plan::unchanged(format!(
                    "`{}` is left where it is: `update_head` is off",
                    self.target
                )));
            }
        } else {
            if dirty && !reset && !self.force_checkout {
                return Err(format!(
                    "`{}` has changes that are not committed; `force_reset: true` throws them away",
                    self.target
                )
                .into());
            }
            if !at_wanted {
                changes.insert("revision".to_owned(), change(head.clone(), wanted.commit()));
            }
            if want_branch.is_some() && branch != want_branch {
                changes.insert("branch".to_owned(), change(branch, want_branch.clone()));
            }
            if dirty && reset {
                changes.insert("local_changes".to_owned(), change(true, false));
            }
            self.check_forward(cx, &client, want_branch.as_deref(), &wanted, reset)?;
        }
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("`{}` is at {}", self.target, wanted.commit())));
        }
        let comment = if cx.test { "would update" } else { "updated" };
        let comment = format!("{comment} `{}` to {}", self.target, wanted.commit());
        let has_remote = url.is_some();
        Ok(Plan::change(changes, comment, move |cx| {
            self.point_remote(cx, &client, has_remote)?;
            self.fetch(cx, &client)?;
            if self.update_head {
                self.check_forward(cx, &client, want_branch.as_deref(), &wanted, reset)?;
                self.check_out(cx, &client, want_branch.as_deref(), &wanted, reset)?;
            }
            Ok(Outcome::default())
        }))
    }
}

/// A question about an optional value.
trait IsText {
    fn is_some_and_text(&self, text: &str) -> bool;
}

impl IsText for Option<Value> {
    fn is_some_and_text(&self, text: &str) -> bool {
        self.as_ref().and_then(Value::as_str) == Some(text)
    }
}

impl Latest {
    fn client(&self, cx: &Context) -> Client {
        let password = self.https_pass.as_ref().map(|p| p.0.to_string()).unwrap_or_default();
        Client {
            dir: None,
            user: self
                .user
                .as_ref()
                .map(|u| u.0.clone())
                .or_else(|| cx.runas.as_ref().map(|r| r.to_string())),
            identity: self.identity.clone(),
            https: self.https_user.clone().map(|user| (user, password)),
        }
    }

    /// The local branch that is checked out at the end; `None` for a tag or commit without `branch`.
    fn local_branch(&self, wanted: &Revision) -> Option<String> {
        self.branch.clone().or_else(|| match wanted {
            Revision::Branch(name, _) => Some(name.clone()),
            _ => None,
        })
    }

    /// Fails when commits would be lost that the remote side does not have.
    fn check_forward(
        &self,
        cx: &Context,
        client: &Client,
        branch: Option<&str>,
        wanted: &Revision,
        reset: bool,
    ) -> Result<(), Failure> {
        let Some(branch) = branch.filter(|_| !reset) else { return Ok(()) };
        let Some(old) = client.local(cx, &format!("refs/heads/{branch}"))? else { return Ok(()) };
        // A commit that is not here yet is looked at again after it was fetched.
        let Some(new) = client.local(cx, wanted.commit())? else { return Ok(()) };
        if client.is_ancestor(cx, &old, &new)? {
            return Ok(());
        }
        Err(format!(
            "branch `{branch}` of `{}` cannot be moved forward from {old} to {new}: it has commits that `{}` does not \
             have; `force_reset: true` throws them away",
            self.target, self.rev
        )
        .into())
    }

    fn clone_plan<'a>(&'a self, cx: &Context, client: Client, wanted: Revision) -> Result<Plan<'a>, Failure> {
        if look(cx, &self.target)? == Target::Other && !self.force_clone {
            return Err(format!(
                "`{}` is there and is no Git repository; `force_clone: true` replaces it",
                self.target
            )
            .into());
        }
        let changes = Changes::from_iter([
            ("new".to_owned(), Value::from(format!("{} => {}", self.name, self.target))),
            ("revision".to_owned(), change((), wanted.commit())),
        ]);
        let comment = if cx.test { "would clone" } else { "cloned" };
        let comment = format!("{comment} `{}` to `{}`", self.name, self.target);
        Ok(Plan::change(changes, comment, move |cx| {
            make_room(cx, &self.target, self.force_clone)?;
            let depth = self.depth.map(|d| d.to_string());
            let mut args = vec!["clone", "--quiet", "--origin", self.remote.as_str()];
            if self.mirror {
                args.push("--mirror");
            } else if self.bare {
                args.push("--bare");
            } else {
                args.push("--no-checkout");
            }
            if let Some(depth) = &depth {
                args.extend(["--depth", depth]);
                if let Revision::Branch(name, _) | Revision::Tag(name, _) = &wanted {
                    args.extend(["--branch", name]);
                }
            }
            args.extend(["--", &self.name, &self.target]);
            client.git(cx, &args)?;
            if !(self.bare || self.mirror) {
                let client = Client { dir: Some(self.target.0.clone()), ..client };
                let branch = self.local_branch(&wanted);
                self.check_out(cx, &client, branch.as_deref(), &wanted, true)?;
            }
            Ok(Outcome::default())
        }))
    }

    fn bare_plan<'a>(
        &'a self,
        cx: &Context,
        client: Client,
        has_remote: bool,
        mut changes: Changes,
    ) -> Result<Plan<'a>, Failure> {
        let refs = |text: &str| -> Vec<String> {
            let mut all: Vec<String> = text
                .lines()
                .filter_map(|l| l.split_once(['\t', ' ']))
                .filter(|(_, name)| name.starts_with("refs/heads/") || name.starts_with("refs/tags/"))
                .filter(|(_, name)| !name.ends_with("^{}"))
                .map(|(commit, name)| format!("{commit} {name}"))
                .collect();
            all.sort();
            all
        };
        let there = Client { dir: None, ..client.clone() };
        let remote = refs(&there.git(cx, &["ls-remote", "--", &self.name])?);
        let shown = client.try_git(cx, &["show-ref"])?;
        let local = refs(&shown.stdout);
        let missing: Vec<String> = remote.into_iter().filter(|r| !local.contains(r)).collect();
        if !missing.is_empty() {
            changes.insert("refs".to_owned(), change((), missing));
        }
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("`{}` has everything that `{}` has", self.target, self.name)));
        }
        let comment = if cx.test { "would fetch into" } else { "fetched into" };
        Ok(Plan::change(changes, format!("{comment} `{}`", self.target), move |cx| {
            self.point_remote(cx, &client, has_remote)?;
            client.git(
                cx,
                &[
                    "fetch",
                    "--quiet",
                    "--prune",
                    "--tags",
                    "--force",
                    &self.remote,
                    "+refs/heads/*:refs/heads/*",
                ],
            )?;
            Ok(Outcome::default())
        }))
    }

    fn point_remote(&self, cx: &Context, client: &Client, has_remote: bool) -> Result<(), String> {
        let verb = if has_remote { "set-url" } else { "add" };
        if client.remote_url(cx, &self.remote)?.as_deref() != Some(self.name.as_str()) {
            client.git(cx, &["remote", verb, "--", &self.remote, &self.name])?;
        }
        Ok(())
    }

    fn fetch(&self, cx: &Context, client: &Client) -> Result<(), String> {
        let mut args = vec!["fetch", "--quiet"];
        if self.fetch_tags {
            args.push("--tags");
        }
        if self.sync_tags && self.fetch_tags {
            args.push("--prune-tags");
            args.push("--prune");
        }
        if self.force_fetch || self.force_reset.is_some() {
            args.push("--force");
        }
        args.push(&self.remote);
        client.git(cx, &args).map(drop)
    }

    fn check_out(
        &self,
        cx: &Context,
        client: &Client,
        branch: Option<&str>,
        wanted: &Revision,
        reset: bool,
    ) -> Result<(), String> {
        let Some(commit) = client.local(cx, wanted.commit())? else {
            return Err(format!("`{}` has no commit {}", self.name, wanted.commit()));
        };
        match branch {
            None => {
                let mut args = vec!["checkout", "--quiet", "--detach"];
                if reset || self.force_checkout {
                    args.push("--force");
                }
                args.push(&commit);
                client.git(cx, &args)?;
            }
            Some(branch) => {
                let exists = client.local(cx, &format!("refs/heads/{branch}"))?.is_some();
                if client.branch(cx)?.as_deref() != Some(branch) || client.local(cx, "HEAD")?.is_none() {
                    let mut args = vec!["checkout", "--quiet"];
                    if reset || self.force_checkout {
                        args.push("--force");
                    }
                    if exists {
                        args.extend([branch, "--"]);
                    } else {
                        args.extend(["--no-track", "-b", branch, &commit]);
                    }
                    client.git(cx, &args)?;
                }
                if reset {
                    client.git(cx, &["reset", "--quiet", "--hard", &commit])?;
                } else {
                    client.git(cx, &["merge", "--quiet", "--ff-only", &commit])?;
                }
                if let Revision::Branch(name, _) = wanted {
                    let upstream = format!("{}/{name}", self.remote);
                    // A shallow clone of one branch may not know the other; then there is nothing to follow.
                    client.try_git(cx, &["branch", "--quiet", "--set-upstream-to", &upstream, branch])?;
                }
            }
        }
        if self.submodules {
            client.git(cx, &["submodule", "--quiet", "update", "--init", "--recursive"])?;
        }
        Ok(())
    }
}
