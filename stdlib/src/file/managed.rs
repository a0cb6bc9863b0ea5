//! `file.managed`

use super::{
    attributes::{Attributes, FileMode},
    backup::Backup,
    desired::Desired,
    diff::Show,
    path, template,
};
use crate::{
    Context, Failure, Plan, State,
    provider::FileKind,
    source::{self, Checksum, Verify},
};
use zester_compiler::types::{Group, Map, Path, User, Value};
use zester_stdlib_derive::Arguments;

/// Makes sure that a file exists with a certain content, owner and mode.
///
/// The content comes from `contents` (or `contents_pillar`, `contents_grains`) or from `source`; without any of them
/// only owner and mode are managed, and a missing file is made empty. The file is replaced in one step: whatever
/// happens, either the old or the new one is there.
#[derive(Arguments)]
#[state("file.managed", at_most_one_of("contents", "contents_pillar", "contents_grains"))]
pub(crate) struct Managed {
    /// The file's path.
    #[arg(primary, alias = "path")]
    name: Path,
    /// Where the content comes from: `zester://` (or `salt://`) for the state tree, an absolute path of the machine,
    /// `http://` or `https://`. Of a list the first that exists is taken; an entry may be a map of a source to its checksum.
    #[arg(ty = Type::List(Box::new(Type::Source.or(Type::Map(Box::new(Type::Str))))))]
    source: Vec<Value>,
    /// Checksum of the source (`sha256=…`), or the address of a file of checksums. Needed for sources of the web,
    /// unless `skip_verify` is set.
    #[arg(ty = Type::Hash)]
    source_hash: Option<String>,
    /// The name to look for in a file of checksums, where it is not that of the source or the target.
    source_hash_name: Option<String>,
    /// Takes the source as it comes, without a checksum.
    #[arg(default = false)]
    skip_verify: bool,
    /// Whether a copy of a downloaded source is kept.
    #[arg(default = true, inert = "downloads are cached by their address and checked each time")]
    keep_source: bool,
    /// Whether the server is asked if a download has changed.
    #[arg(default = false, inert = "the server's ETag is always used where no checksum is given")]
    use_etag: bool,
    /// Whether the certificate of an `https://` source is verified.
    #[arg(default = true)]
    verify_ssl: bool,
    /// The content itself: a text, or a list of lines.
    #[arg(alias = "content")]
    contents: Option<Vec<String>>,
    /// Path of a setting that holds the content, keys separated by `contents_delimiter`.
    #[arg(alias = "contents_settings")]
    contents_pillar: Option<String>,
    /// Path of a fact that holds the content.
    #[arg(alias = "contents_facts")]
    contents_grains: Option<String>,
    /// Whether each part of `contents` ends with a newline.
    #[arg(default = true)]
    contents_newline: bool,
    /// Separates the keys of `contents_pillar` and `contents_grains`.
    #[arg(default = ":")]
    contents_delimiter: String,
    /// Whether content from a setting or fact may be empty.
    #[arg(default = true)]
    allow_empty: bool,
    /// Renders the content as a template: `jinja`.
    #[arg(ty = Type::Template)]
    template: Option<Value>,
    /// Variables of the template.
    context: Map,
    /// Variables of the template where `context` has none of that name.
    defaults: Map,
    /// Owner of the file.
    user: Option<User>,
    /// Group of the file.
    group: Option<Group>,
    /// Permission bits; `keep` takes those of the source.
    #[arg(alias = "file_mode")]
    mode: Option<FileMode>,
    /// Attributes of `chattr`.
    #[arg(inert = "file attributes of `chattr` are not managed; run `chattr` by `cmd.run`")]
    attrs: Option<String>,
    /// Whether missing parent directories are made.
    #[arg(default = false)]
    makedirs: bool,
    /// Permission bits of parents that are made.
    dir_mode: Option<FileMode>,
    /// Whether an existing file's content is replaced; with `false` the content is only that of a new file.
    #[arg(default = true)]
    replace: bool,
    /// Whether a missing file is made.
    #[arg(default = true)]
    create: bool,
    /// Keeps a copy of the old file: `minion` (below the cache directory), or a suffix such as `.bak`.
    backup: Backup,
    /// Whether the difference is shown.
    #[arg(default = true, alias = "show_diff")]
    show_changes: bool,
    /// Encoding of the content on the machine.
    #[arg(default = "utf-8", one_of("utf-8", "utf8", "ascii", "latin-1", "iso-8859-1", "utf-16"))]
    encoding: String,
    /// What is done with characters the encoding does not have.
    #[arg(default = "strict", one_of("strict", "ignore", "replace"))]
    encoding_errors: String,
    /// Whether a link at the path is followed; otherwise the link is replaced by the file.
    #[arg(default = true)]
    follow_symlinks: bool,
    /// Commands that must accept the new content before it is put in place; the path of a temporary file with the
    /// content is appended to each.
    #[arg(ty = Type::List(Box::new(Type::Command)))]
    check_cmd: Vec<String>,
    /// Ending of the name of the file `check_cmd` sees.
    #[arg(default = "")]
    tmp_ext: String,
    /// Directory of the file `check_cmd` sees.
    tmp_dir: Option<Path>,
    /// Whether the order of lines matters.
    #[arg(default = false)]
    ignore_ordering: bool,
    /// Whether white space matters.
    #[arg(default = false)]
    ignore_whitespace: bool,
    /// Whether comment lines matter: lines that begin with one of these characters do not.
    ignore_comment_characters: Option<String>,
    /// A signature of the source.
    #[arg(inert = "signatures are not checked; give `source_hash`")]
    signature: Option<Value>,
    /// A signature of the file of checksums.
    #[arg(inert = "signatures are not checked; give `source_hash`")]
    source_hash_sig: Option<Value>,
    /// Keys that signatures are checked with.
    #[arg(inert = "signatures are not checked; give `source_hash`")]
    keyring: Option<Value>,
    /// Directory of those keys.
    #[arg(inert = "signatures are not checked; give `source_hash`")]
    gnupghome: Option<Value>,
    /// How signatures are checked.
    #[arg(inert = "signatures are not checked; give `source_hash`")]
    sig_backend: Option<Value>,
    /// Keys of which one must have signed.
    #[arg(inert = "signatures are not checked; give `source_hash`")]
    signed_by_any: Option<Value>,
    /// Keys that all must have signed.
    #[arg(inert = "signatures are not checked; give `source_hash`")]
    signed_by_all: Option<Value>,
    /// Whether the result shows the whole content of a new file.
    #[arg(default = false)]
    new_file_diff: bool,
    /// Environment of the state tree the source is taken from, where it is not the state's own.
    #[arg(alias = "env")]
    saltenv: Option<String>,
    /// SELinux context.
    #[arg(
        inert = "the label of an existing file is kept; set others by `selinux.*` or `cmd.run: restorecon`"
    )]
    selinux: Option<Map>,
    /// Windows only.
    #[arg(inert = "Windows only")]
    win_owner: Option<String>,
    /// Windows only.
    #[arg(inert = "Windows only")]
    win_perms: Option<Value>,
    /// Windows only.
    #[arg(inert = "Windows only")]
    win_deny_perms: Option<Value>,
    /// Windows only.
    #[arg(inert = "Windows only")]
    win_inheritance: Option<bool>,
    /// Windows only.
    #[arg(inert = "Windows only")]
    win_perms_reset: Option<bool>,
}

