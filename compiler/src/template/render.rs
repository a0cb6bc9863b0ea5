//! One render: the session of a peel and a file, the values its expressions give, errors in the author's words.

use super::{
    budget::{Budget, exceeded},
    data::Session,
    environment::{Environment, join},
    global,
    provenance::{Piece, Provenance, unmark},
    python,
    rewrite::Rewritten,
};
use crate::{
    diagnostic::Diagnostic,
    source::{FileId, Span},
    syntax::{
        Hole, Tree,
        expression::{Expr, ExprKind},
    },
    types::{Facts, Map, Value},
};
use minijinja::{ErrorKind, OutputSpanKind};
use std::{cell::RefCell, collections::HashMap, sync::Arc};

crate::rule! {
    /// A template could not be rendered: an expression failed for the values it met.
    ///
    /// Wrong:
    ///
    /// ```jinja
    /// {{ 'a' + 1 }}
    /// ```
    ///
    /// Right:
    ///
    /// ```jinja
    /// {{ 'a' ~ 1 }}
    /// ```
    pub RENDER_FAILURE = "Z0410", "render-failure", Error;

    /// A template prints, compares, loops over or descends into a value that is not there.
    ///
    /// Wrong (when no settings say `app`):
    ///
    /// ```jinja
    /// {{ pillar.app.port }}
    /// ```
    ///
    /// Right:
    ///
    /// ```jinja
    /// {{ salt['pillar.get']('app:port', 8080) }}
    /// ```
    pub UNDEFINED_VALUE = "Z0411", "undefined-value", Error;

    /// A template does not come to an end within the steps, depth or size that a render may take.
    ///
    /// Wrong:
    ///
    /// ```jinja
    /// {% for x in range(10000) %}{% for y in range(10000) %}{{ x * y }}{% endfor %}{% endfor %}
    /// ```
    ///
    /// Right: loop over the data that is needed.
    pub RENDER_LIMIT = "Z0412", "render-limit", Error;
}

/// Most bytes one render may give.
const MAX_OUTPUT: usize = 64 * 1024 * 1024;

/// What is rendered, and with what.
pub struct RenderInput<'a> {
    /// The parsed file.
    pub tree: Arc<Tree>,
    /// Its path inside its tree (`web/init.zy`).
    pub path: &'a str,
    /// Its ref (`web`), as `sls`; empty for files that are no state files.
    pub sls: &'a str,
    /// Environment.
    pub env: &'a str,
    /// The peel's facts.
    pub facts: &'a Arc<Facts>,
    /// The peel's settings: a map.
    pub settings: &'a Arc<Value>,
    /// Further variables, on top of everything.
    pub extra: &'a Map,
    /// Whether this is a test run (`opts.test`).
    pub test: bool,
}

/// Rendered text and where it comes from.
pub struct Rendered {
    /// The text.
    pub text: String,
    /// What expressions put into it, in order.
    pub holes: Vec<Hole>,
    /// The origin of its bytes.
    pub provenance: Provenance,
    /// Warnings met on the way (a command was run while rendering, …).
    pub diagnostics: Vec<Diagnostic>,
}

/// A value that was printed, and the length of its text.
struct Printed {
    text: String,
    value: minijinja::Value,
}

thread_local! {
    /// Values printed by the render that runs on this thread. minijinja's formatter has no state of ours.
    static PRINTED: RefCell<Vec<Vec<Printed>>> = const { RefCell::new(Vec::new()) };
}

/// Writes a value as Python prints it, and keeps it.
pub(super) fn print(
    out: &mut minijinja::Output<'_>,
    state: &mut minijinja::State<'_, '_>,
    value: &minijinja::Value,
) -> Result<(), minijinja::Error> {
    if value.is_undefined() {
        // The engine's own formatter says it best, with the name of what is undefined.
        return minijinja::escape_formatter(out, state, value);
    }
    let text = python::text(value);
    out.write_str(&text).map_err(|_| minijinja::Error::from(ErrorKind::WriteFailure))?;
    PRINTED.with_borrow_mut(|stack| {
        if let Some(printed) = stack.last_mut()
            && !text.is_empty()
        {
            printed.push(Printed { text, value: value.clone() });
        }
    });
    Ok(())
}

