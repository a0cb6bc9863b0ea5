//! What is wrong with a YAML text, in the author's words and at the author's line.
//!
//! The parser notices a mistake where the text stops making sense, which is often a line later than the mistake.
//! Each problem is looked at again here with the lines around it.

use super::{
    build::{Problem, ProblemKind},
    slip,
};
use crate::{
    diagnostic::{Applicability, Diagnostic, nearest},
    rule,
    source::{FileId, Span},
};
use granit_parser::ErrorKind;
use std::ops::Range;

rule! {
    /// A line stands at an indentation that belongs to nothing above it.
    ///
    /// YAML reads structure from indentation: entries of one map and items of one list must begin in one column.
    ///
    /// ```yaml
    /// nginx:
    ///   pkg.installed:
    ///     - version: 1.24
    ///    - refresh: true      # neither a sibling of `version` nor of `pkg.installed`
    /// ```
    ///
    /// Move the line to the column of its siblings.
    pub BAD_INDENTATION = "Z0001", "bad-indentation", Error;

    /// A tab is used to indent.
    ///
    /// YAML forbids tabs in indentation, because their width is not the same everywhere.
    ///
    /// ```yaml
    /// nginx:
    /// 	pkg.installed: []     # begins with a tab
    /// ```
    ///
    /// Use spaces.
    pub TAB_INDENTATION = "Z0002", "tab-indentation", Error;

    /// A key has no colon, or no space behind its colon.
    ///
    /// ```yaml
    /// nginx:
    ///   pkg.installed:
    ///     - refresh: true
    ///   service.running
    /// ```
    ///
    /// Write `nginx:` and `refresh: true`.
    pub MISSING_COLON = "Z0003", "missing-colon", Error;

    /// A quoted text is not closed.
    ///
    /// ```yaml
    /// motd:
    ///   file.managed:
    ///     - contents: "hello
    /// ```
    ///
    /// Close the quote, or use a block (`|`) for text of several lines.
    pub UNCLOSED_QUOTE = "Z0004", "unclosed-quote", Error;

    /// A list in `[ ]` or a map in `{ }` is not closed, or is closed by the wrong bracket.
    ///
    /// ```yaml
    /// tools:
    ///   pkg.installed:
    ///     - pkgs: [git, vim
    /// ```
    ///
    /// Add the missing bracket.
    pub UNCLOSED_BRACKET = "Z0006", "unclosed-bracket", Error;

    /// An alias (`*name`) has no anchor (`&name`) before it.
    ///
    /// ```yaml
    /// a: &defaults { port: 80 }
    /// b: *default              # no such anchor
    /// ```
    ///
    /// Use the name of an anchor that stands earlier in the same file; quote the text when no alias is meant.
    pub UNKNOWN_ANCHOR = "Z0007", "unknown-anchor", Error;

    /// A tag (`!name`) is not well-formed, or means nothing.
    ///
    /// There are `!encrypted` for secrets and YAML's own (`!!str`, `!!int` and so on).
    ///
    /// ```yaml
    /// password: !<encrypted "x"
    /// token: !encrypt "x"
    /// ```
    ///
    /// Write the tag as `!name` with a space behind it; quote the text when no tag is meant.
    pub BAD_TAG = "Z0008", "bad-tag", Error;

    /// The text is not YAML here.
    ///
    /// ```yaml
    /// motd:
    ///   file.managed:
    ///     - contents: @home    # a plain text cannot begin with `@`
    /// ```
    ///
    /// Quote texts that begin with a character that YAML uses itself.
    pub INVALID_YAML = "Z0009", "invalid-yaml", Error;

    /// A file holds a second YAML document.
    ///
    /// State and settings files hold one document; what stands behind a second `---` would never be read.
    ///
    /// ```yaml
    /// a: 1
    /// ---
    /// b: 2
    /// ```
    ///
    /// Remove the `---`, or move the second part to a file of its own.
    pub SECOND_DOCUMENT = "Z0018", "second-document", Error;
}

/// The tag that was meant: nearly its letters, or another word for what it does.
fn nearest_tag(tag: &str) -> Option<&'static str> {
    let lower = tag.to_ascii_lowercase();
    if lower.starts_with("!encrypt")
        || matches!(&*lower, "!crypt" | "!crypted" | "!secret" | "!sealed" | "!enc")
    {
        return Some("!encrypted");
    }
    nearest(&lower, ["!encrypted"])
}

/// A line of the text: its range without the line break, and the column of its first character.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) range: Range<usize>,
    pub(super) indent: usize,
}

