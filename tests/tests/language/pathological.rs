//! Inputs that nobody writes: reading them takes time and memory in proportion to their size, whatever they are. A quadratic step anywhere would
//! take hours here, so the test needs no clock.

use std::sync::Arc;
use zester_compiler::{
    check::{CheckOptions, check},
    project::{OpenOptions, Project},
    source::{Files, MemorySources},
    syntax,
};

const SIZE: usize = 1 << 18;

#[test]
fn much_of_anything_is_read() {
    let pieces = [
        "{{\n",
        "{%\n",
        "{#\n",
        "{{",
        "{%",
        "{#",
        "{{ '\n",
        "{% if x %}\n",
        "{% endif %}\n",
        "{{ x }}",
        "[",
        "{",
        "]",
        "}",
        "- ",
        "-\n",
        "a: ",
        "a:\n",
        "? ",
        "&a ",
        "*a ",
        "!t ",
        "| ",
        "'",
        "\"",
        "'\n",
        "#",
        " ",
        "\t",
        "\n",
        "\r",
        "\r\n",
        "a\n",
        "a: b\n",
        "- a\n",
        "a: {{ x }}\n",
        "  a:\n",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
        "{% macro m() %}\n",
        "{% raw %}",
        "{% endraw %}",
        "{% for x in y %}- a\n{% endfor %}\n",
        "a: 'b\n",
        "a: [b\n",
        "a: |\n  b\n",
        "\u{feff}",
        "ä",
        "\0",
        "{{ (",
        "{{ [[ }}\n",
        "{{ x if y else }}\n",
        "{{ a | b | c }}\n",
        "<<: *a\n",
    ];
    for piece in pieces {
        let size = SIZE;
        let text = piece.repeat(size / piece.len());
        let files = Files::default();
        let id = files.add("states/a.zy", text.as_str());
        let tree = syntax::parse(id, &files.get(id).text);
        assert_eq!(tree.text.len(), text.len());
    }
}

/// Who walks a tree descends into it, so no tree may be deeper than a stack: long chains and deep brackets are refused, shorter ones are not.
#[test]
fn expressions_are_as_deep_as_stacks_are() {
    let kinds: [(&str, &str, &str, &str); 16] = [
        ("", "1+", "1", ""),
        ("a", ".a", "", ""),
        ("a", "|upper", "", ""),
        ("", "1 and ", "1", ""),
        ("", "'a'~", "'a'", ""),
        ("", "(", "1", ")"),
        ("", "[", "1", "]"),
        ("", "{1:", "1", "}"),
        ("", "a(", "1", ")"),
        ("1", " if 1", "", ""),
        ("1", " if 1 else 1", "", ""),
        ("", "not ", "1", ""),
        ("", "-", "1", ""),
        ("", "1==", "1", ""),
        ("a", " is defined", "", ""),
        ("a", "[0]", "", ""),
    ];
    let library = zester_executor::local::library();
    for (start, link, middle, close) in kinds {
        for (count, fine) in [(50, true), (20_000, false)] {
            let expr = [start, &link.repeat(count), middle, &close.repeat(count)].concat();
            let text = format!(
                "a:\n  test.nop:\n    - x: {{{{ {expr} }}}}\n{{% set b = {expr} %}}\n{{% macro m(c={expr}, d=1) %}}{{% endmacro %}}\n"
            );
            let sources = MemorySources::new().with("states/a.zy", &text).with("zester.yaml", "{}\n");
            let project = Arc::new(Project::open(Arc::new(sources), OpenOptions::default()).unwrap());
            let report = check(&project, library.registry(), &CheckOptions::default()).unwrap();
            let deep = report.diagnostics.iter().filter(|d| d.message.contains("too deep")).count();
            assert_eq!(deep, if fine { 0 } else { 3 }, "{count} times {link}: {:?}", report.diagnostics);
        }
    }
}

