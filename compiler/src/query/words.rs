//! Words of the language with what they mean: keys that every state takes, template statements, globals, targets.

use super::{
    mention::{Collector, Role, Symbol},
    nodes,
};
use crate::{
    check::calls::{FILTERS, TESTS},
    source::Span,
    syntax::Node,
    target::{Form, Pattern, Target},
    types::Type,
};

/// A key that every state takes.
pub struct GenericKey {
    /// The key.
    pub name: &'static str,
    /// What it does.
    pub doc: &'static str,
    /// Whether it is a requisite.
    pub requisite: bool,
    /// How often real trees use it; orders completions.
    pub weight: u32,
}

impl GenericKey {
    /// The type of its value, where it has one of its own.
    pub fn ty(&self) -> Option<Type> {
        crate::lower::attributes::type_of(self.name)
    }
}

const fn plain(name: &'static str, weight: u32, doc: &'static str) -> GenericKey {
    GenericKey { name, doc, requisite: false, weight }
}

const fn requisite(name: &'static str, weight: u32, doc: &'static str) -> GenericKey {
    GenericKey { name, doc, requisite: true, weight }
}

/// The keys that every state takes. Weights follow their counts in public Salt trees.
pub const GENERIC_KEYS: &[GenericKey] = &[
    plain("name", 90, "What the state is about, where it is not the id."),
    plain("names", 30, "Several names: the state is run once for each."),
    requisite("require", 100, "Run after these states, and only if they succeeded."),
    requisite("require_in", 40, "The named states require this one."),
    requisite("require_any", 4, "Run after these states, if at least one succeeded."),
    requisite("watch", 60, "As `require`; and react to their changes (restart, reload, run again)."),
    requisite("watch_in", 50, "The named states watch this one."),
    requisite("watch_any", 2, "As `watch`, if at least one succeeded."),
    requisite("onchanges", 35, "Run only if one of these states changed something."),
    requisite("onchanges_in", 6, "The named states run only if this one changed something."),
    requisite("onchanges_any", 2, "As `onchanges`; the others may fail."),
    requisite("onfail", 8, "Run only if one of these states failed."),
    requisite("onfail_in", 2, "The named states run only if this one failed."),
    requisite("onfail_any", 1, "As `onfail`."),
    requisite("onfail_all", 1, "Run only if all of these states failed."),
    requisite("prereq", 5, "Run before these states, and only if they would change something."),
    requisite("prereq_in", 2, "This state is the one the named states run before."),
    requisite("listen", 6, "React to their changes once, at the end of the run."),
    requisite("listen_in", 12, "The named states react to changes of this one at the end of the run."),
    plain("onlyif", 25, "Run only if all of these commands succeed (exit 0)."),
    plain("unless", 55, "Do not run if all of these commands succeed (exit 0)."),
    plain("creates", 15, "Do not run if all of these paths exist."),
    plain("check_cmd", 10, "The state failed if one of these commands fails after it ran."),
    plain("order", 10, "`first`, `last`, or a number: the order among states that requisites leave free."),
    plain("retry", 8, "Try again after a failure: `attempts`, `until`, `interval`, `splay`."),
    plain("failhard", 5, "Stop the whole run if this state fails."),
    plain("parallel", 2, "Run beside other states."),
    plain("runas", 12, "The user that commands of this state run as."),
    plain("timeout", 5, "How long the state may take."),
    plain("umask", 2, "The umask of commands of this state."),
    plain("use", 3, "Take the arguments of another state where this one has none."),
    plain("use_in", 2, "Give this state's arguments to the named states."),
    plain("fire_event", 2, "Send an event when the state is done."),
    plain("reload_modules", 1, "Accepted for Salt's sake; has no effect."),
    plain("reload_grains", 1, "Accepted for Salt's sake; has no effect."),
    plain("reload_pillar", 1, "Accepted for Salt's sake; has no effect."),
    plain("aggregate", 1, "Accepted for Salt's sake; has no effect."),
    plain("saltenv", 1, "The environment that `zester://` paths are looked up in."),
];

/// What is known of a key that every state takes.
pub fn generic_key(name: &str) -> Option<&'static GenericKey> {
    GENERIC_KEYS.iter().find(|key| key.name == name)
}

/// A statement of the template language.
pub struct Statement {
    /// Its word.
    pub word: &'static str,
    /// What follows the word, as a snippet with numbered places.
    pub snippet: &'static str,
    /// What it does.
    pub doc: &'static str,
    /// The word that ends its block, where it opens one.
    pub end: Option<&'static str>,
}

const fn statement(word: &'static str, snippet: &'static str, doc: &'static str) -> Statement {
    Statement { word, snippet, doc, end: None }
}

const fn block(word: &'static str, snippet: &'static str, end: &'static str, doc: &'static str) -> Statement {
    Statement { word, snippet, doc, end: Some(end) }
}

