//! `pkg.file_list`, `pkg.owner` and their kin: which files belong to which packages, in the words of each package manager.

use crate::{
    Context, Library,
    provider::tool::{failure, run, tool},
};
use zester_compiler::types::{Map, Path, Value};

/// How a package manager tells files and owners.
struct Questions {
    /// Lists the files of the package that follows.
    files: &'static [&'static str],
    /// Names the owner of the path that follows.
    owner: &'static [&'static str],
    /// Paths in the answer to `files`.
    paths: fn(&str) -> Vec<String>,
    /// The package in the answer to `owner`.
    package: fn(&str) -> Option<String>,
}

fn questions(cx: &Context) -> Result<Questions, String> {
    let packages = (cx.machine.packages)()?;
    Ok(match packages.name() {
        "apt" => Questions {
            files: &["dpkg", "-L", "--"],
            owner: &["dpkg", "-S", "--"],
            paths: absolute,
            package: dpkg_owner,
        },
        "dnf" | "dnf5" | "yum" | "zypper" => Questions {
            files: &["rpm", "-ql", "--"],
            owner: &["rpm", "-qf", "--queryformat", "%{NAME}\\n", "--"],
            paths: absolute,
            package: first_line,
        },
        "pacman" => Questions {
            files: &["pacman", "-Qlq", "--"],
            owner: &["pacman", "-Qoq", "--"],
            paths: absolute,
            package: first_line,
        },
        "apk" => Questions {
            files: &["apk", "info", "-L", "--"],
            owner: &["apk", "info", "-W", "--"],
            paths: apk_paths,
            package: apk_owner,
        },
        other => {
            return Err(format!("which files belong to a package is not known of {other}; use `cmd.run`"));
        }
    })
}

/// Lines that are paths. dpkg and rpm put notes between them.
fn absolute(text: &str) -> Vec<String> {
    text.lines().filter(|l| l.starts_with('/') && *l != "/.").map(str::to_owned).collect()
}

/// apk leaves out the first slash, and has a heading.
fn apk_paths(text: &str) -> Vec<String> {
    text.lines().filter(|l| !l.is_empty() && !l.ends_with(" contains:")).map(|l| format!("/{l}")).collect()
}

fn first_line(text: &str) -> Option<String> {
    text.lines().next().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned)
}

/// `libc6:amd64, libc6:i386: /path`, after notes on diversions.
fn dpkg_owner(text: &str) -> Option<String> {
    let line = text.lines().find(|l| !l.starts_with("diversion by") && !l.starts_with("local diversion"))?;
    let (names, _) = line.split_once(": ")?;
    let first = names.split(',').next()?.trim();
    Some(first.split(':').next().unwrap_or(first).to_owned())
}

/// `/bin/x is owned by NAME-VERSION-rRELEASE`.
fn apk_owner(text: &str) -> Option<String> {
    let full = text.lines().find_map(|l| Some(l.split_once(" is owned by ")?.1))?;
    let mut parts = full.trim().rsplitn(3, '-');
    parts.nth(2).map(str::to_owned)
}

fn ask(cx: &Context, words: &[&str], about: &str) -> Result<Result<String, String>, String> {
    let (program, args) = words.split_first().ok_or("no program")?;
    let command = tool(program, args.iter().copied().chain([about]));
    let output = run(cx, command.clone())?;
    Ok(if output.success() { Ok(output.stdout) } else { Err(failure(&command, &output)) })
}

/// Files by package, and what went wrong; all installed packages where none is named.
fn by_package(cx: &Context, names: &[String]) -> Result<(Vec<(String, Vec<String>)>, Vec<String>), String> {
    let questions = questions(cx)?;
    let all: Vec<String> = match names {
        [] => (cx.machine.packages)()?.installed(cx)?.keys().cloned().collect(),
        some => some.to_vec(),
    };
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    for name in all {
        match ask(cx, questions.files, &name)? {
            Ok(text) => found.push((name, (questions.paths)(&text))),
            Err(why) => errors.push(why),
        }
    }
    Ok((found, errors))
}

exec! {
    /// Files of packages, as `files`, with what went wrong as `errors`; without a name those of all packages.
    "pkg.file_list" probe FileList {
        /// The packages.
        packages: Vec<String>,
    } |it, cx| {
        let (found, errors) = by_package(cx, &it.packages)?;
        let mut files: Vec<String> = found.into_iter().flat_map(|(_, files)| files).collect();
        files.sort();
        files.dedup();
        Ok(Value::Map(Map::from_iter([
            ("errors".to_owned(), errors.into()),
            ("files".to_owned(), files.into()),
        ])))
    }
}

exec! {
    /// Files by package, as `packages`, with what went wrong as `errors`; without a name those of all packages.
    "pkg.file_dict" probe FileDict {
        /// The packages.
        packages: Vec<String>,
    } |it, cx| {
        let (found, errors) = by_package(cx, &it.packages)?;
        let found: Map = found.into_iter().map(|(name, files)| (name, files.into())).collect();
        Ok(Value::Map(Map::from_iter([
            ("errors".to_owned(), errors.into()),
            ("packages".to_owned(), found.into()),
        ])))
    }
}

exec! {
    /// The package to which a file belongs, empty where it belongs to none; of several, a map.
    "pkg.owner" probe Owner {
        /// The files.
        paths: Vec<Path>,
    } |it, cx| {
        let questions = questions(cx)?;
        let mut all = Map::new();
        for path in &it.paths {
            let answer = ask(cx, questions.owner, path)?.ok();
            let owner = answer.and_then(|text| (questions.package)(&text)).unwrap_or_default();
            all.insert(path.0.clone(), owner.into());
        }
        Ok(match (it.paths.as_slice(), all.pop()) {
            ([_], Some((_, owner))) => owner,
            (_, Some((path, owner))) => {
                all.insert(path, owner);
                all.into()
            }
            (_, None) => "".into(),
        })
    }
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library.exec::<FileList>().exec::<FileDict>().exec::<Owner>();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_the_tools() {
        let dpkg = "diversion by dash from: /bin/sh\nlibc6:amd64, libc6:i386: /lib/x\n";
        assert_eq!(dpkg_owner(dpkg).as_deref(), Some("libc6"));
        assert_eq!(dpkg_owner(""), None);
        assert_eq!(apk_owner("/bin/x is owned by so-name-1.2.3-r4\n").as_deref(), Some("so-name"));
        assert_eq!(apk_paths("busybox-1.36-r1 contains:\nbin/busybox\n\n"), ["/bin/busybox"]);
        assert_eq!(absolute("/.\n/bin\npackage diverts others to: /bin/x\n"), ["/bin"]);
    }
}
