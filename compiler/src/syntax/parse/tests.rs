use super::parse;
use crate::{source::FileId, syntax::dump::dump};
use std::sync::Arc;

/// The dump of a file's tree; its errors and opacity after it, when there are any.
fn tree(text: &str) -> String {
    let text: Arc<str> = text.into();
    let tree = parse(FileId(0), &text);
    let mut out = tree.root.as_ref().map_or("-".to_owned(), |r| dump(r, &text));
    for d in &tree.diagnostics {
        out.push_str(&format!(" !{} {:?} {}", d.rule.code, &text[d.span.range()], d.message));
    }
    if let Some(opaque) = &tree.opaque {
        out.push_str(&format!(" ?{:?} {}", &text[opaque.span.range()], opaque.reason));
    }
    out
}

#[test]
fn expressions_are_parts_of_scalars() {
    assert_eq!(
        tree("a: {{ x }}\nb: \"pre {{ y }} post\"\nc-{{ k }}: [1, {{ z }}]\n"),
        "{a: <{{ x }}>, b: pre <{{ y }}> post, c-<{{ k }}>: [1, <{{ z }}>]}"
    );
}

#[test]
fn branches_stand_beside_each_other() {
    assert_eq!(
        tree(
            "a:\n  f.g:\n    {% if x %}\n    - p: 1\n    {% elif y %}\n    - p: 2\n    {% else %}\n    - q: 3\n    {% endif %}\n    - r: 4\n"
        ),
        "{a: {f.g: [{p: 1}, {p: 2}, {q: 3}, {r: 4}]}}"
    );
}

#[test]
fn a_conditional_header_shares_its_body() {
    assert_eq!(
        tree(
            "a:\n{% if x %}\n  cmd.run:\n    - name: one\n{% else %}\n  pip.installed:\n    - name: two\n{% endif %}\n    - require:\n      - pkg: p\n"
        ),
        "{a: {cmd.run: [{name: one}, {require: [{pkg: p}]}], pip.installed: [{name: two}, {require: [{pkg: p}]}]}}"
    );
    assert_eq!(
        tree("{% if x %}\na:\n{% else %}\nb:\n{% endif %}\n  f.g: []\n"),
        "{a: {f.g: []}, b: {f.g: []}}"
    );
}

#[test]
fn an_expression_alone_on_its_line_is_a_splice() {
    assert_eq!(tree("{{ states('x') }}\nb:\n  f.g: []\n"), "{+{{ states('x') }}, b: {f.g: []}}");
    assert_eq!(
        tree("a:\n  f.g:\n    {{ args() }}\n    - name: x\n"),
        "{a: {f.g: [+{{ args() }}, {name: x}]}}"
    );
    assert_eq!(tree("a:\n  {{ funcs() }}\n  f.g: []\n"), "{a: {+{{ funcs() }}, f.g: []}}");
    assert_eq!(tree("a:\n  f.g:\n    {{ all() }}\n"), "{a: {f.g: +{{ all() }}}}");
    assert_eq!(tree("a:\n  f.g:\n{{ args() }}\n    - name: x\n"), "{a: {f.g: [+{{ args() }}, {name: x}]}}");
    assert_eq!(tree("{% set s = 'x' %}\n{% include \"p.jinja\" %}\n"), "{+{% include \"p.jinja\" %}}");
}

#[test]
fn block_scalars_are_text() {
    assert_eq!(
        tree(
            "a:\n  - contents: |\n      {%- for e in l %}\n      line {{ e }}\n      {%- endfor %}\n      {{ rest }}\n  - b\n"
        ),
        "{a: [{contents: <{%- for e in l %}\n      line {{ e }}\n      {%- endfor %}>\n<{{ rest }}>\n}, b]}"
    );
}

#[test]
fn an_if_inside_a_scalar() {
    assert_eq!(
        tree("a: {% if w %}x{% else %}y{% endif %}\nb: p{% if w %}q{% endif %}r\n"),
        "{a: x|y, b: p<{% if w %}q{% endif %}>r}"
    );
    assert_eq!(tree("- {% if w %}file{% else %}ini{% endif %}: n\n"), "[{file: n}, {ini: n}]");
}

#[test]
fn an_arm_may_end_one_node_and_start_another() {
    assert_eq!(
        tree(
            "include:\n  - a\n{% if x %}\n  - b\n\nc:\n  cmd.run: []\n{% elif y %}\nd:\n  pkg.installed: []\n{% endif %}\n"
        ),
        "{include: [a, b], c: {cmd.run: []}, d: {pkg.installed: []}}"
    );
}

#[test]
fn scalars_on_lines_of_their_own() {
    assert_eq!(
        tree("- group:\n    {%- if b %}\n    wheel\n    {%- else %}\n    root\n    {%- endif %}\n"),
        "[{group: wheel|root}]"
    );
    assert_eq!(tree("a:\n- x\n{{ '- y' if r else '' }}\n- z\n"), "{a: [x, +{{ '- y' if r else '' }}, z]}");
}

#[test]
fn commented_tags_are_live() {
    assert_eq!(
        tree("a:\n  # {% if x %}\n  b: 1\n  # {% endif %}\n  c: 2\n"),
        "{a: {b: 1, c: 2}} !Z0016 \"# {% if x %}\" Template tags behind a `#` are live"
    );
}

#[test]
fn one_mistake_does_not_hide_the_next() {
    let found = tree("a:\n  b: 1\n c: 2\nd: [1\ne: 3\n");
    assert!(found.contains("!Z0001") && found.contains("!Z0006"), "{found}");
    assert!(found.contains("e: 3"), "{found}");
    assert!(found.contains("\"c: 2\""), "{found}");
    let found = tree("nginx\n  pkg.installed: []\nb:\n  f.g: []\n");
    assert!(found.contains("!Z0003 \"nginx\""), "{found}");
}

#[test]
fn duplicate_keys_are_errors_unless_exclusive() {
    assert!(tree("a: 1\na: 2\n").contains("!Z0005 \"a\""));
    assert!(!tree("{% if x %}\na: 1\n{% else %}\na: 2\n{% endif %}\n").contains('!'));
    assert!(!tree("{% if x %}\na: 1\n{% endif %}\n{% if not x %}\na: 2\n{% endif %}\n").contains('!'));
}

#[test]
fn every_prefix_gives_a_tree() {
    let text = "{% from 'a' import b %}\na-{{ x['k'] }}:\n  {% if q is not defined %}\n  f.g:\n    - c: |\n        {{ t | default('z') }}\n    {{ sp() }}\n  {% else %}\n  h: {i: [1, \"ü\"]}\n  {% endif %}\n{% macro m(a, b=1) %}\n- {{ a }}\n{% endmacro %}\n";
    for end in (0..=text.len()).filter(|n| text.is_char_boundary(*n)) {
        let cut: Arc<str> = text[..end].into();
        let tree = parse(FileId(0), &cut);
        for d in &tree.diagnostics {
            assert!(d.span.end as usize <= cut.len());
        }
    }
}