fn line_at(text: &str, offset: usize) -> Line {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let start = text[..offset].rfind('\n').map_or(0, |i| i + 1);
    let end = text[start..].find('\n').map_or(text.len(), |i| start + i);
    let indent = text[start..end].bytes().take_while(|b| *b == b' ').count();
    Line { range: start..end, indent }
}

/// The nearest line before `start` that holds something other than a comment.
pub(super) fn line_before(text: &str, start: usize) -> Option<Line> {
    let mut end = start;
    while end > 0 {
        let line = line_at(text, end - 1);
        let content = text[line.range.clone()].trim();
        if !content.is_empty() && !content.starts_with('#') {
            return Some(line);
        }
        end = line.range.start;
    }
    None
}

pub(super) fn content(text: &str, line: &Line) -> Range<usize> {
    let raw = &text[line.range.clone()];
    let lead = raw.len() - raw.trim_start().len();
    line.range.start + lead..line.range.start + lead + raw.trim().len()
}

/// Whether a line's text is an entry, an item, or opens something, rather than bare words.
fn is_bare(content: &str) -> bool {
    let content = content.trim_start_matches("- ");
    !content.contains(": ")
        && !content.ends_with(':')
        && !content.starts_with(['"', '\'', '[', '{', '|', '>', '&', '*', '!'])
        && content != "-"
}

