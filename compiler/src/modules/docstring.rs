//! Docstrings: what a function does, and what it says of each parameter.

/// A docstring taken apart.
#[derive(Default)]
pub struct Docstring {
    /// All but the section about parameters.
    pub text: String,
    /// What the section `Args:` says, by parameter.
    pub params: Vec<(String, String)>,
}

/// Reads a docstring: Markdown, with a section `Args:` of indented `name: what it is` where its author wrote one.
pub fn read(text: &str) -> Docstring {
    let mut found = Docstring::default();
    let mut kept: Vec<&str> = Vec::new();
    // The column of the entries, once the section has begun and the first of them is known.
    let mut section: Option<Option<usize>> = None;
    for line in unindented(text) {
        let column = line.len() - line.trim_start().len();
        let words = line.trim();
        match section {
            None if column == 0 && matches!(words, "Args:" | "Arguments:") => section = Some(None),
            None => kept.push(line),
            Some(_) if words.is_empty() => {}
            Some(_) if column == 0 => {
                section = None;
                kept.push(line);
            }
            Some(entries) => {
                let entry = words.split_once(':').filter(|(name, _)| is_name(name));
                match (entry, found.params.last_mut()) {
                    (Some((name, what)), _) if entries.is_none_or(|at| at == column) => {
                        section = Some(Some(column));
                        found.params.push((name.trim_start_matches('*').to_owned(), what.trim().to_owned()));
                    }
                    (_, Some((_, what))) => {
                        what.push(' ');
                        what.push_str(words);
                    }
                    (_, None) => {}
                }
            }
        }
    }
    Docstring { text: kept.join("\n").trim().to_owned(), ..found }
}

fn is_name(word: &str) -> bool {
    let word = word.trim_start_matches('*');
    !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The lines without the indentation that they have in common, the first one apart.
fn unindented(text: &str) -> impl Iterator<Item = &str> {
    let blanks = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let common = text.lines().skip(1).filter(|line| !line.trim().is_empty()).map(blanks).min().unwrap_or(0);
    text.lines().enumerate().map(move |(index, line)| {
        if index == 0 { line.trim() } else { line.get(common..).unwrap_or("").trim_end() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_about_parameters_is_taken_out() {
        let text = "Configures a site.\n\n    Args:\n        name: The site's name,\n            as it is served.\n        port: Where it listens.\n\n    Twice does no harm.\n    ";
        let found = read(text);
        assert_eq!(found.text, "Configures a site.\n\nTwice does no harm.");
        let params = [("name", "The site's name, as it is served."), ("port", "Where it listens.")];
        assert_eq!(found.params, params.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }

    #[test]
    fn anything_else_is_text() {
        let found = read("Says: hello.\n\n  - port: no section");
        assert_eq!((&*found.text, found.params.len()), ("Says: hello.\n\n- port: no section", 0));
    }
}
