//! Texts of the language's layers, each alone: no project, no machine.

use super::spans;
use std::{fmt::Write, sync::Arc};
use zester_compiler::{
    diagnostic::{self, Diagnostic, FileCounts},
    lower,
    modules::{
        CustomModules,
        eval::{self, Host},
    },
    project::{Config, OpenOptions, Project},
    source::{Files, MemorySources, Span},
    syntax::{self, Hole, segment},
    target::{Form, Nodegroups, Subject, Target},
    types::{Facts, Map, Registry, Value},
};

fn text_of(data: &[u8]) -> String {
    String::from_utf8_lossy(data).into_owned()
}

/// What makes two lists of findings the same.
fn shown(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().fold(String::new(), |mut all, d| {
        let _ = writeln!(all, "{d:?}");
        all
    })
}

/// Segments, blocks, expressions and YAML: lossless, whatever stands there.
pub fn parse(data: &[u8]) {
    let text = text_of(data);
    let files = Files::default();
    let id = files.add("states/a.zy", text.as_str());
    let mut end = 0;
    for segment in segment::segments(&text) {
        assert_eq!(segment.range.start, end, "bytes belong to no segment, or to two");
        assert!(segment.range.contains(&segment.inner.start) || segment.range.end == segment.inner.start);
        assert!(segment.inner.end <= segment.range.end);
        assert!(text.get(segment.inner.clone()).is_some());
        end = segment.range.end;
    }
    assert_eq!(end, text.len());
    let file = files.get(id);
    let tree = syntax::parse(id, &file.text);
    assert_eq!(*tree.text, *text);
    spans::of_tree(&tree);
    spans::of_diagnostics(&files, &tree.diagnostics);
    // What is lowered without a rendering is what a rendering would give.
    if lower::has_nothing_to_render(&tree) {
        let rendered = syntax::parse_rendered(id, &file.text, &[]);
        assert_eq!(format!("{:?}", tree.root), format!("{:?}", rendered.root));
        assert!(rendered.diagnostics.is_empty(), "{:?}", shown(&rendered.diagnostics));
    }
    let again = syntax::parse(id, &file.text);
    assert_eq!(shown(&tree.diagnostics), shown(&again.diagnostics));
    assert_eq!(format!("{:?}", tree.root), format!("{:?}", again.root));
    renderings(&tree.diagnostics, &files);
}

