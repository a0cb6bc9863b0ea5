//! `pkgrepo.absent`: a repository is not known to the package manager.

use super::{
    MAIN_LIST, apk_lines, deb822, has_extension, lists,
    one_line::{self, Entry},
    plan_edit, ppa_parts, sections,
};
use crate::{
    Arguments, Changes, Context, Failure, Outcome, Plan, State, change, pkg,
    provider::{Ownership, RepositoryFiles, files},
};
use zester_compiler::types::{Path, Value};

/// A repository of packages is not known. A list that holds nothing else is removed.
#[derive(Arguments)]
#[state("pkgrepo.absent")]
pub(crate) struct Absent {
    /// The repository: apt's or apk's line, the id of dnf, yum and zypper.
    #[arg(primary)]
    name: String,
    /// A PPA of Launchpad: `owner/name`.
    ppa: Option<String>,
    /// Only in this list; in all lists when not given.
    file: Option<Path>,
    /// The file of the key that signed it, to be removed, too.
    #[arg(alias = "signed_by")]
    signedby: Option<Path>,
    /// Whether the index is refreshed after a change.
    #[arg(default = true)]
    refresh: bool,
    /// Ids of keys to remove.
    #[arg(inert = "keys are files; name the file with `signedby`")]
    keyid: Option<Value>,
    /// Ids of keys to remove.
    #[arg(inert = "keys are files; name the file with `signedby`")]
    keyid_ppa: Option<Value>,
    /// Whether `apt-key` is used.
    #[arg(inert = "`apt-key` is never used; name the key's file with `signedby`")]
    aptkey: Option<bool>,
    /// A COPR project, `owner/project` (dnf).
    copr: Option<String>,
}

impl State for Absent {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let packages = (cx.machine.packages)()?;
        match packages.repositories() {
            RepositoryFiles::Apt => self.plan_apt(cx),
            RepositoryFiles::Apk => {
                self.plan_file(cx, apk_lines::LIST, |text| apk_lines::without_line(text, &self.name))
            }
            RepositoryFiles::Yum => self.plan_section(cx, sections::YUM),
            RepositoryFiles::Zypper => self.plan_section(cx, sections::ZYPPER),
            RepositoryFiles::None => Err(super::unmanaged(packages.name()).into()),
        }
    }
}

