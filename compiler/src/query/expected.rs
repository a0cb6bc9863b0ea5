//! What may stand at a place of a document, by the way that leads to it from the document's root.

use super::{
    Context,
    body::{Body, Shape},
    chain::Root,
    given,
    mention::Kind,
    nodes,
    template::ExecCall,
};
use crate::{
    check::{fold::Constants, workspace::UnitKind},
    infer::Ty,
    lower::document::requisite_of_key,
    project::TreeKind,
    syntax::{Node, NodeKind, template::Template},
    types::FunctionName,
};

/// What may be written at a place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expected {
    /// Free text, or a place that is not understood.
    Nothing,
    /// An id, `include`, `extend`, `exclude`.
    TopLevel {
        /// Keys that are there.
        present: Vec<String>,
    },
    /// A state function.
    Function {
        /// The id it is for.
        id: String,
        /// Functions that the id has already.
        present: Vec<String>,
        /// What stands below it already.
        body: Body,
        /// Whether it is a key, below which parameters follow.
        key: bool,
        /// Whether the state is an entry of `extend`.
        extend: bool,
    },
    /// The function's own word of the split form: `pkg: [installed]`.
    SplitFunction {
        /// The module.
        module: String,
        /// The state of another file that an entry of `extend` changes: its function is written there.
        extended: Option<String>,
        /// What stands beside it already.
        body: Body,
        /// Parameters are possible, too, when the function is named.
        parameter: Option<(FunctionName, Vec<String>)>,
        /// The value that stands behind it already.
        shape: Shape,
    },
    /// A parameter of a state function.
    Parameter {
        /// The function.
        function: FunctionName,
        /// Parameters that are there.
        present: Vec<String>,
        /// Whether the dash is there already, or none is needed.
        dash: bool,
        /// The value that stands behind it already.
        shape: Shape,
    },
    /// A value of a parameter.
    Value {
        /// The function.
        function: FunctionName,
        /// The parameter.
        parameter: String,
        /// Keys below the parameter.
        path: Vec<String>,
        /// Whether the word is a key.
        key: bool,
        /// The state's id.
        id: String,
    },
    /// A variable that a state gives to the templates it renders, or a key below one.
    Given {
        /// Sources of the templates.
        sources: Vec<String>,
        /// Keys above.
        path: Vec<String>,
        /// Keys that are there.
        present: Vec<String>,
        /// Variables that the state's other parameter gives.
        elsewhere: Vec<String>,
    },
    /// The kind of a requisite's target.
    RequisiteKind {
        /// The requisite.
        requisite: String,
        /// Whether the dash is there already.
        dash: bool,
    },
    /// The id or name of a requisite's target.
    RequisiteTarget {
        /// The requisite.
        requisite: String,
        /// What kind of state is asked for.
        kind: Kind,
        /// The function that the requisite stands in.
        function: Option<FunctionName>,
        /// The state it stands in.
        id: String,
    },
    /// A ref.
    Reference {
        /// Of which tree.
        kind: TreeKind,
        /// The environment; the file's own otherwise.
        env: Option<String>,
        /// Whether the dash is there already.
        dash: bool,
        /// Refs that are there.
        present: Vec<String>,
    },
    /// `id` or `sls`.
    ExcludeKey,
    /// The id of a state anywhere.
    StateId {
        /// Whether it is a key.
        key: bool,
    },
    /// An environment of a top file.
    Environment,
    /// A target of a top file.
    Target,
    /// A key of settings.
    SettingsKey {
        /// The keys above.
        path: Vec<String>,
        /// Keys that are there.
        present: Vec<String>,
    },
    /// A value of settings.
    SettingsValue {
        /// The keys.
        path: Vec<String>,
    },
    /// A key of `zester.yaml`.
    ConfigKey {
        /// The keys above.
        path: Vec<String>,
    },
    /// A path of the state tree, behind `zester://`.
    Source,
    /// The word of a template statement.
    Statement,
    /// A variable, macro or global.
    Name {
        /// The call whose argument it is.
        call: Option<ExecCall>,
    },
    /// A word between two operands.
    Operator,
    /// A key of facts, grains or settings.
    Member {
        /// Of which.
        root: Root,
        /// The keys before it.
        path: Vec<String>,
        /// Whether it stands in a text, so that any key can be written.
        text: bool,
    },
    /// A value that a fact or setting is compared to.
    Compared {
        /// Of which.
        root: Root,
        /// Its path.
        path: Vec<String>,
    },
    /// A name of an imported file.
    Attribute {
        /// The file's project path.
        file: String,
    },
    /// An attribute of `loop`.
    LoopAttribute,
    /// A method of a value of unknown type.
    Method,
    /// A key or method of a value whose type is known.
    Key {
        /// The type.
        ty: Ty,
        /// Whether it stands in a text, so that any key can be written, and no method.
        text: bool,
    },
    /// A text that a value is compared to whose type is known.
    ComparedText {
        /// The type.
        ty: Ty,
    },
    /// A filter.
    Filter,
    /// A test.
    Test,
    /// An exec function.
    ExecFunction {
        /// The module, where it is written already.
        module: Option<String>,
    },
    /// The path of a template.
    TemplatePath,
    /// A name to import.
    ImportedName {
        /// From this file, by its project path.
        file: Option<String>,
        /// Names that are imported already.
        present: Vec<String>,
    },
}

