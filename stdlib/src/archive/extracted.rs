//! `archive.extracted`

use super::format::{Format, Options};
use crate::{
    Changes, Context, Failure, Outcome, Plan, State, change,
    file::{attributes::Attributes, path, select},
    provider::{FileKind, Ownership},
    source::{self, Verify, digest},
};
use std::collections::BTreeSet;
use zester_compiler::types::{Group, Path, User, Value};
use zester_stdlib_derive::Arguments;

/// Makes sure that what is in an archive is in a directory.
///
/// It is extracted when one of its members is missing there; with a `source_hash` also when the archive is another
/// one than that extracted last. A new directory appears only when everything is in it.
#[derive(Arguments)]
#[state("archive.extracted")]
pub(crate) struct Extracted {
    /// The directory.
    #[arg(primary, alias = "path")]
    name: Path,
    /// The archive: `zester://` (or `salt://`), an absolute path, `http://` or `https://`. Of a list the first that
    /// exists is taken.
    #[arg(ty = Type::List(Box::new(Type::Source.or(Type::Map(Box::new(Type::Str))))))]
    source: Vec<Value>,
    /// Checksum of the archive, or the address of a file of checksums.
    #[arg(ty = Type::Hash)]
    source_hash: Option<String>,
    /// The name to look for in a file of checksums.
    source_hash_name: Option<String>,
    /// Whether another `source_hash` than last time is a reason to extract.
    #[arg(default = false)]
    source_hash_update: bool,
    /// Takes the archive as it comes, without a checksum.
    #[arg(default = false)]
    skip_verify: bool,
    /// Whether only the checksum is compared with that of last time, not each member with the directory.
    #[arg(default = false)]
    skip_files_list_verify: bool,
    /// `tar`, `zip` or `rar`, where the name does not tell.
    #[arg(one_of("tar", "zip", "rar", "auto"))]
    archive_format: Option<String>,
    /// Options for the program, such as `--strip-components=1`.
    #[arg(default = "", alias = "tar_options", alias = "zip_options")]
    options: String,
    /// Options for listing the archive.
    #[arg(default = "")]
    list_options: String,
    /// Password of a zip archive.
    #[arg(secret)]
    password: Option<String>,
    /// Whether the archive must hold one directory at its top and nothing else.
    #[arg(default = true)]
    enforce_toplevel: bool,
    /// A path whose existence means that nothing is to do.
    if_missing: Option<Path>,
    /// What older versions of Salt called `user`.
    #[arg(inert = "Salt does not read it any more; use `user`")]
    archive_user: Option<String>,
    /// Owner of what is extracted.
    user: Option<User>,
    /// Group of what is extracted.
    group: Option<Group>,
    /// The path below which owner and group are set; what is in the archive unless given.
    enforce_ownership_on: Option<Path>,
    /// Whether an archive other than that extracted last replaces what is there.
    #[arg(default = false)]
    overwrite: bool,
    /// Whether a file that stands where the archive has a directory is removed.
    #[arg(default = false)]
    force: bool,
    /// Whether the members that are there are removed before the archive is extracted.
    #[arg(default = false)]
    clean: bool,
    /// Whether everything in the directory is removed before the archive is extracted.
    #[arg(default = false)]
    clean_parent: bool,
    /// Whether the result lists the extracted files; a number limits the list.
    #[arg(default = false, ty = Type::Bool.or(Type::INT))]
    trim_output: Value,
    /// Environment of the state tree, where it is not the state's own.
    saltenv: Option<String>,
    /// Whether the certificate of an `https://` source is verified.
    #[arg(default = true)]
    verify_ssl: bool,
    /// Whether missing parents are made.
    #[arg(default = true, inert = "the directory and its parents are always made")]
    makedirs: bool,
    /// Whether the archive is kept on the machine.
    #[arg(default = true, alias = "keep", inert = "downloads are kept in the cache, by their address")]
    keep_source: bool,
    /// Whether the permissions in a zip archive count.
    #[arg(inert = "permissions in the archive always count")]
    extract_perms: Option<bool>,
    /// Whether the program `unzip` is used.
    #[arg(inert = "zip archives are always opened by `unzip`")]
    use_cmd_unzip: Option<bool>,
    /// A signature of the archive.
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
    /// Whether the server is asked if a download has changed.
    #[arg(inert = "the server's ETag is always used where no checksum is given")]
    use_etag: Option<bool>,
}

