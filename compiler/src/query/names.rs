//! Variables and macros that a place in a template sees.

use crate::{
    check::walk::bindings,
    source::Span,
    syntax::{
        Tree,
        template::{BlockKind, StatementKind, Template},
    },
};

/// What binds a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LocalKind {
    /// `set`, `load_yaml`, `import_yaml`, `with`.
    Variable,
    /// A loop's variable.
    Loop,
    /// A macro, with its parameters as written.
    Macro(Vec<String>),
    /// A parameter of a macro.
    Parameter,
    /// A name from another file, or that file.
    Import,
}

/// A name that can be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LocalName {
    /// The name.
    pub name: String,
    /// What binds it.
    pub kind: LocalKind,
    /// Where it is bound.
    pub span: Span,
}

/// Names that a template binds and that can be seen at a place, the innermost first.
pub fn names_at(tree: &Tree, offset: u32) -> Vec<LocalName> {
    let mut found: Vec<(usize, LocalName)> = bindings(&tree.template)
        .into_iter()
        .filter(|b| b.within.is_none_or(|w| w.start <= offset && offset <= w.end))
        .filter(|b| b.within.is_some() || b.span.start <= offset)
        .map(|b| {
            let width = b.within.map_or(usize::MAX, |w| w.range().len());
            (width, LocalName { name: b.name.to_owned(), kind: kind(&tree.template, b.span), span: b.span })
        })
        .collect();
    found.sort_by_key(|(width, name)| (*width, std::cmp::Reverse(name.span.start)));
    let mut names: Vec<LocalName> = Vec::new();
    for (_, name) in found {
        if names.iter().all(|n| n.name != name.name) && !name.name.contains('.') {
            names.push(name);
        }
    }
    names
}

/// Names that a file gives to those that import it.
pub fn exported_names(tree: &Tree) -> Vec<LocalName> {
    let mut found: Vec<LocalName> = Vec::new();
    for binding in bindings(&tree.template) {
        let name = binding.name.to_owned();
        if binding.within.is_none() && found.iter().all(|n| n.name != name) && !name.contains('.') {
            found.push(LocalName { name, kind: kind(&tree.template, binding.span), span: binding.span });
        }
    }
    found
}

/// What binds the name at a place.
pub fn kind(template: &Template, span: Span) -> LocalKind {
    for block in &template.blocks {
        if !block.span.contains(span) {
            continue;
        }
        match &block.kind {
            BlockKind::Macro { name, params } => {
                if name.1 == span {
                    return LocalKind::Macro(params.iter().map(|(name, ..)| name.clone()).collect());
                }
                if params.iter().any(|(_, place, _)| *place == span) {
                    return LocalKind::Parameter;
                }
            }
            BlockKind::Call { params, .. } if params.iter().any(|(_, place, _)| *place == span) => {
                return LocalKind::Parameter;
            }
            BlockKind::For { targets, .. } if targets.iter().any(|(_, place)| *place == span) => {
                return LocalKind::Loop;
            }
            _ => {}
        }
    }
    let imported = template.statements.iter().any(|s| {
        s.span.contains(span)
            && matches!(s.kind, StatementKind::Import { .. } | StatementKind::FromImport { .. })
    });
    if imported { LocalKind::Import } else { LocalKind::Variable }
}
