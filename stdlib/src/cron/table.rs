//! The text of a crontab: its lines kept as they are, but for those that are managed.

/// How Salt marks a line; its identifier follows.
const MARK: &str = "SALT_CRON_IDENTIFIER:";
/// The line above all that Salt manages.
const HEADING: &str = "# Lines below here are managed by Salt, do not edit";
/// The identifier that Salt writes when it is told to use none.
const NO_IDENTIFIER: &str = "NO ID SET";

/// A scheduled command.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Job {
    /// Five fields joined by blanks, or `@daily` and its like.
    pub schedule: String,
    /// The command.
    pub command: String,
    /// What it is known by.
    pub identifier: Option<String>,
    /// A remark above the line; several lines are possible.
    pub comment: Option<String>,
    /// Whether the line is commented out.
    pub commented: bool,
}

/// One entry of a crontab.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Entry {
    /// A line that is none of our business.
    Other(String),
    /// A job, and its line as it was written, while nothing has changed it.
    Job(Job, Option<String>),
    /// `NAME=value`: name, value, the line.
    Variable(String, String, String),
}

/// A crontab.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Table {
    entries: Vec<Entry>,
}

impl Table {
    /// Reads a crontab. What cannot be read as a job is kept as it is.
    pub(crate) fn parse(text: &str) -> Self {
        let mut entries = Vec::new();
        let mut mark: Option<(String, Option<String>)> = None;
        for line in text.lines() {
            if let Some((comment, identifier)) = marked(line) {
                flush(&mut entries, &mut mark);
                mark = Some((identifier, comment));
            } else if let Some((_, comment)) = mark.as_mut().filter(|_| is_remark(line)) {
                // Further lines of the remark above a marked job.
                let more = line.trim_start_matches('#').trim();
                let text = comment.take().map_or_else(|| more.to_owned(), |c| format!("{c}\n{more}"));
                *comment = Some(text);
            } else if let Some(mut job) = parse_job(line, mark.is_some()) {
                if let Some((identifier, comment)) = mark.take() {
                    job.identifier = Some(identifier).filter(|i| !i.is_empty() && i != NO_IDENTIFIER);
                    job.comment = comment;
                }
                entries.push(Entry::Job(job, Some(line.to_owned())));
            } else {
                flush(&mut entries, &mut mark);
                entries.push(match parse_variable(line) {
                    Some((name, value)) => Entry::Variable(name, value, line.to_owned()),
                    None => Entry::Other(line.to_owned()),
                });
            }
        }
        flush(&mut entries, &mut mark);
        Self { entries }
    }