/// The diagnostic of a problem, with offsets of the text that was parsed.
pub(in crate::syntax) fn report(
    problem: &Problem,
    text: &str,
    source: &dyn Fn(usize) -> usize,
    file: FileId,
) -> Diagnostic {
    // Places count in whole characters.
    let span = |range: Range<usize>| {
        let (mut start, mut end) = (range.start.min(text.len()), range.end.min(text.len()));
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        while !text.is_char_boundary(end) {
            end += 1;
        }
        Span::new(file, source(start)..source(end))
    };
    let kind = match &problem.kind {
        ProblemKind::UnknownAnchor(name) => {
            return Diagnostic::new(
                &UNKNOWN_ANCHOR,
                span(problem.at.clone()),
                format!("No anchor `&{name}` stands before this alias"),
            )
            .help(format!(
                "Define `&{name}` earlier in this file, or quote the text when no alias is meant"
            ));
        }
        ProblemKind::SecondDocument => {
            let at = text.get(..problem.at.start).and_then(|t| t.rfind("---")).unwrap_or(problem.at.start);
            return Diagnostic::new(&SECOND_DOCUMENT, span(at..at + 3), "A second document begins here")
                .help("Remove the `---`, or move what follows to a file of its own");
        }
        ProblemKind::TooManyCopies => {
            return Diagnostic::new(
                &INVALID_YAML,
                span(problem.at.clone()),
                "The aliases of this file multiply into more than 100,000 nodes",
            )
            .help("Write the values out, or build them in the template");
        }
        ProblemKind::UnknownTag(name) => {
            let place = span(problem.at.clone());
            let found = Diagnostic::new(&BAD_TAG, place, format!("There is no tag `{name}`"));
            return match nearest_tag(name) {
                Some(near) => found.did_you_mean(near),
                None => found.help("Quote the text when no tag is meant"),
            };
        }
        ProblemKind::MergeOfNoMap => {
            let line = line_at(text, problem.at.start);
            return Diagnostic::new(
                &INVALID_YAML,
                span(content(text, &line)),
                "`<<` merges maps, but its value is none",
            )
            .help("Give it an alias of a map (`<<: *defaults`) or a list of such aliases");
        }
        ProblemKind::Scan(kind) => kind,
    };
    let at = problem.at.start.min(text.len());
    let line = line_at(text, at);
    let here = span(content(text, &line));
    let character = |offset: usize| {
        let length = text.get(offset..).and_then(|t| t.chars().next()).map_or(0, char::len_utf8);
        span(offset..offset + length)
    };
    match kind {
        ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabNotAllowed
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::InvalidBlockEntryWhitespace
        | ErrorKind::InvalidMappingValueWhitespace
        | ErrorKind::TabInPlainScalar => tab(text, &line, at, &span),
        ErrorKind::UnclosedQuotedScalar | ErrorKind::DocumentIndicatorInQuotedScalar => {
            let quote = text.get(at..at + 1).filter(|q| *q == "'" || *q == "\"");
            match quote {
                Some(quote) => unclosed_quote(quote, character(at)),
                None => Diagnostic::new(&UNCLOSED_QUOTE, here, "A quoted text is not closed")
                    .help("Close the quote, or use a block (`|`) for text of several lines"),
            }
        }
        ErrorKind::InvalidQuotedScalarIndent => {
            let open = open_quote(text, at);
            match open {
                Some((offset, quote)) => unclosed_quote(quote, character(offset)),
                None => indentation(here),
            }
        }
        ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => {
            let (single, escaped) = match kind {
                ErrorKind::InvalidTrailingSingleQuotedScalar => ("'", "''"),
                _ => ("\"", "\\\""),
            };
            // The quote that should have closed may be the one that opened the next text on a later line.
            if let Some((offset, quote)) = open_quote(text, line.range.start)
                && quote == single
                && text[offset..at]
                    .lines()
                    .skip(1)
                    .any(|l| l.contains(": ") || l.trim_start().starts_with("- "))
            {
                return unclosed_quote(quote, character(offset));
            }
            Diagnostic::new(
                &INVALID_YAML,
                span(at..line.range.end.max(at)),
                format!("Something follows the closing `{single}` of a quoted text"),
            )
            .help(format!(
                "A quoted value ends at its second `{single}`; write `{escaped}` for one within the text, or quote the whole value"
            ))
        }
        ErrorKind::UnclosedFlowCollection { open } => unclosed_bracket(*open, text, at, &span),
        ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping
        | ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::ExpectedFlowSequenceSeparator
        | ErrorKind::InvalidColonPlacement
        | ErrorKind::InvalidFlowScalarIndent
        | ErrorKind::BlockEntryInFlowCollection
        | ErrorKind::MismatchedFlowCollectionEnd { .. }
        | ErrorKind::FlowMappingValueAdjacentCollection => flow(kind, text, at, &line, &span),
        ErrorKind::MisplacedFlowCollectionEnd => {
            Diagnostic::new(&UNCLOSED_BRACKET, character(at), "This bracket closes nothing")
                .help("Remove it, or add the opening one")
        }
        ErrorKind::MappingValueNotAllowed | ErrorKind::MappingKeyNotAllowed | ErrorKind::InvalidSimpleKey => {
            colon(text, &line, at, &span)
        }
        ErrorKind::SimpleKeyExpected => missing_colon(text, &line, &span),
        ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::ExpectedBlockSequenceEntry
        | ErrorKind::InvalidIndentation
        | ErrorKind::InvalidBlockScalarIndent
        | ErrorKind::BlockSequenceEntryNotAllowed
        | ErrorKind::ExpectedDocumentStart
        | ErrorKind::UnexpectedEofBlockMapping
        | ErrorKind::UnexpectedEofBlockSequence => misplaced(kind, text, &line, &span),
        ErrorKind::ExpectedTagBang
        | ErrorKind::UndeclaredTagHandle
        | ErrorKind::InvalidTagTerminator
        | ErrorKind::MissingTagUri
        | ErrorKind::UnclosedVerbatimTag
        | ErrorKind::InvalidTagEscape
        | ErrorKind::InvalidTagUtf8LeadingByte
        | ErrorKind::InvalidTagUtf8TrailingByte
        | ErrorKind::InvalidTagUtf8
        | ErrorKind::InvalidGlobalTagCharacter => {
            let begin = text[line.range.start..at.max(line.range.start)]
                .rfind('!')
                .map_or(at, |i| line.range.start + i);
            let end = text[begin..line.range.end.max(begin)]
                .find(char::is_whitespace)
                .map_or(line.range.end.max(begin), |i| begin + i);
            Diagnostic::new(&BAD_TAG, span(begin..end), "This tag is not well-formed")
                .help("Write a tag as `!name` with a space behind it; quote the text when no tag is meant")
        }
        ErrorKind::MissingAnchorOrAliasName => Diagnostic::new(
            &INVALID_YAML,
            character(at.saturating_sub(usize::from(!text[at..].starts_with(['&', '*'])))),
            "A value that begins with `*` or `&` is an alias or an anchor, and needs a name",
        )
        .help("Quote the text when none is meant: '*'"),
        ErrorKind::UnexpectedCharacter { character: found } => Diagnostic::new(
            &INVALID_YAML,
            character(at),
            format!("A text without quotes cannot begin with `{found}`"),
        )
        .help("Put the text in quotes"),
        ErrorKind::UnknownQuotedScalarEscape
        | ErrorKind::InvalidQuotedScalarHexEscape
        | ErrorKind::InvalidUnicodeEscape => Diagnostic::new(
            &INVALID_YAML,
            span(at..(at + 2).min(line.range.end.max(at))),
            "This escape is not one that a text in double quotes knows",
        )
        .help("Write `\\\\` for a backslash, or use single quotes, which have no escapes"),
        ErrorKind::RecursionLimitExceeded => Diagnostic::new(
            &INVALID_YAML,
            here,
            format!("Lists and maps are nested deeper than {} levels here", super::MAX_DEPTH),
        )
        .help("Flatten the structure"),
        ErrorKind::ZeroBlockScalarIndent | ErrorKind::InvalidBlockScalarHeader => Diagnostic::new(
            &INVALID_YAML,
            here,
            "Only `+`, `-`, a digit or a comment may follow the `|` or `>` of a block text",
        )
        .help("Begin the text on the next line, or quote the value when it is no block"),
        ErrorKind::CommentInterceptedScalar => {
            Diagnostic::new(&INVALID_YAML, here, "This line continues a text that a comment has ended")
                .help("Move the comment, or put the text in quotes")
        }
        _ => Diagnostic::new(&INVALID_YAML, here, "This line does not fit what stands before it")
            .help("Check the indentation, the quotes and the colon of this line and of the one before"),
    }
}

