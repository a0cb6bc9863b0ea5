//! Functions of custom modules are those of everybody.

use super::Editor;
use serde_json::json;

const MODULE: &str = "\
-- states/_modules/site.star
def configured(name: str, port: int = 80, tls: bool = False) -> dict:
    \"\"\"Configures a site.

    Args:
        port: Where it listens.
    \"\"\"
    return {}

def address(name: str, port: int = 80) -> str:
    \"\"\"The address of a site.\"\"\"
    return name
";

fn at(states: &str) -> Editor {
    Editor::open(&format!("{MODULE}-- states/web.zy\n{states}"))
}

fn labels(states: &str) -> Vec<String> {
    let found = at(states).at_cursor("textDocument/completion", &json!({})).unwrap();
    let items = found["items"].as_array().unwrap().iter();
    items.map(|item| item["label"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn they_are_completed() {
    assert_eq!(labels("a:\n  site.<|>\n").first().map(String::as_str), Some("site.configured"));
    let found = labels("a:\n  site.configured:\n    - <|>\n");
    assert!(
        found.iter().any(|label| label == "port") && found.iter().any(|label| label == "tls"),
        "{found:?}"
    );
    let found = labels("a:\n  test.nop:\n    - comment: {{ salt['site.<|>'] }}\n");
    assert_eq!(found.first().map(String::as_str), Some("site.address"), "{found:?}");
}

#[test]
fn they_are_found_in_their_module() {
    for (states, wanted) in [
        ("a:\n  site.conf<|>igured: []\n", "states/_modules/site.star:1"),
        ("a:\n  site.configured:\n    - po<|>rt: 80\n", "states/_modules/site.star:1"),
        (
            "a:\n  test.nop:\n    - comment: {{ salt['site.add<|>ress']('x') }}\n",
            "states/_modules/site.star:9",
        ),
    ] {
        let mut editor = at(states);
        let found = editor.at_cursor("textDocument/definition", &json!({})).unwrap();
        let places = editor.places(&found);
        assert!(places.len() == 1 && places[0].starts_with(wanted), "{states}: {places:?}");
    }
}

#[test]
fn they_are_explained() {
    for (states, wanted) in [
        ("a:\n  site.conf<|>igured: []\n", "Configures a site."),
        ("a:\n  site.configured:\n    - po<|>rt: 80\n", "Where it listens."),
        ("a:\n  test.nop:\n    - comment: {{ salt['site.add<|>ress']('x') }}\n", "The address of a site."),
    ] {
        let found = at(states).at_cursor("textDocument/hover", &json!({})).unwrap();
        let text = found["contents"]["value"].as_str().unwrap_or_default();
        assert!(text.contains(wanted), "{states}: {found}");
    }
    let found = at("a:\n  test.nop:\n    - comment: {{ salt['site.address']('x', <|>) }}\n")
        .at_cursor("textDocument/signatureHelp", &json!({}))
        .unwrap();
    assert_eq!(found["signatures"][0]["label"], "site.address(name: str, port: int = 80)", "{found}");
}
