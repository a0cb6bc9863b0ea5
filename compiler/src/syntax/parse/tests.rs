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

#[test]
fn a_real_formula_s_shapes_are_understood() {
    assert_eq!(
        tree(
            "nginx_service:\n{%- if a %}\n  service.running:\n{% else %}\n  service.dead:\n{% endif %}\n    {{ sls_block(opts) }}\n    - watch:\n      {% if b %}\n      - sls: src\n      {% else %}\n      - pkg: p\n      {% endif %}\n"
        ),
        "{nginx_service: {service.running: [+{{ sls_block(opts) }}, {watch: [{sls: src}, {pkg: p}]}], \
         service.dead: [+{{ sls_block(opts) }}, {watch: [{sls: src}, {pkg: p}]}]}}"
    );
    // A macro's text with its own indentation, called at the margin.
    assert_eq!(
        tree(
            "{% for s in l %}\n{{ s }}:\n  file.managed:\n    - name: x\n{% if s.on %}\n{{ manage_status(s, True) }}\n    - require:\n      - file: y\n{% endif %}\n{% endfor %}\n"
        ),
        "{<{{ s }}>: {file.managed: [{name: x}, +{{ manage_status(s, True) }}, {require: [{file: y}]}]}}"
    );
    // A value over several lines, and the legacy form of `context`.
    assert_eq!(
        tree(
            "a:\n  file.managed:\n    - source: {{ files_switch(['x'],\n                       lookup='y'\n                 )\n              }}\n    - context:\n      apache: {{ apache | json }}\n"
        ),
        "{a: {file.managed: [{source: <{{ files_switch(['x'],\n                       lookup='y'\n                 )\n              }}>}, {context: _, apache: <{{ apache | json }}>}]}}"
    );
    // Text that an expression at the margin indents itself.
    assert_eq!(
        tree(
            "k:\n  file.managed:\n    - contents: |\n{{ pillar['key'] | indent(8, True) }}\n    - mode: 600\n"
        ),
        "{k: {file.managed: [{contents: <{{ pillar['key'] | indent(8, True) }}>\n}, {mode: 600}]}}"
    );
    assert_eq!(
        tree("- names: [{% for p in l %}{{ p }}, {% endfor %}]\n- {{ a }}: {{ b }}\n"),
        "[{names: [<{% for p in l %}{{ p }}, {% endfor %}>]}, {<{{ a }}>: <{{ b }}>}]"
    );
    assert_eq!(
        tree("{% call state('x') %}\n- name: foo\n{% endcall %}\nb: 1\n"),
        "{+{% call state('x') %}, b: 1}"
    );
}

#[test]
fn mistakes_are_named_at_the_author_s_line() {
    let rules = |text: &str| {
        let text: Arc<str> = text.into();
        let tree = parse(FileId(0), &text);
        tree.diagnostics
            .iter()
            .map(|d| format!("{} {:?}", d.rule.name, &text[d.span.range()]))
            .collect::<Vec<_>>()
            .join("; ")
    };
    assert_eq!(rules("nginx\n  pkg.installed: []\n"), "missing-colon \"nginx\"");
    assert_eq!(rules("a:\n  pkg.installed\n  b: c\n"), "missing-colon \"pkg.installed\"");
    assert_eq!(rules("a:b\nc: d\n"), "missing-colon \"a:b\"");
    assert_eq!(rules("a:\n\tb: c\n"), "tab-indentation \"\\t\"");
    assert_eq!(rules("a: \"x\nb: c\n"), "unclosed-quote \"\\\"\"");
    assert_eq!(rules("a: [x, y\nb: c\n"), "unclosed-bracket \"[\"");
    assert_eq!(rules("a: {x: y\nb: c\n"), "unclosed-bracket \"{\"");
    assert_eq!(rules("a:\n  - b\n  c: d\n"), "bad-indentation \"c: d\"");
    assert_eq!(rules("a: *x\n"), "unknown-anchor \"*x\"");
    assert_eq!(rules("a: @x\n"), "invalid-yaml \"@\"");
    assert_eq!(rules("a: b\n---\nc: d\n"), "second-document \"---\"");
    assert_eq!(rules("a:\n- x: b: c\n- y: 1\n"), "invalid-yaml \"b: c\"");
}

