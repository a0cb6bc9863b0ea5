//! Where secret values end up: parameters that keep them, files that others cannot read, and everywhere else.

use super::{Engine, ty::Ty};
use crate::{
    diagnostic::Diagnostic,
    lower::document::{Argument, Function, State},
    rule,
    source::Span,
    syntax::{Node, NodeKind, Part},
    types::Signature,
};

rule! {
    /// A secret is used in a place that shows it.
    ///
    /// What stands on a command line is seen by every user of the machine, an id stands in every log, and a file is read by
    /// everybody unless its mode says otherwise. A secret may go to parameters that keep it (a password), to the
    /// environment or the input of a command, and into files that only their owner and group read.
    ///
    /// ```yaml
    /// -- states/db.zy --
    /// /etc/db.conf:
    ///   file.managed:
    ///     - contents: password={{ settings.db_password }}
    /// -- settings/top.zy --
    /// base:
    ///   '*': [db]
    /// -- settings/db.zy --
    /// db_password: !encrypted hunter2
    /// ```
    ///
    /// ```yaml
    /// -- states/db.zy --
    /// /etc/db.conf:
    ///   file.managed:
    ///     - contents: password={{ settings.db_password }}
    ///     - mode: '0600'
    /// -- settings/top.zy --
    /// base:
    ///   '*': [db]
    /// -- settings/db.zy --
    /// db_password: !encrypted hunter2
    /// ```
    pub SECRET_SHOWN = "Z0520", "secret-shown", Error;
}

/// Parameters whose values no other user of the machine sees, and no log has.
const KEPT: [&str; 4] = ["env", "environment", "query", "stdin"];

/// Parameters that become the contents of a file.
const CONTENTS: [&str; 9] =
    ["contents", "context", "defaults", "dataset", "text", "content", "repl", "value", "key_values"];

/// Checks a state's id.
pub(super) fn check_id(engine: &Engine<'_, '_>, state: &State<'_>, found: &mut Vec<Diagnostic>) {
    if let Some(span) = secret_in(engine, state.id) {
        let message = "The id of a state stands in plans, results and logs, and this one has a secret in it";
        found.push(Diagnostic::new(&SECRET_SHOWN, span, message).help("use a name of its own for the state"));
    }
}

/// Checks the arguments of a function.
pub(super) fn check_function(
    engine: &Engine<'_, '_>,
    function: &Function<'_>,
    signature: &Signature,
    found: &mut Vec<Diagnostic>,
) {
    for argument in &function.arguments {
        let Some(key) = argument.key.text() else { continue };
        let param = signature.param(&key).or_else(|| (key == "name").then(|| signature.primary()).flatten());
        let kept = param.is_some_and(|p| p.ty.is_secret())
            || KEPT.contains(&&*key)
            || signature.open && !signature.fleet;
        if kept {
            continue;
        }
        let Some(span) = secret_in(engine, argument.value) else { continue };
        if CONTENTS.contains(&&*key) && signature.module == "file" {
            contents(function, signature, span, found);
            continue;
        }
        let on_a_command_line =
            || format!("`{key}` shows a secret: every user of the machine can read command lines");
        let (message, help) = match &*signature.module {
            "cmd" => (on_a_command_line(), "give it to the command through `env` or `stdin`"),
            "docker_container" => (
                on_a_command_line(),
                "give it to the container in `environment`, or in a file that `binds` puts into it",
            ),
            "docker_network" | "docker_volume" => (
                on_a_command_line(),
                "`docker` takes it nowhere else: have the driver read it from a file of its own",
            ),
            _ => (
                format!(
                    "`{key}` of `{}` is not kept secret: it stands in plans, results and logs",
                    signature.name()
                ),
                "use a parameter whose type is `secret<…>`",
            ),
        };
        found.push(Diagnostic::new(&SECRET_SHOWN, span, message).help(help));
    }
}

/// A secret in a file: its mode has to keep others out.
fn contents(function: &Function<'_>, signature: &Signature, span: Span, found: &mut Vec<Diagnostic>) {
    let given = |name: &str| -> Option<&Argument<'_>> {
        function.arguments.iter().find(|a| a.key.text().as_deref() == Some(name))
    };
    // A list that is not complete, or defaults that come from elsewhere, may have the mode.
    if function.open || given("use").is_some() {
        return;
    }
    if signature.param("mode").is_none() {
        return;
    }
    let Some(mode) = given("mode") else {
        let message = "A secret goes into a file that everybody may read: without `mode` it is 0644";
        found.push(Diagnostic::new(&SECRET_SHOWN, span, message).help("add `- mode: '0600'`"));
        return;
    };
    let Some(text) = mode.value.text() else { return };
    let digits = text.trim().trim_start_matches("0o");
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return;
    }
    if digits.bytes().next_back().is_some_and(|others| others != b'0') {
        let message = format!("A secret goes into a file that everybody may read: its mode is {text}");
        found.push(
            Diagnostic::new(&SECRET_SHOWN, span, message)
                .label(mode.value.span, "the mode is here")
                .help("write a mode that ends in 0, such as `'0600'`"),
        );
    }
}

/// The first expression in a node that may give a secret.
fn secret_in(engine: &Engine<'_, '_>, node: &Node) -> Option<Span> {
    let mut pending = vec![node];
    while let Some(node) = pending.pop() {
        match &node.kind {
            NodeKind::Scalar(scalar) => {
                for part in &scalar.parts {
                    if let Part::Expr { expr, .. } = part
                        && engine.roots.get(&expr.span.start).is_some_and(Ty::is_secret)
                    {
                        return Some(expr.span);
                    }
                }
            }
            NodeKind::Sequence(list) => pending.extend(list.items.iter().rev()),
            NodeKind::Mapping(map) => pending.extend(map.entries.iter().rev().map(|e| &e.value)),
            NodeKind::Choice(all) => pending.extend(all.iter().rev()),
            NodeKind::Splice(splice) => {
                if let Some(expr) = &splice.expr
                    && engine.roots.get(&expr.span.start).is_some_and(Ty::is_secret)
                {
                    return Some(expr.span);
                }
            }
            NodeKind::Empty | NodeKind::Error => {}
        }
    }
    None
}
