//! The table of file systems that are mounted at boot. Lines that are not changed keep their bytes.

use super::active::unescape;
use crate::{
    Context, Failure,
    file::{path, text},
    provider::Ownership,
};

/// A line of the table.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Entry {
    /// What is mounted.
    pub(crate) device: String,
    /// Where; `none` for swap.
    pub(crate) point: String,
    /// Kind of file system.
    pub(crate) kind: String,
    /// Options, separated by commas.
    pub(crate) options: String,
    /// Whether `dump` saves it.
    pub(crate) dump: i64,
    /// When it is checked.
    pub(crate) pass: i64,
}

impl Entry {
    fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [device, point, kind, rest @ ..] = words.as_slice() else { return None };
        if device.starts_with('#') {
            return None;
        }
        let number = |index: usize| rest.get(index).and_then(|n| n.parse().ok()).unwrap_or_default();
        Some(Self {
            device: unescape(device),
            point: unescape(point),
            kind: (*kind).to_owned(),
            options: rest.first().map_or("defaults", |o| o).to_owned(),
            dump: number(1),
            pass: number(2),
        })
    }

    /// Refuses what would be read back as something else.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let fields = [
            ("device", &self.device),
            ("name", &self.point),
            ("fstype", &self.kind),
            ("opts", &self.options),
        ];
        match fields.into_iter().find(|(_, text)| text.is_empty() || text.contains(['\n', '\r'])) {
            Some((name, text)) => Err(Failure::new(format!(
                "`{name}` is `{}`, which is no field of a table of file systems",
                text.escape_debug()
            ))),
            None if self.device.starts_with('#') => {
                Err(Failure::new(format!("`device` is `{}`, which would be a comment", self.device)))
            }
            None => Ok(()),
        }
    }

    /// The line, its blanks as octal numbers.
    pub(crate) fn line(&self) -> String {
        let escaped = |text: &str| text.replace('\\', "\\134").replace(' ', "\\040").replace('\t', "\\011");
        format!(
            "{}\t{}\t{}\t{}\t{} {}",
            escaped(&self.device),
            escaped(&self.point),
            escaped(&self.kind),
            escaped(&self.options),
            self.dump,
            self.pass
        )
    }

    /// Whether a line is the one that this one replaces: for the same place, or, without a place, the same device.
    fn replaces(&self, other: &Self) -> bool {
        match self.point.as_str() {
            "none" | "swap" => self.device == other.device,
            point => other.point.trim_end_matches('/') == point.trim_end_matches('/'),
        }
    }
}

/// The table.
pub(crate) struct Table {
    file: String,
    text: String,
}

impl Table {
    /// Reads it; a missing one is empty.
    pub(crate) fn read(cx: &Context, file: &str) -> Result<Self, Failure> {
        let file = path::absolute(cx, file)?;
        let text = text::read(cx, &file)?.unwrap_or_default();
        Ok(Self { file, text })
    }

    /// The line that an entry would replace.
    pub(crate) fn find(&self, entry: &Entry) -> Option<Entry> {
        self.text.lines().filter_map(Entry::parse).find(|other| entry.replaces(other))
    }

    /// All entries.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.text.lines().filter_map(Entry::parse).collect()
    }

    /// Puts an entry where the one that it replaces is, else at the end.
    pub(crate) fn put(&self, cx: &Context, entry: &Entry) -> Result<(), Failure> {
        let mut found = false;
        let mut new = String::new();
        for line in self.text.lines() {
            let same = Entry::parse(line).is_some_and(|other| entry.replaces(&other));
            if same && found {
                continue;
            }
            new.push_str(&if same { entry.line() } else { line.to_owned() });
            new.push('\n');
            found |= same;
        }
        if !found {
            new.push_str(&entry.line());
            new.push('\n');
        }
        self.write(cx, &new)
    }

    /// Removes the entries that `which` finds.
    pub(crate) fn remove(&self, cx: &Context, which: impl Fn(&Entry) -> bool) -> Result<(), Failure> {
        let kept = self.text.lines().filter(|line| !Entry::parse(line).is_some_and(|entry| which(&entry)));
        let new: String = kept.flat_map(|line| [line, "\n"]).collect();
        self.write(cx, &new)
    }

    fn write(&self, cx: &Context, text: &str) -> Result<(), Failure> {
        cx.machine
            .files
            .write(&self.file, text.as_bytes(), Ownership::default(), true)
            .map_err(|e| Failure::new(format!("`{}` could not be written: {e}", self.file)))
    }
}