/// The files of a render by their templates' names.
struct Used<'a> {
    environment: &'a Environment,
    name: &'a str,
    path: &'a str,
    main: &'a Arc<Rewritten>,
}

impl Used<'_> {
    fn file(&self, template: &str) -> Option<Arc<Rewritten>> {
        if template == self.path {
            return Some(self.main.clone());
        }
        let tree = self.environment.files.tree(self.name, &join(template, ""))?;
        Some(self.environment.rewritten(&tree))
    }
}

impl Environment {
    /// Renders a file.
    pub fn render(&self, input: &RenderInput<'_>) -> Result<Rendered, Vec<Diagnostic>> {
        let main = self.rewritten(&input.tree);
        let session = Arc::new(Session {
            facts: input.facts.clone(),
            settings: input.settings.clone(),
            functions: self.functions.clone(),
            files: self.files.clone(),
            env: input.env.to_owned(),
            test: input.test,
        });
        let compiled = self.compiled(input.env);
        let listed = self.files.tree(input.env, input.path);
        let mut refused = None;
        let own = if listed.is_some_and(|tree| Arc::ptr_eq(&tree, &input.tree)) {
            None
        } else {
            // A text that is not the tree's, for this render alone.
            let mut own = (*compiled).clone();
            refused = own.add_template_owned(input.path.to_owned(), main.text.clone()).err();
            Some(own)
        };
        let env = own.as_ref().unwrap_or(&compiled);
        let used = Used { environment: self, name: input.env, path: input.path, main: &main };
        let context = global::context(input, session);
        PRINTED.with_borrow_mut(|stack| stack.push(Vec::new()));
        global::take_calls();
        let _budget = Budget::start();
        let result = match refused {
            Some(error) => Err(error),
            None => env.get_template(input.path).and_then(|template| template.render_with_spans(context)),
        };
        let printed = PRINTED.with_borrow_mut(Vec::pop).unwrap_or_default();
        let result = result.and_then(|done| if Budget::is_spent() { Err(exceeded()) } else { Ok(done) });
        let calls = global::take_calls();
        match result {
            Ok((output, _)) if output.len() > MAX_OUTPUT => Err(vec![Diagnostic::new(
                &RENDER_LIMIT,
                Span::at(input.tree.file, 0),
                format!("this template gives {} bytes of text; at most {MAX_OUTPUT} are taken", output.len()),
            )]),
            Ok((output, spans)) => {
                let rendered = self.compose(&output, &spans, printed, &used);
                if Budget::is_spent() {
                    Err(vec![self.explain(&exceeded(), input.tree.file, &used)])
                } else {
                    Ok(rendered)
                }
            }
            Err(error) => {
                let mut diagnostic = self.explain(&error, input.tree.file, &used);
                // Innermost first; a runaway recursion is shown by its last calls.
                for call in calls.iter().rev().take(8).filter_map(|mark| self.mark(*mark)) {
                    if call != diagnostic.span && diagnostic.labels.iter().all(|l| l.span != call) {
                        diagnostic = diagnostic.label(call, "called from here");
                    }
                }
                Err(vec![diagnostic])
            }
        }
    }

    fn compose(
        &self,
        output: &str,
        spans: &[minijinja::OutputSpan],
        printed: Vec<Printed>,
        used: &Used<'_>,
    ) -> Rendered {
        let mut text = String::with_capacity(output.len());
        let mut holes = Vec::new();
        let mut pieces: Vec<Piece> = Vec::new();
        let mut printed = printed.into_iter();
        let none = Arc::new(Vec::new());
        let resolve = |number: usize| self.mark(number);
        let mut files: HashMap<&str, Option<Arc<Rewritten>>> = HashMap::new();
        for span in spans {
            let written = &output[span.output_range()];
            let Some(file) = files.entry(span.name()).or_insert_with(|| used.file(span.name())) else {
                text.push_str(written);
                continue;
            };
            let start = text.len();
            let source = file.span(span.source_range());
            if span.kind() == OutputSpanKind::Raw {
                text.push_str(written);
                pieces.push(Piece { output: start..text.len(), span: source, raw: true, via: none.clone() });
                continue;
            }
            let value = printed.find(|p| p.text == written).map(|p| p.value);
            let unmarked = unmark(written, start, source, &resolve);
            text.push_str(&unmarked.text);
            let expr = expression_at(&file.tree, source);
            let yaml = expr.is_none_or(|e| emits_yaml(&e)) || unmarked.text.len() != written.len();
            if let Some(value) = value {
                holes.push(Hole {
                    range: start..text.len(),
                    value: python::from_template(&value),
                    text_is_yaml: yaml,
                });
            }
            pieces.extend(unmarked.pieces);
        }
        Rendered { text, holes, provenance: Provenance::new(pieces), diagnostics: Vec::new() }
    }

