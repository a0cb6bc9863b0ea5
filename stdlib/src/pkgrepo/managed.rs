//! `pkgrepo.managed`: a repository is known to the package manager, with the key that signs it.

use super::{
    LIST_DIR, MAIN_LIST, apk_lines, deb822, has_extension, keyring, lists,
    one_line::{self, Entry},
    ppa_parts,
    sections::{self, Common, Section},
};
use crate::{
    Arguments, Changes, Context, Failure, Outcome, Plan, State, change, pkg,
    provider::{Ownership, RepositoryFiles, files},
};
use zester_compiler::types::{Path, Value};

/// A repository of packages is known.
///
/// For apt, `name` is the line (`deb [signed-by=/etc/apt/keyrings/x.gpg] https://… stable main`); a `file` that ends
/// with `.sources` gets the paragraph form. A key is kept in the file that `signed-by` names, else in
/// `/etc/apt/trusted.gpg.d`; `apt-key` is not used.
///
/// For dnf, yum and zypper, `name` is the repository's id, its section in `/etc/yum.repos.d` or `/etc/zypp/repos.d`, and `baseurl`,
/// `mirrorlist` or `metalink` its address. For apk, `name` is a line of `/etc/apk/repositories`, and keys go to `/etc/apk/keys`.
/// Parameters of other package managers than the machine's are passed over.
#[derive(Arguments)]
#[state("pkgrepo.managed", at_most_one_of("enabled", "disabled"))]
pub(crate) struct Managed {
    /// The repository: apt's line, or a label where `ppa` says what it is.
    #[arg(primary)]
    name: String,
    /// A PPA of Launchpad: `owner/name`.
    ppa: Option<String>,
    /// The list's file. Without it a line that is in some list already stays there, and a new one goes into
    /// `/etc/apt/sources.list`.
    file: Option<Path>,
    /// Release, in place of the line's.
    dist: Option<String>,
    /// Components, in place of the line's; a list, or a text with commas.
    comps: Option<Vec<String>>,
    /// Architectures, in place of the line's `arch=`; a list, or a text with commas.
    architectures: Option<Vec<String>>,
    /// The keyring's file, in place of the line's `signed-by=`.
    #[arg(alias = "signed_by")]
    signedby: Option<Path>,
    /// Whether the repository is trusted without a signature.
    trusted: Option<bool>,
    /// Remarks behind the line.
    comments: Option<Vec<String>>,
    /// Whether it is used.
    enabled: Option<bool>,
    /// Whether it is known but not used.
    disabled: Option<bool>,
    /// Whether the list holds this repository alone.
    #[arg(default = false)]
    clean_file: bool,
    /// Where the key lies: `https://`, `zester://`, or a path; several are possible.
    #[arg(ty = Type::List(Box::new(Type::Source)))]
    key_url: Option<Vec<String>>,
    /// The key itself, in ASCII armour.
    key_text: Option<String>,
    /// Ids of the keys on `keyserver`.
    keyid: Option<Vec<String>>,
    /// A server of keys.
    #[arg(default = "keyserver.ubuntu.com")]
    keyserver: String,
    /// Whether the index is refreshed after a change.
    #[arg(default = true, alias = "refresh_db")]
    refresh: bool,
    /// Whether `apt-key` is used.
    #[arg(
        inert = "`apt-key` is never used; keys are files, named by `signed-by` or in `/etc/apt/trusted.gpg.d`"
    )]
    aptkey: Option<bool>,
    /// Whether lists are joined.
    #[arg(inert = "a repository stays in the list it is in; say `file` to move it")]
    consolidate: Option<bool>,
    /// What repositories of dnf, yum and zypper have.
    #[arg(flatten)]
    section: Section,
}

/// Where the keys come from and where they go.
struct Keys {
    path: String,
    old: Option<Vec<u8>>,
    new: Option<Vec<u8>>,
}

impl State for Managed {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let packages = (cx.machine.packages)()?;
        let dir = match packages.repositories() {
            RepositoryFiles::Apt => return self.plan_apt(cx),
            RepositoryFiles::Apk => {
                let (off, keys) =
                    (self.is_disabled().unwrap_or(false), self.key_url.as_deref().unwrap_or_default());
                return apk_lines::plan(cx, &self.name, off, self.clean_file, keys, self.refresh);
            }
            RepositoryFiles::Yum => sections::YUM,
            RepositoryFiles::Zypper => sections::ZYPPER,
            RepositoryFiles::None => return Err(super::unmanaged(packages.name()).into()),
        };
        let common = Common {
            name: &self.name,
            file: self.file.as_ref().map(|file| file.0.as_str()),
            disabled: self.is_disabled(),
            comments: self.comments.as_deref().unwrap_or_default(),
            clean_file: self.clean_file,
            key_url: self.key_url.as_deref().unwrap_or_default(),
            refresh: self.refresh,
        };
        self.section.plan(cx, dir, &common)
    }
}

