//! apt's paragraph form of a repository, in files that end with `.sources`.

use super::one_line::Entry;

/// Names of fields by the option of the one-line form that they stand for.
const FIELDS: [(&str, &str); 8] = [
    ("arch", "Architectures"),
    ("lang", "Languages"),
    ("target", "Targets"),
    ("signed-by", "Signed-By"),
    ("trusted", "Trusted"),
    ("check-valid-until", "Check-Valid-Until"),
    ("pdiffs", "PDiffs"),
    ("by-hash", "By-Hash"),
];

/// The paragraph of a repository.
pub(crate) fn paragraph(entry: &Entry) -> String {
    let mut text = String::new();
    if !entry.comment.is_empty() {
        text.push_str(&format!("# {}\n", entry.comment));
    }
    if entry.disabled {
        text.push_str("Enabled: no\n");
    }
    text.push_str(&format!("Types: {}\nURIs: {}\nSuites: {}\n", entry.kind, entry.uri, entry.suite));
    if !entry.components.is_empty() {
        text.push_str(&format!("Components: {}\n", entry.components.join(" ")));
    }
    for (option, value) in &entry.options {
        let field = FIELDS.iter().find(|(o, _)| o == option).map_or(option.as_str(), |(_, f)| f);
        text.push_str(&format!("{field}: {}\n", value.replace(',', " ")));
    }
    text
}

/// Whether a paragraph means the repository, whatever its options and components.
fn is_same(paragraph: &str, entry: &Entry) -> bool {
    let field = |name: &str| {
        paragraph
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.trim().eq_ignore_ascii_case(name))
            .map_or("", |(_, value)| value.trim())
    };
    field("Types").split_ascii_whitespace().any(|kind| kind == entry.kind)
        && field("URIs")
            .split_ascii_whitespace()
            .any(|uri| uri.trim_end_matches('/') == entry.uri.trim_end_matches('/'))
        && field("Suites").split_ascii_whitespace().any(|suite| suite == entry.suite)
}

fn paragraphs(text: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    for line in text.lines() {
        if line.trim().is_empty() {
            all.push(String::new());
        } else if let Some(last) = all.last_mut() {
            last.push_str(line);
            last.push('\n');
        }
    }
    all.retain(|p| !p.is_empty());
    all
}

/// A file's text with this entry in it: in place of the same repository's paragraph, else at the end.
pub(crate) fn with_entry(text: &str, entry: &Entry) -> String {
    let mut all = paragraphs(text);
    let new = paragraph(entry);
    match all.iter_mut().find(|p| is_same(p, entry)) {
        Some(old) => *old = new,
        None => all.push(new),
    }
    all.join("\n")
}

/// A file's text without this repository.
pub(crate) fn without_entry(text: &str, entry: &Entry) -> String {
    let mut all = paragraphs(text);
    let before = all.len();
    all.retain(|p| !is_same(p, entry));
    if all.len() == before { text.to_owned() } else { all.join("\n") }
}

/// What the paragraphs of a file mean, each with the line that would say the same.
pub(crate) fn entries(text: &str) -> Vec<(Entry, String)> {
    paragraphs(text).iter().flat_map(|paragraph| meanings(paragraph)).collect()
}

/// A paragraph is as many repositories as it has types, addresses and releases.
fn meanings(paragraph: &str) -> Vec<(Entry, String)> {
    // A value goes on in lines that begin with a blank.
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in paragraph.lines().filter(|line| !line.starts_with('#')) {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push('\n');
                value.push_str(line.trim());
            }
        } else if let Some((key, value)) = line.split_once(':') {
            fields.push((key.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    let field = |name: &str| {
        fields.iter().find(|(key, _)| *key == name.to_ascii_lowercase()).map_or("", |(_, v)| v.as_str())
    };
    let options: Vec<(String, String)> = FIELDS
        .iter()
        .map(|(option, name)| ((*option).to_owned(), field(name).to_owned()))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    let mut all = Vec::new();
    for kind in field("Types").split_ascii_whitespace() {
        for uri in field("URIs").split_ascii_whitespace() {
            for suite in field("Suites").split_ascii_whitespace() {
                let entry = Entry {
                    disabled: field("Enabled").eq_ignore_ascii_case("no"),
                    kind: kind.to_owned(),
                    options: options.clone(),
                    uri: uri.to_owned(),
                    suite: suite.to_owned(),
                    components: field("Components").split_ascii_whitespace().map(str::to_owned).collect(),
                    comment: String::new(),
                };
                all.push((
                    entry,
                    format!("{kind} {uri} {suite} {}", field("Components")).trim_end().to_owned(),
                ));
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_come_and_go() {
        let entry =
            Entry::parse("deb [arch=amd64,arm64 signed-by=/k.gpg] https://x stable main").unwrap().unwrap();
        let text = with_entry("", &entry);
        assert_eq!(
            text,
            "Types: deb\nURIs: https://x\nSuites: stable\nComponents: main\nArchitectures: amd64 arm64\nSigned-By: /k.gpg\n"
        );
        assert_eq!(with_entry(&text, &entry), text);
        let other = format!("Types: deb\nURIs: https://y\nSuites: stable\n\n{text}");
        assert_eq!(without_entry(&other, &entry), "Types: deb\nURIs: https://y\nSuites: stable\n");
    }
}
