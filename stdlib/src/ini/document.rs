//! A file of sections and options. What is not changed keeps its bytes: comments, blanks, order.

use std::fmt;

/// A line, or an option with the lines that go on with its value.
#[derive(Clone, PartialEq, Debug)]
enum Item {
    /// A comment, a blank line, or something that is no option.
    Other(String),
    /// An option.
    Set {
        key: String,
        value: String,
        /// What stands before the value: blanks, the key, the separator.
        lead: String,
        /// As it is in the file.
        raw: String,
    },
}

/// A section, with its heading as it stands; the first has none.
#[derive(Clone, PartialEq, Debug)]
struct Section {
    name: Option<String>,
    heading: String,
    items: Vec<Item>,
}

impl Section {
    fn is(&self, name: Option<&str>) -> bool {
        self.name.as_deref() == name
    }

    fn position(&self, wanted: &str) -> Option<usize> {
        self.items.iter().position(|item| matches!(item, Item::Set { key, .. } if key == wanted))
    }

    /// Behind what is written in it, before the blank lines that part it from the next.
    fn end(&self) -> usize {
        let blank = |item: &&Item| matches!(item, Item::Other(line) if line.trim().is_empty());
        self.items.len() - self.items.iter().rev().take_while(blank).count()
    }
}

/// A whole file.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Document {
    separator: String,
    newline: &'static str,
    sections: Vec<Section>,
}

fn indent(line: &str) -> usize {
    line.chars().take_while(|c| c.is_whitespace()).map(|c| if c == '\t' { 4 } else { 1 }).sum()
}

fn heading(line: &str) -> Option<&str> {
    line.trim().strip_prefix('[')?.strip_suffix(']').filter(|name| !name.is_empty())
}

