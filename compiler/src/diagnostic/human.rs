//! Findings for people: the author's lines with the places marked in them.
//!
//! The text shown is never the raw source: long lines are cut around the place, and characters that would act on a
//! terminal are replaced, so a file cannot draw over its own errors.

use super::{Diagnostic, Severity, veil::veiled};
use crate::source::{FileId, Files, SourceFile, Span};
use ariadne::{Color, Config, IndexType, Label, Report, ReportKind, Source};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::Write,
    ops::Range,
};

/// Characters of a source line that are shown at most.
const MAX_LINE_CHARS: usize = 160;
/// Characters shown before the place in a line that is cut.
const LEAD_CHARS: usize = 60;

/// Renders findings one after another, each with its snippet.
pub fn human(diagnostics: &[Diagnostic], files: &Files, color: bool) -> String {
    let mut out = String::new();
    let mut veils = Veils::new();
    for diagnostic in diagnostics {
        render(diagnostic, files, color, &mut veils, &mut out);
    }
    out
}

/// The lines of files that have secrets, without them.
type Veils = HashMap<FileId, Option<Vec<String>>>;

/// Rules that point at a secret which nothing marks.
const ABOUT_SECRETS: &[&str] = &["plain-secret", "plain-password"];

/// The lines of a file as they may be shown, where they differ from its own.
fn lines_shown<'v>(
    file: &SourceFile,
    diagnostic: &Diagnostic,
    veils: &'v mut Veils,
) -> Option<Cow<'v, [String]>> {
    let lines = |text: Cow<'_, str>| match text {
        Cow::Owned(text) => Some(text.split('\n').map(str::to_owned).collect()),
        Cow::Borrowed(_) => None,
    };
    if ABOUT_SECRETS.contains(&diagnostic.rule.name) && diagnostic.span.file == file.id {
        return lines(veiled(&file.text, &[diagnostic.span])).map(Cow::Owned);
    }
    let known = veils.entry(file.id).or_insert_with(|| lines(veiled(&file.text, &[])));
    known.as_deref().map(Cow::Borrowed)
}

/// One line that sums up: `2 errors, 1 warning in 12 files`.
pub fn summary(diagnostics: &[Diagnostic], files: usize) -> String {
    let mut parts = Vec::new();
    for (severity, one) in
        [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Hint, "hint")]
    {
        match diagnostics.iter().filter(|d| d.severity == severity).count() {
            0 => {}
            1 => parts.push(format!("1 {one}")),
            n => parts.push(format!("{n} {one}s")),
        }
    }
    let found = if parts.is_empty() { "nothing to report".to_owned() } else { parts.join(", ") };
    format!("{found} in {files} {}", if files == 1 { "file" } else { "files" })
}

