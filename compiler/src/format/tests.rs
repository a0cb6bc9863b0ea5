use super::*;

fn formatted(text: &str) -> String {
    let tree = parse(FileId(0), &text.into());
    let edits = format(&tree, Layout::States).unwrap_or_else(|why| panic!("{why:?}"));
    let out = apply(text, &edits);
    let again = parse(FileId(0), &out.as_str().into());
    assert_eq!(format(&again, Layout::States).unwrap(), [], "not stable:\n{out}");
    out
}

fn stays(text: &str) {
    assert_eq!(formatted(text), text);
}

use crate::diagnostic::apply;

#[test]
fn levels_have_two_blanks() {
    assert_eq!(
        formatted(
            "nginx:\n    pkg:\n    - installed\n    - require:\n          - pkg: a\n          - pkg: b\n    service.running:\n        - enable: true\n"
        ),
        "nginx:\n  pkg:\n    - installed\n    - require:\n      - pkg: a\n      - pkg: b\n  service.running:\n    - enable: true\n"
    );
    assert_eq!(
        formatted(
            "a:\n   file.managed:\n      - context:\n            b: 1\n            c:\n            - d\n"
        ),
        "a:\n  file.managed:\n    - context:\n        b: 1\n        c:\n          - d\n"
    );
    stays("- a\n- b:\n    c: d\n");
}

#[test]
fn texts_move_as_a_whole() {
    assert_eq!(
        formatted(
            "a:\n    file.managed:\n        - contents: |\n            one\n              two\n\n            three  \n        - mode: '0644'\n"
        ),
        "a:\n  file.managed:\n    - contents: |\n        one\n          two\n\n        three  \n    - mode: '0644'\n"
    );
    assert_eq!(
        formatted(
            "a:\n    cmd.run:\n        - name: one\n            two\n        - args: [a,\n            b]\n"
        ),
        "a:\n  cmd.run:\n    - name: one\n        two\n    - args: [a,\n        b]\n"
    );
    // The value ends without a line break.
    stays("a:\n  file.managed:\n    - contents: |\n        x");
    stays("a:\n  file.managed:\n    - contents: |+\n        x\n\n\nb:\n  test.nop: []\n");
}

#[test]
fn tags_have_one_blank_inside() {
    assert_eq!(
        formatted(
            "{%-if a-%}\n{%endif%}\n{{x}}:\n  test.nop:\n    - comment: \"{{-y|upper  -}} {{ -1 }} {#no#}\"\n"
        ),
        "{%- if a -%}\n{% endif %}\n{{ x }}:\n  test.nop:\n    - comment: \"{{- y|upper -}} {{ -1 }} {#no#}\"\n"
    );
    stays("{% raw %}{{x}}{% endraw %}\n{% set a = {\n  'b': 1,\n} %}\n{% set c = [\n     1] %}\n");
}

#[test]
fn states_are_parted() {
    assert_eq!(
        formatted(
            "\n\ninclude:\n  - a\n# of b\nb:\n  test.nop: []\n\n\n\n{% if x %}\nc:\n  test.nop: []\n{% endif %}\n{% for y in z %}\n{{ y }}:\n  test.nop: []\n{% endfor %}\n\n\n"
        ),
        "include:\n  - a\n\n# of b\nb:\n  test.nop: []\n\n{% if x %}\nc:\n  test.nop: []\n{% endif %}\n\n{% for y in z %}\n{{ y }}:\n  test.nop: []\n{% endfor %}\n"
    );
    stays("a: test.nop\nb: test.nop\n");
    stays("{% if x %}\na:\n  test.nop: []\n{% else %}\nb:\n  test.nop: []\n{% endif %}\n");
}

#[test]
fn comments_and_tags_go_with_their_words() {
    assert_eq!(
        formatted(
            "a:\n    # of the function\n    file.managed:\n    {% if x %}\n        - mode: '0644'   # why\n        {% endif %}\n{# far left #}\n        # of user\n        - user: root \n"
        ),
        "a:\n  # of the function\n  file.managed:\n  {% if x %}\n    - mode: '0644'   # why\n    {% endif %}\n{# far left #}\n    # of user\n    - user: root\n"
    );
}

#[test]
fn what_emits_lines_keeps_its_surroundings() {
    // The macro's items must stay in the column of those beside them.
    stays(
        "{% macro m() %}\n      - user: root\n{% endmacro %}\na:\n    file.managed:\n      - name: /x\n{{ m() }}\n",
    );
    stays("a:\n    file.managed:\n      - contents: |\n          {{ x | indent(10) }}\n");
    stays("a:\n    file.managed:\n      {% if x -%}\n      - name: /x\n      {% endif %}\n");
    // The state beside it is free.
    assert_eq!(
        formatted("a:\n    file.managed:\n      {{ x }}\n\nb:\n    file.managed:\n      - name: /x\n"),
        "a:\n    file.managed:\n      {{ x }}\n\nb:\n  file.managed:\n    - name: /x\n"
    );
}

#[test]
fn line_endings_are_those_of_the_first_line() {
    assert_eq!(
        formatted("a:\r\n  test.nop: []\nb: \r\n  test.nop: []"),
        "a:\r\n  test.nop: []\r\n\r\nb:\r\n  test.nop: []\r\n"
    );
}

#[test]
fn wrong_files_are_left() {
    let tree = parse(FileId(0), &"a: [\n".into());
    assert!(matches!(format(&tree, Layout::States), Err(Untouched::Wrong(_))));
    stays("");
}

#[test]
fn a_range_formats_the_states_it_touches() {
    let text = "a:\n    test.nop: []\n\nb:\n    test.nop: []\n\nc:\n    test.nop: []\n";
    let tree = parse(FileId(0), &text.into());
    let at = text.find("b:").unwrap();
    let edits = format_range(&tree, Layout::States, at..at + 5).unwrap();
    assert_eq!(apply(text, &edits), "a:\n    test.nop: []\n\nb:\n  test.nop: []\n\nc:\n    test.nop: []\n");
}
