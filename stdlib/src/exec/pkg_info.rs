//! `pkg.info_installed`, `pkg.list_repos` and `pkg.autoremove`.

use crate::{
    Context, Library, pkgrepo,
    provider::{dpkg_status, files},
};
use zester_compiler::types::{Map, Value};

/// Salt's names of dpkg's fields.
const FIELDS: [(&str, &str); 9] = [
    ("Package", "name"),
    ("Version", "version"),
    ("Architecture", "arch"),
    ("Maintainer", "packager"),
    ("Homepage", "url"),
    ("Section", "group"),
    ("Source", "source"),
    ("Installed-Size", "size"),
    ("Description", "summary"),
];

/// What dpkg's database says of installed packages, by name.
fn dpkg(cx: &Context) -> Result<Map, String> {
    let text = files::text(cx, dpkg_status::PATH)?.unwrap_or_default();
    let mut all = Map::new();
    for paragraph in text.split("\n\n") {
        let mut entry = Map::new();
        let mut description: Vec<&str> = Vec::new();
        let (mut key, mut installed) = ("", false);
        for line in paragraph.lines() {
            if let Some(more) = line.strip_prefix(' ') {
                if key == "Description" {
                    description.push(if more == "." { "" } else { more });
                }
                continue;
            }
            let Some((name, value)) = line.split_once(':') else { continue };
            key = name;
            let value = value.trim();
            if key == "Status" {
                installed = value.ends_with(" installed");
            }
            if let Some((_, ours)) = FIELDS.iter().find(|(field, _)| *field == key) {
                entry.insert((*ours).to_owned(), value.into());
            }
        }
        if !description.is_empty() {
            entry.insert("description".to_owned(), description.join("\n").into());
        }
        let name = entry.get("name").and_then(Value::as_str).map(str::to_owned);
        if let Some(name) = name.filter(|_| installed) {
            // Of several architectures the first one stands for the name.
            all.entry(name).or_insert_with(|| entry.into());
        }
    }
    Ok(all)
}

exec! {
    /// What is known about installed packages, by name: version, architecture, packager, summary, …; without a name about all.
    "pkg.info_installed" probe InfoInstalled {
        /// The packages.
        names: Vec<String>,
        /// Whether it is an error that one of them is not installed; else it is left out.
        #[arg(default = true)]
        failhard: bool,
        /// Which attributes are given, several with commas; all when not given.
        attr: Option<String>,
    } |it, cx| {
        let packages = (cx.machine.packages)()?;
        if packages.name() != "apt" {
            return Err(format!("what packages say of themselves is not known of {}; use `cmd.run`", packages.name()));
        }
        let mut all = dpkg(cx)?;
        if let Some(gone) = it.names.iter().find(|n| it.failhard && !all.contains_key(*n)) {
            return Err(format!("`{gone}` is not installed; `failhard=false` leaves it out"));
        }
        if !it.names.is_empty() {
            all.retain(|name, _| it.names.contains(name));
        }
        if let Some(attr) = &it.attr {
            let wanted: Vec<&str> = attr.split(',').map(str::trim).collect();
            for entry in all.values_mut() {
                if let Value::Map(entry) = entry {
                    entry.retain(|key, _| wanted.contains(&key.as_str()));
                }
            }
        }
        Ok(all.into())
    }
}

exec! {
    /// Repositories of the package manager: with apt lists by address, with dnf, yum and zypper options by name.
    "pkg.list_repos" probe ListRepos {} |_, cx| Ok(pkgrepo::all(cx)?.into())
}

exec! {
    /// Removes packages that were installed only for others that are gone; gives what changed, or what would be removed.
    "pkg.autoremove" mutating Autoremove {
        /// Whether only names are given and nothing is removed.
        #[arg(default = false)]
        list_only: bool,
        /// Whether their configuration goes, too.
        #[arg(default = false)]
        purge: bool,
    } |it, cx| {
        let packages = (cx.machine.packages)()?;
        if it.list_only {
            return Ok(packages.preview_autoremove(cx, it.purge)?.into_keys().collect::<Vec<_>>().into());
        }
        let changes = crate::pkg::observe(cx, &*packages, || packages.autoremove(cx, it.purge));
        changes.map(Value::Map).map_err(|e| e.message)
    }
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library.exec::<InfoInstalled>().exec::<ListRepos>().exec::<Autoremove>();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;

    #[test]
    fn paragraphs_of_what_is_installed() {
        let machine = FakeMachine::new();
        let text = "Package: a\nStatus: install ok installed\nVersion: 1\nDescription: short\n long\n .\n more\n\n\
            Package: gone\nStatus: deinstall ok config-files\nVersion: 2\n";
        machine.files.put(dpkg_status::PATH, text);
        let all = dpkg(&machine.context()).unwrap();
        assert_eq!(all.keys().collect::<Vec<_>>(), ["a"]);
        assert_eq!(all["a"].lookup("description", ':'), Some(&Value::from("long\n\nmore")));
        assert_eq!(all["a"].lookup("summary", ':'), Some(&Value::from("short")));
    }
}
