//! The documentation of an item, worked out only when it is shown.

use crate::ide::{docs, hover, shown_place};
use zester_compiler::{
    project::TreeKind,
    query::{self, Index},
    types::{FunctionKind, FunctionName},
};

/// The documentation behind a key that an item carries, as Markdown.
pub fn documentation(index: &Index, key: &str) -> Option<String> {
    let (what, rest) = key.split_once(' ')?;
    let registry = &index.registry;
    let param = |kind: FunctionKind| {
        let (function, name) = rest.split_once(' ')?;
        let signature = docs::signature(registry, kind, &FunctionName::parse(function)?)?;
        Some(docs::parameter(signature, signature.param(name)?))
    };
    match what {
        "state" => {
            docs::signature(registry, FunctionKind::State, &FunctionName::parse(rest)?).map(docs::function)
        }
        "exec" => {
            docs::signature(registry, FunctionKind::Exec, &FunctionName::parse(rest)?).map(docs::function)
        }
        "param" => param(FunctionKind::State),
        "execparam" => param(FunctionKind::Exec),
        "generic" => query::generic_key(rest).map(|k| format!("{}\n\nEvery state takes it.\n", k.doc)),
        "module" => docs::module(registry, FunctionKind::State, rest),
        "fact" => docs::fact(rest),
        "grain" => docs::grain(rest),
        "global" => query::global_doc(rest).map(str::to_owned),
        "given" => {
            let (template, name) = rest.split_once(' ')?;
            let path: Vec<String> = name.split(':').map(str::to_owned).collect();
            hover::reads(index, &[template.to_owned()], &path)
        }
        "setting" => {
            let path: Vec<String> = rest.split(':').map(str::to_owned).collect();
            let tree = index.settings().get(&path)?;
            let places = tree.places.iter().take(8);
            let lines: Vec<String> =
                places.map(|p| format!("- `{}` at {}", p.value, shown_place(index, p.span))).collect();
            Some(lines.join("\n"))
        }
        "ref" => {
            let (kind, name) = rest.split_once(' ')?;
            let kind = if kind == "state" { TreeKind::States } else { TreeKind::Settings };
            let found = index.project.resolve(kind, "base", name, None).ok()?;
            Some(format!("`{}`", found.file.path))
        }
        _ => None,
    }
}
