//! The `git` program: run without a shell and without questions, as the wanted user, with the wanted identity.

use crate::{
    Context,
    provider::{
        FileKind, Output,
        tool::{run, succeed, tool},
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};

/// How `git` is run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Client {
    /// The working copy.
    pub dir: Option<String>,
    /// The user it runs as.
    pub user: Option<String>,
    /// Private keys for SSH.
    pub identity: Vec<String>,
    /// User and password for HTTPS.
    pub https: Option<(String, String)>,
}

/// What a revision is on the remote side.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Revision {
    /// A branch, and its newest commit.
    Branch(String, String),
    /// A tag, and its commit.
    Tag(String, String),
    /// A commit by its number, perhaps shortened.
    Commit(String),
}

impl Revision {
    /// The commit.
    pub(crate) fn commit(&self) -> &str {
        match self {
            Self::Branch(_, commit) | Self::Tag(_, commit) | Self::Commit(commit) => commit,
        }
    }
}

impl Client {
    fn command(&self, args: &[&str]) -> crate::provider::Command {
        let mut all: Vec<String> = Vec::new();
        if let Some(dir) = &self.dir {
            // The working copy may be another user's; the author named it.
            all.extend(["-c".to_owned(), format!("safe.directory={dir}"), "-C".to_owned(), dir.clone()]);
        }
        all.extend(args.iter().map(|a| (*a).to_owned()));
        let mut command = tool("git", all);
        let mut set = |name: &str, value: String| command.env.push((name.to_owned(), Some(value)));
        set("GIT_TERMINAL_PROMPT", "0".to_owned());
        set("GIT_ASKPASS", "true".to_owned());
        set("GIT_CONFIG_NOSYSTEM", "0".to_owned());
        let keys =
            self.identity.iter().map(|key| format!(" -i {}", quoted(key))).collect::<Vec<_>>().concat();
        let only = if keys.is_empty() { "" } else { " -o IdentitiesOnly=yes" };
        set("GIT_SSH_COMMAND", format!("ssh -o BatchMode=yes{only}{keys}"));
        if let Some((user, password)) = &self.https {
            // Through the environment: a command line could be read by everyone.
            set("GIT_CONFIG_COUNT", "1".to_owned());
            set("GIT_CONFIG_KEY_0", "http.extraHeader".to_owned());
            let pair = STANDARD.encode(format!("{user}:{password}"));
            set("GIT_CONFIG_VALUE_0", format!("Authorization: Basic {pair}"));
        }
        command.runas.clone_from(&self.user);
        command
    }

    /// Runs `git`; gives its standard output without the last line break.
    pub(crate) fn git(&self, cx: &Context, args: &[&str]) -> Result<String, String> {
        Ok(succeed(cx, self.command(args))?.stdout.trim_end().to_owned())
    }

    /// Runs `git` and leaves it to the caller what its status means.
    pub(crate) fn try_git(&self, cx: &Context, args: &[&str]) -> Result<Output, String> {
        run(cx, self.command(args))
    }

    /// The commit of a local name, `None` when there is none.
    pub(crate) fn local(&self, cx: &Context, name: &str) -> Result<Option<String>, String> {
        let name = format!("{name}^{{commit}}");
        let output = self.try_git(cx, &["rev-parse", "--verify", "--quiet", "--end-of-options", &name])?;
        Ok(output.success().then(|| output.stdout.trim().to_owned()))
    }

    /// The branch that is checked out, `None` when none is.
    pub(crate) fn branch(&self, cx: &Context) -> Result<Option<String>, String> {
        let output = self.try_git(cx, &["symbolic-ref", "--quiet", "--short", "HEAD"])?;
        Ok(output.success().then(|| output.stdout.trim().to_owned()))
    }

    /// Whether a commit is among the ancestors of another.
    pub(crate) fn is_ancestor(&self, cx: &Context, old: &str, new: &str) -> Result<bool, String> {
        Ok(self.try_git(cx, &["merge-base", "--is-ancestor", old, new])?.success())
    }

    /// Whether tracked files have changes that are not committed.
    pub(crate) fn is_dirty(&self, cx: &Context) -> Result<bool, String> {
        Ok(!self.git(cx, &["status", "--porcelain", "--untracked-files=no"])?.is_empty())
    }