/// Most paths a result lists unless `trim_output` says otherwise.
const MAX_LISTED: usize = 100;

/// Where it is noted which archive was extracted last into a directory.
const NOTES: &str = "/var/cache/zester/archives";

/// The archive and what it would give.
struct Opened {
    archive: String,
    format: Format,
    options: Options,
    /// Paths below the directory.
    lands: BTreeSet<String>,
    /// Digest of the archive that was said or computed; noted after an extraction.
    mark: Option<String>,
}

impl State for Extracted {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let target = path::absolute(cx, &self.name)?;
        if let Some(sign) = &self.if_missing {
            let sign = path::absolute(cx, sign)?;
            if path::stat(cx, &sign, false)?.is_some() {
                return Ok(Plan::unchanged(format!("`{sign}` exists, so the archive counts as extracted")));
            }
        }
        if path::stat(cx, &target, true)?.is_some_and(|s| s.kind != FileKind::Directory) {
            return Err(Failure::new(format!("`{target}` exists and is not a directory")));
        }
        let opened = self.open(cx, &target)?;
        let owner = Attributes::resolve(cx, self.user.as_deref(), self.group.as_deref(), None)?;
        let other = self.is_other(cx, &target, opened.mark.as_deref());
        let missing = self.missing(cx, &target, &opened)?;
        let extract = other || !missing.is_empty();
        if !extract {
            return self.plan_owner(cx, target, &opened, owner);
        }
        let mut changes = Changes::new();
        let shown = if missing.is_empty() { opened.lands.iter().cloned().collect() } else { missing };
        changes.insert("extracted_files".to_owned(), self.listed(&shown));
        if path::stat(cx, &target, true)?.is_none() {
            changes.insert("directory".to_owned(), change(Value::Null, target.as_str()));
        }
        changes.extend(owner.of_new());
        let comment = format!("`{}` is extracted to `{target}`", opened.archive);
        Ok(Plan::change(changes, comment, move |cx| {
            self.extract(cx, &target, &opened, &owner)?;
            Ok(Outcome::default())
        }))
    }
}

impl Extracted {
    fn open(&self, cx: &Context, target: &str) -> Result<Opened, Failure> {
        let sources = source::candidates(&self.source);
        let verify = Verify {
            hash: self.source_hash.clone(),
            hash_name: self.source_hash_name.clone(),
            skip: self.skip_verify,
            insecure: !self.verify_ssl,
            env: self.saltenv.clone(),
        };
        let (archive, checksum) = source::local_path(cx, &sources, &verify, target)?;
        let head = cx.machine.files.read_head(&archive, 512).map_err(|e| path::unreadable(&archive, &e))?;
        let named = self.archive_format.as_deref().filter(|f| *f != "auto");
        let text = sources.first().map(|c| c.text.as_str()).unwrap_or_default();
        let format = Format::of(named, if named.is_none() { text } else { &archive }, &head)?;
        let options = Options::read(&self.options, &self.list_options, self.password.as_deref());
        let members = format.members(cx, &archive, &options)?;
        if self.enforce_toplevel {
            one_top(&archive, &members)?;
        }
        let mark = match checksum {
            Some(checksum) => Some(checksum.to_string()),
            None if self.overwrite || self.skip_files_list_verify || options.renames => {
                let content = cx.machine.files.read(&archive).map_err(|e| path::unreadable(&archive, &e))?;
                Some(digest(&content))
            }
            None => None,
        };
        let lands = members.iter().filter_map(|m| options.lands(m)).collect();
        Ok(Opened { archive, format, options, lands, mark })
    }

    fn note_path(target: &str) -> String {
        format!("{NOTES}/{}", digest(target.as_bytes()))
    }

