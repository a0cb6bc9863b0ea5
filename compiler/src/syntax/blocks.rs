//! Statements to blocks: which tag opens what, which arms a block has, what stands alone.

use super::{
    expression::{Expr, ExprKind, Parser},
    grammar::Grammar,
    segment::{Segment, SegmentKind},
    template::{Arm, Block, BlockKind, Statement, StatementKind, Template},
    token::{Token, TokenKind, tokens},
};
use crate::{
    diagnostic::{Diagnostic, nearest},
    source::{FileId, Span},
};
use std::{rc::Rc, sync::Arc};

crate::rule! {
    /// A `{{`, `{%` or `{#` is never closed.
    ///
    /// Wrong:
    ///
    /// ```jinja
    /// name: {{ pillar.name
    /// ```
    ///
    /// Right:
    ///
    /// ```jinja
    /// name: {{ pillar.name }}
    /// ```
    pub UNCLOSED_TAG = "Z0010", "unclosed-tag", Error;

    /// A block such as `{% if %}` or `{% for %}` is never closed, or another block is closed first.
    ///
    /// Wrong:
    ///
    /// ```jinja
    /// {% if grains.os == 'Debian' %}
    /// {% for x in [1] %}{% endif %}
    /// ```
    ///
    /// Right:
    ///
    /// ```jinja
    /// {% if grains.os == 'Debian' %}
    /// {% for x in [1] %}{% endfor %}{% endif %}
    /// ```
    pub UNCLOSED_BLOCK = "Z0011", "unclosed-block", Error;

    /// A tag ends or continues a block that is not open.
    ///
    /// Wrong:
    ///
    /// ```jinja
    /// {% endif %}
    /// ```
    ///
    /// Right: remove it, or open the block before it.
    pub STRAY_TAG = "Z0013", "stray-tag", Error;

    /// A statement's first word is not known.
    ///
    /// Wrong:
    ///
    /// ```jinja
    /// {% fro x in [1] %}{% endfor %}
    /// ```
    ///
    /// Right:
    ///
    /// ```jinja
    /// {% for x in [1] %}{% endfor %}
    /// ```
    pub UNKNOWN_STATEMENT = "Z0014", "unknown-statement", Error;

    /// A statement is not complete, or has words it does not take.
    ///
    /// Wrong:
    ///
    /// ```jinja
    /// {% for in [1] %}{% endfor %}
    /// ```
    ///
    /// Right:
    ///
    /// ```jinja
    /// {% for x in [1] %}{% endfor %}
    /// ```
    pub BAD_STATEMENT = "Z0015", "bad-statement", Error;
}

/// The statement that was meant by an unknown word: the nearest, or that of another language.
fn meant(word: &str) -> Option<&'static str> {
    match word {
        "foreach" | "each" => Some("for"),
        "elseif" | "elsif" => Some("elif"),
        "let" | "var" | "assign" => Some("set"),
        "unless" => Some("if"),
        _ => nearest(word, STATEMENTS),
    }
}

const STATEMENTS: [&str; 26] = [
    "if",
    "for",
    "set",
    "do",
    "macro",
    "call",
    "filter",
    "raw",
    "with",
    "block",
    "include",
    "import",
    "from",
    "extends",
    "break",
    "continue",
    "import_yaml",
    "import_json",
    "import_text",
    "load_yaml",
    "load_json",
    "load_text",
    "autoescape",
    "else",
    "elif",
    "trans",
];

struct Open {
    block: usize,
    ends: &'static [&'static str],
    /// The arm that is open, without its end.
    tag: Span,
    condition: Option<Arc<Expr>>,
}

struct Builder<'t> {
    file: FileId,
    grammar: Rc<Grammar<'t>>,
    template: Template,
    open: Vec<Open>,
    diagnostics: Vec<Diagnostic>,
}

