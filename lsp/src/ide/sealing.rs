//! Sealing a secret that stands in plain text. The text itself goes nowhere but to what seals it.

use super::actions::{Action, ActionKind};
use std::collections::BTreeMap;
use zester_compiler::{
    check::UnitKind,
    query::{Context, Index, Root},
    settings::{SEALED, Seal, plain_secret_at, sealing_edit},
    syntax::Tree,
};

/// Sealed texts that are looked at for whom they are sealed.
const MAX_SEALED: usize = 200;
/// Characters of a public key that tell it apart for a person.
const SHOWN: usize = 8;

/// The action that seals the secret at a place of a settings file, where there is one and a key to seal for.
pub fn action(
    index: &Index,
    context: &Context,
    tree: &Tree,
    offset: usize,
    seal: &dyn Seal,
) -> Option<Action> {
    if context.kind != UnitKind::Settings {
        return None;
    }
    // By its type, or because other files say that it is secret.
    let is_secret =
        |path: &[String]| index.type_of_path(Root::Settings, path).is_some_and(|ty| ty.is_secret());
    let secret = plain_secret_at(tree, offset, &is_secret)?;
    let recipient = seal.recipient(&sealed_texts(index, tree))?;
    let edit = sealing_edit(tree, &secret, &|text| seal.seal(&recipient, text))?;
    let key: String = recipient.chars().take(SHOWN).collect();
    Some(Action {
        title: format!("Seal `{}` for the key {key}…", secret.path.join(".")),
        kind: ActionKind::Fix,
        edits: BTreeMap::from([(context.path.clone(), vec![edit])]),
    })
}

/// Sealed texts of the project: those of the file first.
fn sealed_texts<'a>(index: &'a Index, tree: &'a Tree) -> Vec<&'a str> {
    let others = index.files().filter(|file| file.context.kind == UnitKind::Settings).map(|file| &*file.tree);
    let texts = std::iter::once(tree).chain(others).flat_map(|tree| {
        let text: &str = &tree.text;
        text.match_indices(SEALED).filter_map(|(at, _)| {
            let rest = text.get(at..)?;
            rest.get(..=rest.find(']')?)
        })
    });
    texts.take(MAX_SEALED).collect()
}
