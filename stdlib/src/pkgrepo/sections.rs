//! Repositories of dnf, yum and zypper: a section of a file `NAME.repo`, which people and tools edit, so what else is in it stays.

use super::plan_edit;
use crate::{
    Arguments, Context, Failure, Outcome, Plan, change,
    ini::Document,
    pkg,
    provider::{
        files,
        tool::{succeed, tool},
    },
};
use zester_compiler::types::{Map, Secret, Value};

/// Where dnf and yum keep their repositories.
pub(super) const YUM: &str = "/etc/yum.repos.d";
/// Where zypper keeps its repositories.
pub(super) const ZYPPER: &str = "/etc/zypp/repos.d";

/// What a repository of dnf, yum or zypper has beyond a name.
#[derive(Arguments)]
#[shared]
pub(super) struct Section {
    /// The name for people (dnf, yum, zypper).
    humanname: Option<String>,
    /// The address (dnf, yum, zypper); a list of several is possible.
    baseurl: Option<Value>,
    /// The address of a list of mirrors (dnf, yum, zypper).
    mirrorlist: Option<String>,
    /// The address of a description of mirrors (dnf, yum).
    metalink: Option<String>,
    /// Whether packages' signatures are checked (dnf, yum, zypper).
    gpgcheck: Option<Value>,
    /// Where the key lies (dnf, yum, zypper); a list of several is possible.
    gpgkey: Option<Value>,
    /// Whether the repository's own signature is checked (dnf, yum, zypper).
    repo_gpgcheck: Option<Value>,
    /// Whether the key is accepted at the refresh after a change (zypper).
    #[arg(default = false)]
    gpgautoimport: bool,
    /// Rank among repositories (dnf, yum, zypper).
    priority: Option<Value>,
    /// Rank among repositories of one priority (dnf, yum).
    cost: Option<Value>,
    /// Whether a failure of it is passed over (dnf, yum).
    skip_if_unavailable: Option<Value>,
    /// Whether its certificate is checked (dnf, yum).
    sslverify: Option<Value>,
    /// The file of authorities for its certificate (dnf, yum).
    sslcacert: Option<String>,
    /// The file of this machine's certificate (dnf, yum).
    sslclientcert: Option<String>,
    /// The file of this machine's key (dnf, yum).
    sslclientkey: Option<String>,
    /// A proxy, or `_none_` (dnf, yum).
    proxy: Option<String>,
    /// The user on its server (dnf, yum).
    username: Option<String>,
    /// That user's password (dnf, yum).
    #[arg(secret)]
    password: Option<Secret>,
    /// Packages that are not taken from it (dnf, yum); a list, or a text with blanks.
    exclude: Option<Value>,
    /// The same under dnf's newer name.
    excludepkgs: Option<Value>,
    /// Packages that alone are taken from it (dnf, yum); a list, or a text with blanks.
    includepkgs: Option<Value>,
    /// How long its index is kept (dnf, yum).
    metadata_expire: Option<Value>,
    /// Whether a module's packages win (dnf, yum).
    module_hotfixes: Option<Value>,
    /// Whether its index is refreshed with others (zypper).
    autorefresh: Option<Value>,
    /// Whether downloaded packages are kept (zypper).
    #[arg(alias = "keeppackages")]
    cache: Option<Value>,
    /// The type of the repository: `rpm-md`, `yast2` (zypper).
    #[arg(alias = "type")]
    repotype: Option<String>,
    /// A COPR project, `owner/project` (dnf); nothing else is needed then.
    copr: Option<String>,
    /// How it is named inside the file, when that is not `name` (dnf, yum, zypper).
    repo: Option<String>,
}

/// What is not the section's alone.
pub(super) struct Common<'a> {
    pub name: &'a str,
    pub file: Option<&'a str>,
    pub disabled: Option<bool>,
    pub comments: &'a [String],
    pub clean_file: bool,
    pub key_url: &'a [String],
    pub refresh: bool,
}