    /// All jobs, in their order.
    pub(crate) fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Job(job, _) => Some(job),
            _ => None,
        })
    }

    /// All variables with their values, in their order.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Variable(name, value, _) => Some((name.as_str(), value.as_str())),
            _ => None,
        })
    }

    /// All other lines, in their order.
    pub(crate) fn others(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Other(line) => Some(line.as_str()),
            _ => None,
        })
    }

    /// The job of this identifier, else the one without an identifier that runs this command.
    pub(crate) fn job(&self, identifier: Option<&str>, command: &str) -> Option<&Job> {
        self.find(identifier, command).and_then(|at| match &self.entries[at] {
            Entry::Job(job, _) => Some(job),
            _ => None,
        })
    }

    fn find(&self, identifier: Option<&str>, command: &str) -> Option<usize> {
        let by = |test: &dyn Fn(&Job) -> bool| {
            self.entries.iter().position(|entry| matches!(entry, Entry::Job(job, _) if test(job)))
        };
        match identifier {
            Some(identifier) => by(&|job| job.identifier.as_deref() == Some(identifier))
                // Salt took the command itself for the identifier in old times.
                .or_else(|| by(&|job| job.identifier.as_deref() == Some(command) && job.command == command))
                .or_else(|| by(&|job| job.identifier.is_none() && job.command == command)),
            None => by(&|job| job.command == command),
        }
    }

    /// Puts a job in: over the one it replaces, else at the end.
    pub(crate) fn put(&mut self, job: Job) {
        match self.find(job.identifier.as_deref(), &job.command) {
            Some(at) => self.entries[at] = Entry::Job(job, None),
            None => self.entries.push(Entry::Job(job, None)),
        }
    }

    /// Takes a job out.
    pub(crate) fn remove(&mut self, identifier: Option<&str>, command: &str) -> Option<Job> {
        let at = self.find(identifier, command)?;
        match self.entries.remove(at) {
            Entry::Job(job, _) => Some(job),
            _ => None,
        }
    }

    /// The value of a variable.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.entries.iter().find_map(|entry| match entry {
            Entry::Variable(n, value, _) if n == name => Some(value.as_str()),
            _ => None,
        })
    }

    /// Sets a variable. It holds for what follows it, so a new one stands above the first job; in a table that Salt left, below its
    /// heading, where jobs of others are not touched by it.
    pub(crate) fn set_variable(&mut self, name: &str, value: &str) {
        // Quotes keep blanks at the ends; without need Salt writes none, and a table that it left stays as it is.
        let quoted = value.is_empty() || value.trim() != value || value.starts_with(['"', '\'']);
        let line = if quoted { format!("{name}=\"{value}\"") } else { format!("{name}={value}") };
        let entry = Entry::Variable(name.to_owned(), value.to_owned(), line);
        let same = |e: &Entry| matches!(e, Entry::Variable(n, _, _) if n == name);
        if let Some(at) = self.entries.iter().position(same) {
            self.entries[at] = entry;
            return;
        }
        let heading = self.entries.iter().position(|e| matches!(e, Entry::Other(line) if line == HEADING));
        let below = |at: usize| {
            let variable = |e: &&Entry| matches!(e, Entry::Variable(..));
            at + 1 + self.entries.iter().skip(at + 1).take_while(variable).count()
        };
        let at = heading
            .map(below)
            .or_else(|| self.entries.iter().position(|e| matches!(e, Entry::Job(..))))
            .unwrap_or(self.entries.len());
        self.entries.insert(at, entry);
    }

    /// Takes a variable out.
    pub(crate) fn remove_variable(&mut self, name: &str) {
        self.entries.retain(|entry| !matches!(entry, Entry::Variable(n, _, _) if n == name));
    }
}

/// A mark without a job below it is a remark.
fn flush(entries: &mut Vec<Entry>, mark: &mut Option<(String, Option<String>)>) {
    if let Some((identifier, comment)) = mark.take() {
        for line in mark_lines(Some(&identifier), comment.as_deref()) {
            entries.push(Entry::Other(line));
        }
    }
}

/// `# remark SALT_CRON_IDENTIFIER:name`
fn marked(line: &str) -> Option<(Option<String>, String)> {
    let text = line.trim_start().strip_prefix('#')?;
    let (comment, identifier) = text.split_once(MARK)?;
    let comment = comment.trim();
    Some(((!comment.is_empty()).then(|| comment.to_owned()), identifier.trim().to_owned()))
}

fn is_remark(line: &str) -> bool {
    line.starts_with('#') && !line.starts_with("#DISABLED#")
}

fn mark_lines(identifier: Option<&str>, comment: Option<&str>) -> Vec<String> {
    if identifier.is_none() && comment.is_none() {
        return Vec::new();
    }
    let identifier = identifier.unwrap_or(NO_IDENTIFIER);
    let mut lines = comment.unwrap_or_default().lines();
    let first = lines.next().unwrap_or_default();
    let space = if first.is_empty() { "" } else { " " };
    let mut all = vec![format!("# {first}{space}{MARK}{identifier}")];
    all.extend(lines.map(|line| format!("# {line}")));
    all
}

fn parse_variable(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let value = value.trim();
    let value = value
        .strip_prefix('"')
        .and_then(|v| v.strip_suffix('"'))
        .or_else(|| value.strip_prefix('\'').and_then(|v| v.strip_suffix('\'')))
        .unwrap_or(value);
    plain.then(|| (name.to_owned(), value.to_owned()))
}