/// Builds the template structure of a file from its segments.
pub fn template(file: FileId, text: &str, segments: &[Segment]) -> (Template, Vec<Diagnostic>) {
    // All words first: one grammar reads all expressions.
    let words: Vec<Vec<Token>> = segments
        .iter()
        .map(|segment| match segment.kind {
            SegmentKind::Expression | SegmentKind::Statement => tokens(text, segment.inner.clone()),
            _ => Vec::new(),
        })
        .collect();
    let mut builder = Builder {
        file,
        grammar: Rc::new(Grammar::new()),
        template: Template::default(),
        open: Vec::new(),
        diagnostics: Vec::new(),
    };
    for (segment, words) in segments.iter().zip(&words) {
        builder.segment(segment, words);
    }
    while let Some(open) = builder.open.last() {
        let word = open.ends[0];
        let span = builder.template.blocks[open.block].arms.first().map_or(open.tag, |a| a.tag);
        if !builder.is_unfinished(span) {
            builder.diagnostics.push(
                Diagnostic::new(
                    &UNCLOSED_BLOCK,
                    span,
                    format!("this block is never closed: `{{% {word} %}}` is missing"),
                )
                .help(format!("write `{{% {word} %}}` where the block ends")),
            );
        }
        builder.close(Span::at(file, text.len()), text.len());
    }
    builder.template.shrink();
    (builder.template, builder.diagnostics)
}

impl<'t> Builder<'t> {
    fn span(&self, segment: &Segment) -> Span {
        Span::new(self.file, segment.range.clone())
    }

    /// Whether the tag itself is never closed: that is said already, and what follows from it would only confuse.
    fn is_unfinished(&self, tag: Span) -> bool {
        self.diagnostics.iter().any(|d| *d.rule == UNCLOSED_TAG && d.span.start == tag.start)
    }

    fn parent(&self) -> Option<(usize, usize)> {
        let open = self.open.last()?;
        Some((open.block, self.template.blocks[open.block].arms.len()))
    }

    fn segment(&mut self, segment: &Segment, words: &'t [Token]) {
        let span = self.span(segment);
        if !segment.closed {
            let (open, close) = match segment.kind {
                SegmentKind::Expression => ("{{", "}}"),
                SegmentKind::Statement => ("{%", "%}"),
                _ => ("{#", "#}"),
            };
            let at = Span { end: span.start + 2, ..span };
            self.diagnostics.push(
                Diagnostic::new(&UNCLOSED_TAG, at, format!("`{open}` is never closed"))
                    .help(format!("write `{close}` where the tag ends")),
            );
        }
        match segment.kind {
            SegmentKind::Text | SegmentKind::Raw => {}
            SegmentKind::Comment => self.template.comments.push(span),
            SegmentKind::Expression => {
                let mut parser = Parser::new(self.file, &self.grammar, words, segment.inner.end);
                let expr = parser.whole();
                if segment.closed {
                    self.diagnostics.extend(parser.diagnostics);
                }
                self.template.expressions.push((span, Arc::new(expr)));
            }
            SegmentKind::Statement => self.statement(segment, span, words),
        }
    }

    fn statement(&mut self, segment: &Segment, span: Span, words: &'t [Token]) {
        let Some(Token { kind: TokenKind::Name(keyword), range }) = words.first() else {
            if segment.closed {
                self.diagnostics.push(Diagnostic::new(
                    &BAD_STATEMENT,
                    span,
                    "a statement needs a word that says what it does",
                ));
            }
            return;
        };
        let word_span = Span::new(self.file, range.clone());
        let said = self.diagnostics.len();
        let words = without_colon(keyword, words);
        let grammar = Rc::clone(&self.grammar);
        let mut parser =
            Parser::new(self.file, &grammar, words.get(1..).unwrap_or_default(), segment.inner.end);
        match keyword.as_str() {
            "elif" => {
                let condition = Arc::new(parser.whole());
                self.arm("elif", span, word_span, Some(condition));
            }
            "else" if parser.keyword("if") => {
                let message = "`else if` is written `elif`";
                let end = words.get(1).map_or(word_span.end as usize, |word| word.range.end);
                let both = Span::new(self.file, word_span.start as usize..end);
                self.diagnostics.push(Diagnostic::new(&BAD_STATEMENT, both, message).did_you_mean("elif"));
                let condition = Arc::new(parser.whole());
                self.arm("elif", span, word_span, Some(condition));
            }
            "else" => {
                parser.expect_end();
                self.arm("else", span, word_span, None);
            }
            word if word.starts_with("end") => {
                // A block's end may say its name again.
                if word == "endblock" {
                    parser.name();
                }
                parser.expect_end();
                self.end(word, span, word_span, segment.range.start);
            }
            word => self.opening_or_single(word, &mut parser, span, word_span),
        }
        if segment.closed {
            self.diagnostics.append(&mut parser.diagnostics);
        } else {
            self.diagnostics.truncate(said);
        }
    }

