//! `zester doc`

use crate::{
    options::Common,
    output::{Exit, Failure, print},
};
use clap::Args;
use serde_json::json;
use zester_compiler::{
    diagnostic::nearest,
    types::{Constraint, FunctionKind, Signature},
};
use zester_executor::local::{Local, library};

/// What can I write? Prints a function's parameters and documentation, a module's functions, or all modules; those of
/// the project's custom modules (`_modules/NAME.star`) among them.
#[derive(Args)]
pub struct DocArgs {
    /// module.function, or a module.
    pub name: Option<String>,
    /// Exec functions, as templates and module.run call them.
    #[arg(long)]
    pub exec: bool,
}

/// Runs the command.
pub fn run(common: &Common, args: &DocArgs) -> Result<Exit, Failure> {
    // Outside of a project, and where it cannot be opened, there are the built-in functions.
    let local = Local::open(common.local(true), zester_stdlib::Cancel::default());
    let library = local.map_or_else(|_| library(), |local| local.library);
    let registry = library.registry();
    let kinds = if args.exec {
        [FunctionKind::Exec, FunctionKind::State]
    } else {
        [FunctionKind::State, FunctionKind::Exec]
    };
    let Some(name) = &args.name else {
        let mut text = String::new();
        for kind in kinds {
            text.push_str(if kind == FunctionKind::State {
                "State functions\n\n"
            } else {
                "\nExec functions\n\n"
            });
            for signature in registry.signatures(kind) {
                text.push_str(&format!("  {:32} {}\n", signature.name(), summary(signature)));
            }
        }
        print(&text);
        return Ok(Exit::Fine);
    };
    let (module, function) = name.split_once('.').unwrap_or((name, ""));
    for kind in kinds {
        if let Some(signature) = registry.get(kind, module, function) {
            print(&if common.json() { document(signature) } else { page(signature) });
            return Ok(Exit::Fine);
        }
    }
    if function.is_empty() && kinds.iter().any(|kind| registry.has_module(*kind, module)) {
        let mut text = String::new();
        for kind in kinds {
            for signature in registry.signatures(kind).filter(|s| s.module == module) {
                let what = if kind == FunctionKind::State { "state" } else { "exec " };
                text.push_str(&format!("{what}  {:32} {}\n", signature.name(), summary(signature)));
            }
        }
        print(&text);
        return Ok(Exit::Fine);
    }
    if let Some(instead) = registry.elsewhere(name) {
        return Err(Failure::new(format!("`{name}` is Salt's and not provided here: {instead}")));
    }
    let names: Vec<String> = kinds.iter().flat_map(|k| registry.signatures(*k)).map(|s| s.name()).collect();
    let modules = kinds.iter().flat_map(|k| registry.modules(*k));
    let near = nearest(name, names.iter().map(String::as_str).chain(modules));
    let hint = near.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
    Err(Failure::new(format!("there is no function or module `{name}`{hint}")))
}

fn summary(signature: &Signature) -> &str {
    signature.doc.lines().next().unwrap_or("")
}

fn page(signature: &Signature) -> String {
    let mut text = format!("{}\n\n{}\n\nParameters\n\n", signature.name(), signature.doc);
    for param in &signature.params {
        let mut notes = vec![param.ty.to_string()];
        if param.required {
            notes.push("required".to_owned());
        }
        if param.primary {
            notes.push("the id by default".to_owned());
        }
        if let Some(default) = &param.default {
            notes.push(format!("default {default}"));
        }
        if !param.aliases.is_empty() {
            notes.push(format!("also {}", param.aliases.join(", ")));
        }
        text.push_str(&format!("  {} ({})\n", param.name, notes.join("; ")));
        for line in param.doc.lines() {
            text.push_str(&format!("      {line}\n"));
        }
        if let Some(why) = param.inert {
            text.push_str(&format!("      Has no effect: {why}\n"));
        }
    }
    for constraint in &signature.constraints {
        text.push_str(&format!("\n{}\n", rule(constraint)));
    }
    if !signature.platforms.is_empty() {
        text.push_str(&format!("\nWorks on: {}\n", signature.platforms.join(", ")));
    }
    text
}

fn rule(constraint: &Constraint) -> String {
    match constraint {
        Constraint::AnyOf(names) => format!("At least one of {} must be given.", names.join(", ")),
        Constraint::ExactlyOneOf(names) => format!("Exactly one of {} must be given.", names.join(", ")),
        Constraint::AtMostOneOf(names) => format!("At most one of {} may be given.", names.join(", ")),
        Constraint::Requires(a, b) => format!("{a} needs {b}."),
    }
}

fn document(signature: &Signature) -> String {
    let params: Vec<_> = signature
        .params
        .iter()
        .map(|p| {
            json!({
                "name": p.name, "aliases": p.aliases, "type": p.ty.to_string(), "required": p.required,
                "primary": p.primary, "default": p.default, "doc": p.doc, "inert": p.inert,
                "secret": p.ty.is_secret(),
            })
        })
        .collect();
    let constraints: Vec<String> = signature.constraints.iter().map(rule).collect();
    let document = json!({
        "format_version": "1.0", "name": signature.name(), "doc": signature.doc, "params": params,
        "constraints": constraints, "platforms": signature.platforms, "open": signature.open,
        "kind": if signature.kind == FunctionKind::State { "state" } else { "exec" },
    });
    format!("{document}\n")
}