/// The deepest documents and blocks that are accepted, and deeper ones, through every way in. A test's thread has two MiB of stack as the
/// threads of a check and of a daemon do, and debug builds have the largest frames: an overflow would end the process.
#[test]
fn documents_and_blocks_are_as_deep_as_stacks_are() {
    let mut inputs = Vec::new();
    for depth in [62usize, 118, 126] {
        let block_map: String = (0..depth).fold(String::new(), |text, n| text + &" ".repeat(n) + "k:\n");
        let block_list = format!("{}x\n", "- ".repeat(depth));
        let flow = format!("{}x{}", "[".repeat(depth), "]".repeat(depth));
        let flow_map = format!("{}x{}", "{a: ".repeat(depth), "}".repeat(depth));
        let indented = |text: &str, by: usize| -> String {
            text.lines().fold(String::new(), |whole, line| whole + &" ".repeat(by) + line + "\n")
        };
        for value in [flow.as_str(), flow_map.as_str()] {
            inputs.push(format!("{block_map}{}{value}\n", " ".repeat(depth)));
            inputs.push(format!("{}{value}\n", "- ".repeat(depth)));
            for key in ["names", "require", "onlyif", "context"] {
                inputs.push(format!("a:\n  file.managed:\n    - {key}: {value}\n"));
            }
            for key in ["include", "extend", "base", "lint"] {
                inputs.push(format!("{key}: {value}\n"));
                inputs.push(format!("{key}:\n{}", indented(&block_map, 2)));
                inputs.push(format!("{key}:\n{}", indented(&block_list, 2)));
            }
            inputs.push(format!("? {value}\n: {value}\n"));
            inputs.push(format!("a: &a {value}\nb: [*a, {{<<: *a}}]\n"));
            inputs.push(format!(
                "{{% load_yaml as x %}}\n{value}\n{{% endload %}}\n{{% do x.append(x) %}}\na: {{{{ x | json }}}}\nb: {{{{ x | yaml }}}}\nc: {{{{ x }}}}\n"
            ));
            inputs.push(format!("a:\n  test.nop:\n    - name: {{{{ '{value}' | load_yaml | json }}}}\n"));
            inputs.push(value.to_owned());
        }
        inputs.push(block_map);
        inputs.push(block_list);
        for (open, close) in [
            ("{% if x %}", "{% endif %}"),
            ("{% for a in [1] %}", "{% endfor %}"),
            ("{% set a %}", "{% endset %}"),
            ("{% macro m() %}", "{% endmacro %}"),
            ("{% call m() %}", "{% endcall %}"),
            ("{% filter upper %}", "{% endfilter %}"),
            ("{% with %}", "{% endwith %}"),
            ("{% load_yaml as x %}", "{% endload %}"),
            ("{% if x %}a{% elif y %}", "{% endif %}"),
        ] {
            inputs.push(format!("{}a: 1{}", open.repeat(depth), close.repeat(depth)));
        }
    }
    for entry in zester_tests::entry::ENTRIES {
        for input in &inputs {
            (entry.run)(input.as_bytes());
        }
    }
}

/// Every library imports every other one: what their macros do is found out once for each, whatever the way to it.
#[test]
fn libraries_that_all_import_each_other_are_read() {
    const LIBRARIES: usize = 40;
    let mut sources = MemorySources::new().with("states/top.zy", "base: {'*': [a]}\n");
    for own in 0..LIBRARIES {
        let mut text = String::new();
        for other in (0..LIBRARIES).filter(|other| *other != own) {
            text.push_str(&format!("{{% from 'l{other}.jinja' import m{other} %}}\n"));
        }
        text.push_str(&format!("{{% macro m{own}(x) %}}{{{{ x }}}}{{% endmacro %}}\n"));
        sources.insert(format!("states/l{own}.jinja"), &text);
    }
    let state = "{% from 'l0.jinja' import m0 %}\n{% set d = {'k': 1} %}\na:\n  test.nop:\n    - comment: {{ m0(d.k) }} {{ d.kk }}\n";
    sources.insert("states/a.zy", state);
    let project = Project::open(Arc::new(sources), OpenOptions::default()).unwrap();
    let library = zester_stdlib::library();
    let report = check(&project, library.registry(), &CheckOptions::default()).unwrap();
    let codes: Vec<&str> = report.diagnostics.iter().filter(|d| d.is_error()).map(|d| d.rule.code).collect();
    // What is given to macros that change nothing keeps its type.
    assert_eq!(codes, ["Z0414"], "{:?}", report.diagnostics);
}
