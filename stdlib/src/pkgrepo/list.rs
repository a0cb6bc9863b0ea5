//! What repositories there are, as `pkg.list_repos` tells it.

use super::{apk_lines, deb822, has_extension, lists, one_line::Entry, sections};
use crate::{
    Context,
    ini::Document,
    provider::{RepositoryFiles, files},
};
use zester_compiler::types::{Map, Value};

/// All repositories of the machine's package manager.
pub(crate) fn all(cx: &Context) -> Result<Map, String> {
    let packages = (cx.machine.packages)()?;
    match packages.repositories() {
        RepositoryFiles::Apt => apt(cx),
        RepositoryFiles::Yum => by_section(cx, sections::YUM),
        RepositoryFiles::Zypper => by_section(cx, sections::ZYPPER),
        RepositoryFiles::Apk => apk(cx),
        RepositoryFiles::None => Err(super::unmanaged(packages.name())),
    }
}

/// Lists of entries by address.
fn apt(cx: &Context) -> Result<Map, String> {
    let mut all = Map::new();
    for path in lists(cx) {
        let Some(text) = files::text(cx, &path)? else { continue };
        let paragraphs = has_extension(&path, "sources");
        let entries: Vec<(Entry, String)> = if paragraphs {
            deb822::entries(&text)
        } else {
            // What apt does not understand either is passed over.
            let entry = |line: &str| Some((Entry::parse(line).ok()??, line.trim().to_owned()));
            text.lines().filter_map(entry).collect()
        };
        for (entry, line) in entries {
            let list = all.entry(entry.uri.clone()).or_insert_with(|| Value::List(Vec::new()));
            if let Value::List(list) = list {
                list.push(describe(&entry, &path, &line));
            }
        }
    }
    Ok(all)
}

fn describe(entry: &Entry, path: &str, line: &str) -> Value {
    let architectures: Vec<&str> =
        entry.option("arch").unwrap_or_default().split([',', ' ']).filter(|a| !a.is_empty()).collect();
    Value::Map(Map::from_iter([
        ("file".to_owned(), Value::from(path)),
        ("type".to_owned(), entry.kind.as_str().into()),
        ("uri".to_owned(), entry.uri.as_str().into()),
        ("dist".to_owned(), entry.suite.as_str().into()),
        ("comps".to_owned(), entry.components.clone().into()),
        ("architectures".to_owned(), architectures.into()),
        ("signedby".to_owned(), entry.option("signed-by").unwrap_or_default().into()),
        ("disabled".to_owned(), entry.disabled.into()),
        ("line".to_owned(), line.into()),
    ]))
}

/// Options by the name of the section. Passwords are covered.
fn by_section(cx: &Context, dir: &str) -> Result<Map, String> {
    let mut all = Map::new();
    for name in cx.machine.files.list(dir).unwrap_or_default() {
        let path = format!("{dir}/{name}");
        if !has_extension(&path, "repo") {
            continue;
        }
        let Some(text) = files::text(cx, &path)? else { continue };
        let document = Document::parse(&text, "=");
        for id in document.names() {
            let mut options = Map::from_iter([("file".to_owned(), Value::from(path.as_str()))]);
            for (key, value) in document.options(Some(&id)) {
                let secret = matches!(key.as_str(), "password" | "proxy_password");
                options.insert(key, if secret { "***".into() } else { value.into() });
            }
            all.insert(id, options.into());
        }
    }
    Ok(all)
}

/// Lines of the list by address.
fn apk(cx: &Context) -> Result<Map, String> {
    let text = files::text(cx, apk_lines::LIST)?.unwrap_or_default();
    let entry = |line: &str| {
        let (disabled, tag, address) = apk_lines::parts(line)?;
        let options = [
            ("file".to_owned(), Value::from(apk_lines::LIST)),
            ("tag".to_owned(), tag.unwrap_or_default().into()),
            ("disabled".to_owned(), disabled.into()),
        ];
        Some((address.to_owned(), Value::Map(options.into_iter().collect())))
    };
    Ok(text.lines().filter_map(entry).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::{FakeMachine, FakePackages};
    use std::sync::Arc;

    #[test]
    fn lines_paragraphs_and_sections() {
        let mut machine = FakeMachine::new();
        let packages = Arc::new(FakePackages::default());
        machine.packages = Some(packages.clone());
        packages.set_repositories(RepositoryFiles::Apt);
        machine.files.put("/etc/apt/sources.list", "# note\n#deb [arch=amd64] http://a x main contrib\n");
        let paragraph =
            "Types: deb deb-src\nURIs: http://b\nSuites: y\nComponents: main\nSigned-By: /k.gpg\n";
        machine.files.put("/etc/apt/sources.list.d/b.sources", paragraph);
        let found = Value::Map(all(&machine.context()).unwrap());
        assert_eq!(found.lookup("http://a:0:disabled", '\0'), None);
        let list = |uri: &str| found.as_map().unwrap()[uri].clone();
        assert_eq!(list("http://a").lookup("0:disabled", ':'), Some(&Value::Bool(true)));
        assert_eq!(list("http://a").lookup("0:comps:1", ':'), Some(&Value::from("contrib")));
        assert_eq!(list("http://b").lookup("1:type", ':'), Some(&Value::from("deb-src")));
        assert_eq!(list("http://b").lookup("0:signedby", ':'), Some(&Value::from("/k.gpg")));
        packages.set_repositories(RepositoryFiles::Yum);
        machine.files.put("/etc/yum.repos.d/e.repo", "[epel]\nbaseurl=http://e\npassword=geheim\n");
        let found = Value::Map(all(&machine.context()).unwrap());
        assert_eq!(found.lookup("epel:password", ':'), Some(&Value::from("***")));
    }
}