#[test]
fn a_mistake_that_another_branch_avoids_is_none() {
    let text = "a:\n{% if x %}\n  b: 1\n{% endif %}\n{% if not x %}\n  - c\n{% endif %}\n";
    assert!(!tree(text).contains('!'), "{}", tree(text));
    let text = "{% if x %}\na:\n  b: 'x' y\n{% endif %}\nc: 1\n";
    assert!(tree(text).contains("!Z0009"), "{}", tree(text));
}

#[test]
fn captured_blocks_in_each_other_cost_no_more_than_their_text() {
    let text: Arc<str> = "{% macro m() %}\n- a\n".repeat(500).into();
    let (tree, work) = super::parse_counting(FileId(0), &text);
    assert_eq!(tree.bodies.len(), super::MAX_CAPTURE_DEPTH);
    assert!(work <= 2 * super::MAX_CAPTURE_DEPTH * text.len(), "{work} bytes for {}", text.len());
}

mod properties {
    use super::super::{BUDGET, parse_counting};
    use crate::{
        source::FileId,
        syntax::{Node, NodeKind, parse_rendered},
    };
    use proptest::prelude::*;
    use std::sync::Arc;

    /// Every place in the tree lies in the text, between characters, and within the place around it.
    fn check_places(node: &Node, text: &str) {
        let mut pending = vec![node];
        while let Some(node) = pending.pop() {
            assert!(text.get(node.span.range()).is_some(), "{:?} of {} bytes", node.span, text.len());
            match &node.kind {
                NodeKind::Mapping(mapping) => {
                    for entry in &mapping.entries {
                        pending.push(&entry.key);
                        pending.push(&entry.value);
                    }
                }
                NodeKind::Sequence(sequence) => pending.extend(&sequence.items),
                NodeKind::Choice(nodes) => pending.extend(nodes),
                _ => {}
            }
        }
    }

    fn check(text: &str) {
        let text: Arc<str> = text.into();
        let (tree, work) = parse_counting(FileId(0), &text);
        assert_eq!(tree.text, text);
        tree.root.iter().for_each(|root| check_places(root, &text));
        for diagnostic in &tree.diagnostics {
            assert!(text.get(diagnostic.span.range()).is_some(), "{diagnostic:?}");
        }
        // Each block's body is a document, and a budget bounds the work for each.
        let depth = tree.bodies.len() + 1;
        assert!(work <= 2 * BUDGET * depth * text.len().max(64), "{work} bytes for {}", text.len());
        let document = parse_rendered(FileId(0), &text, &[]);
        document.root.iter().for_each(|root| check_places(root, &text));
    }

    /// Pieces of which files are made, and of which half-typed files are.
    const PIECES: &[&str] = &[
        "{{ ",
        " }}",
        "{% if x %}",
        "{% elif y %}",
        "{% else %}",
        "{% endif %}",
        "{% for a in b %}",
        "{% endfor %}",
        "{%- set a = 1 -%}",
        "{% macro m(a) %}",
        "{% endmacro %}",
        "{# c #}",
        "{% raw %}",
        "{% endraw %}",
        "a: ",
        "b:\n",
        "- ",
        "\n",
        "  ",
        "    ",
        "|\n",
        ">-\n",
        "'",
        "\"",
        "[",
        "]",
        "{",
        "}",
        "# ",
        "x",
        "ü",
        "\t",
        "&a ",
        "*a",
        "!t ",
        "<<: ",
        "---\n",
        "{{ m() }}\n",
        "{% include 'x' %}\n",
        "{% load_yaml as q %}",
        "{% endload %}",
        "{% call m() %}",
        "{% endcall %}",
        "\u{e000}",
        "\r\n",
        "{",
        "%}",
        "? ",
        ",",
    ];

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_text_gives_a_tree(text in "\\PC{0,200}") {
            check(&text);
        }

