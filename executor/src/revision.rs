//! A project as a commit of a git repository has it, read from the objects without touching the work tree.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
};
use zester_compiler::source::{DiskSources, MAX_SOURCE_BYTES, SourceError, Sources};

/// Why a revision cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RevisionError {
    /// git cannot be run.
    #[error("git cannot be run: {0}")]
    NoGit(std::io::Error),
    /// git refuses.
    #[error("git: {0}")]
    Git(String),
}

/// The files of a commit.
#[derive(Clone)]
pub struct Revision(Arc<Shared>);

struct Shared {
    repository: PathBuf,
    /// The project's directory in the repository: empty, or with a slash at its end.
    prefix: String,
    /// The commit's name.
    commit: String,
    /// Object of each file, by path in the repository.
    files: BTreeMap<String, String>,
    reader: Mutex<Option<Batch>>,
}

/// A `git cat-file --batch` that answers one object after the other.
struct Batch {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Drop for Batch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn git(directory: &Path, arguments: &[&str]) -> Result<Vec<u8>, RevisionError> {
    let output = Command::new("git")
        .arg("-C")
        .arg(directory)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(RevisionError::NoGit)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim().trim_start_matches("fatal: ");
    Err(RevisionError::Git(said.lines().next().unwrap_or("it failed without a word").to_owned()))
}

impl Revision {
    /// Opens the project that lies in `directory` as `revision` has it: any name that git knows.
    pub fn open(directory: &Path, revision: &str) -> Result<Self, RevisionError> {
        let line = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned();
        let repository = PathBuf::from(line(git(directory, &["rev-parse", "--show-toplevel"])?));
        let prefix = line(git(directory, &["rev-parse", "--show-prefix"])?);
        let wanted = format!("{revision}^{{commit}}");
        let commit = git(directory, &["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted])
            .map(line)
            .map_err(|_| RevisionError::Git(format!("there is no revision `{revision}`")))?;
        let listing = git(&repository, &["ls-tree", "-r", "-z", "--full-tree", &commit])?;
        let mut files = BTreeMap::new();
        let mut links = Vec::new();
        for entry in String::from_utf8_lossy(&listing).split('\0') {
            // `100644 blob <object>\t<path>`
            let Some((about, path)) = entry.split_once('\t') else { continue };
            let mut words = about.split(' ');
            match (words.next(), words.next(), words.next()) {
                (Some("120000"), _, Some(object)) => links.push((path.to_owned(), object.to_owned())),
                (Some(_), Some("blob"), Some(object)) => {
                    files.insert(path.to_owned(), object.to_owned());
                }
                _ => {}
            }
        }
        let shared = Shared { repository, prefix, commit, files, reader: Mutex::default() };
        let linked = shared.follow(links);
        let mut shared = shared;
        shared.files.extend(linked);
        Ok(Self(Arc::new(shared)))
    }

    /// The full name of the commit.
    pub fn commit(&self) -> &str {
        &self.0.commit
    }

    /// The project's files.
    pub fn sources(&self) -> RevisionSources {
        RevisionSources { revision: self.clone(), directory: self.0.prefix.clone() }
    }

    /// The files of a directory that the configuration names beside the project: the commit's where it has it, else
    /// those on the disk.
    pub fn outside(&self, written: &str) -> Arc<dyn Sources> {
        let mut segments: Vec<&str> = self.0.prefix.split('/').filter(|s| !s.is_empty()).collect();
        let mut inside = !written.starts_with('/');
        for segment in written.split('/') {
            match segment {
                "" | "." => {}
                ".." => inside &= segments.pop().is_some(),
                segment => segments.push(segment),
            }
        }
        if !inside {
            return Arc::new(DiskSources::new(self.0.repository.join(&self.0.prefix).join(written)));
        }
        let directory = if segments.is_empty() { String::new() } else { format!("{}/", segments.join("/")) };
        Arc::new(RevisionSources { revision: self.clone(), directory })
    }
}

impl Shared {
    /// Links to files, as the objects they lead to.
    fn follow(&self, links: Vec<(String, String)>) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for (path, object) in links {
            let Ok(target) = self.object(&object, &path) else { continue };
            let target = String::from_utf8_lossy(&target).into_owned();
            let mut segments: Vec<&str> = path.split('/').collect();
            segments.pop();
            let mut inside = !target.starts_with('/');
            for segment in target.split('/') {
                match segment {
                    "" | "." => {}
                    ".." => inside &= segments.pop().is_some(),
                    segment => segments.push(segment),
                }
            }
            if let Some(object) = self.files.get(&segments.join("/")).filter(|_| inside) {
                found.push((path, object.clone()));
            }
        }
        found
    }

    fn object(&self, object: &str, path: &str) -> Result<Vec<u8>, SourceError> {
        let io = |error| SourceError::Io { path: path.to_owned(), error };
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let read = |batch: &mut Batch| batch.read(object);
        let result = match reader.as_mut() {
            Some(batch) => read(batch),
            None => Batch::start(&self.repository).and_then(|batch| read(reader.insert(batch))),
        };
        if result.is_err() {
            // What was half read would be taken for the next answer.
            *reader = None;
        }
        match result {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(size)) => {
                Err(SourceError::TooLarge { path: path.to_owned(), size, limit: MAX_SOURCE_BYTES })
            }
            Err(error) => Err(io(error)),
        }
    }
}

impl Batch {
    fn start(repository: &Path) -> std::io::Result<Self> {
        let mut child = Command::new("git")
            .arg("-C")
            .arg(repository)
            .args(["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(input), Some(output)) => Ok(Self { child, input, output: BufReader::new(output) }),
            _ => Err(std::io::Error::other("git has no pipes")),
        }
    }

    /// An object's bytes; its size where that is more than a source file may have.
    fn read(&mut self, object: &str) -> std::io::Result<Result<Vec<u8>, u64>> {
        self.input.write_all(format!("{object}\n").as_bytes())?;
        self.input.flush()?;
        let mut header = String::new();
        self.output.read_line(&mut header)?;
        // `<object> blob <size>`, or `<object> missing`
        let size: u64 = header
            .trim_end()
            .rsplit(' ')
            .next()
            .and_then(|size| size.parse().ok())
            .ok_or_else(|| std::io::Error::other(format!("git says `{}`", header.trim_end())))?;
        let mut body = (&mut self.output).take(size + 1);
        if size > MAX_SOURCE_BYTES {
            std::io::copy(&mut body, &mut std::io::sink())?;
            return Ok(Err(size));
        }
        let mut bytes = Vec::new();
        body.read_to_end(&mut bytes)?;
        if bytes.pop() != Some(b'\n') {
            return Err(std::io::Error::other("git ended in the middle of an object"));
        }
        Ok(Ok(bytes))
    }
}

/// Files of a commit below a directory.
pub struct RevisionSources {
    revision: Revision,
    /// Empty, or with a slash at its end.
    directory: String,
}

impl RevisionSources {
    fn below(&self, prefix: String) -> impl Iterator<Item = &str> {
        let files = &self.revision.0.files;
        let start = prefix.clone();
        files
            .range(start..)
            .take_while(move |(path, _)| path.starts_with(&prefix))
            .filter_map(|(path, _)| path.strip_prefix(&self.directory))
    }

