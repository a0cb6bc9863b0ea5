//! Package files: `sources` of `pkg.installed`.

use super::wanted::Wanted;
use crate::{Context, provider::Packages, source};
use zester_compiler::types::Value;

/// A package file on the machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct PackageFile {
    /// The package's name, as the package manager lists it.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where it lies.
    pub path: String,
}

/// The files of `sources` and the packages they hold. A name that differs from the file's own is an error: the next
/// run would not find it.
pub(crate) fn wanted_files(
    cx: &Context,
    packages: &dyn Packages,
    sources: &[Value],
) -> Result<(Vec<Wanted>, Vec<PackageFile>), String> {
    let mut wanted = Vec::new();
    let mut files = Vec::new();
    for source in sources {
        let Value::Map(map) = source else {
            return Err(format!("`sources` holds `name: file` pairs, not {}", source.describe()));
        };
        for (name, source) in map {
            let path = local_copy(cx, &source.to_string())?;
            let (own, version) = packages.file_package(cx, &path)?;
            let name = packages.canonical(cx, name)?;
            if packages.canonical(cx, &own)? != name {
                return Err(format!("`{source}` holds the package `{own}`, not `{name}`"));
            }
            wanted.push(Wanted { name: name.clone(), version: Some(version.clone()) });
            files.push(PackageFile { name, version, path });
        }
    }
    Ok((wanted, files))
}

/// A copy of the file on the machine; one that lies there already is its own copy.
fn local_copy(cx: &Context, source: &str) -> Result<String, String> {
    let candidates = source::candidates(&[Value::from(source)]);
    // The package manager verifies what it installs; a checksum per file has no place in `sources`.
    let verify = source::Verify { skip: true, ..source::Verify::default() };
    source::local_path(cx, &candidates, &verify, source).map(|(path, _)| path).map_err(|e| e.message)
}