fn tab(text: &str, line: &Line, at: usize, span: &dyn Fn(Range<usize>) -> Span) -> Diagnostic {
    let raw = &text[line.range.clone()];
    // The parser may have stopped at the end of the line before.
    let next = || text.get(line.range.end..)?.find(|c| c != '\n' && c != ' ').map(|i| line.range.end + i);
    let tabs = raw.find('\t').map(|i| line.range.start + i);
    let begin = tabs.or_else(|| next().filter(|i| text[*i..].starts_with('\t'))).unwrap_or(at);
    let end = text[begin..].find(|c| c != '\t').map_or(text.len(), |i| begin + i);
    let place = span(begin..end.max(begin));
    Diagnostic::new(&TAB_INDENTATION, place, "A tab stands where YAML wants spaces")
        .help("Indent with spaces")
        .fix("replace the tabs by spaces", Applicability::Unsafe, place, "  ".repeat((end - begin).max(1)))
}

fn unclosed_quote(quote: &str, span: Span) -> Diagnostic {
    Diagnostic::new(&UNCLOSED_QUOTE, span, format!("The text that begins with this `{quote}` is not closed"))
        .help(format!("Add the closing `{quote}`, or use a block (`|`) for text of several lines"))
}

/// The quote before `at` that is still open: the last one that begins a value.
fn open_quote(text: &str, at: usize) -> Option<(usize, &str)> {
    let before = text.get(..at)?;
    let offset = before
        .char_indices()
        .rev()
        .take(4096)
        .find(|(i, c)| {
            matches!(c, '"' | '\'') && before[..*i].ends_with([' ', '[', '{', ',']) && {
                let rest = &before[i + 1..before[*i..].find('\n').map_or(before.len(), |n| i + n)];
                !rest.contains(*c)
            }
        })
        .map(|(i, _)| i)?;
    Some((offset, text.get(offset..=offset)?))
}

fn unclosed_bracket(open: char, text: &str, at: usize, span: &dyn Fn(Range<usize>) -> Span) -> Diagnostic {
    let close = if open == '[' { ']' } else { '}' };
    let begin = open_bracket(text, at, Some(open)).map_or(at, |(offset, _)| offset);
    Diagnostic::new(&UNCLOSED_BRACKET, span(begin..begin + 1), format!("This `{open}` is not closed"))
        .help(format!("Add the missing `{close}`"))
}