    /// Whether an archive other than that of last time is a reason to extract.
    fn is_other(&self, cx: &Context, target: &str, mark: Option<&str>) -> bool {
        let counts = self.source_hash_update || self.overwrite || self.skip_files_list_verify;
        let noted = cx.machine.files.read(&Self::note_path(target)).ok();
        let noted = noted.and_then(|n| String::from_utf8(n).ok());
        match (mark, noted) {
            (Some(mark), Some(noted)) => counts && noted.trim() != mark,
            // Nothing is known of what is there: only the states that ask for it extract over it.
            (Some(_), None) => self.overwrite || self.skip_files_list_verify,
            (None, _) => false,
        }
    }

    /// Members that are not in the directory.
    fn missing(&self, cx: &Context, target: &str, opened: &Opened) -> Result<Vec<String>, Failure> {
        if opened.options.renames || self.skip_files_list_verify {
            // Names in the listing say nothing about names in the directory.
            let there = path::is_directory(cx, target)?;
            return Ok(if there { Vec::new() } else { opened.lands.iter().cloned().collect() });
        }
        let mut missing = Vec::new();
        for member in &opened.lands {
            if path::stat(cx, &path::join(target, member), false)?.is_none() {
                missing.push(member.clone());
            }
        }
        Ok(missing)
    }

    fn listed(&self, paths: &[String]) -> Value {
        let limit = match &self.trim_output {
            Value::Int(limit) => usize::try_from(*limit).unwrap_or(MAX_LISTED),
            Value::Bool(true) => MAX_LISTED,
            _ => MAX_LISTED * 10,
        };
        let mut shown: Vec<String> = paths.iter().take(limit).cloned().collect();
        if paths.len() > shown.len() {
            shown.push(format!("… {} more", paths.len() - shown.len()));
        }
        Value::from(shown)
    }

    /// What owner and group are set on.
    fn owned(&self, cx: &Context, target: &str, opened: &Opened) -> Result<Vec<String>, Failure> {
        let Some(root) = &self.enforce_ownership_on else {
            return Ok(opened.lands.iter().map(|m| path::join(target, m)).collect());
        };
        let root = path::absolute(cx, root)?;
        if root != target && !root.starts_with(&format!("{target}/")) {
            return Err(Failure::new(format!("`enforce_ownership_on: {root}` is not below `{target}`")));
        }
        let mut all = vec![root.clone()];
        let mut pending = vec![root];
        while let Some(directory) = pending.pop() {
            let Ok(names) = cx.machine.files.list(&directory) else { continue };
            for name in names {
                let full = path::join(&directory, &name);
                if path::stat(cx, &full, false)?.is_some_and(|s| s.kind == FileKind::Directory)
                    && all.len() < select::MAX_ENTRIES
                {
                    pending.push(full.clone());
                }
                all.push(full);
            }
        }
        Ok(all)
    }