impl Document {
    /// Reads a text; every text is a document.
    pub(crate) fn parse(text: &str, separator: &str) -> Self {
        let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let mut document = Self { separator: separator.to_owned(), newline, sections: Vec::new() };
        let mut current = Section { name: None, heading: String::new(), items: Vec::new() };
        for raw in text.split_inclusive('\n') {
            let line = raw.trim_end_matches(['\n', '\r']);
            if let Some(name) = heading(line) {
                let next =
                    Section { name: Some(name.to_owned()), heading: raw.to_owned(), items: Vec::new() };
                document.sections.push(std::mem::replace(&mut current, next));
                continue;
            }
            let trimmed = line.trim_start();
            if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
                current.items.push(Item::Other(raw.to_owned()));
                continue;
            }
            // A line that stands further in than the option before it goes on with its value.
            if let Some(Item::Set { value, lead, raw: whole, .. }) = current.items.last_mut()
                && indent(line) > indent(lead)
            {
                value.push('\n');
                value.push_str(trimmed.trim_end());
                whole.push_str(raw);
                continue;
            }
            current.items.push(document.option(line, raw));
        }
        document.sections.push(current);
        document
    }

    fn option(&self, line: &str, raw: &str) -> Item {
        let start = line.len() - line.trim_start().len();
        let rest = line.get(start..).unwrap_or_default();
        let separator = if self.separator.trim().is_empty() { " " } else { self.separator.trim() };
        let Some(at) = rest.find(separator).filter(|at| *at > 0) else {
            return Item::Other(raw.to_owned());
        };
        let after = start + at + separator.len();
        let tail = line.get(after..).unwrap_or_default();
        let begin = after + tail.len() - tail.trim_start().len();
        Item::Set {
            key: rest.get(..at).unwrap_or_default().trim_end().to_owned(),
            value: line.get(begin..).unwrap_or_default().trim_end().to_owned(),
            lead: line.get(..begin).unwrap_or_default().to_owned(),
            raw: raw.to_owned(),
        }
    }

    /// Names of the sections in order.
    pub(crate) fn names(&self) -> Vec<String> {
        self.sections.iter().filter_map(|s| s.name.clone()).collect()
    }

    /// Whether a section is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.sections.iter().any(|s| s.is(Some(name)))
    }

    /// Keys and values of a section; of several with one name, of all.
    pub(crate) fn options(&self, section: Option<&str>) -> Vec<(String, String)> {
        let items = self.sections.iter().filter(|s| s.is(section)).flat_map(|s| &s.items);
        items
            .filter_map(|item| match item {
                Item::Set { key, value, .. } => Some((key.clone(), value.clone())),
                Item::Other(_) => None,
            })
            .collect()
    }

    /// The value of an option.
    pub(crate) fn get(&self, section: Option<&str>, key: &str) -> Option<String> {
        self.options(section).into_iter().find(|(k, _)| k == key).map(|(_, value)| value)
    }

    /// Makes a section at the end, unless it is there.
    pub(crate) fn add(&mut self, name: &str) {
        if self.has(name) {
            return;
        }
        let text = self.to_string();
        let gap = match text.as_str() {
            "" => "",
            text if text.ends_with('\n') => self.newline,
            _ => "\n\n",
        };
        if let Some(last) = self.sections.last_mut()
            && !gap.is_empty()
        {
            last.items.push(Item::Other(gap.to_owned()));
        }
        let heading = format!("[{name}]{}", self.newline);
        self.sections.push(Section { name: Some(name.to_owned()), heading, items: Vec::new() });
    }

    /// Sets an option where it is, else at the end of its section. What stands between key and value is kept.
    pub(crate) fn set(&mut self, section: Option<&str>, key: &str, new: &str, no_spaces: bool) {
        if let Some(name) = section {
            self.add(name);
        }
        let newline = self.newline;
        let separator = self.separator.trim();
        let between = match (separator, no_spaces) {
            ("", _) => " ".to_owned(),
            (separator, true) => separator.to_owned(),
            (separator, false) => format!(" {separator} "),
        };
        let written = new.replace('\n', &format!("{newline}\t"));
        let found = self.sections.iter_mut().find(|s| s.is(section) && s.position(key).is_some());
        if let Some(found) = found
            && let Some(index) = found.position(key)
            && let Some(Item::Set { value, lead, raw, .. }) = found.items.get_mut(index)
        {
            let lead_end = if no_spaces {
                let indent: String = lead.chars().take_while(|c| c.is_whitespace()).collect();
                format!("{indent}{key}{between}")
            } else {
                lead.clone()
            };
            *raw = format!("{lead_end}{written}{newline}");
            *lead = lead_end;
            new.clone_into(value);
            return;
        }
        let Some(home) = self.sections.iter_mut().find(|s| s.is(section)) else { return };
        let indent: String = home
            .items
            .iter()
            .find_map(|item| match item {
                Item::Set { lead, .. } => Some(lead.chars().take_while(|c| c.is_whitespace()).collect()),
                Item::Other(_) => None,
            })
            .unwrap_or_default();
        let at = home.end();
        // The last line of a file may lack its end.
        if at == home.items.len() {
            let last = match home.items.last_mut() {
                Some(Item::Other(raw) | Item::Set { raw, .. }) => raw,
                None => &mut home.heading,
            };
            if !last.is_empty() && !last.ends_with('\n') {
                last.push_str(newline);
            }
        }
        let lead = format!("{indent}{key}{between}");
        let raw = format!("{lead}{written}{newline}");
        home.items.insert(at, Item::Set { key: key.to_owned(), value: new.to_owned(), lead, raw });
    }

    /// Removes an option, wherever its section has it.
    pub(crate) fn unset(&mut self, section: Option<&str>, wanted: &str) {
        for home in self.sections.iter_mut().filter(|s| s.is(section)) {
            home.items.retain(|item| !matches!(item, Item::Set { key, .. } if key == wanted));
        }
    }

    /// Removes a section with all that is in it.
    pub(crate) fn remove(&mut self, name: &str) {
        let last = self.sections.last().is_some_and(|s| s.is(Some(name)));
        self.sections.retain(|s| !s.is(Some(name)));
        // Blank lines part sections: behind the last one there is nothing to part it from.
        if let Some(section) = self.sections.last_mut().filter(|_| last) {
            section.items.truncate(section.end());
        }
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for section in &self.sections {
            f.write_str(&section.heading)?;
            for item in &section.items {
                let (Item::Other(raw) | Item::Set { raw, .. }) = item;
                f.write_str(raw)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "top = 1\n# a remark\n[a]\n\tx=1\n\ty : 2\nlong = one\n  two\n\n[b]\nz =";

    #[test]
    fn a_text_stays_itself() {
        for text in [TEXT, "", "\n\n", "[", "[]\n=\n", "a=b\r\n[c]\r\nd=e\r\n"] {
            assert_eq!(Document::parse(text, "=").to_string(), text);
        }
        let document = Document::parse(TEXT, "=");
        assert_eq!(document.get(None, "top").as_deref(), Some("1"));
        assert_eq!(document.get(Some("a"), "x").as_deref(), Some("1"));
        assert_eq!(document.get(Some("a"), "long").as_deref(), Some("one\ntwo"));
        assert_eq!(document.get(Some("b"), "z").as_deref(), Some(""));
        assert_eq!(document.names(), ["a", "b"]);
    }

    #[test]
    fn edits_keep_the_rest() {
        let mut document = Document::parse(TEXT, "=");
        document.set(Some("a"), "x", "5", false);
        document.set(Some("a"), "long", "short", false);
        document.set(Some("a"), "new", "n", false);
        document.set(Some("b"), "more", "m", true);
        document.set(Some("c"), "q", "r\ns", false);
        document.set(None, "second", "2", false);
        document.unset(None, "top");
        assert_eq!(
            document.to_string(),
            "# a remark\nsecond = 2\n[a]\n\tx=5\n\ty : 2\nlong = short\n\tnew = n\n\n[b]\nz =\nmore=m\n\n[c]\nq = r\n\ts\n"
        );
        document.remove("a");
        assert!(!document.has("a"));
        let again = Document::parse(&document.to_string(), "=");
        assert_eq!(again.get(Some("c"), "q").as_deref(), Some("r\ns"));
        let mut document = Document::parse("[a]\nx = 1\n\n[b]\ny = 2\n\n[c]\nz = 3\n", "=");
        document.remove("b");
        document.remove("c");
        assert_eq!(document.to_string(), "[a]\nx = 1\n");
    }
}