impl Managed {
    /// Whether it is known but not used; nothing when the author does not say.
    fn is_disabled(&self) -> Option<bool> {
        self.disabled.or(self.enabled.map(|enabled| !enabled))
    }

    fn plan_apt(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let entry = self.entry(cx)?;
        let path = self.list(cx, &entry)?;
        let old = files::text(cx, &path)?;
        let base = if self.clean_file { "" } else { old.as_deref().unwrap_or_default() };
        let new = if has_extension(&path, "sources") {
            deb822::with_entry(base, &entry)
        } else {
            one_line::with_entry(base, &entry)
        };
        // A list that holds this repository alone keeps its author's spacing.
        let unchanged = old.as_deref() == Some(&*new)
            || (self.clean_file && old.as_deref().is_some_and(|old| only(old, &entry)));
        let keys = self.keys(cx, &entry, &path)?;
        let mut changes = Changes::new();
        if !unchanged {
            let diff = similar::TextDiff::from_lines(old.as_deref().unwrap_or_default(), &new)
                .unified_diff()
                .header(&path, &path)
                .to_string();
            changes.insert(path.clone(), Value::Map(Changes::from_iter([("diff".to_owned(), diff.into())])));
        }
        let key_changes = keys.as_ref().is_some_and(|k| k.new.is_some());
        if let Some(keys) = keys.as_ref().filter(|_| key_changes) {
            changes.insert(keys.path.clone(), change(keys.old.as_ref().map(|_| "key"), "key"));
        }
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("`{entry}` is known")));
        }
        if cx.test {
            pkg::note_new_repository(cx);
        }
        let comment = if cx.test { format!("would add `{entry}`") } else { format!("added `{entry}`") };
        Ok(Plan::change(changes, comment, move |cx| {
            if let Some(Keys { path, new: Some(new), .. }) = &keys {
                write(cx, path, new)?;
            }
            if !unchanged {
                write(cx, &path, new.as_bytes())?;
            }
            self.refresh_index(cx, &entry)
        }))
    }
}

fn only(text: &str, entry: &Entry) -> bool {
    let mut entries = text.lines().filter(|l| !l.trim().is_empty()).map(Entry::parse);
    matches!((entries.next(), entries.next()), (Some(Ok(Some(first))), None) if first == *entry)
}

/// Writes a file that apt's own user can read, and its directory.
fn write(cx: &Context, path: &str, content: &[u8]) -> Result<(), String> {
    let files = &cx.machine.files;
    let failed = |e: std::io::Error| format!("`{path}` could not be written: {e}");
    if let Some((dir, _)) = path.rsplit_once('/')
        && !dir.is_empty()
        && files.stat(dir, true).map_err(failed)?.is_none()
    {
        files.create_dir(dir, 0o755).map_err(failed)?;
    }
    files.write(path, content, Ownership { mode: Some(0o644), ..Ownership::default() }, true).map_err(failed)
}

