//! Refactorings: the same meaning, written otherwise.

use std::collections::BTreeMap;
use zester_compiler::{
    check::UnitKind,
    diagnostic::Edit,
    project::TreeKind,
    query::{self, BodyForm, Context, Index, StateAt},
    source::Span,
    syntax::{Node, NodeKind, Part, ScalarStyle, Tree},
    types::FunctionKind,
};

/// What an action is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ActionKind {
    /// The same, written otherwise.
    Rewrite,
    /// A part moves elsewhere.
    Extract,
    /// Something that should not stay as it is.
    Fix,
}

/// A refactoring, ready to be applied.
#[derive(Clone, Debug)]
pub struct Action {
    /// What it does, as an imperative.
    pub title: String,
    /// What it is.
    pub kind: ActionKind,
    /// Edits by project path.
    pub edits: BTreeMap<String, Vec<Edit>>,
}

/// All refactorings at a place.
pub fn refactorings(index: &Index, context: &Context, tree: &Tree, offset: usize) -> Vec<Action> {
    let mut found = Vec::new();
    if let Some(state) = query::state_at(context, tree, offset as u32) {
        found.extend(convert(context, tree, &state, offset));
        found.extend(add_requisites(context, tree, &state, offset));
        found.extend(extract(index, context, tree, &state, offset));
    }
    found
}

fn one(context: &Context, title: String, kind: ActionKind, edits: Vec<Edit>) -> Action {
    Action { title, kind, edits: BTreeMap::from([(context.path.clone(), edits)]) }
}

fn column(tree: &Tree, span: Span) -> usize {
    let start = span.start as usize;
    let line = tree.text.get(..start).and_then(|t| t.rfind('\n')).map_or(0, |at| at + 1);
    tree.text.get(line..start).map_or(0, |t| t.chars().count())
}

/// The body of a function in its other form: list of one-key maps, map, and the short form.
fn convert(context: &Context, tree: &Tree, state: &StateAt, offset: usize) -> Vec<Action> {
    // Offered at the id and the function, where the whole is meant.
    let on_head = (state.id_span.start as usize..=state.key_span.end as usize).contains(&offset);
    let Some(function) = state.function.as_ref().filter(|_| on_head) else { return Vec::new() };
    let indent = column(tree, state.key_span);
    match state.body {
        BodyForm::List(first) => {
            let items_in_map: Option<Vec<Edit>> = (!state.arguments.is_empty())
                .then(|| {
                    let mut edits = Vec::new();
                    for (_, key, _) in &state.arguments {
                        let start = key.start as usize;
                        let before = tree.text.get(..start)?;
                        let dash = before.rfind('-')?;
                        // Between the dash and the key only blanks, and one key in each item.
                        if !before.get(dash + 1..)?.chars().all(|c| c == ' ') {
                            return None;
                        }
                        edits.push(Edit {
                            span: Span { start: dash as u32, end: key.start, ..*key },
                            text: String::new(),
                        });
                    }
                    Some(edits)
                })
                .flatten();
            let mut keys: Vec<&str> = state.arguments.iter().map(|(k, ..)| k.as_str()).collect();
            keys.sort_unstable();
            keys.dedup();
            let Some(edits) = items_in_map.filter(|_| keys.len() == state.arguments.len()) else {
                return Vec::new();
            };
            // Keys move left by the dash's width; what is below them must have been written on lines of its own,
            // deeper than the dash, which stays deeper than the key's new column.
            let dash = column(tree, first).saturating_sub(2);
            let deeper = state.arguments.iter().all(|(_, key, value)| {
                let multi =
                    tree.text.get(key.start as usize..value.end as usize).is_some_and(|t| t.contains('\n'));
                !multi || column(tree, *value) > dash
            });
            if !deeper {
                return Vec::new();
            }
            vec![one(context, format!("Write the body of `{function}` as a map"), ActionKind::Rewrite, edits)]
        }
        BodyForm::Map(first) => {
            let at = column(tree, first);
            if at <= indent {
                return Vec::new();
            }
            // Each key gets a dash; lines below move right with it.
            let mut edits = Vec::new();
            for (_, key, value) in &state.arguments {
                edits.push(Edit { span: Span { end: key.start, ..*key }, text: "- ".to_owned() });
                let inside = tree.text.get(key.start as usize..value.end as usize).unwrap_or_default();
                for (line, _) in inside.match_indices('\n') {
                    let start = key.start + line as u32 + 1;
                    edits.push(Edit { span: Span { start, end: start, ..*key }, text: "  ".to_owned() });
                }
            }
            edits.sort_by_key(|e| e.span.start);
            vec![one(
                context,
                format!("Write the body of `{function}` as a list"),
                ActionKind::Rewrite,
                edits,
            )]
        }
        BodyForm::Short => {
            let line = tree
                .text
                .get(..state.id_span.start as usize)
                .and_then(|t| t.rfind('\n'))
                .map_or(0, |at| at + 1);
            let outer = state.id_span.start as usize - line;
            let text = format!("\n{}{function}: []", " ".repeat(outer + 2));
            let colon = Span { start: state.id_span.end + 1, end: state.key_span.end, ..state.id_span };
            let between = tree.text.get(colon.start as usize..state.key_span.start as usize);
            if between.is_none_or(|t| !t.trim().is_empty()) {
                return Vec::new();
            }
            let edit = Edit { span: colon, text };
            vec![one(
                context,
                format!("Write `{function}` on a line of its own"),
                ActionKind::Rewrite,
                vec![edit],
            )]
        }
        BodyForm::Nothing(_) | BodyForm::Other => Vec::new(),
    }
}

