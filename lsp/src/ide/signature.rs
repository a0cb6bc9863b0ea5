//! The signature of the call around a place.

use super::docs;
use zester_compiler::{
    query::{self, Context, Index, LocalKind, Symbol},
    syntax::Tree,
    types::FunctionKind,
};

/// A call's signature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignatureHelp {
    /// All of it on one line.
    pub label: String,
    /// What it does.
    pub doc: String,
    /// Each parameter as it stands in the label, with its documentation.
    pub parameters: Vec<(String, String)>,
    /// The parameter at the place.
    pub active: Option<usize>,
}

/// The signature of the innermost call around a place.
pub fn signature(index: &Index, context: &Context, tree: &Tree, offset: usize) -> Option<SignatureHelp> {
    let call = query::exec_call_at(&tree.text, offset)?;
    let place = |names: &[String]| match &call.argument {
        Some(name) => names.iter().position(|n| n == name),
        None => (call.position < names.len()).then_some(call.position),
    };
    if let Some(name) = &call.function {
        let signature = docs::signature(&index.registry, FunctionKind::Exec, name)?;
        let names: Vec<String> = signature.params.iter().map(|p| p.name.to_string()).collect();
        let parameters: Vec<(String, String)> = signature
            .params
            .iter()
            .map(|p| {
                let default = p.default.as_ref().map(|d| format!(" = {d}")).unwrap_or_default();
                (format!("{}: {}{default}", p.name, docs::short(&p.ty)), p.doc.to_string())
            })
            .collect();
        let shown: Vec<&str> = parameters.iter().map(|(label, _)| label.as_str()).collect();
        return Some(SignatureHelp {
            label: format!("{}({})", signature.name(), shown.join(", ")),
            doc: signature.doc.to_string(),
            active: place(&names),
            parameters,
        });
    }
    // A macro of this file or of an imported one.
    let name = call.name.as_ref()?;
    let names = macro_parameters(index, context, tree, name)?;
    Some(SignatureHelp {
        label: format!("{name}({})", names.join(", ")),
        doc: "A macro.".to_owned(),
        active: place(&names),
        parameters: names.into_iter().map(|n| (n, String::new())).collect(),
    })
}

/// The parameters of a macro of a file, or of one that the file imports (`macro`, `module.macro`).
pub fn macro_parameters(index: &Index, context: &Context, tree: &Tree, name: &str) -> Option<Vec<String>> {
    let last = name.rsplit('.').next()?;
    let own = query::exported_names(tree).into_iter().find(|n| n.name == name);
    if let Some(LocalKind::Macro(names)) = own.map(|n| n.kind) {
        return Some(names);
    }
    let mentions = index.mentions_of(context, tree);
    let file = mentions.iter().find_map(|m| match &m.symbol {
        Symbol::Name { file, name, scope: None } if name == last && *file != context.path => Some(file),
        _ => None,
    })?;
    let found = query::exported_names(&index.file(file)?.tree).into_iter().find(|n| n.name == last)?;
    match found.kind {
        LocalKind::Macro(names) => Some(names),
        _ => None,
    }
}
