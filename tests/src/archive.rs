//! Several files in one text: `-- path --` lines, each followed by the file's content.

use zester_compiler::source::MemorySources;

/// The files of an archive, in order. What stands before the first header belongs to `default`.
pub fn files(text: &str, default: &str) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = Vec::new();
    for line in text.split_inclusive('\n') {
        let header = line.trim_end().strip_prefix("-- ").and_then(|rest| rest.strip_suffix(" --"));
        match (header, files.last_mut()) {
            (Some(path), _) => files.push((path.to_owned(), String::new())),
            (None, Some((_, content))) => content.push_str(line),
            (None, None) if line.trim().is_empty() => {}
            (None, None) => files.push((default.to_owned(), line.to_owned())),
        }
    }
    files
}

/// The files as a tree to open a project on.
pub fn sources(files: &[(String, String)]) -> MemorySources {
    let mut sources = MemorySources::new();
    for (path, content) in files {
        sources.insert(path, content);
    }
    sources
}