/// A custom module: read, and each of its functions run, on a machine where nothing is there.
pub fn module(data: &[u8]) {
    struct Nothing;
    impl Host for Nothing {
        fn call(&self, name: &str, _: &Map) -> Result<Value, String> {
            if name.starts_with("file_") { Ok(Value::Null) } else { Err("there is nothing".to_owned()) }
        }
        fn data(&self, _: eval::Data) -> Value {
            Value::Map(Map::new())
        }
        fn log(&self, _: &'static str, _: String) {}
        fn stop(&self) -> Option<String> {
            None
        }
    }
    let text = text_of(data);
    let sources = MemorySources::new().with("states/_modules/m.star", text.as_str());
    let project = Project::open(Arc::new(sources), OpenOptions::default()).expect("it has no configuration");
    let custom = CustomModules::read(&project);
    let mut found = Vec::new();
    custom.check(&Registry::new(), &mut found);
    spans::of_diagnostics(project.files(), &found);
    renderings(&found, project.files());
    let limits = eval::Limits { steps: 20_000, memory_bytes: 1 << 20, depth: 200 };
    for (number, module) in custom.modules().iter().enumerate() {
        for function in &module.module.functions {
            let given = function.params.iter().filter(|p| p.is_required());
            let arguments = given.map(|p| (p.name.clone(), Value::from("x"))).collect();
            let _ = eval::call(&custom, number, &function.name, &arguments, &Nothing, limits);
        }
    }
}

/// Whoever shows findings shows them all.
pub fn renderings(diagnostics: &[Diagnostic], files: &Files) {
    let human = diagnostic::human(diagnostics, files, false);
    assert!(diagnostics.is_empty() || !human.is_empty());
    let counts = FileCounts { files: 1, structural: 1 };
    let json: serde_json::Value =
        serde_json::from_str(&diagnostic::json(diagnostics, files, counts)).expect("the JSON can be read");
    assert!(json.is_object());
    serde_json::from_str::<serde_json::Value>(&diagnostic::sarif(diagnostics, files))
        .expect("the SARIF can be read");
    assert!(diagnostic::short(diagnostics, files).lines().count() >= diagnostics.len());
    let _ = diagnostic::github(diagnostics, files);
}

/// One expression.
pub fn expression(data: &[u8]) {
    let text = text_of(data);
    let files = Files::default();
    let id = files.add("a", text.as_str());
    let (expr, found) = syntax::parse_expr(id, &text, 0..text.len());
    spans::of_expr(&text, &expr);
    spans::of_diagnostics(&files, &found);
    let (again, found_again) = syntax::parse_expr(id, &text, 0..text.len());
    assert_eq!(format!("{expr:?}"), format!("{again:?}"));
    assert_eq!(shown(&found), shown(&found_again));
}

/// Rendered text with values in it. In the input `«…»` is what an expression gave, `«!…»` one whose text is YAML.
pub fn rendered(data: &[u8]) {
    let marked = text_of(data);
    let (mut text, mut holes) = (String::new(), Vec::new());
    let mut rest = marked.as_str();
    while let Some((before, after)) = rest.split_once('«') {
        text.push_str(before);
        let Some((inner, after)) = after.split_once('»') else {
            rest = after;
            continue;
        };
        let (text_is_yaml, inner) = inner.strip_prefix('!').map_or((false, inner), |inner| (true, inner));
        let start = text.len();
        text.push_str(inner);
        let value = match inner.parse::<i64>() {
            Ok(number) => Value::Int(number),
            Err(_) if inner == "True" => Value::Bool(true),
            Err(_) if inner == "None" => Value::Null,
            Err(_) => Value::Str(inner.to_owned()),
        };
        holes.push(Hole { range: start..text.len(), value, text_is_yaml });
        rest = after;
    }
    text.push_str(rest);
    let files = Files::default();
    let id = files.add("a", text.as_str());
    let document = syntax::parse_rendered(id, &text, &holes);
    document.root.iter().for_each(|root| spans::of_node(&text, root));
    spans::of_diagnostics(&files, &document.diagnostics);
    let again = syntax::parse_rendered(id, &text, &holes);
    assert_eq!(format!("{:?}", document.root), format!("{:?}", again.root));
    let _ = syntax::load_yaml(&text);
}

/// A target in the full language, and as the text of each form alone.
pub fn target(data: &[u8]) {
    let text = text_of(data);
    let files = Files::default();
    let id = files.add("target", text.as_str());
    let span = Span::new(id, 0..text.len());
    let mut facts = Facts::default();
    facts
        .merge_text("{os: {name: linux, family: debian}, roles: [web, db], network: {ipv4: [10.0.0.5]}}")
        .unwrap();
    facts.set_id("web-01");
    let settings = zester_compiler::project::read_yaml("{role: web, app: {port: 80}}").unwrap();
    let nodegroups = Nodegroups::new();
    let subject = Subject { id: "web-01", facts: &facts, settings: &settings, nodegroups: &nodegroups };
    let forms =
        ["compound", "glob", "pcre", "list", "grain", "grain_pcre", "pillar", "pillar_pcre", "ipcidr"];
    for (index, word) in forms.into_iter().enumerate() {
        let (target, found) = match Form::of_word(word) {
            Some(form) if index > 0 => Target::parse_as(form, &text, span),
            _ => Target::parse(&text, span),
        };
        spans::of_diagnostics(&files, &found);
        for (_, at) in target.patterns() {
            spans::hold(&text, at, "a pattern");
        }
        // What is malformed says so, and what says nothing is not malformed.
        assert_eq!(target.is_valid(), !found.iter().any(Diagnostic::is_error), "{word} {text:?}: {found:?}");
        let matched = target.matches(&subject);
        if !target.is_valid() {
            assert!(!matches!(matched, Ok(true)), "a malformed target matches: {text:?}");
            continue;
        }
        let written = target.to_string();
        let (again, found) = Target::parse(&written, Span::at(id, 0));
        assert!(again.is_valid(), "{text:?} as {word} is written {written:?}, which is {found:?}");
        assert_eq!(again.to_string(), written);
        assert_eq!(again.matches(&subject), matched, "{text:?} as {word}, written {written:?}");
    }
}

/// `zester.yaml`.
pub fn config(data: &[u8]) {
    let text = text_of(data);
    let files = Arc::new(Files::default());
    let id = files.add("zester.yaml", text.as_str());
    if let Err(found) = Config::parse(id, &text) {
        assert!(!found.is_empty(), "a configuration is refused without a word");
        spans::of_diagnostics(&files, &found);
        renderings(&found, &files);
    }
    let sources = MemorySources::new().with("zester.yaml", data).with("states/a.zy", "a: test.nop\n");
    if let Err(error) = Project::open(Arc::new(sources), OpenOptions::default()) {
        assert!(!error.to_string().is_empty());
        if let Some((found, files)) = error.diagnostics() {
            spans::of_diagnostics(files, found);
        }
    }
}