impl State for Managed {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let target = path::absolute(cx, &self.name)?;
        let stat = path::stat(cx, &target, self.follow_symlinks)?;
        if stat.is_none() && !self.create {
            return Ok(Plan::unchanged(format!(
                "`{target}` does not exist and `create: false` says to leave it so"
            )));
        }
        if let Some(stat) = &stat
            && stat.kind == FileKind::Directory
        {
            return Err(Failure::new(format!("`{target}` is a directory, not a file")));
        }
        let exists = stat.as_ref().is_some_and(|s| s.kind != FileKind::Symlink);
        let mut mode = self.mode.and_then(FileMode::bits);
        let content = if exists && !self.replace {
            None
        } else {
            let (content, source_mode) = self.content(cx, &target, exists)?;
            if self.mode == Some(FileMode::Keep) {
                mode = source_mode;
            }
            content
        };
        let content = match content {
            Some(new) if exists && self.is_loosely_equal(cx, &target, &new)? => None,
            other => other,
        };
        let user = self.user.as_deref();
        let attributes = Attributes::resolve(cx, user, self.group.as_deref(), mode)?;
        let dir_mode = self.dir_mode.and_then(FileMode::bits);
        Desired {
            content,
            attributes,
            stat,
            new_file_diff: self.new_file_diff,
            follow: self.follow_symlinks,
            makedirs: self.makedirs.then(|| path::directory_mode(dir_mode, mode)),
            backup: self.backup.clone(),
            show: self.show(cx),
            check: self.check_cmd.clone(),
            check_suffix: self.tmp_ext.clone(),
            check_dir: self.tmp_dir.as_ref().map(|d| path::absolute(cx, d)).transpose()?,
            ..Desired::content(target, Vec::new())
        }
        .plan(cx)
    }
}