/// The statements, the most used first.
pub const STATEMENTS: &[Statement] = &[
    block("if", "if ${1:condition}", "endif", "Keeps its body where the condition holds."),
    block("for", "for ${1:item} in ${2:items}", "endfor", "Repeats its body for each item."),
    statement("set", "set ${1:name} = ${2:value}", "Gives a name a value."),
    statement("from", "from \"${1:path}\" import ${2:name}", "Imports names of another template."),
    statement("import", "import \"${1:path}\" as ${2:name}", "Imports another template as one name."),
    statement("elif", "elif ${1:condition}", "Another condition of an `if`."),
    statement("else", "else", "What holds otherwise; of a loop, for no items."),
    statement("import_yaml", "import_yaml \"${1:path}\" as ${2:name}", "Reads a YAML file of the tree."),
    statement("import_json", "import_json \"${1:path}\" as ${2:name}", "Reads a JSON file of the tree."),
    statement("import_text", "import_text \"${1:path}\" as ${2:name}", "Reads a file of the tree as text."),
    statement("do", "do ${1:expression}", "Evaluates an expression for its effect: `do list.append(x)`."),
    statement("include", "include \"${1:path}\"", "Puts the rendered text of another template here."),
    block("macro", "macro ${1:name}(${2:parameters})", "endmacro", "Defines a macro."),
    block(
        "load_yaml",
        "load_yaml as ${1:name}",
        "endload",
        "Gives a name the value of its body, read as YAML.",
    ),
    block(
        "load_json",
        "load_json as ${1:name}",
        "endload",
        "Gives a name the value of its body, read as JSON.",
    ),
    block("load_text", "load_text as ${1:name}", "endload", "Gives a name its body as text."),
    block("call", "call ${1:macro}()", "endcall", "Calls a macro with a body, which it gets as `caller()`."),
    block("filter", "filter ${1:name}", "endfilter", "Filters its body."),
    block("with", "with ${1:name} = ${2:value}", "endwith", "Names that only its body sees."),
    block("raw", "raw", "endraw", "Its body is not looked at."),
    statement("break", "break", "Leaves the loop."),
    statement("continue", "continue", "Goes on with the next item."),
];

/// Names of all filters.
pub fn filter_names() -> impl Iterator<Item = &'static str> {
    FILTERS.iter().copied()
}

/// Names of all tests.
pub fn test_names() -> impl Iterator<Item = &'static str> {
    TESTS.iter().copied()
}

/// What a name means that every template sees.
pub fn global_doc(name: &str) -> Option<&'static str> {
    Some(match name {
        "facts" => "The peel's facts, typed and nested: `facts.os.family`.",
        "grains" | "__grains__" => {
            "The peel's facts under Salt's flat names: `grains.os_family`, `grains['id']`."
        }
        "settings" => "The peel's settings.",
        "pillar" | "__pillar__" => "The peel's settings, under Salt's name.",
        "salt" | "zester" | "__salt__" => "Exec functions by name: `salt['pillar.get']('a:b', default)`.",
        "basket" => "Data that other peels publish: `basket(target, function)`.",
        "mine" => "Data that other peels publish, under Salt's name.",
        "peel_id" | "id" => "The id of the peel.",
        "env" | "saltenv" | "__env__" => "The environment of this file.",
        "sls" | "__sls__" => "The ref of this file: `web.config`.",
        "slspath" | "sls_path" | "slsdir" => "The directory of this file in its tree.",
        "slsdotpath" | "slscolonpath" => "The directory of this file in its tree, with other separators.",
        "tpldir" | "tpldot" => "The directory of this template in its tree.",
        "tplfile" => "The path of this template in its tree.",
        "tplpath" => "The path of this template on the machine.",
        "opts" | "__opts__" => "Options of the peel: `opts.id`, `opts.test`.",
        "range" => "Numbers: `range(3)`, `range(1, 4)`.",
        "dict" | "odict" => "Makes a map: `dict(a=1)`.",
        "namespace" => "A value whose attributes can be set inside loops: `namespace(found=false)`.",
        "cycler" => "Gives its arguments in turn: `cycler('odd', 'even')`.",
        "joiner" => "Gives a separator, but nothing at first.",
        "lipsum" => "Filler text.",
        "loop" => "The loop around: `loop.index`, `loop.first`, `loop.last`.",
        "caller" => "The body of the `call` block that calls this macro.",
        "raise" => "Stops rendering with a message: `raise('no such role')`.",
        "varargs" => "Further positional arguments of the macro.",
        "kwargs" => "Further named arguments of the macro.",
        "self" => "The blocks of this template.",
        "super" => "The block of the extended template.",
        "true" | "True" => "The truth value `true`.",
        "false" | "False" => "The truth value `false`.",
        "none" | "None" => "Nothing.",
        _ => return None,
    })
}

/// The words of a target: nodegroups, facts, settings paths.
pub(super) fn target_mentions(collector: &mut Collector<'_>, key: &Node, refs: &Node) {
    let (Some(text), Some(whole)) = (key.text(), nodes::literal_span(collector.tree, key)) else { return };
    let word = nodes::items(refs)
        .into_iter()
        .flat_map(nodes::entries)
        .find(|(key, _)| key.text().as_deref() == Some("match"))
        .and_then(|(_, value)| value.text());
    let form = match word {
        Some(word) => match Form::of_word(&word) {
            Some(form) => form,
            None => return,
        },
        None => Form::Compound,
    };
    let (target, _) = match form {
        Form::Compound => Target::parse(&text, whole),
        form => Target::parse_as(form, &text, whole),
    };
    for (pattern, span) in target.patterns() {
        let prefix = if form == Form::Compound { pattern.form().prefix().len() as u32 } else { 0 };
        let start = span.start + prefix;
        let written = |length: usize| Span { start, end: start + length as u32, ..span };
        let (symbol, span) = match pattern {
            Pattern::Nodegroup(name) => (Symbol::Nodegroup(name.clone()), written(name.len())),
            Pattern::Fact(conditions) => {
                let Some(condition) = conditions.first() else { continue };
                let path = condition.path.join(":");
                let symbol = if path.contains('.') || path.contains(':') {
                    Symbol::Fact(path.replace(':', "."))
                } else {
                    Symbol::Grain(path.clone())
                };
                (symbol, written(path.len()))
            }
            Pattern::Setting(conditions) => {
                let Some(condition) = conditions.first() else { continue };
                (Symbol::Setting(condition.path.clone()), written(condition.path.join(":").len()))
            }
            _ => continue,
        };
        if whole.contains(span) {
            collector.push(span, symbol, Role::Reference);
        }
    }
}