/// The way to a node: keys, and `None` for items of lists, each with the collection it is in.
pub(super) struct Way<'t> {
    pub steps: Vec<(Option<String>, &'t Node)>,
    /// The branches of the text.
    pub template: &'t Template,
    /// The collection the node stands in directly.
    pub container: &'t Node,
    pub node: &'t Node,
    pub in_key: bool,
}

/// Deepest way that is followed.
const MAX_DEPTH: usize = 100;

/// The way to the scalar that contains a text.
pub(super) fn way_to<'t>(root: &'t Node, template: &'t Template, wanted: &str) -> Option<Way<'t>> {
    let mut steps = Vec::new();
    let (node, in_key, container) = search(root, root, wanted, &mut steps, 0)?;
    Some(Way { steps, template, container, node, in_key })
}

fn search<'t>(
    node: &'t Node,
    container: &'t Node,
    wanted: &str,
    steps: &mut Vec<(Option<String>, &'t Node)>,
    depth: usize,
) -> Option<(&'t Node, bool, &'t Node)> {
    if depth > MAX_DEPTH {
        return None;
    }
    match &node.kind {
        NodeKind::Scalar(_) if has_text(node, wanted) => Some((node, false, container)),
        NodeKind::Choice(nodes) => nodes.iter().find_map(|n| search(n, container, wanted, steps, depth + 1)),
        NodeKind::Mapping(mapping) => mapping.entries.iter().find_map(|entry| {
            if has_text(&entry.key, wanted) {
                return Some((&entry.key, true, node));
            }
            let key = entry.key.text().map_or_else(String::new, |t| t.into_owned());
            steps.push((Some(key), node));
            let found = search(&entry.value, node, wanted, steps, depth + 1);
            if found.is_none() {
                steps.pop();
            }
            found
        }),
        NodeKind::Sequence(sequence) => sequence.items.iter().find_map(|item| {
            steps.push((None, node));
            let found = search(item, node, wanted, steps, depth + 1);
            if found.is_none() {
                steps.pop();
            }
            found
        }),
        _ => None,
    }
}

pub(super) fn has_text(node: &Node, wanted: &str) -> bool {
    let NodeKind::Scalar(scalar) = &node.kind else { return false };
    scalar
        .parts
        .iter()
        .any(|part| matches!(part, crate::syntax::Part::Text { text, .. } if text.contains(wanted)))
}

/// Keys of a collection: of a map its own, of a list those of the maps in it. Without the one that contains a text.
pub(super) fn keys_of(node: &Node, without: &str) -> Vec<String> {
    keys(node, without).into_iter().map(|(_, key)| key).collect()
}

fn keys<'t>(node: &'t Node, without: &str) -> Vec<(&'t Node, String)> {
    let of_maps = match &node.kind {
        NodeKind::Sequence(_) => {
            nodes::items(node).into_iter().flat_map(nodes::entries).map(|(key, _)| key).collect::<Vec<_>>()
        }
        _ => nodes::entries(node).into_iter().map(|(key, _)| key).collect(),
    };
    let texts = of_maps.into_iter().filter_map(|key| Some((key, key.text()?.into_owned())));
    texts.filter(|(_, text)| !text.contains(without)).collect()
}

/// Keys that stand beside the word. Those of branches that exclude its own can be written once more.
fn present(node: &Node, way: &Way<'_>, without: &str) -> Vec<String> {
    let at = way.node.span.start;
    let found = keys(node, without).into_iter();
    found.filter(|(key, _)| !way.template.exclusive(key.span.start, at)).map(|(_, key)| key).collect()
}

fn texts_of(node: &Node, without: &str) -> Vec<String> {
    let texts = nodes::items(node).into_iter().filter_map(|item| item.text()).map(|t| t.into_owned());
    texts.filter(|t| !t.contains(without)).collect()
}

