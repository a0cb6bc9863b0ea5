//! A file as a state wants it: the one plan behind every function that writes a file's content.

use super::{
    attributes::Attributes,
    backup::Backup,
    diff::{self, Show},
    path,
};
use crate::{
    Changes, Context, Failure, Outcome, Plan,
    provider::{Command, FileKind, Stat},
};
use zester_compiler::types::Value;

/// A file as it should be.
#[derive(Debug)]
pub(crate) struct Desired {
    /// Absolute path.
    pub(crate) path: String,
    /// Content; `None` leaves it alone (a new file is empty).
    pub(crate) content: Option<Vec<u8>>,
    /// Owner and mode; what is not named is kept.
    pub(crate) attributes: Attributes,
    /// What is there, where that is known already.
    pub(crate) stat: Option<Stat>,
    /// Whether a link at the path is followed rather than replaced.
    pub(crate) follow: bool,
    /// Whether missing parents are made, and with which mode.
    pub(crate) makedirs: Option<u32>,
    /// Copy of the old file.
    pub(crate) backup: Backup,
    /// How the change is shown.
    pub(crate) show: Show,
    /// Whether a new file is shown as a diff from nothing.
    pub(crate) new_file_diff: bool,
    /// Commands that must accept the new content, in a temporary file with this ending, before it is put in place.
    pub(crate) check: Vec<String>,
    /// Ending of that file's name.
    pub(crate) check_suffix: String,
    /// Directory of that file; that of the file itself unless said otherwise.
    pub(crate) check_dir: Option<String>,
}

impl Desired {
    /// A file with this content and the attributes it has.
    pub(crate) fn content(path: String, content: Vec<u8>) -> Self {
        Self {
            path,
            content: Some(content),
            attributes: Attributes::default(),
            stat: None,
            follow: true,
            makedirs: None,
            backup: Backup::None,
            show: Show::Diff,
            new_file_diff: false,
            check: Vec::new(),
            check_suffix: String::new(),
            check_dir: None,
        }
    }