    /// An engine's error in the author's words, at his place, with the way there.
    fn explain(&self, error: &minijinja::Error, main: FileId, used: &Used<'_>) -> Diagnostic {
        let place = |error: &minijinja::Error| -> Option<Span> {
            let file = used.file(error.name()?)?;
            error.range().map(|range| file.span(range)).or_else(|| Some(Span::at(file.tree.file, 0)))
        };
        // The innermost error says what happened; those around it say how control got there.
        let mut chain = vec![error];
        let mut source = std::error::Error::source(error);
        while let Some(inner) = source {
            if let Some(inner) = inner.downcast_ref::<minijinja::Error>() {
                chain.push(inner);
            }
            source = inner.source();
        }
        let located: Vec<(&minijinja::Error, Span)> =
            chain.iter().filter_map(|e| Some((*e, place(e)?))).collect();
        let (innermost, span) =
            located.last().copied().unwrap_or((chain[chain.len() - 1], Span::at(main, 0)));
        let cause = chain[chain.len() - 1];
        let words =
            |e: &minijinja::Error| e.detail().map(str::to_owned).unwrap_or_else(|| e.kind().to_string());
        let quoted = chain
            .iter()
            .filter_map(|error| used.file(error.name()?))
            .find(|f| f.tree.file == span.file)
            .and_then(|f| Some(f.tree.text.get(span.range())?.trim().to_owned()))
            .unwrap_or_default();
        let mut diagnostic = match cause.kind() {
            ErrorKind::UndefinedError => {
                let what = if quoted.is_empty() { "a value".to_owned() } else { format!("`{quoted}`") };
                Diagnostic::new(&UNDEFINED_VALUE, span, format!("{what} is undefined, or part of it is"))
                    .help("say what holds when it is missing: `| default(…)`, `is defined`, `.get(…)` or `salt['pillar.get'](…, …)`")
            }
            ErrorKind::OutOfFuel => {
                Diagnostic::new(&RENDER_LIMIT, span, "this template takes more steps than a render may")
                    .help("is there a loop that grows with itself?")
            }
            ErrorKind::TemplateNotFound => Diagnostic::new(&RENDER_FAILURE, span, words(cause))
                .help("paths are relative to the root of the tree; `./` and `../` to this file"),
            _ => Diagnostic::new(&RENDER_FAILURE, span, words(cause)),
        };
        for (outer, outer_span) in located.iter().rev().skip(1) {
            if *outer_span != span && !std::ptr::eq(*outer, innermost) {
                diagnostic = diagnostic.label(*outer_span, "called or imported from here");
            }
        }
        diagnostic
    }
}

/// The expression that stands at a source place.
fn expression_at(tree: &Tree, span: Span) -> Option<Arc<Expr>> {
    let expressions = &tree.template.expressions;
    let at = expressions.partition_point(|(s, _)| s.end <= span.start);
    expressions.get(at).filter(|(s, _)| s.start <= span.start).map(|(_, e)| e.clone())
}

/// Whether an expression's text is meant as YAML: filters that write YAML or JSON, macros.
pub(crate) fn emits_yaml(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Filter { name, value, .. } => match name.as_str() {
            "json"
            | "tojson"
            | "yaml"
            | "yaml_encode"
            | "yaml_dquote"
            | "yaml_squote"
            | "dict_to_sls_yaml_params"
            | "safe" => true,
            "indent" | "trim" | "string" | "replace" | "default" | "d" => {
                value.as_ref().is_some_and(|v| emits_yaml(v))
            }
            _ => false,
        },
        ExprKind::Call { .. } => global::calls_macro(expr),
        ExprKind::Conditional { then, otherwise, .. } => {
            emits_yaml(then) || otherwise.as_ref().is_some_and(|o| emits_yaml(o))
        }
        _ => false,
    }
}