/// What may stand at the end of a way.
pub(super) fn expected(context: &Context, way: &Way<'_>, marker: &str) -> Expected {
    let steps: Vec<Option<&str>> = way.steps.iter().map(|(key, _)| key.as_deref()).collect();
    match context.kind {
        UnitKind::Top(kind) => top(kind, &steps, way, marker),
        UnitKind::Settings => settings(&steps, way, marker),
        UnitKind::Schema => Expected::Nothing,
        UnitKind::States | UnitKind::Template | UnitKind::Data => states(context, &steps, way, marker),
    }
}

/// What may stand in `zester.yaml`.
pub(super) fn expected_config(way: &Way<'_>) -> Expected {
    let path = way.steps.iter().filter_map(|(key, _)| key.clone()).collect();
    if way.in_key || way.steps.is_empty() { Expected::ConfigKey { path } } else { Expected::Nothing }
}

fn top(kind: TreeKind, steps: &[Option<&str>], way: &Way<'_>, marker: &str) -> Expected {
    match steps {
        [] => Expected::Environment,
        [Some(_)] => Expected::Target,
        [Some(env), Some(_)] if !way.in_key => {
            Expected::Reference { kind, env: Some((*env).to_owned()), dash: false, present: Vec::new() }
        }
        [Some(env), Some(_), rest @ ..] if matches!(rest, [] | [None]) => Expected::Reference {
            kind,
            env: Some((*env).to_owned()),
            dash: !rest.is_empty(),
            present: texts_of(way.container, marker),
        },
        _ => Expected::Nothing,
    }
}

fn settings(steps: &[Option<&str>], way: &Way<'_>, marker: &str) -> Expected {
    if steps.first() == Some(&Some("include")) && steps.len() <= 2 {
        return Expected::Reference {
            kind: TreeKind::Settings,
            env: None,
            dash: steps.len() == 2,
            present: texts_of(way.container, marker),
        };
    }
    let path: Vec<String> = steps.iter().flatten().map(|s| (*s).to_owned()).collect();
    if way.in_key || steps.is_empty() {
        // Keys of maps in a list are not settings of their own.
        if steps.contains(&None) {
            return Expected::Nothing;
        }
        return Expected::SettingsKey { path, present: present(way.container, way, marker) };
    }
    Expected::SettingsValue { path }
}

fn states(context: &Context, steps: &[Option<&str>], way: &Way<'_>, marker: &str) -> Expected {
    match steps {
        [] => Expected::TopLevel { present: present(way.container, way, marker) },
        [Some("include")] | [Some("include"), None] => Expected::Reference {
            kind: TreeKind::States,
            env: None,
            dash: steps.len() == 2,
            present: texts_of(way.container, marker),
        },
        [Some("include"), None, Some(env)] => Expected::Reference {
            kind: TreeKind::States,
            env: Some((*env).to_owned()),
            dash: true,
            present: Vec::new(),
        },
        [Some("exclude")] | [Some("exclude"), None] => Expected::ExcludeKey,
        [Some("exclude"), None, Some("id")] => Expected::StateId { key: false },
        [Some("exclude"), None, Some("sls")] => {
            Expected::Reference { kind: TreeKind::States, env: None, dash: true, present: Vec::new() }
        }
        [Some("extend")] => Expected::StateId { key: true },
        [Some("extend"), rest @ ..] => state(context, rest, 1, way, marker),
        rest => state(context, rest, 0, way, marker),
    }
}

