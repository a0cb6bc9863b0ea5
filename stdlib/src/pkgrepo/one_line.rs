//! apt's one-line form of a repository: `deb [arch=amd64 signed-by=/k.gpg] https://… stable main`.

use std::fmt;

/// A repository.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Entry {
    /// Whether the line is commented out.
    pub disabled: bool,
    /// `deb` or `deb-src`.
    pub kind: String,
    /// Options in brackets, in their order.
    pub options: Vec<(String, String)>,
    /// Address.
    pub uri: String,
    /// Release, or a path that ends with a slash.
    pub suite: String,
    /// Components.
    pub components: Vec<String>,
    /// What stands behind `#` at the end of the line.
    pub comment: String,
}

impl Entry {
    /// Reads a line; the error says what is missing. `None` for a blank line or a mere comment.
    pub(crate) fn parse(line: &str) -> Result<Option<Self>, String> {
        let mut text = line.trim();
        let mut disabled = false;
        while let Some(rest) = text.strip_prefix('#') {
            disabled = true;
            text = rest.trim_start();
        }
        let (text, comment) = match text.split_once(" #") {
            Some((text, comment)) => (text, comment.trim()),
            None => (text, ""),
        };
        let (kind, rest) = match text.split_once(char::is_whitespace) {
            Some((kind @ ("deb" | "deb-src"), rest)) => (kind, rest.trim_start()),
            _ if text.is_empty() || disabled => return Ok(None),
            _ => {
                return Err(format!(
                    "`{line}` is not a repository of apt: it begins with `deb` or `deb-src`"
                ));
            }
        };
        let (options, rest) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (options, rest) = rest
                    .split_once(']')
                    .ok_or_else(|| format!("the options of `{line}` are not closed by `]`"))?;
                (options, rest)
            }
            None => ("", rest),
        };
        let options = options
            .split_ascii_whitespace()
            .filter_map(|o| o.split_once('='))
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect();
        let mut words = rest.split_ascii_whitespace().map(str::to_owned);
        let (Some(uri), Some(suite)) = (words.next(), words.next()) else {
            if disabled {
                return Ok(None);
            }
            return Err(format!(
                "`{line}` is not a repository of apt: it is `deb ADDRESS SUITE [COMPONENT …]`"
            ));
        };
        Ok(Some(Self {
            disabled,
            kind: kind.to_owned(),
            options,
            uri,
            suite,
            components: words.collect(),
            comment: comment.to_owned(),
        }))
    }

    /// The value of an option.
    pub(crate) fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
    }

    /// Sets an option.
    pub(crate) fn set_option(&mut self, name: &str, value: &str) {
        match self.options.iter_mut().find(|(k, _)| k == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.options.push((name.to_owned(), value.to_owned())),
        }
    }

    /// Whether both mean the same repository, whatever their options and components.
    pub(crate) fn is_same_repository(&self, other: &Self) -> bool {
        self.kind == other.kind
            && self.uri.trim_end_matches('/') == other.uri.trim_end_matches('/')
            && self.suite.trim_end_matches('/') == other.suite.trim_end_matches('/')
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{} ", if self.disabled { "# " } else { "" }, self.kind)?;
        if !self.options.is_empty() {
            let options: Vec<String> = self.options.iter().map(|(k, v)| format!("{k}={v}")).collect();
            write!(f, "[{}] ", options.join(" "))?;
        }
        write!(f, "{} {}", self.uri, self.suite)?;
        for component in &self.components {
            write!(f, " {component}")?;
        }
        if !self.comment.is_empty() {
            write!(f, " # {}", self.comment)?;
        }
        Ok(())
    }
}

/// A list's text with this entry in it: in place of the same repository's line, else at the end.
pub(crate) fn with_entry(text: &str, entry: &Entry) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut placed = false;
    for line in text.lines() {
        match Entry::parse(line) {
            Ok(Some(old)) if old.is_same_repository(entry) => {
                if !placed {
                    // A line that means the same keeps its author's spacing.
                    lines.push(if old == *entry { line.to_owned() } else { entry.to_string() });
                    placed = true;
                }
            }
            _ => lines.push(line.to_owned()),
        }
    }
    if !placed {
        lines.push(entry.to_string());
    }
    lines.join("\n") + "\n"
}

/// A list's text without this repository.
pub(crate) fn without_entry(text: &str, entry: &Entry) -> String {
    let mut kept = String::new();
    for line in text.split_inclusive('\n') {
        if !matches!(Entry::parse(line), Ok(Some(old)) if old.is_same_repository(entry)) {
            kept.push_str(line);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_written() {
        for line in [
            "deb http://x/debian stable main contrib",
            "deb-src [arch=amd64,i386 signed-by=/k.gpg] https://x/ y/ # why",
            "# deb http://x z main",
        ] {
            assert_eq!(Entry::parse(line).unwrap().unwrap().to_string(), line);
        }
        assert_eq!(Entry::parse("# a remark on deb").unwrap(), None);
        assert!(Entry::parse("https://x stable").unwrap_err().contains("begins with `deb`"));
        assert!(Entry::parse("deb http://x").unwrap_err().contains("deb ADDRESS SUITE"));
        assert!(Entry::parse("deb [a=b http://x s").unwrap_err().contains("not closed"));
    }

    #[test]
    fn a_repository_is_replaced_in_place() {
        let old = "# my list\ndeb  http://x/  stable   main\ndeb http://y stable main\n";
        let same = Entry::parse("deb http://x/ stable main").unwrap().unwrap();
        assert_eq!(with_entry(old, &same), old);
        let more = Entry::parse("deb http://x stable main contrib").unwrap().unwrap();
        assert_eq!(
            with_entry(old, &more),
            "# my list\ndeb http://x stable main contrib\ndeb http://y stable main\n"
        );
        assert_eq!(without_entry(old, &more), "# my list\ndeb http://y stable main\n");
        assert_eq!(with_entry("", &same), "deb http://x/ stable main\n");
    }
}