    fn opening_or_single(&mut self, word: &str, parser: &mut Parser<'_, '_>, span: Span, word_span: Span) {
        let bad = |builder: &mut Self, expected: &str| {
            let message = format!("`{word}` is not complete: expected {expected}");
            builder.diagnostics.push(Diagnostic::new(&BAD_STATEMENT, span, message));
        };
        let (kind, ends): (BlockKind, &'static [&'static str]) = match word {
            "if" => {
                let condition = Arc::new(parser.whole());
                self.open_block(BlockKind::If, &["endif"], span, Some(condition));
                return;
            }
            "for" => {
                let targets = targets(parser);
                let keyword = parser.keyword("in");
                let iterable = Arc::new(parser.expression_without_condition());
                let filter = parser.keyword("if").then(|| Arc::new(parser.expression()));
                parser.keyword("recursive");
                if targets.is_empty() || !keyword {
                    bad(self, "`for NAME in LIST`");
                    parser.diagnostics.clear();
                } else {
                    parser.expect_end();
                }
                (BlockKind::For { targets, iterable, filter }, &["endfor"])
            }
            "set" => {
                let targets = targets(parser);
                if parser.op("=") {
                    let value = Arc::new(parser.whole());
                    self.single(span, StatementKind::Set { targets, value });
                    return;
                }
                if matches!(
                    parser.peek().map(|t| &t.kind),
                    Some(TokenKind::Name(_) | TokenKind::Str { .. } | TokenKind::Int(_))
                ) {
                    // A block takes nothing behind its name, so this was to be an assignment.
                    bad(self, "`=` and a value behind the name");
                    self.single(span, StatementKind::Unknown);
                    parser.diagnostics.clear();
                    return;
                }
                let filters = if parser.op("|") { Some(Arc::new(parser.filters())) } else { None };
                let Some(name) = targets.into_iter().next() else {
                    bad(self, "a name");
                    return;
                };
                parser.expect_end();
                (BlockKind::Set { name, filters }, &["endset"])
            }
            "do" => {
                let value = Arc::new(parser.whole());
                self.single(span, StatementKind::Do(value));
                return;
            }
            "macro" => {
                let Some(name) = parser.name() else {
                    bad(self, "a name");
                    return self.open_block(BlockKind::Unknown, &["endmacro"], span, None);
                };
                let params = if parser.op("(") { params(parser) } else { Vec::new() };
                (BlockKind::Macro { name, params }, &["endmacro"])
            }
            "call" => {
                let params = if parser.op("(") { params(parser) } else { Vec::new() };
                (BlockKind::Call { call: Arc::new(parser.whole()), params }, &["endcall"])
            }
            "filter" => (BlockKind::Filter { filters: Arc::new(parser.filters()) }, &["endfilter"]),
            "raw" => (BlockKind::Raw, &["endraw"]),
            "autoescape" => (BlockKind::With { assignments: Vec::new() }, &["endautoescape"]),
            "with" => {
                let mut assignments = Vec::new();
                while let Some((name, name_span)) = parser.name() {
                    if !parser.op("=") {
                        bad(self, "`NAME = VALUE`");
                        break;
                    }
                    assignments.push((name, name_span, Arc::new(parser.item())));
                    if !parser.op(",") {
                        break;
                    }
                }
                (BlockKind::With { assignments }, &["endwith"])
            }
            "block" => {
                let Some(name) = parser.name() else { return bad(self, "a name") };
                (BlockKind::Named { name }, &["endblock"])
            }
            "load_yaml" | "load_json" | "load_text" => {
                parser.keyword("as");
                let Some(name) = parser.name() else { return bad(self, "`as NAME`") };
                let format = word["load_".len()..].to_owned();
                (BlockKind::Load { format, name }, &["endload"])
            }
            "include" => {
                let path = Arc::new(parser.expression_without_condition());
                let ignore_missing = parser.keyword("ignore") && parser.keyword("missing");
                context_words(parser);
                parser.expect_end();
                self.single(span, StatementKind::Include { path, ignore_missing });
                return;
            }
            "import" => {
                let path = Arc::new(parser.expression());
                let name = if parser.keyword("as") { parser.name() } else { None };
                let Some(name) = name else { return bad(self, "`import PATH as NAME`") };
                let with_context = context_words(parser);
                parser.expect_end();
                self.single(span, StatementKind::Import { path, name, with_context });
                return;
            }
            "from" => {
                let path = Arc::new(parser.expression());
                if !parser.keyword("import") {
                    return bad(self, "`from PATH import NAME`");
                }
                let mut names = Vec::new();
                while !parser.is_keyword("with") && !parser.is_keyword("without") {
                    let Some((name, name_span)) = parser.name() else { break };
                    let local = if parser.keyword("as") { parser.name().map(|n| n.0) } else { None };
                    names.push((name.clone(), name_span, local.unwrap_or(name)));
                    if !parser.op(",") {
                        break;
                    }
                }
                if names.is_empty() {
                    return bad(self, "a name to import");
                }
                let with_context = context_words(parser);
                parser.expect_end();
                self.single(span, StatementKind::FromImport { path, names, with_context });
                return;
            }
            "import_yaml" | "import_json" | "import_text" => {
                let path = Arc::new(parser.expression());
                let name = if parser.keyword("as") { parser.name() } else { None };
                let Some(name) = name else { return bad(self, "`PATH as NAME`") };
                context_words(parser);
                parser.expect_end();
                let format = word["import_".len()..].to_owned();
                self.single(span, StatementKind::ImportData { format, path, name });
                return;
            }
            "extends" => {
                let path = Arc::new(parser.whole());
                self.single(span, StatementKind::Extends(path));
                return;
            }
            "break" => return self.single(span, StatementKind::LoopControl("break")),
            "continue" => return self.single(span, StatementKind::LoopControl("continue")),
            unknown => {
                let mut diagnostic =
                    Diagnostic::new(&UNKNOWN_STATEMENT, word_span, format!("`{unknown}` is not a statement"));
                let next = parser.peek().map(|token| &token.kind);
                if next == Some(&TokenKind::Op("=")) {
                    diagnostic = diagnostic.help(format!("write `set {unknown} = …`")).fix(
                        "insert `set`",
                        crate::diagnostic::Applicability::Unsafe,
                        Span::at(self.file, word_span.start as usize),
                        "set ",
                    );
                } else if matches!(next, Some(TokenKind::Op("." | "(" | "[" | "|" | "~"))) {
                    diagnostic =
                        diagnostic.help("an expression whose value is to be written stands in `{{ … }}`");
                } else if let Some(near) = meant(unknown) {
                    diagnostic = diagnostic.help(format!("did you mean `{near}`?")).fix(
                        format!("replace by `{near}`"),
                        crate::diagnostic::Applicability::Unsafe,
                        word_span,
                        near,
                    );
                }
                self.diagnostics.push(diagnostic);
                self.single(span, StatementKind::Unknown);
                return;
            }
        };
        self.open_block(kind, ends, span, None);
    }

    fn single(&mut self, span: Span, kind: StatementKind) {
        let parent = self.parent();
        self.template.statements.push(Statement { span, kind, parent });
    }

    fn open_block(
        &mut self,
        kind: BlockKind,
        ends: &'static [&'static str],
        span: Span,
        condition: Option<Arc<Expr>>,
    ) {
        let parent = self.parent();
        let block = self.template.blocks.len();
        self.template.blocks.push(Block { kind, parent, arms: Vec::new(), span, exhaustive: false });
        self.open.push(Open { block, ends, tag: span, condition });
    }

    /// Ends the open arm at `end`.
    fn end_arm(&mut self, end: usize) {
        let Some(open) = self.open.last_mut() else { return };
        let body = Span::new(self.file, open.tag.end as usize..end.max(open.tag.end as usize));
        let arm = Arm { tag: open.tag, condition: open.condition.take(), body };
        self.template.blocks[open.block].arms.push(arm);
    }

    fn arm(&mut self, word: &str, span: Span, word_span: Span, condition: Option<Arc<Expr>>) {
        let fits = self.open.last().is_some_and(|open| match self.template.blocks[open.block].kind {
            BlockKind::If => !self.template.blocks[open.block].exhaustive,
            BlockKind::For { .. } => word == "else",
            _ => false,
        });
        if !fits {
            let message = format!("`{word}` does not belong to an open `if`");
            self.diagnostics.push(Diagnostic::new(&STRAY_TAG, word_span, message));
            return;
        }
        self.end_arm(span.start as usize);
        if let Some(open) = self.open.last_mut() {
            open.tag = span;
            self.template.blocks[open.block].exhaustive = condition.is_none();
            open.condition = condition;
        }
    }

    fn close(&mut self, tag: Span, body_end: usize) {
        self.end_arm(body_end);
        if let Some(open) = self.open.pop() {
            let block = &mut self.template.blocks[open.block];
            block.span.end = tag.end.max(block.span.end);
        }
    }

    fn end(&mut self, word: &str, span: Span, word_span: Span, start: usize) {
        let Some(position) = self.open.iter().rposition(|open| open.ends.contains(&word)) else {
            let mut diagnostic =
                Diagnostic::new(&STRAY_TAG, word_span, format!("`{word}` closes a block that is not open"));
            if let Some(open) = self.open.last() {
                let expected = open.ends[0];
                diagnostic = diagnostic
                    .label(open.tag, "the block that is open here")
                    .help(format!("the open block ends with `{{% {expected} %}}`"));
            }
            self.diagnostics.push(diagnostic);
            return;
        };
        while self.open.len() > position + 1 {
            let Some(open) = self.open.last() else { break };
            let missing = open.ends[0];
            let first = self.template.blocks[open.block].arms.first().map_or(open.tag, |a| a.tag);
            self.diagnostics.push(
                Diagnostic::new(
                    &UNCLOSED_BLOCK,
                    first,
                    format!("this block is not closed: `{{% {missing} %}}` is missing"),
                )
                .label(span, format!("`{word}` closes a block around it"))
                .help(format!("write `{{% {missing} %}}` before this `{{% {word} %}}`")),
            );
            self.close(Span::at(self.file, start), start);
        }
        self.close(span, start);
    }
}

