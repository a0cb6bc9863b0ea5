//! The file of hosts. Lines that are not changed keep their bytes.

use std::fmt;

#[derive(Clone, PartialEq, Debug)]
struct Entry {
    address: String,
    names: Vec<String>,
    comment: Option<String>,
}

#[derive(Clone, PartialEq, Debug)]
struct Line {
    raw: String,
    entry: Option<Entry>,
}

impl Line {
    fn parse(raw: &str) -> Self {
        let (words, comment) = match raw.split_once('#') {
            Some((words, comment)) => (words, Some(comment.trim().to_owned())),
            None => (raw, None),
        };
        let mut words = words.split_whitespace().map(str::to_owned);
        let entry = words.next().map(|address| Entry { address, names: words.collect(), comment });
        Self { raw: raw.to_owned(), entry }
    }

    fn of(entry: Entry) -> Self {
        let mut raw = format!("{}\t{}", entry.address, entry.names.join(" "));
        if let Some(comment) = entry.comment.as_ref().filter(|c| !c.is_empty()) {
            raw.push_str(&format!("\t# {comment}"));
        }
        Self { raw, entry: Some(entry) }
    }
}

/// A file of hosts.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Table(Vec<Line>);

impl Table {
    /// Reads a text; every text is a table.
    pub(super) fn parse(text: &str) -> Self {
        Self(text.lines().map(Line::parse).collect())
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter().filter_map(|line| line.entry.as_ref())
    }

    /// All names of an address.
    pub(crate) fn names(&self, address: &str) -> Vec<String> {
        self.entries().filter(|e| e.address == address).flat_map(|e| e.names.clone()).collect()
    }

    /// All addresses of a name.
    pub(crate) fn addresses(&self, name: &str) -> Vec<String> {
        self.entries().filter(|e| e.names.iter().any(|n| n == name)).map(|e| e.address.clone()).collect()
    }

    /// Every address with all of its names, in the order of the file.
    pub(crate) fn addresses_with_names(&self) -> Vec<(String, Vec<String>)> {
        let mut all: Vec<(String, Vec<String>)> = Vec::new();
        for entry in self.entries() {
            match all.iter_mut().find(|(address, _)| *address == entry.address) {
                Some((_, names)) => names.extend(entry.names.iter().cloned()),
                None => all.push((entry.address.clone(), entry.names.clone())),
            }
        }
        all
    }

    /// The remark behind the first line of an address.
    pub(super) fn comment(&self, address: &str) -> Option<String> {
        self.entries().find(|e| e.address == address)?.comment.clone()
    }

    /// Changes the lines that `which` finds; a line without names goes.
    fn change(&mut self, which: impl Fn(&Entry) -> bool, change: impl Fn(&mut Entry)) {
        for line in &mut self.0 {
            if let Some(entry) = line.entry.as_ref().filter(|e| which(e)) {
                let mut new = entry.clone();
                change(&mut new);
                if new != *entry {
                    *line = Line::of(new);
                }
            }
        }
        self.0.retain(|line| line.entry.as_ref().is_none_or(|e| !e.names.is_empty()));
    }

    /// Gives an address one more name: on its first line, else on a new one.
    pub(super) fn add(&mut self, address: &str, name: &str) {
        let first = self.0.iter_mut().find(|l| l.entry.as_ref().is_some_and(|e| e.address == address));
        match first {
            Some(line) => {
                if let Some(mut entry) = line.entry.take() {
                    entry.names.push(name.to_owned());
                    *line = Line::of(entry);
                }
            }
            None => self.0.push(Line::of(Entry {
                address: address.to_owned(),
                names: vec![name.to_owned()],
                comment: None,
            })),
        }
    }

    /// Takes a name from an address; without one from all.
    pub(super) fn remove(&mut self, address: Option<&str>, name: &str) {
        self.change(
            |e| address.is_none_or(|a| a == e.address) && e.names.iter().any(|n| n == name),
            |e| e.names.retain(|n| n != name),
        );
    }

    /// Gives an address these names and no others, on its first line.
    pub(super) fn set(&mut self, address: &str, names: &[String]) {
        let first = self.0.iter().position(|l| l.entry.as_ref().is_some_and(|e| e.address == address));
        let at = first.unwrap_or(self.0.len());
        let comment = self.comment(address);
        self.0.retain(|l| l.entry.as_ref().is_none_or(|e| e.address != address));
        if !names.is_empty() {
            let entry = Entry { address: address.to_owned(), names: names.to_vec(), comment };
            self.0.insert(at.min(self.0.len()), Line::of(entry));
        }
    }

    /// Puts a remark behind the lines of an address.
    pub(super) fn set_comment(&mut self, address: &str, comment: &str) {
        self.change(|e| e.address == address, |e| e.comment = Some(comment.to_owned()));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|line| writeln!(f, "{}", line.raw))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_changed_keeps_its_bytes() {
        let text = "# ours\n127.0.0.1   localhost  me # x\n\n::1 localhost\n";
        let mut table = Table::parse(text);
        assert_eq!(table.to_string(), text);
        assert_eq!(table.addresses("localhost"), ["127.0.0.1", "::1"]);
        assert_eq!(table.comment("127.0.0.1").as_deref(), Some("x"));
        table.remove(Some("::1"), "localhost");
        table.add("10.0.0.1", "a");
        table.add("10.0.0.1", "b");
        table.set("127.0.0.1", &["localhost".to_owned()]);
        assert_eq!(table.to_string(), "# ours\n127.0.0.1\tlocalhost\t# x\n\n10.0.0.1\ta b\n");
    }
}
