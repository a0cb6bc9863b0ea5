//! Signatures that are read, and mistakes at their places.

use super::*;
use crate::types::{Type, Value};

fn read(text: &str) -> Module {
    Module::read(FileId(0), text)
}

/// Name of the rule and the words that it points at.
fn findings(text: &str) -> Vec<(&'static str, String)> {
    read(text).diagnostics.into_iter().map(|d| (d.rule.name, text[d.span.range()].to_owned())).collect()
}

#[test]
fn a_signature_is_what_the_annotations_say() {
    let module = read(concat!(
        "LIMIT = 3\n\n",
        "def configured(name: str, port: int = 80, *, hosts: list[str] = [], mode: str | None = None, **rest) -> dict:\n",
        "    \"\"\"Configures a site.\n\n    Twice does no harm.\n    \"\"\"\n    return {}\n\n",
        "def _private(*args):\n    return args\n",
    ));
    assert_eq!(module.diagnostics, []);
    let [function] = &*module.functions else { panic!("{:?}", module.functions) };
    assert_eq!((&*function.name, function.open), ("configured", true));
    assert_eq!(function.doc, "Configures a site.\n\nTwice does no harm.");
    assert_eq!(function.returns, Type::Map(Box::new(Type::Any)));
    let params: Vec<_> =
        function.params.iter().map(|p| (&*p.name, p.ty.to_string(), p.is_required(), p.named_only)).collect();
    assert_eq!(
        params,
        [
            ("name", "str".to_owned(), true, false),
            ("port", "int".to_owned(), false, false),
            ("hosts", "list<str>".to_owned(), false, true),
            ("mode", "str|null".to_owned(), false, true),
        ]
    );
    assert_eq!(function.params[1].default, Some(Value::Int(80)));
}

#[test]
fn mistakes_are_at_their_places() {
    assert_eq!(findings("def f(name: string):\n    pass\n"), [("unknown-module-type", "string".to_owned())]);
    assert_eq!(findings("def f() -> list[txt]:\n    pass\n"), [("unknown-module-type", "txt".to_owned())]);
    assert_eq!(findings("def f(port: int = '80'):\n    pass\n"), [("wrong-default", "'80'".to_owned())]);
    assert_eq!(
        findings("def f(port: int = len([])):\n    pass\n"),
        [("unusable-signature", "len([])".to_owned())]
    );
    assert_eq!(findings("def f(*names):\n    pass\n"), [("unusable-signature", "*names".to_owned())]);
    let found = findings("def f(x: str, require: str):\n    pass\n");
    assert_eq!(found, [("unusable-signature", "require".to_owned())]);
    assert_eq!(findings("def f(x):\n    return y\n"), [("unknown-module-name", "y".to_owned())]);
    assert_eq!(
        findings("def f(x):\n    return json.encod(x)\n"),
        [("unknown-module-name", "encod".to_owned())]
    );
    assert_eq!(findings("def f(x):\n    return [y for y in x if (lambda z: z)(y)]\n"), []);
    let found = findings("def f(name: str -> bool:\n    pass\n");
    assert_eq!(found, [("module-syntax", "->".to_owned())]);
}

#[test]
fn a_default_of_none_asks_for_none_in_the_type() {
    let module = read("def f(mode: str = None):\n    pass\n");
    assert_eq!(module.diagnostics[0].help.as_deref(), Some("add `| None` to the type"));
}

#[test]
fn nothing_that_is_written_exhausts_the_stack() {
    let many = 30_000;
    for text in [
        format!("x = {}1{}\n", "(".repeat(many), ")".repeat(many)),
        format!("x = {}1\n", "not ".repeat(many)),
        format!("x = {}1\n", "-".repeat(many)),
        format!("x = 1{}\n", "+1".repeat(many)),
        format!("x = a{}\n", ".b".repeat(many)),
        format!("x = {}1\n", "lambda: ".repeat(10_000)),
        format!("x = {}1\n", "1 if 1 else ".repeat(10_000)),
        format!("def f(a: int{}):\n    pass\n", "|int".repeat(many)),
    ] {
        let _ = read(&text);
    }
    assert_eq!(findings(&"#".repeat(MAX_BYTES + 1))[0].0, "module-syntax");
    // Brackets in texts and comments are no nesting.
    assert_eq!(findings(&format!("x = '{0}'\n# {0}\n", "(".repeat(many))), []);
}