    /// Compares with what is there.
    pub(crate) fn plan(mut self, cx: &Context) -> Result<Plan<'static>, Failure> {
        let stat = match self.stat.take() {
            Some(known) => Some(known),
            None => path::stat(cx, &self.path, self.follow)?,
        };
        let stat = match stat {
            // A link that is to be replaced by a file.
            Some(stat) if stat.kind == FileKind::Symlink => return self.plan_new(cx, Some(stat)),
            Some(stat) => stat,
            None => return self.plan_new(cx, None),
        };
        if stat.kind == FileKind::Directory {
            return Err(Failure::new(format!("`{}` is a directory, not a file", self.path)));
        }
        let mut changes = Changes::new();
        let mut old = Vec::new();
        let mut rewrite = false;
        if let Some(new) = &self.content {
            if stat.kind != FileKind::File {
                return Err(Failure::new(format!("`{}` is a device, socket or pipe, not a file", self.path)));
            }
            // Files of different sizes differ; only equal ones have to be read to know, and all to be shown.
            if stat.size != new.len() as u64 || !self.is_there(cx, new)? {
                old = read(cx, &self.path)?;
                rewrite = old != *new;
            }
            if rewrite {
                changes.insert("diff".to_owned(), diff::describe(&old, new, self.show).into());
                if let Some(copy) = self.backup.beside(&self.path) {
                    changes.insert("backup".to_owned(), copy.into());
                }
            }
        }
        changes.extend(self.attributes.differences(cx, &stat));
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("`{}` is in the correct state", self.path)));
        }
        let comment = format!("`{}` is updated", self.path);
        let kept = changes.clone();
        Ok(Plan::change(changes, comment, move |cx| {
            if rewrite {
                self.check(cx)?;
                let backup = self.backup.keep(cx, &self.path, &old)?;
                self.write(cx)?;
                Ok(self.outcome(kept, backup))
            } else {
                self.attributes.set(cx, &self.path, &stat, self.follow)?;
                Ok(Outcome::default())
            }
        }))
    }

    fn is_there(&self, cx: &Context, new: &[u8]) -> Result<bool, Failure> {
        cx.machine.files.holds(&self.path, new).map_err(|e| path::unreadable(&self.path, &e))
    }

    fn plan_new(mut self, cx: &Context, link: Option<Stat>) -> Result<Plan<'static>, Failure> {
        let parents = path::missing_parents(cx, &self.path, self.makedirs.is_some())?;
        let mut changes = Changes::new();
        let shown = match &self.content {
            _ if link.is_some() => "Replace a symbolic link by a file".to_owned(),
            Some(content) if self.new_file_diff => diff::describe(b"", content, self.show),
            _ => "New file".to_owned(),
        };
        changes.insert("diff".to_owned(), shown.into());
        changes.extend(self.attributes.of_new());
        let comment = format!("`{}` is created", self.path);
        Ok(Plan::change(changes, comment, move |cx| {
            path::make_directories(cx, &parents, &self.attributes.with_mode(self.makedirs))?;
            self.check(cx)?;
            self.attributes.mode = self.attributes.mode.or(cx.umask.map(|umask| 0o666 & !umask));
            self.write(cx)?;
            Ok(Outcome::default())
        }))
    }

    fn outcome(&self, mut changes: Changes, backup: Option<String>) -> Outcome {
        match backup {
            Some(copy) => {
                changes.insert("backup".to_owned(), Value::from(copy));
                Outcome { changes, ..Outcome::default() }
            }
            None => Outcome::default(),
        }
    }

    /// Shows the new content to the commands of `check_cmd`.
    fn check(&self, cx: &Context) -> Result<(), Failure> {
        if self.check.is_empty() {
            return Ok(());
        }
        let dir = self.check_dir.as_deref().unwrap_or_else(|| path::parent(&self.path));
        let name = self.path.rsplit('/').next().unwrap_or_default();
        let temporary = path::join(dir, &crate::random::hidden_name(name, &self.check_suffix)?);
        let mut ownership = self.attributes.ownership();
        ownership.mode = Some(ownership.mode.unwrap_or(0o600) & 0o7700);
        let files = &cx.machine.files;
        let content = self.content.as_deref().unwrap_or_default();
        files.write(&temporary, content, ownership, false).map_err(|e| {
            Failure::new(format!("The file for `check_cmd`, `{temporary}`, cannot be written: {e}"))
        })?;
        let result = self.check.iter().try_for_each(|line| {
            let mut command = Command::shell(format!("{line} '{}'", temporary.replace('\'', "'\\''")));
            command.timeout = cx.timeout;
            command.runas = cx.runas.as_deref().map(str::to_owned);
            let said = cx
                .machine
                .commands
                .run(&command, &cx.cancel)
                .map_err(|e| Failure::new(format!("`check_cmd` `{line}` cannot be run: {e}")))?;
            if said.success() {
                return Ok(());
            }
            Err(Failure::new(format!(
                "`check_cmd` `{line}` refuses the new content, so `{}` is left as it is: {}",
                self.path,
                crate::cmd::words(&said)
            )))
        });
        // The file was ours alone; a failure to remove it must not hide the answer.
        let _ = files.remove_file(&temporary);
        result
    }

    fn write(&self, cx: &Context) -> Result<(), Failure> {
        let content = self.content.as_deref().unwrap_or_default();
        cx.machine.files.write(&self.path, content, self.attributes.ownership(), self.follow).map_err(|e| {
            Failure::new(format!("`{}` cannot be written and is left as it was: {e}", self.path))
        })
    }
}

/// A file's content; the error names it.
pub(crate) fn read(cx: &Context, path: &str) -> Result<Vec<u8>, Failure> {
    cx.machine.files.read(path).map_err(|e| path::unreadable(path, &e))
}