    /// The address of a remote.
    pub(crate) fn remote_url(&self, cx: &Context, remote: &str) -> Result<Option<String>, String> {
        let key = format!("remote.{remote}.url");
        let output = self.try_git(cx, &["config", "--get", &key])?;
        Ok(output.success().then(|| output.stdout.trim().to_owned()))
    }

    /// What a revision is at an address. `HEAD` is the branch that the remote side takes for its main one.
    pub(crate) fn resolve(&self, cx: &Context, url: &str, rev: &str) -> Result<Revision, String> {
        let client = Self { dir: None, ..self.clone() };
        let listing = client.git(cx, &["ls-remote", "--symref", "--", url])?;
        let mut head = None;
        let mut refs: Vec<(&str, &str)> = Vec::new();
        for line in listing.lines() {
            let Some((value, name)) = line.split_once('\t') else { continue };
            match value.strip_prefix("ref: ") {
                Some(target) if name == "HEAD" => head = target.strip_prefix("refs/heads/"),
                Some(_) => {}
                None => refs.push((name, value)),
            }
        }
        let find = |name: &str| refs.iter().find(|(n, _)| *n == name).map(|(_, c)| (*c).to_owned());
        let rev_name = if rev == "HEAD" { head.unwrap_or("HEAD") } else { rev };
        if let Some(commit) = find(&format!("refs/heads/{rev_name}")) {
            return Ok(Revision::Branch(rev_name.to_owned(), commit));
        }
        let tag = format!("refs/tags/{rev_name}");
        if let Some(commit) = find(&format!("{tag}^{{}}")).or_else(|| find(&tag)) {
            return Ok(Revision::Tag(rev_name.to_owned(), commit));
        }
        if rev == "HEAD"
            && let Some(commit) = find("HEAD")
        {
            return Ok(Revision::Commit(commit));
        }
        if rev.len() >= 7 && rev.len() <= 64 && rev.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Ok(Revision::Commit(rev.to_ascii_lowercase()));
        }
        let names = refs
            .iter()
            .filter_map(|(n, _)| n.strip_prefix("refs/heads/").or_else(|| n.strip_prefix("refs/tags/")));
        Err(match zester_compiler::diagnostic::nearest(rev, names) {
            Some(near) => format!("`{url}` has no branch or tag `{rev}`; is it `{near}`?"),
            None => format!("`{url}` has no branch or tag `{rev}`"),
        })
    }
}

/// For the shell that Git gives `GIT_SSH_COMMAND` to.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// What lies at the target of a clone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    /// Nothing, or an empty directory.
    Free,
    /// A working copy or a bare repository.
    Repository,
    /// Something else.
    Other,
}

/// Looks what lies at the target.
pub(crate) fn look(cx: &Context, path: &str) -> Result<Target, String> {
    let files = &cx.machine.files;
    let unreadable = |e: std::io::Error| format!("`{path}` could not be read: {e}");
    if !path.starts_with('/') {
        return Err(format!("the target of a clone is an absolute path, not `{path}`"));
    }
    let Some(stat) = files.stat(path, true).map_err(unreadable)? else { return Ok(Target::Free) };
    if stat.kind != FileKind::Directory {
        return Ok(Target::Other);
    }
    let names = files.list(path).map_err(unreadable)?;
    let has = |name: &str| names.iter().any(|n| n == name);
    Ok(if has(".git") || (has("HEAD") && has("objects") && has("refs")) {
        Target::Repository
    } else if names.is_empty() {
        Target::Free
    } else {
        Target::Other
    })
}

/// Makes room for a clone: removes what is there when the author allows it.
pub(crate) fn make_room(cx: &Context, path: &str, force: bool) -> Result<(), String> {
    if look(cx, path)? == Target::Free {
        return Ok(());
    }
    if !force {
        return Err(format!("`{path}` is there and is no Git repository; `force_clone: true` replaces it"));
    }
    if path.trim_matches('/').is_empty() {
        return Err("the root directory is not replaced by a clone".to_owned());
    }
    cx.machine.files.remove_dir_all(path).map_err(|e| format!("`{path}` could not be removed: {e}"))
}
