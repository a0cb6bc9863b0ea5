//! `sys.*`: what functions there are.

use crate::{Context, Library};
use std::sync::Arc;
use zester_compiler::types::{FunctionKind, Map, Signature, Value};

fn matching<'a>(
    cx: &'a Context,
    kind: FunctionKind,
    names: &'a [String],
) -> impl Iterator<Item = &'a Arc<Signature>> {
    cx.library.registry().signatures(kind).filter(move |signature| {
        names.is_empty()
            || names.iter().any(|name| {
                let full = signature.name();
                if name.contains(['*', '?']) {
                    crate::pkg::glob(name.as_bytes(), full.as_bytes())
                } else {
                    *name == full || *name == signature.module
                }
            })
    })
}

fn documentation(signature: &Signature) -> Value {
    let mut text = signature.doc.to_string();
    for param in &signature.params {
        text.push_str(&format!("\n\n{}: {}", param.name, param.ty));
        if let Some(default) = &param.default {
            text.push_str(&format!(" = {default}"));
        }
        text.push_str(&format!("\n    {}", param.doc.replace('\n', "\n    ")));
    }
    text.into()
}

fn arguments(signature: &Signature) -> Value {
    let names: Vec<&str> = signature.params.iter().map(|p| &*p.name).collect();
    let defaults: Vec<Value> =
        signature.params.iter().map(|p| p.default.clone().unwrap_or_default()).collect();
    Value::Map(Map::from_iter([
        ("args".to_owned(), names.into()),
        ("defaults".to_owned(), Value::List(defaults)),
        ("kwargs".to_owned(), signature.open.into()),
        ("varargs".to_owned(), Value::Null),
    ]))
}

macro_rules! listings {
    ($($(#[doc = $doc:literal])+ $name:literal $struct:ident $kind:ident |$signatures:ident| $body:expr;)+) => {$(
        exec! {
            $(#[doc = $doc])+
            $name pure $struct {
                /// Names of functions or modules; patterns are possible. All when not given.
                names: Vec<String>,
            } |it, cx| {
                let $signatures = matching(cx, FunctionKind::$kind, &it.names);
                Ok($body)
            }
        }
    )+};
}

listings! {
    /// Documentation of functions.
    "sys.doc" Doc Exec |all| Value::Map(all.map(|s| (s.name(), documentation(s))).collect());
    /// Documentation of state functions.
    "sys.state_doc" StateDoc State |all| Value::Map(all.map(|s| (s.name(), documentation(s))).collect());
    /// Arguments of functions.
    "sys.argspec" Argspec Exec |all| Value::Map(all.map(|s| (s.name(), arguments(s))).collect());
    /// Arguments of state functions.
    "sys.state_argspec" StateArgspec State |all| Value::Map(all.map(|s| (s.name(), arguments(s))).collect());
    /// Names of functions.
    "sys.list_functions" ListFunctions Exec |all| all.map(|s| s.name()).collect::<Vec<_>>().into();
    /// Names of state functions.
    "sys.list_state_functions" ListStateFunctions State |all| all.map(|s| s.name()).collect::<Vec<_>>().into();
    /// Names of modules.
    "sys.list_modules" ListModules Exec |all| modules(all);
    /// Names of state modules.
    "sys.list_state_modules" ListStateModules State |all| modules(all);
}

fn modules<'a>(all: impl Iterator<Item = &'a Arc<Signature>>) -> Value {
    let mut names: Vec<&str> = all.map(|s| &*s.module).collect();
    names.dedup();
    names.into()
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library
        .exec::<Doc>()
        .exec::<StateDoc>()
        .exec::<Argspec>()
        .exec::<StateArgspec>()
        .exec::<ListFunctions>()
        .exec::<ListStateFunctions>()
        .exec::<ListModules>()
        .exec::<ListStateModules>();
}
