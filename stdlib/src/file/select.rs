//! Choosing paths: `include_pat`, `exclude_pat`, and what `clean` removes.

use super::{path, pattern};
use crate::{Context, Failure, ManagedPaths, provider::FileKind};
use fancy_regex::Regex;

/// Globs and `E@` regular expressions; a path is chosen when one of them matches.
#[derive(Debug)]
pub(crate) struct Patterns(Vec<Regex>);

impl Patterns {
    /// Compiles them.
    pub(crate) fn new(texts: &[String]) -> Result<Self, Failure> {
        let compiled = texts.iter().filter(|t| !t.is_empty()).map(|text| match text.strip_prefix("E@") {
            Some(regex) => pattern::compile(regex, pattern::Flags::default()),
            None => pattern::compile(&glob(text), pattern::Flags::default()),
        });
        compiled.collect::<Result<_, _>>().map(Self)
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them matches.
    pub(crate) fn matches(&self, path: &str) -> Result<bool, Failure> {
        for pattern in &self.0 {
            if pattern::is_match(pattern, path)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Python's `fnmatch`: `*` also matches `/`.
fn glob(text: &str) -> String {
    let mut out = String::from(r"(?s)\A");
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '[' => {
                let rest: String = chars.clone().collect();
                // A bracket without its end is a character.
                match rest.char_indices().skip(1).find(|(_, c)| *c == ']') {
                    Some((end, _)) => {
                        let class: String = chars
                            .by_ref()
                            .take(rest.get(..end).unwrap_or_default().chars().count())
                            .collect();
                        chars.next();
                        let (not, class) = class.strip_prefix('!').map_or(("", class.as_str()), |c| ("^", c));
                        out.push_str(&format!("[{not}{}]", class.replace('\\', "\\\\")));
                    }
                    None => out.push_str("\\["),
                }
            }
            c if c.is_alphanumeric() || c == '/' || c == '_' => out.push(c),
            c if c.is_ascii() => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out.push_str(r"\Z");
    out
}

/// Most entries one walk looks at: a directory with more is not something a state manages by name.
pub(crate) const MAX_ENTRIES: usize = 2_000_000;

/// What below `root` is neither wanted nor excluded: files and directories to remove, each once (a directory that
/// goes as a whole stands for what is in it). `keep` decides on absolute paths; what other states of the run manage
/// is kept always.
pub(crate) fn extras(
    cx: &Context,
    root: &str,
    exclude: &Patterns,
    keep: &dyn Fn(&str) -> bool,
) -> Result<Vec<String>, Failure> {
    let managed = cx.run.get::<ManagedPaths>(ManagedPaths::KEY);
    let keep = |path: &str| keep(path) || managed.as_ref().is_some_and(|m| m.covers(path));
    let mut found = Vec::new();
    let mut seen = 0;
    visit(cx, root, root, exclude, &keep, &mut found, &mut seen, 0)?;
    Ok(found)
}

/// Whether everything below `directory` is extra.
fn visit(
    cx: &Context,
    root: &str,
    directory: &str,
    exclude: &Patterns,
    keep: &dyn Fn(&str) -> bool,
    found: &mut Vec<String>,
    seen: &mut usize,
    depth: usize,
) -> Result<bool, Failure> {
    if depth > 200 {
        return Err(Failure::new(format!("`{directory}` is nested more than 200 directories deep")));
    }
    let mut all = true;
    let names = cx.machine.files.list(directory).map_err(|e| path::unreadable(directory, &e))?;
    for name in names {
        *seen += 1;
        if *seen > MAX_ENTRIES {
            return Err(Failure::new(format!("`{root}` holds more than {MAX_ENTRIES} entries")));
        }
        let full = path::join(directory, &name);
        let relative = full.strip_prefix(root).unwrap_or(&full).trim_start_matches('/');
        if !exclude.is_empty() && exclude.matches(relative)? {
            all = false;
            continue;
        }
        let is_directory = path::stat(cx, &full, false)?.is_some_and(|s| s.kind == FileKind::Directory);
        if is_directory {
            let before = found.len();
            let empty_of_kept = visit(cx, root, &full, exclude, keep, found, seen, depth + 1)?;
            if empty_of_kept && !keep(&full) {
                found.truncate(before);
                found.push(full);
            } else {
                all = false;
            }
        } else if keep(&full) {
            all = false;
        } else {
            found.push(full);
        }
    }
    Ok(all)
}

/// Removes what is at a path, a directory with everything in it.
pub(crate) fn remove(cx: &Context, target: &str) -> Result<(), Failure> {
    let kind = path::stat(cx, target, false)?.map(|s| s.kind);
    let done = match kind {
        None => Ok(()),
        Some(FileKind::Directory) => cx.machine.files.remove_dir_all(target),
        Some(_) => cx.machine.files.remove_file(target),
    };
    done.map_err(|e| Failure::new(format!("`{target}` cannot be removed: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;

    fn patterns(texts: &[&str]) -> Patterns {
        Patterns::new(&texts.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn globs_and_regular_expressions() {
        let some = patterns(&["*.pyc", "E@^tmp/.*[0-9]$", "[!a]b", "x[1]"]);
        for (path, expected) in
            [("a/b.pyc", true), ("tmp/a1", true), ("tmp/a", false), ("cb", true), ("ab", false), ("x1", true)]
        {
            assert_eq!(some.matches(path).unwrap(), expected, "{path}");
        }
    }

    #[test]
    fn a_directory_goes_as_a_whole_unless_something_in_it_stays() {
        let machine = FakeMachine::new();
        for path in ["/d/a", "/d/old/x", "/d/old/y", "/d/mixed/x", "/d/mixed/keep", "/d/log/l"] {
            machine.files.put(path, "");
        }
        let cx = machine.context();
        let extra = extras(&cx, "/d", &patterns(&["log*"]), &|p| p == "/d/mixed/keep").unwrap();
        assert_eq!(extra, ["/d/a", "/d/mixed/x", "/d/old"]);
        cx.run.set(ManagedPaths::KEY, ManagedPaths(["/d/old/x".to_owned()].into()));
        let extra = extras(&cx, "/d", &patterns(&["log*"]), &|p| p == "/d/mixed/keep").unwrap();
        assert_eq!(extra, ["/d/a", "/d/mixed/x", "/d/old/y"]);
    }
}
