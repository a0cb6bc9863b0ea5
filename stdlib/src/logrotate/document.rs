//! The text of a configuration of logrotate: directives, and blocks of directives for files.

/// Words that begin a script, whose lines up to `endscript` are the shell's.
const SCRIPTS: [&str; 5] = ["prerotate", "postrotate", "firstaction", "lastaction", "preremove"];

/// What a line is.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Line {
    /// A directive, by its first word, of the block whose number is given; of all files without one.
    Directive(Option<usize>, String),
    /// The line that opens a block.
    Open(usize),
    /// The line that closes a block.
    Close(usize),
    /// A comment, a script, a path, nothing.
    Other,
}

/// A configuration that is edited.
pub(super) struct Document {
    lines: Vec<String>,
    kinds: Vec<Line>,
    /// The files of each block.
    blocks: Vec<Vec<String>>,
}

impl Document {
    pub(super) fn read(text: &str) -> Self {
        let mut document =
            Self { lines: text.lines().map(str::to_owned).collect(), kinds: Vec::new(), blocks: Vec::new() };
        let (mut paths, mut inside, mut script) = (Vec::new(), None, false);
        for line in &document.lines {
            let words: Vec<&str> = line.split_whitespace().collect();
            let first = words.first().copied().unwrap_or_default();
            let kind = if script {
                script = first != "endscript";
                Line::Other
            } else if first.is_empty() || first.starts_with('#') {
                Line::Other
            } else if let Some(block) = inside {
                script = SCRIPTS.contains(&first);
                if first.starts_with('}') {
                    inside = None;
                    Line::Close(block)
                } else {
                    Line::Directive(Some(block), first.to_owned())
                }
            } else if line.trim_end().ends_with('{') {
                let own = words.iter().map(|w| w.trim_end_matches('{').trim_matches('"'));
                paths.extend(own.filter(|w| !w.is_empty()).map(str::to_owned));
                document.blocks.push(std::mem::take(&mut paths));
                inside = Some(document.blocks.len() - 1);
                Line::Open(document.blocks.len() - 1)
            } else if first.starts_with(['/', '"', '~']) {
                // Files of a block that is opened on a later line.
                paths.extend(words.iter().map(|w| w.trim_matches('"').to_owned()));
                Line::Other
            } else {
                Line::Directive(None, first.to_owned())
            };
            document.kinds.push(kind);
        }
        document
    }

    pub(super) fn text(&self) -> String {
        self.lines.iter().fold(String::new(), |text, line| text + line + "\n")
    }

    /// Where a file is one of a block's.
    fn block_of(&self, file: &str) -> Option<usize> {
        self.blocks.iter().position(|files| files.iter().any(|f| f == file))
    }

    /// What a directive says, of all files or of one: the words behind its name.
    pub(super) fn get(&self, file: Option<&str>, directive: &str) -> Option<String> {
        let block = match file {
            Some(file) => Some(self.block_of(file)?),
            None => None,
        };
        // The last one counts.
        let at = self
            .kinds
            .iter()
            .rposition(|k| matches!(k, Line::Directive(b, d) if *b == block && d == directive))?;
        let line = self.lines.get(at)?;
        Some(line.split_whitespace().skip(1).collect::<Vec<_>>().join(" "))
    }

    /// Sets a directive, or takes it out where there is no value.
    pub(super) fn set(&mut self, file: Option<&str>, directive: &str, value: Option<&str>) {
        let block = file.map(|file| self.block_of(file));
        let same = |kind: &Line| matches!(kind, Line::Directive(b, d) if block.map_or(b.is_none(), |block| block.is_some() && *b == block) && d == directive);
        let places: Vec<usize> =
            self.kinds.iter().enumerate().filter(|(_, kind)| same(kind)).map(|(at, _)| at).collect();
        let indent = if file.is_some() { "    " } else { "" };
        let written =
            value.map(|v| if v.is_empty() { directive.to_owned() } else { format!("{directive} {v}") });
        for at in places.iter().skip(usize::from(written.is_some())).rev() {
            self.lines.remove(*at);
            self.kinds.remove(*at);
        }
        let Some(written) = written else { return };
        if let Some(line) = places.first().and_then(|at| self.lines.get_mut(*at)) {
            let lead: String = line.chars().take_while(|c| c.is_whitespace()).collect();
            *line = format!("{lead}{written}");
            return;
        }
        let line = format!("{indent}{written}");
        match (file, block.flatten()) {
            (None, _) => {
                let at = self.place_for_all();
                self.insert(at, line, Line::Directive(None, directive.to_owned()));
            }
            (Some(_), Some(block)) => {
                let close = self.kinds.iter().position(|k| *k == Line::Close(block));
                let at = close.unwrap_or(self.lines.len());
                self.insert(at, line, Line::Directive(Some(block), directive.to_owned()));
            }
            (Some(file), None) => {
                let block = self.blocks.len();
                self.blocks.push(vec![file.to_owned()]);
                for (line, kind) in [
                    (format!("{file} {{"), Line::Open(block)),
                    (line, Line::Directive(Some(block), directive.to_owned())),
                    ("}".to_owned(), Line::Close(block)),
                ] {
                    self.insert(self.lines.len(), line, kind);
                }
            }
        }
    }