fn one(value: &Value) -> String {
    match value {
        Value::Bool(yes) => if *yes { "1" } else { "0" }.to_owned(),
        // Blanks part the items of all options that are lists.
        Value::List(items) => items.iter().map(Value::to_string).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

impl Section {
    /// Names of the parameters that were given.
    pub(super) fn given(&self) -> Vec<&'static str> {
        let mut names: Vec<&'static str> = self.options(true).into_iter().map(|(key, _)| key).collect();
        names.extend(self.humanname.as_ref().map(|_| "humanname"));
        names.extend(self.copr.as_ref().map(|_| "copr"));
        names.extend(self.repo.as_ref().map(|_| "repo"));
        names.extend(self.gpgautoimport.then_some("gpgautoimport"));
        names
    }

    /// The address, where it is one text: a line of apt may stand in it.
    pub(super) fn address(&self) -> Option<&str> {
        self.baseurl.as_ref().and_then(Value::as_str)
    }

    fn options(&self, zypper: bool) -> Vec<(&'static str, String)> {
        let text = |value: &Option<String>| value.clone().map(Value::from);
        let all = [
            ("baseurl", self.baseurl.clone(), true),
            ("mirrorlist", text(&self.mirrorlist), true),
            ("metalink", text(&self.metalink), true),
            ("gpgcheck", self.gpgcheck.clone(), true),
            ("gpgkey", self.gpgkey.clone(), true),
            ("repo_gpgcheck", self.repo_gpgcheck.clone(), true),
            ("priority", self.priority.clone(), true),
            ("cost", self.cost.clone(), true),
            ("skip_if_unavailable", self.skip_if_unavailable.clone(), true),
            ("sslverify", self.sslverify.clone(), true),
            ("sslcacert", text(&self.sslcacert), true),
            ("sslclientcert", text(&self.sslclientcert), true),
            ("sslclientkey", text(&self.sslclientkey), true),
            ("proxy", text(&self.proxy), true),
            ("username", text(&self.username), true),
            ("password", self.password.as_ref().map(|p| Value::from(&*p.0)), true),
            ("exclude", self.exclude.clone(), true),
            ("excludepkgs", self.excludepkgs.clone(), true),
            ("includepkgs", self.includepkgs.clone(), true),
            ("metadata_expire", self.metadata_expire.clone(), true),
            ("module_hotfixes", self.module_hotfixes.clone(), true),
            ("autorefresh", self.autorefresh.clone(), zypper),
            ("keeppackages", self.cache.clone(), zypper),
            ("type", text(&self.repotype), zypper),
        ];
        all.into_iter()
            .filter(|(_, value, here)| *here && !matches!(value, None | Some(Value::Null)))
            .filter_map(|(key, value, _)| Some((key, one(&value?))))
            .collect()
    }

    /// Plans the repository below `dir`.
    pub(super) fn plan<'a>(
        &'a self,
        cx: &Context,
        dir: &str,
        common: &Common<'a>,
    ) -> Result<Plan<'a>, Failure> {
        if let Some(copr) = &self.copr {
            return enable_copr(cx, copr);
        }
        let id = self.repo.as_deref().unwrap_or(common.name);
        check_id(id)?;
        let zypper = dir == ZYPPER;
        let path = match common.file {
            Some(file) => file.to_owned(),
            None => file_of(cx, dir, id)?.unwrap_or_else(|| format!("{dir}/{id}.repo")),
        };
        let old = files::text(cx, &path)?;
        let base = old.as_deref().unwrap_or_default();
        let mut options: Vec<(&str, String)> =
            vec![("name", self.humanname.clone().unwrap_or_else(|| id.to_owned()))];
        options.extend(self.options(zypper));
        if self.gpgkey.is_none() && !common.key_url.is_empty() {
            options.push(("gpgkey", common.key_url.join(" ")));
        }
        let known = Document::parse(base, "=");
        let has_address =
            |key: &str| options.iter().any(|(k, _)| *k == key) || known.get(Some(id), key).is_some();
        if !["baseurl", "mirrorlist", "metalink"].into_iter().any(has_address) {
            return Err(format!(
                "the repository `{id}` has no address: give `baseurl`, `mirrorlist` or `metalink`"
            )
            .into());
        }
        if self.humanname.is_none() && known.get(Some(id), "name").is_some() {
            options.remove(0);
        }
        match common.disabled {
            Some(disabled) => options.push(("enabled", if disabled { "0" } else { "1" }.to_owned())),
            None if known.get(Some(id), "enabled").is_none() => options.push(("enabled", "1".to_owned())),
            None => {}
        }
        let new = with_section(base, id, &options, common);
        let comment = format!("`{id}` in `{path}`");
        let edit = plan_edit(&path, old.as_deref(), &new, self.password.is_some())?;
        let Some((changes, write)) = edit else { return Ok(Plan::unchanged(format!("known: {comment}"))) };
        if cx.test {
            pkg::note_new_repository(cx);
        }
        let (import, refresh) = (zypper && self.gpgautoimport, common.refresh);
        let id = id.to_owned();
        let said = if cx.test { format!("would write {comment}") } else { format!("wrote {comment}") };
        Ok(Plan::change(changes, said, move |cx| {
            write(cx)?;
            if import {
                succeed(cx, tool("zypper", ["--non-interactive", "--gpg-auto-import-keys", "refresh", &id]))?;
            }
            refresh_index(cx, refresh, &id)
        }))
    }
}