fn parse_job(line: &str, is_marked: bool) -> Option<Job> {
    let text = line.trim();
    let (text, commented) = match text.strip_prefix("#DISABLED#") {
        Some(rest) if is_marked => (rest.trim(), true),
        _ => (text, false),
    };
    if text.is_empty() || text.starts_with('#') {
        return None;
    }
    if text.starts_with('@') {
        let (special, command) = text.split_once(char::is_whitespace)?;
        return Some(Job {
            schedule: special.to_owned(),
            command: command.trim().to_owned(),
            commented,
            ..Job::default()
        });
    }
    let mut rest = text;
    let mut fields = Vec::with_capacity(5);
    for _ in 0..5 {
        let (field, tail) = rest.split_once(char::is_whitespace)?;
        if !field.bytes().all(|b| b.is_ascii_alphanumeric() || b"*/,-~?".contains(&b)) {
            return None;
        }
        fields.push(field);
        rest = tail.trim_start();
    }
    (!rest.is_empty()).then(|| Job {
        schedule: fields.join(" "),
        command: rest.to_owned(),
        commented,
        ..Job::default()
    })
}

/// The crontab's text.
impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for entry in &self.entries {
            match entry {
                Entry::Other(line) => writeln!(f, "{line}")?,
                Entry::Variable(_, _, line) => writeln!(f, "{line}")?,
                Entry::Job(job, line) => {
                    for line in mark_lines(job.identifier.as_deref(), job.comment.as_deref()) {
                        writeln!(f, "{line}")?;
                    }
                    let disabled = if job.commented { "#DISABLED#" } else { "" };
                    match line {
                        Some(line) => writeln!(f, "{line}")?,
                        None => writeln!(f, "{disabled}{} {}", job.schedule, job.command)?,
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: &str = "# Lines below here are managed by Salt, do not edit\nMAILTO=\"root\"\n\
        # back up SALT_CRON_IDENTIFIER:backup\n5 1 * * * /bin/backup --all\n# SALT_CRON_IDENTIFIER:off\n\
        #DISABLED#@daily /bin/off\n0 4 * * 1-5 plain line  with  blanks\n# a remark\n";

    #[test]
    fn what_salt_wrote_is_read_and_kept() {
        let table = Table::parse(SALT);
        assert_eq!(table.to_string(), SALT);
        let job = table.job(Some("backup"), "").unwrap();
        assert_eq!((job.schedule.as_str(), job.command.as_str()), ("5 1 * * *", "/bin/backup --all"));
        assert_eq!(job.comment.as_deref(), Some("back up"));
        assert!(table.job(Some("off"), "").unwrap().commented);
        assert_eq!(table.job(None, "plain line  with  blanks").unwrap().schedule, "0 4 * * 1-5");
        assert_eq!(table.variable("MAILTO"), Some("root"));
    }

    #[test]
    fn jobs_replace_and_vanish() {
        let mut table = Table::parse(SALT);
        let job = Job {
            schedule: "@hourly".into(),
            command: "/bin/backup".into(),
            identifier: Some("backup".into()),
            ..Job::default()
        };
        table.put(job.clone());
        assert_eq!(table.job(Some("backup"), ""), Some(&job));
        assert!(table.remove(Some("off"), "").is_some());
        assert!(table.remove(Some("off"), "").is_none());
        table.set_variable("PATH", "/bin");
        table.set_variable("EMPTY", "");
        let text = table.to_string();
        assert!(
            text.contains(
                "MAILTO=\"root\"\nPATH=/bin\nEMPTY=\"\"\n# SALT_CRON_IDENTIFIER:backup\n@hourly /bin/backup\n"
            ),
            "{text}"
        );
    }

    #[test]
    fn a_line_of_the_same_command_is_taken_over() {
        let mut table = Table::parse("1 2 3 4 5 /bin/x\n");
        table.put(Job {
            schedule: "* * * * *".into(),
            command: "/bin/x".into(),
            identifier: Some("x".into()),
            ..Job::default()
        });
        assert_eq!(table.to_string(), "# SALT_CRON_IDENTIFIER:x\n* * * * * /bin/x\n");
    }

    #[test]
    fn a_variable_holds_for_what_salt_manages_only() {
        let mut table = Table::parse(&format!("1 2 3 4 5 /bin/x\n{HEADING}\n@daily /bin/y\n"));
        table.set_variable("A", "b c");
        assert_eq!(table.to_string(), format!("1 2 3 4 5 /bin/x\n{HEADING}\nA=b c\n@daily /bin/y\n"));
    }

    #[test]
    fn odd_lines_survive() {
        let odd = "not a job\n* * * *\n=x\n\t# indented\n# SALT_CRON_IDENTIFIER:alone\n";
        assert_eq!(Table::parse(odd).to_string(), odd);
    }
}