/// Functions that mostly need another one of the same id to have run: what installs it.
const NEEDS: &[(&str, &[&str])] = &[
    ("service", &["pkg.installed", "pkg.latest", "file.managed"]),
    ("file", &["pkg.installed", "pkg.latest", "user.present", "group.present"]),
    ("cmd", &["pkg.installed", "file.managed"]),
];

/// A `require` of another function of the same id, or of the state just before.
fn add_requisites(context: &Context, tree: &Tree, state: &StateAt, offset: usize) -> Vec<Action> {
    let on_head = (state.id_span.start as usize..=state.key_span.end as usize).contains(&offset);
    let Some(function) = state.function.as_ref().filter(|_| on_head) else { return Vec::new() };
    let all = query::states_of(context, tree);
    let wanted =
        NEEDS.iter().find(|(module, _)| *module == function.module).map_or(&[][..], |(_, needs)| needs);
    let mut found = Vec::new();
    let already = |key: &str| {
        let argument = state.arguments.iter().find(|(name, ..)| name == key);
        argument
            .and_then(|(_, key, value)| tree.text.get(key.start as usize..value.end as usize))
            .unwrap_or_default()
    };
    for other in
        all.iter().filter(|o| o.key_span != state.key_span && o.key_span.start < state.key_span.start)
    {
        let (Some(id), Some(needed)) = (&other.id, &other.function) else { continue };
        let same_id = other.id_span == state.id_span;
        if !wanted.contains(&needed.to_string().as_str())
            || !(same_id || other.span.end <= state.id_span.start)
        {
            continue;
        }
        let item = format!("{}: {id}", needed.module);
        if already("require").contains(&item) || already("watch").contains(&item) {
            continue;
        }
        if id.contains([':', '#', '{', '"', '\'']) {
            continue;
        }
        let Some(edit) = requisite_edit(tree, state, "require", &item) else { continue };
        found.push(one(context, format!("Require `{item}`"), ActionKind::Rewrite, vec![edit]));
    }
    // The nearest ones are meant most often.
    found.reverse();
    found.truncate(3);
    found
}