        #[test]
        fn any_pieces_give_a_tree(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..60)) {
            check(&pieces.concat());
        }
    }

    /// The mark was moved and began in the middle of the wide character.
    #[test]
    fn places_inside_of_marks_are_between_characters() {
        check("{% if x %}|\n{{ <<: '\u{e000}{% if x %}|\n{% if x %}|\n");
    }

    #[test]
    fn every_prefix_of_every_fixture_gives_a_tree() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/trees");
        let mut pending = vec![root];
        let mut files = 0;
        while let Some(path) = pending.pop() {
            if path.is_dir() {
                pending.extend(std::fs::read_dir(&path).unwrap().flatten().map(|e| e.path()));
            } else if let Ok(text) = std::fs::read_to_string(&path)
                && text.len() < 4000
            {
                files += 1;
                // Every cut of each file takes minutes; a stride that no line length divides meets all states.
                for end in (0..=text.len()).step_by(7).filter(|n| text.is_char_boundary(*n)) {
                    check(&text[..end]);
                }
            }
        }
        assert!(files > 0, "the fixtures have moved");
    }
}

#[test]
fn an_indented_include_brings_whole_states() {
    // Indented for the eye within a branch; nothing above it in its own arm could hold it.
    assert_eq!(
        tree("{% if a %}\n  {%- include \"p.zy\" with context %}\nb:\n  f.g: []\n{% endif %}\n"),
        "{+{%- include \"p.zy\" with context %}, b: {f.g: []}}"
    );
    assert_eq!(
        tree(
            "{% if a %}\nx:\n  f.g: []\n{% else %}\n  {% include \"p.zy\" %}\n\nb:\n  f.g: []\n{% endif %}\n"
        ),
        "{x: {f.g: []}, +{% include \"p.zy\" %}, b: {f.g: []}}"
    );
    assert_eq!(tree("a: 1\n  {% include \"p.zy\" %}\nb: 2\n"), "{a: 1, +{% include \"p.zy\" %}, b: 2}");
    assert_eq!(
        tree("    {% include \"p.zy\" %}\n  {% include \"q.zy\" %}\n"),
        "{+{% include \"p.zy\" %}, +{% include \"q.zy\" %}}"
    );
}

#[test]
fn long_tags_between_lines_hide_none_of_them() {
    let long = "x".repeat(400);
    assert_eq!(
        tree(&format!(
            "{{% if a %}}\n  {{% include \"p.zy\" %}}\n  {{% set {long} = 1 %}}\nb: 1\n{{% endif %}}\n"
        )),
        "{+{% include \"p.zy\" %}, b: 1}"
    );
}

#[test]
fn tags_may_end_in_a_colon_and_loops_unpack_tuples() {
    assert_eq!(
        tree(
            "{% if a: %}\nb: 1\n{% elif c[1:] : %}\nb: 2\n{% else: %}\nb: 3\n{% endif %}\n{% for x, (y, (z,)) in l: %}\nk{{ x }}: {{ 0x1F }}\n{% endfor %}\n"
        ),
        "{b: 1, b: 2, b: 3, k<{{ x }}>: <{{ 0x1F }}>}"
    );
    assert_eq!(
        tree(
            "{% set a = (1,) %}\n{% for x in ('b', 'c',) %}\nk{{ x }}: {{ (1) }}\n{% endfor %}\nl: {{ ( }}\n"
        ),
        "{k<{{ x }}>: <{{ (1) }}>, l: <{{ ( }}>} !Z0012 \"(\" expected `)`, found the end"
    );
    let deep = format!("{{% for {}a{} in b %}}{{% endfor %}}", "(".repeat(20_000), ")".repeat(20_000));
    assert!(tree(&deep).contains("!Z0015"), "{}", tree(&deep));
}
