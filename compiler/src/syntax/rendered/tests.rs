use super::*;
use crate::syntax::{dump::dump, node_to_value};

/// Parses a text whose `«…»` are holes holding strings.
fn with_strings(marked: &str) -> (String, Document) {
    with(marked, |text| Value::Str(text.to_owned()))
}

fn with(marked: &str, value: impl Fn(&str) -> Value) -> (String, Document) {
    let mut text = String::new();
    let mut holes = Vec::new();
    for (i, piece) in marked.split(['«', '»']).enumerate() {
        let start = text.len();
        text.push_str(piece);
        if i % 2 == 1 {
            holes.push(Hole { range: start..text.len(), value: value(piece), text_is_yaml: false });
        }
    }
    let document = parse_rendered(FileId(0), &text, &holes);
    (text, document)
}

fn value(document: &Document) -> serde_json::Value {
    serde_json::to_value(node_to_value(document.root.as_ref().unwrap()).unwrap()).unwrap()
}

fn names(document: &Document) -> Vec<&'static str> {
    document.diagnostics.iter().map(|d| d.rule.name).collect()
}

#[test]
fn a_value_that_is_one_expression_keeps_its_type() {
    let (_, document) = with_strings("a: «yes»\nb: «c: d»\n«k»: «1.10»\n");
    assert_eq!(value(&document), serde_json::json!({"a": "yes", "b": "c: d", "k": "1.10"}));
    assert!(names(&document).is_empty());
    let (_, document) = with("a: «[1, 2]»\nb: x\n", |_| Value::List(vec![Value::Int(1), Value::Int(2)]));
    assert_eq!(value(&document), serde_json::json!({"a": [1, 2], "b": "x"}));
}

#[test]
fn spans_are_those_of_the_rendered_text() {
    let (text, document) = with_strings("a: x-«long value»-y\nb: «v»\n");
    let mapping = document.root.as_ref().unwrap().as_mapping().unwrap();
    assert_eq!(&text[mapping.entries[0].value.span.range()], "x-long value-y");
    assert_eq!(&text[mapping.entries[1].key.span.range()], "b");
    assert_eq!(&text[mapping.entries[1].value.span.range()], "v");
}

#[test]
fn text_that_would_become_structure_is_reported_at_the_expression() {
    for marked in ["a: x «b: c»\n", "a: x «y\n  z: 1»\n", "a: x «y #z»\n", "a: [«x, y»]\n", "a: x «b:»\n"]
    {
        let (text, document) = with_strings(marked);
        assert_eq!(names(&document), ["structure-injection"], "{marked}");
        let hole = marked.split(['«', '»']).nth(1).unwrap();
        assert_eq!(&text[document.diagnostics[0].span.range()], hole);
    }
    for marked in
        ["a: \"x «b: c»\"\n", "a: 'x «it's #z»'\n", "a: x «b:c»\n", "a: «x #y»\n", "# «a\nb: c»\nd: e\n"]
    {
        let (_, document) = with_strings(marked);
        assert!(names(&document).is_empty(), "{marked}: {:?}", document.diagnostics);
    }
}

#[test]
fn an_expression_on_its_own_line_is_yaml() {
    let (_, document) = with_strings("a:\n  «b: c\n  d: e»\n«f: 1»\n");
    assert_eq!(value(&document), serde_json::json!({"a": {"b": "c", "d": "e"}, "f": 1}));
}

#[test]
fn block_texts_take_expressions_as_text() {
    let (_, document) = with_strings("a: |\n  x «y»\n  «l1\n  l2»\nb: 1\n");
    assert_eq!(value(&document), serde_json::json!({"a": "x y\nl1\nl2\n", "b": 1}));
    let (_, document) = with_strings("a: |\n  «l1\nl2: x»\nb: 1\n");
    assert_eq!(names(&document), ["structure-injection"]);
    assert!(document.diagnostics[0].help.as_ref().unwrap().contains("indent(2)"));
}

#[test]
fn empty_values_are_nothing() {
    let (_, document) = with_strings("a: «»\nb: 1\n");
    assert_eq!(dump(document.root.as_ref().unwrap(), "a: \nb: 1\n"), "{a: _, b: 1}");
}

#[test]
fn one_mistake_does_not_hide_the_next() {
    let document = parse_rendered(FileId(0), "a: 'x' y\nb: [1, 2\nc: 3\nd:\n  e: 1\n  e: 2\n", &[]);
    assert_eq!(names(&document), ["invalid-yaml", "unclosed-bracket", "duplicate-key"]);
}