/// The innermost bracket that is open at `at`, looking back some pages at most; quotes are skipped by line.
fn open_bracket(text: &str, at: usize, wanted: Option<char>) -> Option<(usize, char)> {
    let mut end = at.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    if let Some(found) = text[end..].chars().next().filter(|c| Some(*c) == wanted) {
        return Some((end, found));
    }
    let mut begin = end.saturating_sub(8192);
    while !text.is_char_boundary(begin) {
        begin += 1;
    }
    let mut open = Vec::new();
    let mut quote = None;
    let mut previous = ' ';
    for (i, c) in text[begin..end].char_indices() {
        match (quote, c) {
            (Some(q), _) if c == q => quote = None,
            (Some(_), '\n') => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') if matches!(previous, ' ' | '[' | '{' | ',') => quote = Some(c),
            (None, '[' | '{') if matches!(previous, ' ' | '[' | '{' | ',' | '\n') => {
                open.push((begin + i, c));
            }
            (None, ']' | '}') => {
                open.pop();
            }
            _ => {}
        }
        previous = c;
    }
    open.into_iter().rev().find(|(_, c)| wanted.is_none_or(|w| w == *c))
}

fn flow(
    kind: &ErrorKind,
    text: &str,
    at: usize,
    line: &Line,
    span: &dyn Fn(Range<usize>) -> Span,
) -> Diagnostic {
    if let Some((offset, open)) = open_bracket(text, at, None) {
        // On a later line: the bracket was never closed. On its own line: something is wrong within.
        let close = if open == '[' { ']' } else { '}' };
        if offset < line.range.start || !text[offset..line.range.end].contains(close) {
            return unclosed_bracket(open, text, offset, span);
        }
        let message = match kind {
            ErrorKind::ExpectedFlowMappingSeparator => "A `,` or `}` is missing here",
            ErrorKind::ExpectedFlowSequenceSeparator => "A `,` or `]` is missing here",
            ErrorKind::MismatchedFlowCollectionEnd { .. } => "This bracket does not fit the one that is open",
            _ => "This does not fit the list or map in brackets",
        };
        return Diagnostic::new(&UNCLOSED_BRACKET, span(at..(at + 1).min(line.range.end.max(at))), message)
            .label(span(offset..offset + 1), "it begins here")
            .help("Separate items by commas, close each bracket by its own kind, and quote texts with brackets or braces in them");
    }
    Diagnostic::new(
        &UNCLOSED_BRACKET,
        span(content(text, line)),
        "A list or map in brackets is not well-formed",
    )
    .help("Separate items by commas and close each bracket by its own kind")
}

/// `a: b: c`, a bare word above a key, or a value of several lines that was meant as keys.
fn colon(text: &str, line: &Line, at: usize, span: &dyn Fn(Range<usize>) -> Span) -> Diagnostic {
    let own = &text[content(text, line)];
    let before_colon = &text[line.range.start..at.clamp(line.range.start, line.range.end)];
    let key_part = before_colon.trim_start().trim_start_matches("- ");
    if key_part.contains(": ") {
        let value = line.range.start + before_colon.find(": ").map_or(0, |i| i + 2);
        return Diagnostic::new(
            &INVALID_YAML,
            span(value..line.range.end.max(value)),
            "A value without quotes cannot hold a colon followed by a space",
        )
        .help("Put the value in quotes, or begin a map on the next line");
    }
    if let Some(previous) = line_before(text, line.range.start) {
        let range = content(text, &previous);
        let words = &text[range.clone()];
        if is_bare(words) {
            return bare_line(text, &previous, previous.indent < line.indent, span);
        }
        if words.contains(": ") && line.indent > previous.indent {
            // The key above has a value of its own already, so nothing can be nested below it.
            return indentation(span(content(text, line)))
                .label(span(range), "this line has a value already, so nothing can be nested below it");
        }
        if own.starts_with('-') != words.starts_with('-') || line.indent > previous.indent {
            return indentation(span(content(text, line)));
        }
    }
    slip::misplaced(text, line, span)
}

fn bare_line(text: &str, line: &Line, opens: bool, span: &dyn Fn(Range<usize>) -> Span) -> Diagnostic {
    let range = content(text, line);
    let words = &text[range.clone()];
    let place = span(range.clone());
    let above = line_before(text, line.range.start);
    if let Some(above) = &above
        && above.indent == line.indent
        && text[content(text, above)].starts_with("- ")
        && !words.starts_with('-')
    {
        return no_dash(words, place, span(content(text, above))).fix(
            "add the dash",
            Applicability::Unsafe,
            span(range.start..range.start),
            "- ",
        );
    }
    if let Some(above) = above.filter(|above| above.indent > line.indent)
        && let Some(opening) = shallower(text, line).filter(|l| l.indent < line.indent)
        && opens_block_text(&text[content(text, &opening)])
    {
        return Diagnostic::new(
            &BAD_INDENTATION,
            place,
            "This line has left the block text that stands above it",
        )
        .label(span(content(text, &opening)), "the block text begins here")
        .help(format!("Indent it by {} spaces, as the text", above.indent));
    }
    let inner = words.trim_start_matches("- ");
    if let Some((key, value)) = inner.split_once(':')
        && !key.is_empty()
        && !key.contains(char::is_whitespace)
        && !value.starts_with(['/', ':'])
    {
        let colon = range.start + (words.len() - inner.len()) + key.len();
        return Diagnostic::new(
            &MISSING_COLON,
            place,
            format!("A space is missing behind the colon of `{key}:`"),
        )
        .help(format!("Write `{key}: {value}`"))
        .fix("add the space", Applicability::Safe, span(colon + 1..colon + 1), " ");
    }
    let what = if opens { "opens what is indented below it" } else { "stands among the keys of a map" };
    let found = Diagnostic::new(&MISSING_COLON, place, format!("`{inner}` {what}, but it has no colon"));
    // A word with more behind it is a key with its value, unless it opens something.
    let (key, value) = inner.split_once(' ').filter(|_| !opens).unwrap_or((inner, ""));
    let end = range.end - (inner.len() - key.len());
    found.help(format!("Write `{}`", format!("{key}: {}", value.trim_start()).trim_end())).fix(
        "add the colon",
        Applicability::Unsafe,
        span(end..end),
        ":",
    )
}

/// The nearest line above that is not indented deeper.
fn shallower(text: &str, line: &Line) -> Option<Line> {
    let above =
        std::iter::successors(line_before(text, line.range.start), |l| line_before(text, l.range.start));
    above.take(200).find(|above| above.indent <= line.indent)
}

/// Whether a line ends in `|`, `>`, or one of them with its marks.
fn opens_block_text(words: &str) -> bool {
    let last = words.rsplit(' ').next().unwrap_or_default();
    last.starts_with(['|', '>']) && last[1..].chars().all(|c| matches!(c, '+' | '-') || c.is_ascii_digit())
}

/// A line in the column of a list's items that is none.
fn no_dash(words: &str, place: Span, sibling: Span) -> Diagnostic {
    let message = format!(
        "`{}` stands in the column of a list's items, but does not begin with `- `",
        first_word(words)
    );
    Diagnostic::new(&BAD_INDENTATION, place, message)
        .label(sibling, "the item it would follow")
        .help("Begin it with `- `, or move it to the column it belongs to")
}

/// A line that should have been a key.
fn missing_colon(text: &str, line: &Line, span: &dyn Fn(Range<usize>) -> Span) -> Diagnostic {
    let range = content(text, line);
    let words = &text[range.clone()];
    if is_bare(words) {
        return bare_line(text, line, false, span);
    }
    Diagnostic::new(&INVALID_YAML, span(range), "This line is no entry of the map it stands in")
        .help("Write `key: value`, or move the line to the column it belongs to")
}

pub(super) fn indentation(span: Span) -> Diagnostic {
    Diagnostic::new(&BAD_INDENTATION, span, "The indentation of this line fits nothing above it")
        .help("Move it to the column of its siblings")
}

/// A line at a column that belongs to nothing, or an item among entries and the reverse.
fn misplaced(kind: &ErrorKind, text: &str, line: &Line, span: &dyn Fn(Range<usize>) -> Span) -> Diagnostic {
    let range = content(text, line);
    let words = &text[range.clone()];
    if line.range.start + line.indent < line.range.end
        && text[line.range.clone()].trim_start_matches(' ').starts_with('\t')
    {
        return tab(text, line, range.start, span);
    }
    let place = span(range.clone());
    // The line to line up with.
    let sibling = shallower(text, line);
    let is_item = words.starts_with("- ") || words == "-";
    match sibling {
        Some(sibling) if sibling.indent == line.indent => {
            let other = &text[content(text, &sibling)];
            let other_item = other.starts_with("- ") || other == "-";
            if other_item && !is_item {
                return no_dash(words, place, span(content(text, &sibling)));
            }
            if !other_item && is_item {
                return Diagnostic::new(
                    &BAD_INDENTATION,
                    place,
                    "A list item stands among the keys of a map",
                )
                .label(span(content(text, &sibling)), "the key it would follow")
                .help("Move it to the column of its list, or remove the `- `");
            }
            if is_bare(other) {
                return bare_line(text, &sibling, false, span);
            }
            indentation(place)
        }
        _ if matches!(kind, ErrorKind::BlockSequenceEntryNotAllowed) => {
            Diagnostic::new(&BAD_INDENTATION, place, "A list item cannot stand here")
                .help("Begin the list on a line of its own below the key, each item with `- `")
        }
        _ => slip::misplaced(text, line, span),
    }
}

fn first_word(words: &str) -> &str {
    words.split_whitespace().next().unwrap_or(words).trim_end_matches(':')
}