impl Absent {
    fn plan_section(&self, cx: &Context, dir: &str) -> Result<Plan<'_>, Failure> {
        let (id, found) = match &self.copr {
            Some(copr) => sections::copr_file(cx, copr)?,
            None => (self.name.clone(), sections::file_of(cx, dir, &self.name)?),
        };
        match self.file.as_ref().map(|file| file.0.clone()).or(found) {
            Some(path) => self.plan_file(cx, &path, |text| Ok(sections::without_section(text, &id))),
            None => Ok(Plan::unchanged(format!("`{}` is not known", self.name))),
        }
    }

    /// Takes the repository out of one file; one that is empty then is removed.
    fn plan_file(
        &self,
        cx: &Context,
        path: &str,
        without: impl FnOnce(&str) -> Result<String, String>,
    ) -> Result<Plan<'_>, Failure> {
        let unchanged = || Plan::unchanged(format!("`{}` is not known", self.name));
        let Some(old) = files::text(cx, path)? else { return Ok(unchanged()) };
        let Some((changes, write)) = plan_edit(path, Some(&old), &without(&old)?, false)? else {
            return Ok(unchanged());
        };
        let comment = if cx.test { "would remove" } else { "removed" };
        Ok(Plan::change(changes, format!("{comment} `{}`", self.name), move |cx| {
            write(cx)?;
            // What is gone needs no index; the next state that asks for one gets it made anew.
            pkg::forget_refresh(cx);
            Ok(Outcome::default())
        }))
    }

    fn plan_apt(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let mut edits: Vec<(String, String)> = Vec::new();
        let mut changes = Changes::new();
        let paths = self.file.as_ref().map_or_else(|| lists(cx), |file| vec![file.0.clone()]);
        for path in paths {
            let Some(old) = files::text(cx, &path)? else { continue };
            let new = self.without(&old, has_extension(&path, "sources"))?;
            if new != old {
                let diff =
                    similar::TextDiff::from_lines(&old, &new).unified_diff().header(&path, &path).to_string();
                changes
                    .insert(path.clone(), Value::Map(Changes::from_iter([("diff".to_owned(), diff.into())])));
                edits.push((path, new));
            }
        }
        let key = match &self.signedby {
            Some(key) => {
                let stat = cx.machine.files.stat(key, false);
                stat.map_err(|e| format!("`{key}` could not be read: {e}"))?.map(|_| key.0.clone())
            }
            None => None,
        };
        if let Some(key) = &key {
            changes.insert(key.clone(), change("key", ()));
        }
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("`{}` is not known", self.name)));
        }
        let comment = if cx.test { "would remove" } else { "removed" };
        Ok(Plan::change(changes, format!("{comment} `{}`", self.name), move |cx| {
            let files = &cx.machine.files;
            for (path, text) in &edits {
                let done = if text.trim().is_empty() && path != MAIN_LIST {
                    files.remove_file(path)
                } else {
                    files.write(path, text.as_bytes(), Ownership::default(), true)
                };
                done.map_err(|e| format!("`{path}` could not be changed: {e}"))?;
            }
            if let Some(key) = &key {
                files.remove_file(key).map_err(|e| format!("`{key}` could not be removed: {e}"))?;
            }
            pkg::forget_refresh(cx);
            if self.refresh {
                let packages = (cx.machine.packages)()?;
                if let Some(words) = pkg::refresh_now(cx, &*packages)? {
                    let comment =
                        format!("removed `{}`; the index could not be refreshed: {words}", self.name);
                    return Ok(Outcome { comment: Some(comment), ..Outcome::default() });
                }
            }
            Ok(Outcome::default())
        }))
    }
}

impl Absent {
    /// A list's text without the repository.
    fn without(&self, text: &str, paragraphs: bool) -> Result<String, Failure> {
        if let Some(ppa) = &self.ppa {
            let (owner, name) = ppa_parts(ppa)?;
            let mark = format!("/{owner}/{name}/ubuntu");
            return Ok(text.split_inclusive('\n').filter(|line| !line.contains(&mark)).collect());
        }
        let entry =
            Entry::parse(&self.name)?.ok_or_else(|| format!("`{}` is not a repository of apt", self.name))?;
        Ok(if paragraphs {
            deb822::without_entry(text, &entry)
        } else {
            one_line::without_entry(text, &entry)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{
        FileSystem,
        fake::{FakeMachine, FakePackages},
    };
    use std::sync::Arc;
    use zester_compiler::types::Map;

    #[test]
    fn all_lists_are_cleaned_and_an_empty_one_goes() {
        let mut machine = FakeMachine::new();
        machine.packages = Some(Arc::new(FakePackages::default()));
        machine.files.put(MAIN_LIST, "deb http://x s main\ndeb http://y s main\n");
        machine.files.put("/etc/apt/sources.list.d/x.list", "deb http://x s contrib\n");
        machine.files.put("/etc/apt/keyrings/x.gpg", "k");
        let args = Map::from_iter([
            ("name".to_owned(), Value::from("deb http://x s main")),
            ("signedby".to_owned(), "/etc/apt/keyrings/x.gpg".into()),
        ]);
        let outcome = machine.converge::<Absent>(&args).unwrap();
        assert_eq!(outcome.changes.len(), 3);
        assert_eq!(machine.files.text(MAIN_LIST), "deb http://y s main\n");
        assert!(machine.files.stat("/etc/apt/sources.list.d/x.list", false).unwrap().is_none());
    }
}
