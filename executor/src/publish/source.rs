//! Where trees to be published come from: a directory that is looked at, or a git remote that is fetched.
//!
//! A tree is published only if it checks; what is wrong with it stops nothing else, and peels keep the tree they have.

use super::{PublishError, Tree};
use crate::local::{Local, LocalError, LocalOptions, machine};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};
use zester_compiler::{
    check::{CheckOptions, check},
    diagnostic::Diagnostic,
    project::{CONFIG_FILE, OpenOptions, Project, TreeKind},
    settings::Unseal,
};
use zester_stdlib::{Cancel, provider::Command};

/// How long `git` may take, in seconds.
const GIT_SECONDS: f64 = 600.0;

/// A source of trees.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// A project's directory.
    Directory {
        /// The directory.
        path: PathBuf,
        /// Between two looks.
        every: Duration,
    },
    /// A branch or tag of a git repository.
    Git {
        /// Its address, as `git clone` takes it.
        url: String,
        /// The branch or tag; the remote's own head without one.
        branch: Option<String>,
        /// The project's directory within the repository.
        directory: Option<String>,
        /// Between two fetches.
        every: Duration,
    },
}

/// Why there is no tree.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The project cannot be opened.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// It cannot be published as it is.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// It has errors: each a line with its place.
    #[error("the tree has {count} errors; nothing is published\n{text}")]
    Errors {
        /// How many.
        count: usize,
        /// The first of them.
        text: String,
    },
    /// The source itself: what `git` says, or the file system.
    #[error("{0}")]
    Source(String),
}

/// What a source looks like from outside: another one is another tree, perhaps.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct Fingerprint(u64, usize);

impl Source {
    /// Holds the parts of a configuration against each other; the error is a sentence.
    pub fn new(
        path: Option<PathBuf>,
        url: Option<String>,
        branch: Option<String>,
        directory: Option<String>,
        every: Option<Duration>,
    ) -> Result<Self, String> {
        match (path, url) {
            (Some(path), None) if branch.is_none() && directory.is_none() => {
                Ok(Self::Directory { path, every: every.unwrap_or(Duration::from_secs(2)) })
            }
            (Some(_), None) => Err("a branch belongs to a git repository, not to a directory".to_owned()),
            (None, Some(url)) => {
                for (what, text) in
                    [("address", Some(&url)), ("branch", branch.as_ref()), ("directory", directory.as_ref())]
                {
                    // Git would take it for an option, or run it.
                    if text.is_some_and(|t| {
                        t.is_empty() || t.starts_with('-') || t.contains("::") || t.contains('\0')
                    }) {
                        return Err(format!("`{}` is no {what} of a repository", text.map_or("", |t| t)));
                    }
                }
                if directory
                    .as_ref()
                    .is_some_and(|d| d.starts_with('/') || d.split('/').any(|part| part == ".."))
                {
                    return Err("the directory must lie within the repository".to_owned());
                }
                Ok(Self::Git { url, branch, directory, every: every.unwrap_or(Duration::from_secs(60)) })
            }
            (None, None) => Err("name a directory or a git repository".to_owned()),
            (Some(_), Some(_)) => Err("name a directory or a git repository, not both".to_owned()),
        }
    }

    /// Between two looks.
    pub fn every(&self) -> Duration {
        match self {
            Self::Directory { every, .. } | Self::Git { every, .. } => *every,
        }
    }

    /// Brings the newest state here, below `cache` where it is fetched: the project's directory, and its fingerprint.
    pub fn fetch(&self, cache: &Path, cancel: &Cancel) -> Result<(PathBuf, Fingerprint), SourceError> {
        match self {
            Self::Directory { path, .. } => Ok((path.clone(), fingerprint(path)?)),
            Self::Git { url, branch, directory, .. } => {
                let commit = fetch_git(url, branch.as_deref(), cache, cancel)?;
                let project = directory.as_ref().map_or_else(|| cache.to_owned(), |d| cache.join(d));
                if !project.is_dir() {
                    let named = directory.as_deref().unwrap_or_default();
                    return Err(SourceError::Source(format!(
                        "the repository `{url}` has no directory `{named}`"
                    )));
                }
                use std::hash::{DefaultHasher, Hash, Hasher};
                let mut hash = DefaultHasher::new();
                commit.hash(&mut hash);
                Ok((project, Fingerprint(hash.finish(), 0)))
            }
        }
    }
}

