//! Values that fit their parameters and cannot be meant: a plain password where its hash belongs, a shell's words where no shell reads.

use super::{
    summary::{ArgumentDecl, FunctionDecl},
    workspace::Unit,
};
use crate::{diagnostic::Diagnostic, rule, source::Span, types::decode::MALFORMED_VALUE};

rule! {
    /// A plain password stands where its hash is expected.
    ///
    /// The text is written into the shadow file as it is, so nobody can log in with it, and it is readable in the tree.
    ///
    /// ```yaml
    /// ada:
    ///   user.present:
    ///     - password: hunter2
    /// ```
    ///
    /// Write the hash (`openssl passwd -6` makes one), or take the password from the settings and have it hashed:
    ///
    /// ```yaml
    /// ada:
    ///   user.present:
    ///     - password: {{ settings.ada_password }}
    ///     - hash_password: true
    /// ```
    pub PLAIN_PASSWORD = "Z0225", "plain-password", Warning;

    /// A command with `args` uses the syntax of a shell.
    ///
    /// With `args` the program is started directly: the whole text is its name, and a `|` in it is a character like any other.
    ///
    /// ```yaml
    /// count:
    ///   cmd.run:
    ///     - name: cat /etc/passwd | wc -l
    ///     - args: [-x]
    ///     - creates: /tmp/count
    /// ```
    ///
    /// Leave `args` out, and a shell reads the line:
    ///
    /// ```yaml
    /// count:
    ///   cmd.run:
    ///     - name: cat /etc/passwd | wc -l > /tmp/count
    ///     - creates: /tmp/count
    /// ```
    pub SHELL_SYNTAX_WITHOUT_SHELL = "Z0226", "shell-syntax-without-shell", Error;

    /// A file has both `contents` and a `source`.
    ///
    /// Only one of them is written: `contents` wins, and the source is never read.
    ///
    /// ```yaml
    /// /etc/motd:
    ///   file.managed:
    ///     - contents: hello
    ///     - source: zester://motd
    /// ```
    ///
    /// ```yaml
    /// /etc/motd:
    ///   file.managed:
    ///     - contents: hello
    /// ```
    pub SOURCE_WITHOUT_EFFECT = "Z0227", "source-without-effect", Warning;
}

/// Reports values that cannot be meant.
pub fn check_values(unit: &Unit, diagnostics: &mut Vec<Diagnostic>) {
    for function in unit.summary.states.iter().flat_map(|s| &s.functions) {
        let Some(name) = &function.name else { continue };
        match (name.module.as_str(), name.function.as_str()) {
            ("user", "present") => plain_password(function, diagnostics),
            ("cmd", "run" | "wait") => {
                shell_syntax(function, diagnostics);
                no_variable(function, diagnostics);
            }
            ("cmd", "script" | "wait_script") => no_variable(function, diagnostics),
            ("file", "managed") => source_without_effect(unit, function, diagnostics),
            _ => {}
        }
    }
}

fn argument<'f>(function: &'f FunctionDecl, name: &str) -> Option<&'f ArgumentDecl> {
    function.arguments.iter().find(|a| a.name == name)
}

/// The texts of a value that is literal on every branch.
fn literals(argument: &ArgumentDecl) -> Option<Vec<(&str, Span)>> {
    argument.values.iter().map(|(value, span)| Some((value.text()?, *span))).collect()
}

fn plain_password(function: &FunctionDecl, diagnostics: &mut Vec<Diagnostic>) {
    if argument(function, "hash_password").is_some() || function.open {
        return;
    }
    let Some(values) = argument(function, "password").and_then(literals) else { return };
    for (_, span) in values.into_iter().filter(|(text, _)| !is_hash(text)) {
        diagnostics.push(
            Diagnostic::new(&PLAIN_PASSWORD, span, "`password` is the password's hash, and this is none")
                .help("write its hash, as `openssl passwd -6` makes it, or add `- hash_password: true`"),
        );
    }
}

/// Whether the text may stand in the shadow file: a hash of `crypt`, or a mark that no password fits.
fn is_hash(text: &str) -> bool {
    let marked = text.starts_with(['$', '!', '*', '_', '{']);
    let traditional =
        text.len() == 13 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'/'));
    marked || traditional || matches!(text, "" | "x" | "NP" | "LK" | "***")
}

fn shell_syntax(function: &FunctionDecl, diagnostics: &mut Vec<Diagnostic>) {
    if argument(function, "args").is_none() {
        return;
    }
    for (name, span) in &function.names {
        let Some(text) = name.text() else { continue };
        let found = ["&&", "||", "$(", "|", ";", ">", "<", "`"].into_iter().find(|s| text.contains(s));
        if let Some(found) = found {
            diagnostics.push(
                Diagnostic::new(
                    &SHELL_SYNTAX_WITHOUT_SHELL,
                    *span,
                    format!("With `args` no shell reads this: `{found}` would be part of the program's name"),
                )
                .help(
                    "leave `args` out, so that a shell reads the line; or name one program and its arguments",
                ),
            );
        }
    }
}

/// An entry of `env` that is neither `NAME=value` nor a name with a value.
fn no_variable(function: &FunctionDecl, diagnostics: &mut Vec<Diagnostic>) {
    for (entry, span) in argument(function, "env").into_iter().flat_map(|a| &a.values) {
        let Some(text) = entry.text().filter(|text| !text.contains('=')) else { continue };
        let Some((name, value)) = text.trim().split_once(char::is_whitespace) else { continue };
        diagnostics.push(
            Diagnostic::new(&MALFORMED_VALUE, *span, format!("`{text}` is no variable and its value"))
                .help(format!("write `{name}: {}`", value.trim())),
        );
    }
}

fn source_without_effect(unit: &Unit, function: &FunctionDecl, diagnostics: &mut Vec<Diagnostic>) {
    let (Some(contents), Some(source)) = (argument(function, "contents"), argument(function, "source"))
    else {
        return;
    };
    // Each may belong to another branch, or be empty there.
    let (Some(contents), Some(sources)) = (literals(contents), literals(source)) else { return };
    if let ([(_, at)], [(text, span)]) = (contents.as_slice(), sources.as_slice())
        && !text.is_empty()
        && unit.tree.template.arms_at(at.start) == unit.tree.template.arms_at(span.start)
    {
        diagnostics.push(
            Diagnostic::new(
                &SOURCE_WITHOUT_EFFECT,
                *span,
                "`contents` is written, so this source is never read",
            )
            .label(*at, "`contents` is given here")
            .help("keep one of the two"),
        );
    }
}
