//! Which packages an author asks for: `name`, `pkgs`, each with or without a version.

use crate::{Context, provider::Packages};
use zester_compiler::types::{Type, Value};

/// One package that is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Wanted {
    /// Its name, as the package manager lists it.
    pub name: String,
    /// The version: a text that [`super::version::satisfies`] reads, or `latest`.
    pub version: Option<String>,
}

impl Wanted {
    /// Whether the newest version is asked for.
    pub(crate) fn is_latest(&self) -> bool {
        self.version.as_deref() == Some("latest")
    }
}

/// The type of `pkgs`: names, and one-key maps of a name and a version.
pub(crate) fn list_type() -> Type {
    Type::List(Box::new(Type::Union(vec![
        Type::Str,
        Type::Map(Box::new(Type::Union(vec![Type::Version, Type::Null]))),
    ])))
}

/// `pkgs` when it is given, else `name` with `version`.
pub(crate) fn wanted(
    cx: &Context,
    packages: &dyn Packages,
    name: &str,
    version: Option<&str>,
    pkgs: Option<&[Value]>,
) -> Result<Vec<Wanted>, String> {
    let mut all: Vec<Wanted> = Vec::new();
    let mut add = |name: &str, version: Option<String>| -> Result<(), String> {
        let (name, inline) = packages.inline_version(name);
        let inline = inline.map(str::to_owned);
        if name.is_empty() || name.starts_with('-') || name.contains(char::is_whitespace) {
            return Err(format!("`{name}` is not the name of a package"));
        }
        let name = packages.canonical(cx, name)?;
        let version = version.or(inline).filter(|v| !v.is_empty());
        match all.iter_mut().find(|w| w.name == name) {
            Some(known) => known.version = version.or(known.version.take()),
            None => all.push(Wanted { name, version }),
        }
        Ok(())
    };
    match pkgs {
        Some(items) => {
            for item in items {
                match item {
                    Value::Map(map) => {
                        for (name, version) in map {
                            let version = match version {
                                Value::Null => None,
                                version => Some(version.to_string()),
                            };
                            add(name, version)?;
                        }
                    }
                    Value::Null | Value::List(_) => {
                        return Err(format!(
                            "`pkgs` holds names and `name: version` pairs, not {}",
                            item.describe()
                        ));
                    }
                    name => add(&name.to_string(), None)?,
                }
            }
        }
        // Salt's state functions take a comma-separated list here, too.
        None => {
            for name in name.split(',').map(str::trim).filter(|n| !n.is_empty()) {
                add(name, version.map(str::to_owned))?;
            }
        }
    }
    Ok(all)
}