/// Checks the project and collects what is to be published; `unseal` opens secrets that lie sealed in it.
pub fn collect(directory: &Path, unseal: Arc<dyn Unseal>, cancel: &Cancel) -> Result<Tree, SourceError> {
    let options = LocalOptions {
        project: Some(directory.to_owned()),
        test: true,
        unseal: Some(unseal),
        ..LocalOptions::default()
    };
    let local = Local::open(options, cancel.clone())?;
    let report = check(&local.project, local.library.registry(), &CheckOptions::default())
        .map_err(|e| SourceError::Source(e.to_string()))?;
    let errors: Vec<&Diagnostic> = report.diagnostics.iter().filter(|d| d.is_error()).collect();
    if !errors.is_empty() {
        return Err(SourceError::Errors { count: errors.len(), text: lines(&local, errors) });
    }
    match Tree::collect(&local.project, &local.root) {
        Err(PublishError::Secrets(found)) => {
            Err(SourceError::Errors { count: found.len(), text: lines(&local, found.iter().collect()) })
        }
        other => Ok(other?),
    }
}

fn lines(local: &Local, found: Vec<&Diagnostic>) -> String {
    let line = |d: &&Diagnostic| {
        let (path, at) = local.project.files().locate(d.span);
        format!("{path}:{}:{}: {} [{}]", at.line, at.column, d.message, d.rule.code)
    };
    found.iter().take(20).map(line).collect::<Vec<_>>().join("\n")
}

/// Names, sizes and times of all files of the project: what would be published, wherever it lies.
fn fingerprint(root: &Path) -> Result<Fingerprint, SourceError> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let project = Project::open_dir(root, OpenOptions::default()).map_err(LocalError::from)?;
    let mut files: BTreeSet<String> = [CONFIG_FILE.to_owned()].into();
    for kind in [TreeKind::States, TreeKind::Settings] {
        let environments: Vec<String> = project.environments().map(str::to_owned).collect();
        for env in &environments {
            files.extend(project.files_below(kind, env, "").into_iter().map(|f| f.path));
        }
    }
    let mut hash = DefaultHasher::new();
    for path in &files {
        path.hash(&mut hash);
        // Gone meanwhile: the next look sees it.
        if let Ok(metadata) = std::fs::metadata(root.join(path)) {
            metadata.len().hash(&mut hash);
            metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH).hash(&mut hash);
        }
    }
    Ok(Fingerprint(hash.finish(), files.len()))
}