fn requisite_edit(tree: &Tree, state: &StateAt, requisite: &str, item: &str) -> Option<Edit> {
    let indent = column(tree, state.key_span);
    if let Some((_, key, value)) = state.arguments.iter().find(|(name, ..)| name == requisite) {
        // Behind the last item of a list on lines of its own.
        let inside = tree.text.get(value.start as usize..value.end as usize)?;
        let first = column(tree, *value);
        let start = value.start as usize;
        let is_block = tree.text.get(key.end as usize..start).is_some_and(|t| t.contains('\n'))
            && inside.starts_with("- ");
        let is_block =
            is_block || tree.text.get(..start).is_some_and(|t| t.trim_end_matches(' ').ends_with('-'));
        let dash = if inside.starts_with("- ") { first } else { first.checked_sub(2)? };
        let end = value.start as usize + inside.trim_end().len();
        let span = Span { start: end as u32, end: end as u32, ..*value };
        return is_block.then(|| Edit { span, text: format!("\n{}- {item}", " ".repeat(dash)) });
    }
    match state.body {
        BodyForm::List(first) => {
            let dash = column(tree, first).checked_sub(2)?;
            let pad = " ".repeat(dash);
            let text = format!("{requisite}:\n{pad}  - {item}\n{pad}- ");
            Some(Edit { span: Span { end: first.start, ..first }, text })
        }
        BodyForm::Map(first) => {
            let pad = " ".repeat(column(tree, first));
            let text = format!("{requisite}:\n{pad}  - {item}\n{pad}");
            Some(Edit { span: Span { end: first.start, ..first }, text })
        }
        BodyForm::Nothing(span) => {
            let pad = " ".repeat(indent + 2);
            Some(Edit { span, text: format!("\n{pad}- {requisite}:\n{pad}  - {item}") })
        }
        BodyForm::Short | BodyForm::Other => None,
    }
}

/// The literal value at a place becomes a setting, with the value in the settings file of the same ref.
fn extract(index: &Index, context: &Context, tree: &Tree, state: &StateAt, offset: usize) -> Option<Action> {
    if context.kind != UnitKind::States {
        return None;
    }
    let (name, _, value) = state
        .arguments
        .iter()
        .find(|(_, _, value)| (value.start as usize..=value.end as usize).contains(&offset))?;
    let function = state.function.as_ref()?;
    let signature = index.registry.get(FunctionKind::State, &function.module, &function.function)?;
    signature.param(name)?;
    let root = tree.root.as_ref()?;
    let node: &Node = *query::node_chain(root, offset as u32).last()?;
    let NodeKind::Scalar(scalar) = &node.kind else { return None };
    if node.span != *value || !matches!(scalar.parts.as_slice(), [Part::Text { .. }]) {
        return None;
    }
    if !matches!(scalar.style, ScalarStyle::Plain | ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted) {
        return None;
    }
    let written = tree.text.get(value.range())?;
    let (_, _, reference) = index.project.reference_of(&context.path)?;
    let group: String = reference.split('.').next().unwrap_or("site").replace('-', "_");
    let is_word = |w: &str| w.chars().all(|c| c.is_alphanumeric() || c == '_') && !w.is_empty();
    if !is_word(&group) || !is_word(name) {
        return None;
    }
    let settings = index.settings();
    if settings.get(&[group.clone(), name.clone()]).is_some() {
        return None;
    }
    // The settings file that has the group's other values, else the one of the same ref.
    let target = match settings.children.get(&group).and_then(|g| g.places.first()) {
        Some(place) => index.project.files().get(place.span.file).path.to_string(),
        None => index.project.resolve(TreeKind::Settings, &context.env, &group, None).ok()?.file.path,
    };
    let file = index.file(&target)?;
    let edit = match settings.children.get(&group).and_then(|g| g.places.first()) {
        Some(place) => {
            // As the first key below the group, in the column of the others.
            let map = query::node_chain(file.tree.root.as_ref()?, place.span.start).first().copied()?;
            let below = map.as_mapping()?.entries.iter().find(|e| e.key.span == place.span)?;
            let first = below.value.as_mapping().filter(|m| !m.flow)?.entries.first()?.key.span;
            let pad = " ".repeat(column(&file.tree, first));
            Edit { span: Span { end: first.start, ..first }, text: format!("{name}: {written}\n{pad}") }
        }
        None => {
            let end = file.tree.text.len();
            let lead = if file.tree.text.is_empty() || file.tree.text.ends_with('\n') { "" } else { "\n" };
            let span = Span { file: file.tree.file, start: end as u32, end: end as u32 };
            Edit { span, text: format!("{lead}{group}:\n  {name}: {written}\n") }
        }
    };
    let here = Edit { span: *value, text: format!("{{{{ settings.{group}.{name} }}}}") };
    let mut edits = BTreeMap::from([(context.path.clone(), vec![here])]);
    edits.entry(target.clone()).or_default().push(edit);
    Some(Action {
        title: format!("Extract to the setting `{group}.{name}` in {target}"),
        kind: ActionKind::Extract,
        edits,
    })
}