fn render(diagnostic: &Diagnostic, files: &Files, color: bool, veils: &mut Veils, out: &mut String) {
    let mut places: BTreeMap<FileId, Vec<Span>> = BTreeMap::new();
    for span in std::iter::once(diagnostic.span).chain(diagnostic.labels.iter().map(|l| l.span)) {
        places.entry(span.file).or_default().push(span);
    }
    let excerpts: HashMap<FileId, Excerpt> = places
        .iter()
        .map(|(id, spans)| {
            let file = files.get(*id);
            let lines = lines_shown(&file, diagnostic, veils);
            (*id, Excerpt::new(&file, spans, lines.as_deref()))
        })
        .collect();
    let locate = |span: Span| -> (FileId, Range<usize>) {
        let range = excerpts.get(&span.file).map_or(0..0, |e| e.range(span));
        (span.file, range)
    };
    let (kind, tint, ansi) = match diagnostic.severity {
        Severity::Error => ("error", Color::Red, "31"),
        Severity::Warning => ("warning", Color::Yellow, "33"),
        Severity::Hint | Severity::Allow => ("hint", Color::Cyan, "36"),
    };
    // The title line is ours: the renderer colours a custom kind even when colours are off.
    let title = format!("{kind}[{}]:", diagnostic.rule.code);
    let title = if color { format!("\u{1b}[1;{ansi}m{title}\u{1b}[0m") } else { title };
    let _ = writeln!(out, "{title} {}", printable(&diagnostic.message));

    let config = Config::default().with_color(color).with_index_type(IndexType::Char).with_tab_width(4);
    let mut report = Report::build(ReportKind::Error, locate(diagnostic.span)).with_config(config);
    let primary = (diagnostic.span, tint, diagnostic.rule.name.to_owned());
    let others = diagnostic.labels.iter().map(|l| (l.span, Color::Blue, printable(&l.message)));
    let mut labels: Vec<(Span, Color, String)> = std::iter::once(primary).chain(others).collect();
    // In the order of the lines, the author's file first: the renderer repeats the file's name at every step back.
    labels.sort_by_key(|(span, ..)| (span.file != diagnostic.span.file, span.file, span.end, span.start));
    for (order, (span, color, message)) in labels.into_iter().enumerate() {
        report.add_label(
            Label::new(locate(span)).with_color(color).with_order(order as i32).with_message(message),
        );
    }
    if let Some(help) = &diagnostic.help {
        report.set_help(printable(help));
    }
    if let Some(excerpt) = excerpts.get(&diagnostic.span.file)
        && excerpt.is_cut(diagnostic.span)
    {
        let (_, position) = files.locate(diagnostic.span);
        report.set_note(format!("the line is cut; the place is column {} of it", position.column));
    }
    let mut cache = Excerpts { excerpts, files };
    let mut bytes = Vec::new();
    if report.finish().write(&mut cache, &mut bytes).is_err() {
        // Writing to memory does not fail; if the renderer refuses, the place still gets out.
        let (path, position) = files.locate(diagnostic.span);
        let _ = writeln!(out, "  at {path}:{}:{}", position.line, position.column);
        return;
    }
    for line in String::from_utf8_lossy(&bytes).lines().skip(1) {
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

/// The lines of one file that one finding shows.
struct Excerpt {
    source: Source<String>,
    first_line: usize,
    /// Per shown line: characters of the source cut off before it, and how many are shown.
    windows: BTreeMap<usize, Window>,
    /// Character offset of each line in the excerpt.
    starts: Vec<usize>,
    /// For each place, its range in the excerpt.
    ranges: HashMap<Span, Range<usize>>,
}

#[derive(Clone, Copy)]
struct Window {
    /// Characters cut off before.
    skipped: usize,
    /// Characters of the source shown.
    shown: usize,
    /// Whether anything is cut.
    cut: bool,
}

impl Excerpt {
    fn new(file: &SourceFile, spans: &[Span], lines: Option<&[String]>) -> Self {
        let mut focus: BTreeMap<usize, usize> = BTreeMap::new();
        let mut needed = BTreeSet::new();
        for span in spans {
            for offset in
                [span.start as usize, (span.end as usize).saturating_sub(1).max(span.start as usize)]
            {
                let position = file.position(offset);
                let (line, column) = (position.line as usize - 1, position.column as usize - 1);
                needed.insert(line);
                let first = focus.entry(line).or_insert(column);
                *first = (*first).min(column);
            }
        }
        let first_line = needed.first().copied().unwrap_or(0);
        let last_line = needed.last().copied().unwrap_or(0);
        // Empty lines stand for what comes before: the renderer's own line offset does not reach its margin.
        let mut text = "\n".repeat(first_line);
        let mut starts = Vec::new();
        let mut windows = BTreeMap::new();
        let mut chars = first_line;
        for line in first_line..=last_line {
            starts.push(chars);
            let Some(column) = focus.get(&line) else {
                text.push('\n');
                chars += 1;
                continue;
            };
            let raw = match lines {
                Some(lines) => lines.get(line).map_or("", |l| l.trim_end_matches('\r')),
                None => line_text(file, line),
            };
            let length = raw.chars().count();
            let (skipped, shown) = if length <= MAX_LINE_CHARS {
                (0, length)
            } else {
                let skipped = column.saturating_sub(LEAD_CHARS).min(length - 1);
                (skipped, (length - skipped).min(MAX_LINE_CHARS))
            };
            let mut piece = String::new();
            if skipped > 0 {
                piece.push('…');
            }
            piece.extend(raw.chars().skip(skipped).take(shown).map(shown_char));
            if skipped + shown < length {
                piece.push('…');
            }
            windows.insert(line, Window { skipped, shown, cut: skipped > 0 || skipped + shown < length });
            chars += piece.chars().count() + 1;
            text.push_str(&piece);
            text.push('\n');
        }
        let mut excerpt =
            Self { source: Source::from(text), first_line, windows, starts, ranges: HashMap::new() };
        for span in spans {
            let start = excerpt.offset(file, span.start as usize);
            let last = (span.end as usize).saturating_sub(1).max(span.start as usize);
            let end = if span.is_empty() { start } else { excerpt.offset(file, last) + 1 };
            // An empty place is shown as one character, or nothing would be marked.
            excerpt.ranges.insert(*span, start..end.max(start + 1));
        }
        excerpt
    }

    /// The character offset in the excerpt of a byte offset in the file.
    fn offset(&self, file: &SourceFile, offset: usize) -> usize {
        let position = file.position(offset);
        let (line, column) = (position.line as usize - 1, position.column as usize - 1);
        let start = self.starts.get(line.saturating_sub(self.first_line)).copied().unwrap_or(0);
        let Some(window) = self.windows.get(&line) else { return start };
        let lead = usize::from(window.skipped > 0);
        start + column.saturating_sub(window.skipped).min(window.shown) + lead
    }

    fn range(&self, span: Span) -> Range<usize> {
        self.ranges.get(&span).cloned().unwrap_or(0..1)
    }

    fn is_cut(&self, span: Span) -> bool {
        let start = self.range(span).start;
        let line = self.starts.partition_point(|s| *s <= start).saturating_sub(1) + self.first_line;
        self.windows.get(&line).is_some_and(|w| w.cut)
    }
}

fn line_text(file: &SourceFile, line: usize) -> &str {
    let start = file.lines.start(line);
    let end = if line + 1 < file.lines.count() { file.lines.start(line + 1) } else { file.text.len() };
    file.text.get(start..end).unwrap_or("").trim_end_matches(['\n', '\r'])
}

fn shown_char(c: char) -> char {
    match c {
        '\t' => ' ',
        // Controls, and the marks that reorder text.
        c if c.is_control() => '\u{fffd}',
        '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'
        | '\u{2029}' => '\u{fffd}',
        c => c,
    }
}

fn printable(text: &str) -> String {
    text.chars().map(|c| if c == '\n' { c } else { shown_char(c) }).collect()
}

struct Excerpts<'a> {
    excerpts: HashMap<FileId, Excerpt>,
    files: &'a Files,
}

impl ariadne::Cache<FileId> for &mut Excerpts<'_> {
    type Storage = String;

    fn fetch(&mut self, id: &FileId) -> Result<&Source<String>, impl std::fmt::Debug> {
        self.excerpts.get(id).map(|e| &e.source).ok_or_else(|| format!("file {} is not shown", id.0))
    }

    fn display<'b>(&self, id: &'b FileId) -> Option<impl std::fmt::Display + 'b> {
        Some(printable(&self.files.get(*id).path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::tests::{SAMPLE, sample};

    #[test]
    fn the_line_and_the_help_are_shown() {
        let (files, diagnostics) = sample();
        let text = human(&diagnostics, &files, false);
        assert!(text.contains("error[Z0999]: There is no parameter `sorce`"), "{text}");
        assert!(text.contains("states/a.zy:2:3"), "{text}");
        assert!(text.contains("2 │   sorce: x"), "{text}");
        assert!(text.contains("the first is here"), "{text}");
        assert!(text.contains("write `source`"), "{text}");
    }

    #[test]
    fn long_lines_are_cut_around_the_place_and_controls_do_not_reach_the_terminal() {
        let files = Files::new();
        let line = format!("{}\u{1b}[2Jhere{}", "a".repeat(5000), "b".repeat(5000));
        let id = files.add("a.zy", line);
        let diagnostic = Diagnostic::new(&SAMPLE, Span::new(id, 5004..5008), "Wrong");
        let text = human(&[diagnostic], &files, false);
        assert!(!text.contains('\u{1b}'));
        assert!(text.contains("here"), "{text}");
        assert!(text.contains("column 5005"), "{text}");
        assert!(text.lines().all(|l| l.chars().count() < 200), "{text}");
    }

    #[test]
    fn any_place_can_be_shown() {
        let files = Files::new();
        let text = "ä: b\r\n\tc: \u{202e}d\n\nlast";
        let id = files.add("a.zy", text);
        for start in 0..=text.len() {
            for end in start..=text.len() {
                let diagnostic = Diagnostic::new(&SAMPLE, Span::new(id, start..end), "Wrong")
                    .label(Span::at(id, 0), "first");
                assert!(human(&[diagnostic], &files, true).contains("Wrong"));
            }
        }
        let empty = files.add("empty.zy", "");
        let diagnostic = Diagnostic::new(&SAMPLE, Span::at(empty, 0), "Empty");
        assert!(human(&[diagnostic], &files, false).contains("empty.zy:1:1"));
    }

    #[test]
    fn the_summary_counts() {
        let (_, diagnostics) = sample();
        assert_eq!(summary(&diagnostics, 12), "1 error in 12 files");
        assert_eq!(summary(&[], 1), "nothing to report in 1 file");
    }
}