/// The newest commit, checked out at `cache`.
fn fetch_git(url: &str, branch: Option<&str>, cache: &Path, cancel: &Cancel) -> Result<String, SourceError> {
    let here = cache.to_string_lossy().into_owned();
    let git = |args: &[&str]| -> Result<String, SourceError> {
        // Hooks and filters of a repository are not ours to run.
        let mut all =
            vec!["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-C", here.as_str()];
        all.extend(args);
        let mut command = Command::new("git", all);
        for (name, value) in [
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_ASKPASS", "true"),
            ("GIT_ALLOW_PROTOCOL", "https:http:ssh:git:file"),
            ("GIT_SSH_COMMAND", "ssh -o BatchMode=yes"),
        ] {
            command.env.push((name.to_owned(), Some(value.to_owned())));
        }
        command.timeout = Some(GIT_SECONDS);
        let ended = machine()
            .commands
            .run(&command, cancel)
            .map_err(|e| SourceError::Source(format!("git cannot be started: {e}")))?;
        if ended.success() {
            return Ok(ended.stdout.trim().to_owned());
        }
        let why = if ended.timed_out { "it took too long" } else { ended.stderr.trim() };
        Err(SourceError::Source(format!("git {} of `{url}` failed: {why}", args.first().unwrap_or(&""))))
    };
    if !cache.join(".git").is_dir() {
        std::fs::create_dir_all(cache)
            .map_err(|e| SourceError::Source(format!("`{}` cannot be made: {e}", cache.display())))?;
        git(&["init", "--quiet"])?;
    }
    git(&["fetch", "--quiet", "--force", "--depth=1", "--no-tags", "--", url, branch.unwrap_or("HEAD")])?;
    let commit = git(&["rev-parse", "--verify", "FETCH_HEAD^{commit}"])?;
    git(&["checkout", "--quiet", "--force", "--detach", &commit])?;
    git(&["clean", "-ffdxq"])?;
    Ok(commit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::sealed_text::Keyring;

    fn git(directory: &Path, args: &[&str]) {
        let status = std::process::Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"])
            .args(args)
            .current_dir(directory)
            .status()
            .unwrap();
        assert!(status.success(), "{args:?}");
    }

    #[test]
    fn a_branch_is_followed_and_a_wrong_tree_is_not_published() {
        let (remote, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let write = |text: &str| {
            std::fs::create_dir_all(remote.path().join("tree/states")).unwrap();
            std::fs::write(remote.path().join("tree/states/web.zy"), text).unwrap();
        };
        git(remote.path(), &["init", "--quiet"]);
        write("a: test.nop\n");
        git(remote.path(), &["add", "."]);
        git(remote.path(), &["commit", "--quiet", "-m", "one"]);
        let source = Source::new(
            None,
            Some(remote.path().to_string_lossy().into_owned()),
            Some("main".into()),
            Some("tree".into()),
            None,
        )
        .unwrap();
        let cancel = Cancel::default();
        let copy = cache.path().join("copy");
        let (directory, first) = source.fetch(&copy, &cancel).unwrap();
        let tree = collect(&directory, Arc::new(Keyring::default()), &cancel).unwrap();
        assert_eq!(
            tree.manifest.files.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(),
            ["states/web.zy"]
        );
        assert_eq!(source.fetch(&copy, &cancel).unwrap().1, first);
        write("a: test.nopp\n");
        git(remote.path(), &["commit", "--quiet", "-am", "two"]);
        let (directory, second) = source.fetch(&copy, &cancel).unwrap();
        assert_ne!(first, second);
        let error = collect(&directory, Arc::new(Keyring::default()), &cancel).err().unwrap().to_string();
        assert!(error.contains("states/web.zy:1:9: ") && error.contains("nopp"), "{error}");
    }

    #[test]
    fn hostile_addresses_are_refused() {
        for bad in ["--upload-pack=touch x", "ext::sh -c x", ""] {
            assert!(Source::new(None, Some(bad.into()), None, None, None).is_err(), "{bad}");
        }
        let of = |branch: Option<&str>, directory: Option<&str>| {
            let text = |t: Option<&str>| t.map(str::to_owned);
            Source::new(None, Some("https://example.com/x".into()), text(branch), text(directory), None)
        };
        assert!(of(Some("main"), Some("a/b")).is_ok());
        assert!(
            of(Some("--x"), None).is_err()
                && of(None, Some("../x")).is_err()
                && of(None, Some("/x")).is_err()
        );
        assert!(Source::new(Some("x".into()), Some("y".into()), None, None, None).is_err());
    }

    #[test]
    fn a_directory_that_changes_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("a.zy"), "a: test.nop\n").unwrap();
        let before = fingerprint(directory.path()).unwrap();
        assert_eq!(fingerprint(directory.path()).unwrap(), before);
        std::fs::create_dir(directory.path().join(".git")).unwrap();
        std::fs::write(directory.path().join(".git/x"), "x").unwrap();
        assert_eq!(fingerprint(directory.path()).unwrap(), before);
        std::fs::write(directory.path().join("b.zy"), "b: test.nop\n").unwrap();
        assert_ne!(fingerprint(directory.path()).unwrap(), before);
    }
}