impl Managed {
    fn show(&self, cx: &Context) -> Show {
        let secret = ["contents", "contents_pillar", "context", "defaults"].iter().any(|p| cx.is_secret(p));
        match (secret, self.show_changes) {
            (true, _) => Show::Secret,
            (false, true) => Show::Diff,
            (false, false) => Show::Hidden,
        }
    }

    /// The content, when it is managed, and the mode of the source.
    fn content(
        &self,
        cx: &Context,
        target: &str,
        exists: bool,
    ) -> Result<(Option<Vec<u8>>, Option<u32>), Failure> {
        if let Some(lines) = self.given(cx)? {
            let mut content = text_of(&lines, self.contents_newline).into_bytes();
            if template::wanted(self.template.as_ref())? {
                let text = template::Text { name: target, env: &cx.env, content: &content };
                content = template::render(cx, &text, target, &self.defaults, &self.context)?;
            }
            return Ok((Some(self.encoded(content)?), None));
        }
        let sources = source::candidates(&self.source);
        if sources.is_empty() {
            return Ok((None, None));
        }
        let verify = Verify {
            hash: self.source_hash.clone(),
            hash_name: self.source_hash_name.clone(),
            skip: self.skip_verify,
            insecure: !self.verify_ssl,
            env: self.saltenv.clone(),
        };
        let rendered = template::wanted(self.template.as_ref())?;
        let current = |checksum: &Checksum| {
            // A rendered file differs from its source, so its own checksum says nothing.
            Ok(exists && !rendered && checksum.matches(&super::desired::read(cx, target)?))
        };
        let Some(fetched) = source::fetch(cx, &sources, &verify, target, current)? else {
            return Ok((None, None));
        };
        let content = if rendered {
            let name = fetched.tree_path.as_deref().unwrap_or(&fetched.source);
            let text = template::Text { name, env: &fetched.env, content: &fetched.content };
            self.encoded(template::render(cx, &text, target, &self.defaults, &self.context)?)?
        } else {
            fetched.content.to_vec()
        };
        Ok((Some(content), fetched.mode))
    }

