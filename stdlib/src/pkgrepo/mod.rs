//! `pkgrepo.*`: repositories of the package manager.

mod absent;
mod apk_lines;
mod deb822;
mod keyring;
mod list;
mod managed;
mod one_line;
mod sections;

pub(crate) use list::all;

use crate::{Changes, Context, Failure, Library, provider::Ownership};
use zester_compiler::types::Value;

/// Adds the module's functions.
pub(crate) fn register(library: &mut Library) {
    library.state::<managed::Managed>().state::<absent::Absent>();
}

/// Where apt's main list lies.
const MAIN_LIST: &str = "/etc/apt/sources.list";
/// Where apt's further lists lie.
const LIST_DIR: &str = "/etc/apt/sources.list.d";

/// All lists of apt, in its order.
fn lists(cx: &Context) -> Vec<String> {
    let below = cx.machine.files.list(LIST_DIR).unwrap_or_default();
    std::iter::once(MAIN_LIST.to_owned())
        .chain(
            below
                .into_iter()
                .filter(|name| has_extension(name, "list") || has_extension(name, "sources"))
                .map(|name| format!("{LIST_DIR}/{name}")),
        )
        .collect()
}

fn has_extension(path: &str, extension: &str) -> bool {
    std::path::Path::new(path).extension().is_some_and(|e| e == extension)
}

/// A line of a difference, with the value of a password covered.
fn masked(line: &str) -> std::borrow::Cow<'_, str> {
    match line.get(1..).and_then(|rest| rest.split_once('=')) {
        Some((key, _)) if matches!(key.trim(), "password" | "proxy_password") => {
            format!("{}{key}=***\n", &line[..1]).into()
        }
        _ => line.into(),
    }
}

/// Why there is no plan for a package manager.
fn unmanaged(packages: &str) -> String {
    format!(
        "repositories of {packages} have no file that is known here; use `cmd.run` with a guard, or `file.managed` for its configuration"
    )
}

/// Writes a file when a plan is applied.
type Write = Box<dyn FnOnce(&Context) -> Result<(), Failure>>;

/// The change of a file of repositories as a difference, and what writes it; `None` when it stays as it is. One with a
/// password is for its owner alone; passwords are masked.
fn plan_edit(
    path: &str,
    old: Option<&str>,
    new: &str,
    has_password: bool,
) -> Result<Option<(Changes, Write)>, Failure> {
    if !path.starts_with('/') {
        return Err(format!("`file` of a repository is an absolute path, not `{path}`").into());
    }
    let before = old.unwrap_or_default();
    if old == Some(new) || (old.is_none() && new.is_empty()) {
        return Ok(None);
    }
    let diff = similar::TextDiff::from_lines(before, new).unified_diff().header(path, path).to_string();
    let diff: String = diff.split_inclusive('\n').map(masked).collect();
    let changes = Changes::from_iter([(
        path.to_owned(),
        Value::Map(Changes::from_iter([("diff".to_owned(), diff.into())])),
    )]);
    let (path, text) = (path.to_owned(), new.to_owned());
    // A file that is there keeps its mode, unless a password comes in.
    let mode = if has_password { Some(0o600) } else { old.is_none().then_some(0o644) };
    Ok(Some((
        changes,
        Box::new(move |cx| {
            let files = &cx.machine.files;
            let failed = |e: std::io::Error| format!("`{path}` could not be written: {e}");
            if let Some((dir, _)) = path.rsplit_once('/')
                && !dir.is_empty()
                && files.stat(dir, true).map_err(failed)?.is_none()
            {
                files.create_dir(dir, 0o755).map_err(failed)?;
            }
            if text.is_empty() {
                files.remove_file(&path).map_err(failed)?;
            } else {
                files
                    .write(&path, text.as_bytes(), Ownership { mode, ..Ownership::default() }, true)
                    .map_err(failed)?;
            }
            Ok(())
        }),
    )))
}

/// `~owner/name`, `ppa:owner/name` or `owner/name` of Launchpad as owner and name.
fn ppa_parts(text: &str) -> Result<(&str, &str), String> {
    let text = text.trim_start_matches("ppa:").trim_start_matches('~');
    match text.split_once('/') {
        Some((owner, name)) if !owner.is_empty() && !name.is_empty() => {
            let plain = |s: &str| s.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-._".contains(&b));
            if plain(owner) && plain(name) {
                return Ok((owner, name));
            }
            Err(format!("`{text}` is not the name of a PPA; it is `owner/name`"))
        }
        _ => Err(format!("`{text}` is not the name of a PPA; it is `owner/name`")),
    }
}