    fn plan_owner(
        &self,
        cx: &Context,
        target: String,
        opened: &Opened,
        owner: Attributes,
    ) -> Result<Plan<'_>, Failure> {
        if self.user.is_none() && self.group.is_none() {
            return Ok(Plan::unchanged(format!("The archive is extracted in `{target}`")));
        }
        let mut differing = Vec::new();
        let mut entries = Vec::new();
        for path in self.owned(cx, &target, opened)? {
            let Some(stat) = path::stat(cx, &path, false)? else { continue };
            let changes = owner.differences(cx, &stat);
            if !changes.is_empty() {
                entries.push((path.clone(), Value::Map(changes)));
                differing.push((path, stat));
            }
        }
        if differing.is_empty() {
            return Ok(Plan::unchanged(format!("The archive is extracted in `{target}`")));
        }
        let changes = entries.into_iter().take(MAX_LISTED).collect();
        Ok(Plan::change(changes, format!("Owners below `{target}` are set"), move |cx| {
            for (path, stat) in &differing {
                owner.set(cx, path, stat, false)?;
            }
            Ok(Outcome::default())
        }))
    }

    fn extract(
        &self,
        cx: &Context,
        target: &str,
        opened: &Opened,
        owner: &Attributes,
    ) -> Result<(), Failure> {
        let files = &cx.machine.files;
        let exists = path::stat(cx, target, true)?.is_some();
        let owner_of_dirs = owner.with_mode(Some(0o755));
        let parents = path::missing_parents(cx, target, true)?;
        path::make_directories(cx, &parents, &owner_of_dirs)?;
        if exists {
            self.clear(cx, target, opened)?;
            opened.format.extract(cx, &opened.archive, target, &opened.options)?;
        } else {
            // Beside the target: a directory that appears under its name is complete.
            let name = target.rsplit('/').next().unwrap_or_default();
            let aside = path::join(path::parent(target), &crate::random::hidden_name(name, ".zester")?);
            let result = path::make_directories(cx, std::slice::from_ref(&aside), &owner_of_dirs)
                .and_then(|()| opened.format.extract(cx, &opened.archive, &aside, &opened.options))
                .and_then(|()| {
                    files
                        .rename(&aside, target)
                        .map_err(|e| Failure::new(format!("`{aside}` cannot be renamed to `{target}`: {e}")))
                });
            if let Err(failure) = result {
                // The failure is what matters; what is left of the attempt is hidden and goes if it can.
                let _ = files.remove_dir_all(&aside);
                return Err(failure);
            }
        }
        if self.user.is_some() || self.group.is_some() {
            for path in self.owned(cx, target, opened)? {
                if let Some(stat) = path::stat(cx, &path, false)? {
                    owner.set(cx, &path, &stat, false)?;
                }
            }
        }
        self.note(cx, target, opened)
    }

    /// Takes away what would be in the way.
    fn clear(&self, cx: &Context, target: &str, opened: &Opened) -> Result<(), Failure> {
        if self.clean_parent {
            for name in cx.machine.files.list(target).map_err(|e| path::unreadable(target, &e))? {
                select::remove(cx, &path::join(target, &name))?;
            }
        } else if self.clean {
            let tops: BTreeSet<&str> = opened.lands.iter().filter_map(|m| m.split('/').next()).collect();
            for top in tops {
                select::remove(cx, &path::join(target, top))?;
            }
        } else if self.force {
            for member in &opened.lands {
                let at = path::join(target, member);
                let is_parent = opened
                    .lands
                    .range(format!("{member}/")..)
                    .next()
                    .is_some_and(|m| m.starts_with(&format!("{member}/")));
                if is_parent && path::stat(cx, &at, false)?.is_some_and(|s| s.kind != FileKind::Directory) {
                    select::remove(cx, &at)?;
                }
            }
        }
        Ok(())
    }

    fn note(&self, cx: &Context, target: &str, opened: &Opened) -> Result<(), Failure> {
        let Some(mark) = &opened.mark else { return Ok(()) };
        let note = Self::note_path(target);
        let parents = path::missing_parents(cx, &note, true)?;
        path::make_directories(cx, &parents, &Attributes::mode(0o700))?;
        let ownership = Ownership { mode: Some(0o600), ..Ownership::default() };
        cx.machine
            .files
            .write(&note, format!("{mark}\n").as_bytes(), ownership, false)
            .map_err(|e| Failure::new(format!("`{note}` cannot be written: {e}")))
    }
}

/// Fails unless all members lie in one directory at the top.
fn one_top(archive: &str, members: &[String]) -> Result<(), Failure> {
    let tops: BTreeSet<&str> = members.iter().filter_map(|m| m.split('/').next()).collect();
    let loose = members.iter().find(|m| !m.contains('/'));
    if tops.len() <= 1 && loose.is_none_or(|top| members.iter().any(|m| m.starts_with(&format!("{top}/")))) {
        return Ok(());
    }
    let some: Vec<String> = tops.iter().take(3).map(|t| format!("`{t}`")).collect();
    Err(Failure::new(format!(
        "The archive `{archive}` does not hold one directory at its top but {} entries ({}); `enforce_toplevel: false` accepts that",
        tops.len(),
        some.join(", ")
    )))
}

#[cfg(test)]
#[path = "extracted_tests.rs"]
mod tests;