    /// `contents`, or what a setting or fact holds.
    fn given(&self, cx: &Context) -> Result<Option<Vec<String>>, Failure> {
        if let Some(lines) = &self.contents {
            return Ok(Some(lines.clone()));
        }
        let delimiter = self.contents_delimiter.chars().next().unwrap_or(':');
        let (what, path, found) = if let Some(path) = &self.contents_pillar {
            ("setting", path, cx.settings.lookup(path, delimiter).cloned())
        } else if let Some(path) = &self.contents_grains {
            let grains = Value::Map(cx.facts.grains.clone());
            let found = grains.lookup(path, delimiter).cloned();
            ("fact", path, found.or_else(|| cx.facts.get(&path.replace(delimiter, ".")).cloned()))
        } else {
            return Ok(None);
        };
        let found = found.unwrap_or_default();
        let lines = match &found {
            Value::Null => Vec::new(),
            Value::List(list) => list.iter().map(Value::to_string).collect(),
            Value::Map(_) => {
                return Err(Failure::new(format!(
                    "The {what} `{path}` is a map; the content of a file is text or a list of lines"
                )));
            }
            scalar => vec![scalar.to_string()],
        };
        if lines.iter().all(String::is_empty) {
            if found.is_null() {
                return Err(Failure::new(format!(
                    "The {what} `{path}` does not exist, so `{}` has no content",
                    self.name
                )));
            }
            if !self.allow_empty {
                return Err(Failure::new(format!(
                    "The {what} `{path}` is empty and `allow_empty: false` forbids that"
                )));
            }
        }
        Ok(Some(lines))
    }

    fn encoded(&self, content: Vec<u8>) -> Result<Vec<u8>, Failure> {
        let limit = match self.encoding.as_str() {
            "ascii" => 0x7f,
            "latin-1" | "iso-8859-1" => 0xff,
            "utf-16" => {
                let text = String::from_utf8_lossy(&content);
                // With a byte order mark, as Python writes it.
                let units = std::iter::once(0xfeff).chain(text.encode_utf16());
                return Ok(units.flat_map(u16::to_le_bytes).collect());
            }
            _ => return Ok(content),
        };
        let text = String::from_utf8_lossy(&content);
        let mut bytes = Vec::with_capacity(text.len());
        for c in text.chars() {
            match (u32::from(c) <= limit, self.encoding_errors.as_str()) {
                (true, _) => bytes.push(c as u8),
                (false, "ignore") => {}
                (false, "replace") => bytes.push(b'?'),
                (false, _) => {
                    return Err(Failure::new(format!(
                        "The content of `{}` has the character `{c}`, which {} does not have",
                        self.name, self.encoding
                    )));
                }
            }
        }
        Ok(bytes)
    }

    /// Whether the file differs only in what the author says not to mind.
    fn is_loosely_equal(&self, cx: &Context, target: &str, new: &[u8]) -> Result<bool, Failure> {
        let comments = self.ignore_comment_characters.as_deref().unwrap_or_default();
        if !self.ignore_ordering && !self.ignore_whitespace && comments.is_empty() {
            return Ok(false);
        }
        let old = super::desired::read(cx, target)?;
        let lines = |content: &[u8]| {
            let text = String::from_utf8_lossy(content).into_owned();
            let kept = text.lines().filter(|l| !comments.chars().any(|c| l.trim_start().starts_with(c)));
            let mut lines: Vec<String> = kept
                .map(|l| if self.ignore_whitespace { l.split_whitespace().collect() } else { l.to_owned() })
                .filter(|l: &String| !self.ignore_whitespace || !l.is_empty())
                .collect();
            if self.ignore_ordering {
                lines.sort();
            }
            lines
        };
        Ok(lines(&old) == lines(new))
    }
}

/// The text of several parts: each line ends with a newline, the last one only when `newline`.
pub(crate) fn text_of(parts: &[String], newline: bool) -> String {
    let mut text = String::new();
    for line in parts.iter().flat_map(|part| part.lines()) {
        text.push_str(line);
        text.push('\n');
    }
    if !newline {
        text.truncate(text.trim_end_matches('\n').len());
    }
    text
}

#[cfg(test)]
#[path = "managed_tests.rs"]
mod tests;
