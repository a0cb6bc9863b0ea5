//! `pkgrepo.*`: repositories of the package manager.

mod absent;
mod deb822;
mod keyring;
mod managed;
mod one_line;

use crate::{Context, Library};

/// Adds the module's functions.
pub(crate) fn register(library: &mut Library) {
    library.state::<managed::Managed>().state::<absent::Absent>();
}

/// Where apt's main list lies.
const MAIN_LIST: &str = "/etc/apt/sources.list";
/// Where apt's further lists lie.
const LIST_DIR: &str = "/etc/apt/sources.list.d";

/// The text of a file, empty when there is none.
fn text_of(cx: &Context, path: &str) -> Result<Option<String>, String> {
    match cx.machine.files.read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(format!("`{path}` could not be read: {e}")),
    }
}

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

/// Only apt's repositories are known so far.
fn require_apt(cx: &Context) -> Result<(), String> {
    let packages = (cx.machine.packages)()?;
    match packages.name() {
        "apt" | "fake" => Ok(()),
        other => Err(format!(
            "repositories of {other} are not supported yet; write their file with `file.managed`"
        )),
    }
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
