//! What is known of functions, parameters and facts, as Markdown.

use zester_compiler::types::{
    Constraint, Effect, FunctionKind, FunctionName, Param, Registry, Signature, Type, facts_grains,
    facts_schema,
};

/// A function's page.
pub fn function(signature: &Signature) -> String {
    let mut text = format!("```yaml\n{}\n```\n\n{}\n", head(signature), signature.doc);
    if !signature.params.is_empty() {
        text.push_str("\n**Parameters**\n\n");
        for param in &signature.params {
            let first = param.doc.lines().next().unwrap_or_default();
            text.push_str(&format!("- `{}` *{}*{}: {first}\n", param.name, short(&param.ty), notes(param)));
        }
    }
    for constraint in &signature.constraints {
        text.push_str(&format!("\n{}\n", rule(constraint)));
    }
    if !signature.platforms.is_empty() {
        text.push_str(&format!("\nWorks on: {}\n", signature.platforms.join(", ")));
    }
    if signature.kind == FunctionKind::Exec {
        let effect = match signature.effect {
            Effect::Pure => "Depends on facts and settings alone.",
            Effect::Probe => "Reads the machine.",
            Effect::Command => "Runs a command while the template is rendered.",
            Effect::Mutating => "Changes the machine: not allowed while a template is rendered.",
        };
        text.push_str(&format!("\n{effect}\n"));
    }
    text
}

/// A function's name with its parameters, on one line.
pub fn head(signature: &Signature) -> String {
    let params: Vec<String> =
        signature.params.iter().map(|p| format!("{}{}", p.name, if p.required { "" } else { "?" })).collect();
    format!("{}({})", signature.name(), params.join(", "))
}

fn notes(param: &Param) -> String {
    let mut notes = Vec::new();
    if param.required {
        notes.push("required".to_owned());
    }
    if param.primary {
        notes.push("the id by default".to_owned());
    }
    if let Some(default) = &param.default {
        notes.push(format!("default `{default}`"));
    }
    if notes.is_empty() { String::new() } else { format!(", {}", notes.join(", ")) }
}

/// A type's name, cut where it would fill the line.
pub fn short(ty: &Type) -> String {
    cut(&ty.to_string(), 48)
}

/// A text of at most so many characters; a longer one with `…` at its end.
pub fn cut(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// A parameter's page.
pub fn parameter(signature: &Signature, param: &Param) -> String {
    let mut text = format!("```yaml\n{}: {}\n```\n\n{}\n", param.name, param.ty, param.doc);
    let notes = notes(param);
    if !notes.is_empty() {
        text.push_str(&format!("\n{}\n", notes.trim_start_matches(", ")));
    }
    if !param.aliases.is_empty() {
        text.push_str(&format!("\nAlso written {}.\n", param.aliases.join(", ")));
    }
    if let Some(why) = param.inert {
        text.push_str(&format!("\nHas no effect: {why}.\n"));
    }
    for constraint in signature.constraints.iter().filter(|c| names(c).contains(&&*param.name)) {
        text.push_str(&format!("\n{}\n", rule(constraint)));
    }
    text.push_str(&format!("\nOf `{}`.\n", signature.name()));
    text
}

fn names(constraint: &Constraint) -> Vec<&'static str> {
    match constraint {
        Constraint::AnyOf(names) | Constraint::ExactlyOneOf(names) | Constraint::AtMostOneOf(names) => {
            names.to_vec()
        }
        Constraint::Requires(a, b) => vec![a, b],
    }
}

fn rule(constraint: &Constraint) -> String {
    match constraint {
        Constraint::AnyOf(names) => format!("At least one of {} must be given.", names.join(", ")),
        Constraint::ExactlyOneOf(names) => format!("Exactly one of {} must be given.", names.join(", ")),
        Constraint::AtMostOneOf(names) => format!("At most one of {} may be given.", names.join(", ")),
        Constraint::Requires(a, b) => format!("{a} needs {b}."),
    }
}

/// A fact's page.
pub fn fact(path: &str) -> Option<String> {
    let info = facts_schema::fact(path)?;
    let may = if info.optional { "\n\nA peel may be without it." } else { "" };
    let grain = facts_grains::grains().find(|g| g.fact.is_some_and(|(fact, _)| fact == path));
    let same = grain.map(|g| format!("\n\nSalt's grain `{}`.", g.name)).unwrap_or_default();
    Some(format!("```yaml\nfacts.{path}: {}\n```\n\n{}.{may}{same}\n", info.shape.ty(), info.doc))
}

/// A grain's page.
pub fn grain(name: &str) -> Option<String> {
    let info = facts_grains::grain(name)?;
    let may = if info.optional { "\n\nA peel may be without it." } else { "" };
    let fact = info.fact.map(|(fact, _)| format!("\n\nFrom `facts.{fact}`.")).unwrap_or_default();
    Some(format!("```yaml\ngrains.{name}: {}\n```\n\n{}.{may}{fact}\n", info.shape.ty(), info.doc))
}

/// The functions of a module.
pub fn module(registry: &Registry, kind: FunctionKind, name: &str) -> Option<String> {
    let functions: Vec<String> = registry
        .signatures(kind)
        .filter(|s| s.module == name)
        .map(|s| format!("- `{}`: {}", s.name(), s.doc.lines().next().unwrap_or_default()))
        .collect();
    let what = if kind == FunctionKind::State { "state" } else { "exec" };
    (!functions.is_empty()).then(|| format!("**{name}** ({what} module)\n\n{}\n", functions.join("\n")))
}

/// A signature by name.
pub fn signature<'r>(
    registry: &'r Registry,
    kind: FunctionKind,
    name: &FunctionName,
) -> Option<&'r Signature> {
    registry.get(kind, &name.module, &name.function).map(|s| &**s)
}