    /// Where a new directive of all files goes: it holds for what stands behind it, the files that are included among it.
    fn place_for_all(&self) -> usize {
        let is = |kind: &Line| {
            matches!(kind, Line::Open(_)) || matches!(kind, Line::Directive(None, d) if d == "include")
        };
        let first = self.kinds.iter().position(is).unwrap_or(self.lines.len());
        let before = self.kinds.get(..first).unwrap_or_default();
        match before.iter().rposition(|kind| matches!(kind, Line::Directive(None, _))) {
            Some(last) => last + 1,
            None => self.above(first),
        }
    }

    /// The place before a line with the paths and comments above it.
    fn above(&self, line: usize) -> usize {
        let mut at = line;
        while let Some(before) = at.checked_sub(1) {
            let other = self.kinds.get(before) == Some(&Line::Other);
            if !other || self.lines.get(before).is_none_or(|line| line.trim().is_empty()) {
                break;
            }
            at = before;
        }
        at
    }

    fn insert(&mut self, at: usize, line: String, kind: Line) {
        self.lines.insert(at, line);
        self.kinds.insert(at, kind);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "weekly\nrotate 4\n# all of them\ninclude /etc/logrotate.d\n\n# logins\n/var/log/wtmp\n\"/var/log/btmp\" {\n    missingok\n    postrotate\n        rotate }\n    endscript\n    rotate 1\n}\n";

    #[test]
    fn directives_are_found_where_they_count() {
        let document = Document::read(TEXT);
        assert_eq!(document.get(None, "rotate").as_deref(), Some("4"));
        assert_eq!(document.get(Some("/var/log/btmp"), "rotate").as_deref(), Some("1"));
        assert_eq!(document.get(Some("/var/log/wtmp"), "missingok").as_deref(), Some(""));
        assert_eq!(document.get(Some("/var/log/none"), "rotate"), None);
        assert_eq!(document.get(None, "compress"), None);
        assert_eq!(document.text(), TEXT);
    }

    #[test]
    fn edits_touch_one_line() {
        let edited = |file: Option<&str>, directive: &str, value: Option<&str>| {
            let mut document = Document::read(TEXT);
            document.set(file, directive, value);
            let again = Document::read(&document.text()).get(file, directive);
            assert_eq!(again.as_deref(), value, "{}", document.text());
            document.text()
        };
        assert_eq!(edited(None, "rotate", Some("7")), TEXT.replace("rotate 4", "rotate 7"));
        // What is included later is compressed, too.
        assert_eq!(edited(None, "compress", Some("")), TEXT.replace("rotate 4\n", "rotate 4\ncompress\n"));
        assert_eq!(
            edited(Some("/var/log/wtmp"), "rotate", Some("2")),
            TEXT.replace("    rotate 1", "    rotate 2")
        );
        assert_eq!(edited(Some("/var/log/wtmp"), "missingok", None), TEXT.replace("    missingok\n", ""));
        assert_eq!(
            edited(Some("/var/log/btmp"), "daily", Some("")),
            TEXT.replace("    rotate 1\n", "    rotate 1\n    daily\n")
        );
        assert_eq!(
            edited(Some("/var/log/app"), "size", Some("10M")),
            format!("{TEXT}/var/log/app {{\n    size 10M\n}}\n")
        );
        assert_eq!(edited(Some("/var/log/app"), "size", None), TEXT);
    }
}
