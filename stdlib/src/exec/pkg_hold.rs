//! `pkg.hold` and its kin: packages whose version stays.

use crate::{Context, Library};
use zester_compiler::types::{Map, Value};

/// Salt's answer: per package what was changed and whether that succeeded.
fn set(
    cx: &Context,
    name: Option<&String>,
    pkgs: Option<&[Value]>,
    function: &str,
    hold: bool,
) -> Result<Value, String> {
    let packages = (cx.machine.packages)()?;
    let name = name.cloned().unwrap_or_default();
    let wanted = crate::pkg::wanted(cx, &*packages, &name, None, pkgs)?;
    if wanted.is_empty() {
        return Err(format!("`{function}` needs `name` or `pkgs`"));
    }
    let (installed, held) = (packages.installed(cx)?, packages.held(cx)?);
    let state = |held: bool| if held { "hold" } else { "install" };
    let mut all = Map::new();
    let mut change = Vec::new();
    for name in wanted.into_iter().map(|w| w.name) {
        let (result, changed, comment) = if !installed.contains_key(&name) {
            (false, false, format!("Package {name} is not installed."))
        } else if held.contains(&name) == hold {
            (
                true,
                false,
                format!("Package {name} is already set to be {}.", if hold { "held" } else { "unheld" }),
            )
        } else {
            change.push(name.clone());
            (
                true,
                true,
                format!("Package {name} is now {}.", if hold { "being held" } else { "not being held" }),
            )
        };
        let changes = if changed {
            Map::from_iter([("old".to_owned(), state(!hold).into()), ("new".to_owned(), state(hold).into())])
        } else {
            Map::new()
        };
        let entry = [
            ("name".to_owned(), Value::from(name.as_str())),
            ("changes".to_owned(), changes.into()),
            ("result".to_owned(), result.into()),
            ("comment".to_owned(), comment.into()),
        ];
        all.insert(name, Value::Map(entry.into_iter().collect()));
    }
    if !change.is_empty() {
        packages.set_held(cx, &change, hold)?;
    }
    Ok(all.into())
}

exec! {
    /// Holds packages at their version: no upgrade touches them.
    "pkg.hold" mutating Hold {
        /// The package.
        name: Option<String>,
        /// Several packages.
        pkgs: Option<Vec<Value>>,
    } |it, cx| set(cx, it.name.as_ref(), it.pkgs.as_deref(), "pkg.hold", true)
}

exec! {
    /// Releases packages that are held.
    "pkg.unhold" mutating Unhold {
        /// The package.
        name: Option<String>,
        /// Several packages.
        pkgs: Option<Vec<Value>>,
    } |it, cx| set(cx, it.name.as_ref(), it.pkgs.as_deref(), "pkg.unhold", false)
}

exec! {
    /// Names of the packages that are held.
    "pkg.list_holds" probe ListHolds {} |_, cx| Ok((cx.machine.packages)()?.held(cx)?.into())
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library.exec::<Hold>().exec::<Unhold>().exec::<ListHolds>();
}

#[cfg(test)]
mod tests {
    use crate::{
        exec::tests::{call, gives},
        provider::fake::{FakeMachine, FakePackages},
    };
    use std::sync::Arc;

    #[test]
    fn what_is_held_is_not_held_again() {
        let mut machine = FakeMachine::new();
        let packages = Arc::new(FakePackages::default());
        packages.put("bash", "5.2-1");
        machine.packages = Some(packages.clone());
        let first = call(&machine, "pkg.hold", r#"["bash"]"#, "{}").unwrap();
        assert_eq!(first.lookup("bash:changes:new", ':').and_then(|v| v.as_str()), Some("hold"));
        gives(&machine, "pkg.list_holds", "[]", r#"["bash"]"#);
        let second = call(&machine, "pkg.hold", "[]", r#"{"pkgs": ["bash", "gone"]}"#).unwrap();
        assert_eq!(second.lookup("bash:changes", ':').and_then(|v| v.as_map()).map(|m| m.len()), Some(0));
        assert_eq!(second.lookup("gone:result", ':').and_then(|v| v.as_bool()), Some(false));
        call(&machine, "pkg.unhold", r#"["bash"]"#, "{}").unwrap();
        assert_eq!(packages.log(), ["hold bash", "unhold bash"]);
    }
}