fn state(context: &Context, steps: &[Option<&str>], above: usize, way: &Way<'_>, marker: &str) -> Expected {
    let (Some(Some(id)), rest) = (steps.first(), steps.get(1..).unwrap_or_default()) else {
        return Expected::Nothing;
    };
    let id = (*id).to_owned();
    let (function, rest) = match rest {
        [] => {
            let present = if way.in_key { present(way.container, way, marker) } else { Vec::new() };
            let body = if way.in_key { Body::below(way.container, marker) } else { Body::default() };
            return Expected::Function { id, present, body, key: way.in_key, extend: above > 0 };
        }
        [Some(function), rest @ ..] => (*function, rest),
        // Items below an expression that writes the state.
        [None, ..] if id.is_empty() => ("", rest),
        [None, ..] => return Expected::Nothing,
    };
    // The collection of the arguments is what the step behind the function's key is in, else what the word is in.
    let at = if function.is_empty() && id.is_empty() { above + 1 } else { above + 2 };
    let arguments = way.steps.get(at).map_or(way.container, |(_, node)| *node);
    let unknown = FunctionName { module: "".into(), function: "".into() };
    let name = FunctionName::parse(function).or_else(|| {
        // A function that an expression names takes what every state takes.
        if function.is_empty() {
            return Some(unknown);
        }
        let words = nodes::items(arguments).into_iter().filter_map(|item| item.text());
        let word = words.filter(|w| !w.contains(marker)).find(|w| !w.contains(':'))?;
        Some(FunctionName { module: function.into(), function: word.into() })
    });
    let shape = if way.in_key { Shape::behind(way.container, marker) } else { Shape::Unknown };
    let (key, path) = match rest {
        [] if !way.in_key => return Expected::Nothing,
        [] => {
            return match name {
                Some(function) => {
                    let present = present(arguments, way, marker);
                    Expected::Parameter { function, present, dash: false, shape }
                }
                None => Expected::Nothing,
            };
        }
        [None] => {
            // Keys in the column of a `context` without value are meant to be its value.
            let mut before =
                nodes::entries(way.container).into_iter().take_while(|(key, _)| !has_text(key, marker));
            let is_given = |(key, value): (&Node, &Node)| {
                key.text().is_some_and(|key| given::gives(&key)) && matches!(value.kind, NodeKind::Empty)
            };
            if way.in_key && before.any(is_given) {
                return given(context, arguments, Vec::new(), way, marker);
            }
            let present = present(arguments, way, marker);
            return match (FunctionName::parse(function), name) {
                (Some(function), _) => Expected::Parameter { function, present, dash: true, shape },
                (None, Some(name)) if function.is_empty() => {
                    Expected::Parameter { function: name, present, dash: true, shape }
                }
                (None, name) => Expected::SplitFunction {
                    module: function.to_owned(),
                    extended: (above > 0).then_some(id),
                    body: Body::of(arguments, marker),
                    parameter: name.map(|name| (name, present)),
                    shape,
                },
            };
        }
        [None, Some(key), path @ ..] => (*key, path),
        [Some(key), path @ ..] => (*key, path),
        [None, None, ..] => return Expected::Nothing,
    };
    if requisite_of_key(key).is_some() || matches!(key, "use" | "use_in") {
        return requisite(key, path, name, id, way);
    }
    let Some(function) = name else { return Expected::Nothing };
    if matches!(function.module.as_str(), "zester" | "salt") && !way.in_key {
        // What steps of an orchestration name.
        match (function.function.as_str(), key, path) {
            ("state", "sls", [] | [None]) => {
                let present = if path.is_empty() { Vec::new() } else { present(way.container, way, marker) };
                return Expected::Reference { kind: TreeKind::States, env: None, dash: true, present };
            }
            ("state" | "function", "tgt", []) => return Expected::Target,
            ("function", "name", []) => return Expected::ExecFunction { module: None },
            _ => {}
        }
    }
    let path: Vec<String> = path.iter().flatten().map(|s| (*s).to_owned()).collect();
    if way.in_key && given::gives(key) {
        return given(context, arguments, path, way, marker);
    }
    Expected::Value { function, parameter: key.to_owned(), path, key: way.in_key, id }
}

/// A key that gives a variable to the templates that a state's arguments name.
fn given(context: &Context, arguments: &Node, path: Vec<String>, way: &Way<'_>, marker: &str) -> Expected {
    let constants = Constants::of_template(way.template, &context.tree_path);
    let mut entries = nodes::entries(arguments);
    if entries.is_empty() {
        entries = nodes::items(arguments).into_iter().flat_map(nodes::entries).collect();
    }
    let others = entries.iter().filter(|(key, _)| key.text().is_some_and(|key| given::gives(&key)));
    let elsewhere = others
        .filter(|(_, value)| !(value.span.start..=value.span.end).contains(&way.node.span.start))
        .flat_map(|(_, value)| keys_of(value, marker))
        .collect();
    let sources = given::sources(entries, &constants);
    Expected::Given { sources, path, present: present(way.container, way, marker), elsewhere }
}

fn requisite(
    requisite: &str,
    path: &[Option<&str>],
    function: Option<FunctionName>,
    id: String,
    way: &Way<'_>,
) -> Expected {
    let requisite = requisite.to_owned();
    match path {
        [] | [None] => Expected::RequisiteKind { requisite, dash: !path.is_empty() },
        [Some(kind)] | [None, Some(kind)] if !way.in_key => match *kind {
            "sls" => {
                Expected::Reference { kind: TreeKind::States, env: None, dash: true, present: Vec::new() }
            }
            "id" | "" => Expected::RequisiteTarget { requisite, kind: Kind::Any, function, id },
            kind => {
                let kind =
                    FunctionName::parse(kind).map_or_else(|| Kind::Module(kind.to_owned()), Kind::Function);
                Expected::RequisiteTarget { requisite, kind, function, id }
            }
        },
        _ => Expected::Nothing,
    }
}