/// Refreshes the index after a change. A failure that names the repository is one of this state; others are only told.
pub(super) fn refresh_index(cx: &Context, refresh: bool, id: &str) -> Result<Outcome, Failure> {
    pkg::forget_refresh(cx);
    if !refresh {
        return Ok(Outcome::default());
    }
    let packages = (cx.machine.packages)()?;
    let Some(words) = pkg::refresh_now(cx, &*packages)? else { return Ok(Outcome::default()) };
    if words.contains(id) {
        return Err(format!("`{id}` was written, but its index could not be read: {words}").into());
    }
    let comment = format!("wrote `{id}`; the index could not be refreshed: {words}");
    Ok(Outcome { comment: Some(comment), ..Outcome::default() })
}

fn check_id(id: &str) -> Result<(), String> {
    let good = !id.is_empty()
        && !id.starts_with('.')
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:+".contains(&b));
    if good {
        return Ok(());
    }
    Err(format!(
        "`{id}` is not the id of a repository: it has letters, digits and `-_.:+`; put the name for people into `humanname`"
    ))
}

/// The file below `dir` that has a section of that name.
pub(super) fn file_of(cx: &Context, dir: &str, id: &str) -> Result<Option<String>, String> {
    for name in cx.machine.files.list(dir).unwrap_or_default() {
        let path = format!("{dir}/{name}");
        if super::has_extension(&path, "repo")
            && let Some(text) = files::text(cx, &path)?
            && Document::parse(&text, "=").has(id)
        {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn with_section(base: &str, id: &str, options: &[(&str, String)], common: &Common<'_>) -> String {
    let mut document = Document::parse(base, "=");
    if common.clean_file {
        for other in document.names().into_iter().filter(|name| name != id) {
            document.remove(&other);
        }
    }
    if !document.has(id) {
        document.add(id);
    }
    for (key, value) in options {
        // How a list is laid out is left to whoever wrote it.
        let same = document.get(Some(id), key).is_some_and(|have| {
            have.split([' ', ',', '\n', '\t'])
                .filter(|w| !w.is_empty())
                .eq(value.split([' ', ',']).filter(|w| !w.is_empty()))
        });
        if !same {
            document.set(Some(id), key, value, true);
        }
    }
    let mut text = document.to_string();
    let heading = format!("[{id}]\n");
    let remarks: String = common
        .comments
        .iter()
        .flat_map(|line| ["# ".to_owned(), line.replace('\n', " "), "\n".to_owned()])
        .collect();
    if !remarks.is_empty()
        && !text.contains(&remarks)
        && let Some(at) = text.find(&heading)
    {
        text.insert_str(at + heading.len(), &remarks);
    }
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// A text without the repository; empty when nothing else is in it.
pub(super) fn without_section(text: &str, id: &str) -> String {
    let mut document = Document::parse(text, "=");
    document.remove(id);
    if document.names().is_empty() { String::new() } else { document.to_string() }
}

/// The file that `dnf copr enable` makes for a project.
pub(super) fn copr_file(cx: &Context, copr: &str) -> Result<(String, Option<String>), String> {
    let project = copr.rsplit_once("copr.fedorainfracloud.org/").map_or(copr, |(_, project)| project);
    let Some((owner, name)) =
        project.split_once('/').filter(|(o, n)| !o.is_empty() && !n.is_empty() && !n.contains('/'))
    else {
        return Err(format!("`{copr}` is not a project of COPR; it is `owner/project`"));
    };
    // A group's `@name` is written out.
    let owner = owner.strip_prefix('@').map_or_else(|| owner.to_owned(), |group| format!("group_{group}"));
    let id = format!("copr:copr.fedorainfracloud.org:{owner}:{name}");
    let file = file_of(cx, YUM, &id)?;
    Ok((id, file))
}

fn enable_copr<'a>(cx: &Context, copr: &str) -> Result<Plan<'a>, Failure> {
    let (id, file) = copr_file(cx, copr)?;
    if let Some(path) = file {
        let text = files::text(cx, &path)?.unwrap_or_default();
        if Document::parse(&text, "=").get(Some(&id), "enabled").is_none_or(|enabled| enabled.trim() != "0") {
            return Ok(Plan::unchanged(format!("`{copr}` is enabled in `{path}`")));
        }
    }
    let changes = Map::from_iter([(id, change((), copr))]);
    let copr = copr.to_owned();
    let said = if cx.test { format!("would enable `{copr}`") } else { format!("enabled `{copr}`") };
    if cx.test {
        pkg::note_new_repository(cx);
    }
    Ok(Plan::change(changes, said, move |cx| {
        succeed(cx, tool("dnf", ["copr", "enable", "-y", &copr]))?;
        pkg::forget_refresh(cx);
        Ok(Outcome::default())
    }))
}

#[cfg(test)]
mod tests {
    use super::super::{absent::Absent, managed::Managed};
    use super::*;
    use crate::provider::{
        FileSystem, RepositoryFiles,
        fake::{FakeMachine, FakePackages},
    };
    use std::sync::Arc;

    fn machine(files: RepositoryFiles) -> (FakeMachine, Arc<FakePackages>) {
        let packages = Arc::new(FakePackages::default());
        packages.set_repositories(files);
        let mut machine = FakeMachine::new();
        machine.packages = Some(packages.clone());
        machine.files.put_dir(YUM);
        machine.files.put_dir(ZYPPER);
        (machine, packages)
    }

    fn args(json: &str) -> Map {
        match serde_json::from_str(json).unwrap() {
            Value::Map(map) => map,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_new_repository_of_dnf_and_its_end() {
        let (machine, packages) = machine(RepositoryFiles::Yum);
        let wanted = args(
            r#"{"name": "epel", "humanname": "Extra Packages", "baseurl": "https://x/epel/$releasever", "gpgcheck": true,
                "gpgkey": ["https://x/k1", "https://x/k2"], "exclude": "a b", "comments": ["ours"], "metadata_expire": "6h"}"#,
        );
        let outcome = machine.converge::<Managed>(&wanted).unwrap();
        assert!(outcome.changes.contains_key("/etc/yum.repos.d/epel.repo"));
        assert_eq!(
            machine.files.text("/etc/yum.repos.d/epel.repo"),
            "[epel]\n# ours\nname=Extra Packages\nbaseurl=https://x/epel/$releasever\ngpgcheck=1\n\
             gpgkey=https://x/k1 https://x/k2\nexclude=a b\nmetadata_expire=6h\nenabled=1\n"
        );
        assert_eq!(packages.log(), ["refresh"]);
        machine.converge::<Absent>(&args(r#"{"name": "epel"}"#)).unwrap();
        assert!(machine.files.stat("/etc/yum.repos.d/epel.repo", false).unwrap().is_none());
    }

    #[test]
    fn a_section_in_another_file_is_edited_there() {
        let (machine, _) = machine(RepositoryFiles::Yum);
        let path = "/etc/yum.repos.d/rocky.repo";
        machine.files.put(
            path,
            "# head\n[baseos]\nname=Rocky\nmirrorlist=https://m/x\nenabled=1\ngpgkey=file:///a\n       file:///b\n\n[appstream]\nname=App\nbaseurl=https://x\n",
        );
        let off = args(r#"{"name": "baseos", "enabled": false, "gpgkey": ["file:///a", "file:///b"]}"#);
        machine.converge::<Managed>(&off).unwrap();
        assert_eq!(
            machine.files.text(path),
            "# head\n[baseos]\nname=Rocky\nmirrorlist=https://m/x\nenabled=0\ngpgkey=file:///a\n       file:///b\n\n[appstream]\nname=App\nbaseurl=https://x\n"
        );
        machine.converge::<Absent>(&args(r#"{"name": "appstream"}"#)).unwrap();
        assert!(
            machine.files.text(path).contains("[baseos]") && !machine.files.text(path).contains("appstream")
        );
    }

    #[test]
    fn zypper_has_options_of_its_own() {
        let (machine, _) = machine(RepositoryFiles::Zypper);
        machine.commands.reply("zypper --non-interactive --gpg-auto-import-keys refresh oss", 0, "");
        let wanted = args(
            r#"{"name": "oss", "baseurl": "https://x/oss", "autorefresh": true, "priority": 20, "cache": false, "gpgautoimport": true,
                "password": "hush", "username": "me"}"#,
        );
        let outcome = machine.converge::<Managed>(&wanted).unwrap();
        assert!(!Value::Map(outcome.changes).to_string().contains("hush"));
        assert_eq!(
            machine.files.text("/etc/zypp/repos.d/oss.repo"),
            "[oss]\nname=oss\nbaseurl=https://x/oss\npriority=20\nusername=me\npassword=hush\nautorefresh=1\nkeeppackages=0\nenabled=1\n"
        );
        assert_eq!(machine.commands.lines(), ["zypper --non-interactive --gpg-auto-import-keys refresh oss"]);
    }

    #[test]
    fn a_file_that_gets_a_password_is_closed() {
        let (machine, _) = machine(RepositoryFiles::Yum);
        let path = "/etc/yum.repos.d/own.repo";
        machine.files.put(path, "[own]\nname=own\nbaseurl=https://x\nenabled=1\n");
        let before = machine.files.stat(path, false).unwrap().unwrap().mode;
        machine
            .converge::<Managed>(&args(r#"{"name": "own", "baseurl": "https://y", "enabled": true}"#))
            .unwrap();
        assert_eq!(machine.files.stat(path, false).unwrap().unwrap().mode, before);
        machine
            .converge::<Managed>(&args(r#"{"name": "own", "username": "me", "password": "hush"}"#))
            .unwrap();
        assert_eq!(machine.files.stat(path, false).unwrap().unwrap().mode & 0o777, 0o600);
    }

    #[test]
    fn what_is_missing_is_said() {
        let (machine, _) = machine(RepositoryFiles::Yum);
        let Err(failure) = machine.converge::<Managed>(&args(r#"{"name": "x"}"#)) else { panic!() };
        assert!(
            failure.message.contains("give `baseurl`, `mirrorlist` or `metalink`"),
            "{}",
            failure.message
        );
        let Err(failure) = machine.converge::<Managed>(&args(r#"{"name": "a b", "baseurl": "x"}"#)) else {
            panic!()
        };
        assert!(failure.message.contains("`humanname`"), "{}", failure.message);
    }

    #[test]
    fn copr() {
        let (machine, _) = machine(RepositoryFiles::Yum);
        let files = machine.files.clone();
        machine.commands.on("dnf copr enable -y @group/tool", move |_, _| {
            files.put(
                "/etc/yum.repos.d/_copr:copr.fedorainfracloud.org:group_group:tool.repo",
                "[copr:copr.fedorainfracloud.org:group_group:tool]\nname=x\nbaseurl=y\nenabled=1\n",
            );
            crate::provider::Output::default()
        });
        let wanted = args(r#"{"name": "tool", "copr": "@group/tool"}"#);
        machine.converge::<Managed>(&wanted).unwrap();
        machine.converge::<Absent>(&wanted).unwrap();
        assert!(machine.files.list(YUM).unwrap().is_empty());
    }
}
