//! Types of the expressions that settings files write as values.
//!
//! Settings are made of these, so they are typed before settings have types: by facts, grains, literals and functions.
//! What hangs on settings, or on another file, is not known here.

use super::{
    Data, Engine, World,
    data::{FACTS, GRAINS},
    ty::Ty,
};
use crate::check::{has_unreadable, workspace::Workspace};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, LazyLock},
};

/// Facts, and settings of which nothing is known.
static FACTS_ALONE: LazyLock<Data> = LazyLock::new(|| Data {
    facts: FACTS.clone(),
    grains: GRAINS.clone(),
    settings: Ty::DYNAMIC,
    settings_may_be_elsewhere: true,
    inferred: Arc::default(),
    change: super::Change::Nothing,
    custom: HashSet::new(),
});

/// The types of the expressions of a file that stand for themselves, by their first byte. Nothing where a file takes names
/// from others: theirs may change without it.
pub(crate) fn expressions(workspace: &Workspace<'_>, index: usize) -> HashMap<u32, Ty> {
    let world = World::new(workspace, &FACTS_ALONE);
    let file = world.around.file(index);
    let Some(file) = file.filter(|file| file.summary.uses.is_empty() && !has_unreadable(file.tree)) else {
        return HashMap::new();
    };
    let mut engine = Engine::new(&world, index, file);
    engine.quiet = 1;
    engine.run_file();
    std::mem::take(&mut engine.roots)
}

/// What is kept of an expression's type: what may be missing, or has keys, is not followed.
pub(crate) fn kept(ty: &Ty) -> Ty {
    let one = |member: &Ty| match member {
        Ty::List(item) if is_leaf(item) => member.clone(),
        other if is_leaf(other) => member.clone(),
        Ty::Secret(_) => Ty::DYNAMIC.secret(),
        _ => Ty::DYNAMIC,
    };
    Ty::union(ty.members().iter().map(one))
}

/// Whether nothing can be below a setting of this type.
pub(crate) fn is_leaf(ty: &Ty) -> bool {
    ty.members()
        .iter()
        .all(|m| matches!(m, Ty::Null | Ty::Bool(_) | Ty::Int(_) | Ty::Float | Ty::Str(_) | Ty::Word(_)))
}