/// Tags behind which Jinja, like Python, allows a colon.
const WITH_COLON: [&str; 9] = ["if", "elif", "else", "for", "macro", "call", "filter", "with", "block"];

fn without_colon<'t>(keyword: &str, words: &'t [Token]) -> &'t [Token] {
    match words.split_last() {
        Some((Token { kind: TokenKind::Op(":"), .. }, rest)) if WITH_COLON.contains(&keyword) => rest,
        _ => words,
    }
}

/// Parentheses within each other around the targets of a loop: `for id, (a, b) in …`.
const MAX_TARGET_DEPTH: usize = 8;

fn targets(parser: &mut Parser<'_, '_>) -> Vec<(String, Span)> {
    let mut depth = 0;
    let mut targets = Vec::new();
    loop {
        while depth < MAX_TARGET_DEPTH && parser.op("(") {
            depth += 1;
        }
        let Some((mut name, mut span)) = parser.name() else { break };
        while parser.op(".") {
            if let Some((attribute, attribute_span)) = parser.name() {
                name = format!("{name}.{attribute}");
                span = span.to(attribute_span);
            }
        }
        // `x['k'] = v` is no target in Jinja; it is left to the parser to say so.
        targets.push((name, span));
        // A tuple of one has a comma before its bracket.
        let more = loop {
            let comma = parser.op(",");
            if depth == 0 || !parser.op(")") {
                break comma;
            }
            depth -= 1;
        };
        if !more {
            break;
        }
    }
    targets
}

fn params(parser: &mut Parser<'_, '_>) -> Vec<(String, Span, Option<Arc<Expr>>)> {
    let mut params = Vec::new();
    while let Some((name, span)) = parser.name() {
        let default = parser.op("=").then(|| Arc::new(parser.item()));
        params.push((name, span, default));
        if !parser.op(",") {
            break;
        }
    }
    if !parser.op(")") {
        let range = parser.peek().map_or(parser.offset()..parser.offset(), |token| token.range.clone());
        parser.error(range, "expected `)` after the parameters");
    }
    params
}

fn context_words(parser: &mut Parser<'_, '_>) -> bool {
    let with = parser.keyword("with");
    if with || parser.keyword("without") {
        parser.keyword("context");
    }
    with
}

/// The literal path of an import or include, where it is one.
pub fn literal_path(path: &Expr) -> Option<&str> {
    match &path.kind {
        ExprKind::Literal(value) => value.as_str(),
        _ => None,
    }
}