fn words(list: &[String]) -> Vec<String> {
    list.iter()
        .flat_map(|item| item.split([',', ' ']))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

impl Managed {
    fn codename(&self, cx: &Context) -> Result<String, String> {
        if let Some(dist) = &self.dist {
            return Ok(dist.clone());
        }
        let fact = cx.facts.get("os.codename").or_else(|| cx.facts.get("oscodename"));
        fact.and_then(Value::as_str)
            .map(str::to_owned)
            .ok_or_else(|| "the release of this machine is not known; give `dist`".to_owned())
    }

    /// The repository as it should stand in the list.
    fn entry(&self, cx: &Context) -> Result<Entry, Failure> {
        let line = match (&self.ppa, self.section.address()) {
            (Some(ppa), _) => {
                let (owner, name) = ppa_parts(ppa)?;
                format!(
                    "deb https://ppa.launchpadcontent.net/{owner}/{name}/ubuntu {} main",
                    self.codename(cx)?
                )
            }
            (None, Some(line)) if line.starts_with("deb") => line.to_owned(),
            _ => self.name.clone(),
        };
        let parsed = Entry::parse(&line).map_err(|message| match self.section.given() {
            foreign if foreign.is_empty() => message,
            foreign => format!("{message} ({} are for dnf, yum and zypper)", foreign.join(", ")),
        })?;
        let mut entry = parsed.ok_or_else(|| format!("`{line}` is not a repository of apt"))?;
        if let (Some(dist), None) = (&self.dist, &self.ppa) {
            entry.suite.clone_from(dist);
        }
        if let Some(comps) = &self.comps {
            entry.components = words(comps);
        }
        if let Some(architectures) = &self.architectures {
            entry.set_option("arch", &words(architectures).join(","));
        }
        if let Some(keyring) = &self.signedby {
            entry.set_option("signed-by", &keyring.0);
        }
        if let Some(trusted) = self.trusted {
            entry.set_option("trusted", if trusted { "yes" } else { "no" });
        }
        if let Some(comments) = &self.comments {
            entry.comment = comments.join(" ").replace('\n', " ");
        }
        if let Some(disabled) = self.is_disabled() {
            entry.disabled = disabled;
        }
        Ok(entry)
    }

    /// The list's file.
    fn list(&self, cx: &Context, entry: &Entry) -> Result<String, Failure> {
        if let Some(file) = &self.file {
            if !file.starts_with('/') {
                return Err(format!("`file` of a repository is an absolute path, not `{file}`").into());
            }
            if !has_extension(file, "list") && !has_extension(file, "sources") && file.0.starts_with(LIST_DIR)
            {
                return Err(format!(
                    "apt reads only files that end with `.list` or `.sources`, not `{file}`"
                )
                .into());
            }
            return Ok(file.0.clone());
        }
        if let Some(ppa) = &self.ppa {
            let (owner, name) = ppa_parts(ppa)?;
            return Ok(format!("{LIST_DIR}/{owner}-ubuntu-{name}-{}.list", self.codename(cx)?));
        }
        for list in lists(cx) {
            let text = files::text(cx, &list)?.unwrap_or_default();
            let here = text
                .lines()
                .any(|line| matches!(Entry::parse(line), Ok(Some(old)) if old.is_same_repository(entry)));
            if here && has_extension(&list, "list") {
                return Ok(list);
            }
        }
        Ok(MAIN_LIST.to_owned())
    }

    /// Where the keyring lies.
    fn keyring(&self, entry: &Entry, list: &str) -> String {
        if let Some(path) = entry.option("signed-by").filter(|path| path.starts_with('/')) {
            return path.to_owned();
        }
        let stem =
            |path: &str| std::path::Path::new(path).file_stem().map(|s| s.to_string_lossy().into_owned());
        let name = if list == MAIN_LIST {
            let host = entry.uri.split("://").nth(1).unwrap_or(&entry.uri);
            host.split('/').next().unwrap_or("repository").to_owned()
        } else {
            stem(list).unwrap_or_else(|| "repository".to_owned())
        };
        format!("/etc/apt/trusted.gpg.d/{name}.gpg")
    }

    fn keys(&self, cx: &Context, entry: &Entry, list: &str) -> Result<Option<Keys>, Failure> {
        let from_ppa = self.ppa.is_some() && self.key_url.is_none() && self.key_text.is_none();
        if self.key_url.is_none() && self.key_text.is_none() && self.keyid.is_none() && !from_ppa {
            return Ok(None);
        }
        let path = self.keyring(entry, list);
        let old = files::content(cx, &path)?;
        let is_remote = self.key_url.iter().flatten().any(|url| {
            url.starts_with("http://") || url.starts_with("https://") || url.starts_with("ftp://")
        });
        if old.is_some() && self.key_text.is_none() && (is_remote || self.key_url.is_none()) {
            // A key that is there is not fetched from the net again: a run must not hang on a key server.
            return Ok(Some(Keys { path, old, new: None }));
        }
        let mut new = Vec::new();
        for url in self.key_url.iter().flatten() {
            new.extend(keyring::fetch(cx, url)?);
        }
        if let Some(text) = &self.key_text {
            new.extend(keyring::binary(text.as_bytes(), "key_text")?);
        }
        if let Some(ids) = &self.keyid {
            new.extend(keyring::receive(cx, &self.keyserver, &words(ids))?);
        } else if from_ppa {
            new.extend(self.launchpad_key(cx)?);
        }
        if has_extension(&path, "asc") {
            return Err(format!("`{path}` would hold a binary key, so its name must end with `.gpg`").into());
        }
        let new = (old.as_ref() != Some(&new)).then_some(new);
        Ok(Some(Keys { path, old, new }))
    }

    /// The key of a PPA: Launchpad says which it is.
    fn launchpad_key(&self, cx: &Context) -> Result<Vec<u8>, String> {
        let (owner, name) = ppa_parts(self.ppa.as_deref().unwrap_or_default())?;
        let address = format!("https://api.launchpad.net/1.0/~{owner}/+archive/ubuntu/{name}");
        let candidates = crate::source::candidates(&[Value::from(address.as_str())]);
        let verify = crate::source::Verify { skip: true, ..crate::source::Verify::default() };
        let found = crate::source::fetch(cx, &candidates, &verify, &address, |_| Ok(false))
            .map_err(|e| e.message)?
            .ok_or_else(|| format!("`{address}` could not be read"))?;
        let answer: Value =
            serde_json::from_slice(&found.content).map_err(|e| format!("`{address}` gave no JSON: {e}"))?;
        let fingerprint = answer
            .lookup("signing_key_fingerprint", ':')
            .and_then(Value::as_str)
            .ok_or_else(|| format!("`{address}` names no key"))?;
        keyring::receive(cx, &self.keyserver, &[fingerprint.to_owned()])
    }

    fn refresh_index(&self, cx: &Context, entry: &Entry) -> Result<Outcome, Failure> {
        pkg::forget_refresh(cx);
        if !self.refresh {
            return Ok(Outcome::default());
        }
        let packages = (cx.machine.packages)()?;
        let Some(words) = pkg::refresh_now(cx, &*packages)? else { return Ok(Outcome::default()) };
        // One broken repository must not fail the states of the others.
        if words.contains(entry.uri.trim_end_matches('/')) && !entry.disabled {
            return Err(format!("`{entry}` was added, but its index could not be read: {words}").into());
        }
        let comment = format!("added `{entry}`; the index could not be refreshed: {words}");
        Ok(Outcome { comment: Some(comment), ..Outcome::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::{FakeMachine, FakePackages};
    use std::sync::Arc;
    use zester_compiler::types::{Arguments as _, Map};

    fn machine() -> (FakeMachine, Arc<FakePackages>) {
        let packages = Arc::new(FakePackages::default());
        let mut machine = FakeMachine::new();
        machine.packages = Some(packages.clone());
        machine.files.put(MAIN_LIST, "deb http://deb.debian.org/debian stable main\n");
        machine.files.put_dir(LIST_DIR);
        (machine, packages)
    }

    fn args(json: &str) -> Map {
        match serde_json::from_str(json).unwrap() {
            Value::Map(map) => map,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_list_of_its_own_with_a_key_from_the_tree() {
        let (machine, packages) = machine();
        let armoured =
            "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQENBFf0\n-----END PGP PUBLIC KEY BLOCK-----\n";
        machine.tree.put("keys/x.asc", armoured);
        let wanted = args(
            r#"{"name": "deb [signed-by=/etc/apt/keyrings/x.gpg] https://x/deb stable main",
                "file": "/etc/apt/sources.list.d/x.list", "key_url": ["zester://keys/x.asc"]}"#,
        );
        let outcome = machine.converge::<Managed>(&wanted).unwrap();
        assert_eq!(outcome.changes.len(), 2);
        assert_eq!(
            machine.files.text("/etc/apt/sources.list.d/x.list"),
            "deb [signed-by=/etc/apt/keyrings/x.gpg] https://x/deb stable main\n"
        );
        let key = crate::provider::FileSystem::read(&*machine.files, "/etc/apt/keyrings/x.gpg").unwrap();
        assert_eq!(key.first(), Some(&0x99));
        assert_eq!(packages.log(), ["refresh"]);
    }

    #[test]
    fn a_known_line_stays_where_it_is() {
        let (machine, packages) = machine();
        let wanted = args(r#"{"name": "deb http://deb.debian.org/debian/ stable main"}"#);
        machine.converge::<Managed>(&wanted).unwrap();
        let off = args(
            r#"{"name": "deb http://deb.debian.org/debian stable main", "disabled": true, "refresh": false}"#,
        );
        machine.converge::<Managed>(&off).unwrap();
        assert_eq!(machine.files.text(MAIN_LIST), "# deb http://deb.debian.org/debian stable main\n");
        assert_eq!(packages.log(), ["refresh"]);
    }

    #[test]
    fn parts_can_be_said_apart() {
        let (machine, _) = machine();
        machine.files.put("/etc/apt/sources.list.d/y.sources", "Types: deb\nURIs: https://old\nSuites: x\n");
        let wanted = args(
            r#"{"name": "deb https://y old", "dist": "bookworm", "comps": ["main,contrib"],
                "architectures": ["amd64"], "file": "/etc/apt/sources.list.d/y.sources", "clean_file": true}"#,
        );
        machine.converge::<Managed>(&wanted).unwrap();
        assert_eq!(
            machine.files.text("/etc/apt/sources.list.d/y.sources"),
            "Types: deb\nURIs: https://y\nSuites: bookworm\nComponents: main contrib\nArchitectures: amd64\n"
        );
    }

    #[test]
    fn parameters_of_yum_are_named_when_they_stand_alone() {
        let (machine, _) = machine();
        let state =
            Managed::from_values(&args(r#"{"name": "epel", "baseurl": "https://x/epel", "gpgcheck": true}"#))
                .unwrap();
        let Err(failure) = state.plan(&machine.context()) else { panic!("it is not apt's") };
        assert!(
            failure.message.ends_with("(baseurl, gpgcheck are for dnf, yum and zypper)"),
            "{}",
            failure.message
        );
    }
}