    fn prefix(&self, path: &str) -> String {
        let path = path.trim_matches('/');
        if path.is_empty() { self.directory.clone() } else { format!("{}{path}/", self.directory) }
    }
}

impl Sources for RevisionSources {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, SourceError> {
        let shared = &self.revision.0;
        let object = shared
            .files
            .get(&format!("{}{path}", self.directory))
            .ok_or_else(|| SourceError::NotFound(path.to_owned()))?;
        shared.object(object, path).map(Into::into)
    }

    fn is_file(&self, path: &str) -> bool {
        self.revision.0.files.contains_key(&format!("{}{path}", self.directory))
    }

    fn is_dir(&self, path: &str) -> bool {
        self.below(self.prefix(path)).next().is_some()
    }

    fn files_below(&self, path: &str) -> Vec<String> {
        let all: BTreeSet<&str> = self.below(self.prefix(path)).collect();
        all.into_iter().map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(directory: &Path, arguments: &[&str]) {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"];
        let all: Vec<&str> = identity.iter().chain(arguments).copied().collect();
        git(directory, &all).unwrap();
    }

    #[test]
    fn a_commit_is_read_beside_a_changed_work_tree() {
        let dir = tempfile::tempdir().unwrap();
        let project = dir.path().join("site");
        std::fs::create_dir_all(project.join("states/web")).unwrap();
        std::fs::create_dir_all(dir.path().join("formulas")).unwrap();
        std::fs::write(project.join("states/web/init.zy"), "a: test.nop\n").unwrap();
        std::fs::write(dir.path().join("formulas/x.zy"), "x: test.nop\n").unwrap();
        std::os::unix::fs::symlink("web/init.zy", project.join("states/link.zy")).unwrap();
        run(dir.path(), &["init", "-q"]);
        run(dir.path(), &["add", "-A"]);
        run(dir.path(), &["commit", "-q", "-m", "first"]);
        std::fs::write(project.join("states/web/init.zy"), "changed: test.nop\n").unwrap();
        let revision = Revision::open(&project, "HEAD").unwrap();
        let sources = revision.sources();
        assert_eq!(sources.files_below(""), ["states/link.zy", "states/web/init.zy"]);
        assert_eq!(sources.files_below("states/web"), ["states/web/init.zy"]);
        assert_eq!(&*sources.read("states/web/init.zy").unwrap(), b"a: test.nop\n");
        assert_eq!(&*sources.read("states/link.zy").unwrap(), b"a: test.nop\n");
        assert!(sources.is_dir("states") && !sources.is_dir("state") && !sources.is_file("states"));
        assert_eq!(revision.outside("../formulas").files_below(""), ["x.zy"]);
        assert!(matches!(sources.read("none"), Err(SourceError::NotFound(_))));
        let error = Revision::open(&project, "nothing").err().unwrap().to_string();
        assert_eq!(error, "git: there is no revision `nothing`");
    }
}
