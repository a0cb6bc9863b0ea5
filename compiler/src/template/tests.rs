use super::{Environment, NoFunctions, RenderInput, TemplateFiles};
use crate::{
    diagnostic::Diagnostic,
    source::Files,
    syntax::{self, Tree},
    types::{Facts, Map, Value},
};
use std::{collections::HashMap, sync::Arc};

struct Memory {
    files: Arc<Files>,
    trees: HashMap<String, Arc<Tree>>,
}

impl TemplateFiles for Memory {
    fn tree(&self, _env: &str, path: &str) -> Option<Arc<Tree>> {
        self.trees.get(path).cloned()
    }

    fn paths(&self, _env: &str) -> Vec<String> {
        self.trees.keys().cloned().collect()
    }
}

fn memory(files: &[(&str, &str)]) -> Memory {
    let table = Arc::new(Files::new());
    let trees = files
        .iter()
        .map(|(path, text)| {
            let id = table.add(path, *text);
            ((*path).to_owned(), Arc::new(syntax::parse(id, &Arc::from(*text))))
        })
        .collect();
    Memory { files: table, trees }
}

fn render_in(files: &[(&str, &str)], path: &str) -> (Result<super::Rendered, Vec<Diagnostic>>, Arc<Files>) {
    let memory = memory(files);
    let table = memory.files.clone();
    let tree = memory.trees[path].clone();
    let env = Environment::new(Arc::new(memory), Arc::new(NoFunctions));
    let facts = Facts {
        id: "web-01".into(),
        grains: serde_json::from_str(r#"{"os_family": "Debian", "id": "web-01", "num_cpus": 4}"#).unwrap(),
        values: serde_json::from_str(r#"{"os": {"family": "debian"}}"#).unwrap(),
    };
    let settings: Value =
        serde_json::from_str(r#"{"app": {"port": 80, "name": "shop", "users": ["a", "b"]}}"#).unwrap();
    let input = RenderInput {
        tree,
        path,
        sls: "x",
        env: "base",
        facts: &Arc::new(facts),
        settings: &Arc::new(settings),
        extra: &Map::new(),
        test: false,
    };
    (env.render(&input), table)
}

fn text(source: &str) -> String {
    match render_in(&[("x.zy", source)], "x.zy").0 {
        Ok(rendered) => rendered.text,
        Err(errors) => format!("! {}", errors[0].message),
    }
}

#[test]
fn data_of_the_peel() {
    assert_eq!(
        text("{{ grains['os_family'] }} {{ facts.os.family }} {{ pillar.app.port }} {{ peel_id }}"),
        "Debian debian 80 web-01"
    );
    assert_eq!(
        text(
            "{{ salt['pillar.get']('app:port', 1) }} {{ salt.pillar.get('app:x', 'd') }}{{ salt['pillar.get']('no') }}."
        ),
        "80 d."
    );
    assert_eq!(
        text("{{ salt['grains.filter_by']({'Debian': {'a': 1}, 'default': {}}, merge={'b': 2}) }}"),
        "{'a': 1, 'b': 2}"
    );
    assert_eq!(text("{{ salt['config.get']('app:name') }} {{ salt['match.glob']('web-*') }}"), "shop True");
    assert_eq!(text("{{ tpldir }}|{{ sls }}|{{ opts['id'] }}"), ".|x|web-01");
}

#[test]
fn values_print_as_in_python() {
    assert_eq!(text("{{ ['a', 1, none, True, {'k': 'it\\'s'}] }}"), "['a', 1, None, True, {'k': \"it's\"}]");
    assert_eq!(text("{{ none }} {{ true }} {{ 1.0 }} {{ ('a',) }}"), "None True 1.0 ('a',)");
    assert_eq!(text("{{ '%s-%03d' % ('x', 7) }} {{ 7 % 4 }} {{ '{} {n}'.format(1, n=2) }}"), "x-007 3 1 2");
}

#[test]
fn lists_and_dicts_change_in_place() {
    assert_eq!(
        text("{% set l = [] %}{% do l.append(1) %}{% do l.extend([2, 3]) %}{{ l }}{{ l | length }}"),
        "[1, 2, 3]3"
    );
    assert_eq!(
        text("{% set d = {} %}{% for i in [1, 2] %}{% do d.update({i: 'v' ~ i}) %}{% endfor %}{{ d }}"),
        "{1: 'v1', 2: 'v2'}"
    );
    assert_eq!(
        text("{% set d = {'a': []} %}{% do d.a.append(1) %}{% do d.setdefault('b', []).append(2) %}{{ d }}"),
        "{'a': [1], 'b': [2]}"
    );
    assert_eq!(
        text("{% set x = salt['pillar.get']('app:users') %}{% do x.append('c') %}{{ x | join(',') }}"),
        "a,b,c"
    );
    assert_eq!(text("{% set l = [1] + [2] %}{{ l[-1] }}{{ 1 in l }}{{ l[:1] }}"), "2True[1]");
    assert_eq!(text("{% set l = 'a b'.split() %}{% do l.append('c') %}{{ l }}"), "['a', 'b', 'c']");
}

#[test]
fn statements_of_salt() {
    assert_eq!(text("{% load_yaml as x %}\na: [1, yes]\n{% endload %}{{ x.a }}"), "[1, True]");
    assert_eq!(
        text(
            "{% set ns = namespace(n=0) %}{% for i in [1, 2] %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}"
        ),
        "3"
    );
    assert_eq!(text("{% set a, b = 1, 2 %}{{ a }}{{ b }}"), "12");
    assert_eq!(
        text("{% for k, v in {'a': 1}.items() if v %}{{ k }}{{ loop.index }}{% else %}none{% endfor %}"),
        "a1"
    );
    assert_eq!(
        text(
            "{% for i in range(5) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 3 %}{% break %}{% endif %}{{ i }}{% endfor %}"
        ),
        "02"
    );
    assert_eq!(text("{% do salt.log.debug('x') %}{% do {}.update({'a': 1}) %}ok\n"), "ok\n");
}

#[test]
fn filters_of_salt() {
    assert_eq!(
        text("{{ {'a': [1, 'x']} | json }} {{ {'a': {'b': [1, 2]}} | yaml(False) }}"),
        "{\"a\": [1, \"x\"]} a:\n  b:\n  - 1\n  - 2"
    );
    assert_eq!(
        text("{{ ['b', 'a'] | yaml }} {{ 'a: b' | yaml_dquote }} {{ 'x' | yaml_encode }}"),
        "[b, a] \"a: b\" \"x\""
    );
    assert_eq!(
        text(
            "{{ ['b', 'a', 'b'] | unique | sort | join }} {{ 'abc12' | regex_search('(\\d)(\\d)') }} {{ 'a1' | regex_replace('\\d', '<\\\\g<0>>') }}"
        ),
        "ab ('1', '2') a<1>"
    );
    assert_eq!(
        text(
            "{{ x | default('d') }} {{ '' | d('e', true) }} {{ {'a': {'b': 5}} | traverse('a:b') }} {{ '5' | int + 1 }}"
        ),
        "d e 5 6"
    );
    assert_eq!(
        text(
            "{{ [1, 2, 3] | select('odd') | list }} {{ [{'n': 1}] | map(attribute='n') | list }} {{ {'b': 1, 'a': 2} | dictsort }}"
        ),
        "[1, 3] [1] [('a', 2), ('b', 1)]"
    );
    assert_eq!(
        text("{{ ['10.0.0.1', 'x', '::1'] | ipv4 }} {{ '10.0.0.1' | is_ip }} {{ 'a' | sha1 }}"),
        "['10.0.0.1'] True 86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"
    );
    assert_eq!(
        text("{{ 'a\\nb' | indent(2) }}|{{ [1, [2, [3]]] | flatten }}|{{ 'etc' | path_join('x') }}"),
        "a\n  b|[1, 2, 3]|etc/x"
    );
}

#[test]
fn imports_and_macros() {
    let files = [
        (
            "lib/m.jinja",
            "{% set v = 'V' %}{% macro m(a, b='B') %}{{ a }}{{ b }}{{ grains.id }}{% endmacro %}",
        ),
        ("lib/d.yaml", "k: [1]\n"),
        (
            "lib/x.zy",
            "{% set root = 'lib' %}{% from root ~ '/m.jinja' import m, v as w with context %}{% import './m.jinja' as mod %}{% import_yaml 'lib/d.yaml' as d %}{{ m('A') }} {{ w }} {{ mod.m(1, b=2) }} {{ d.k }} {% include 'lib/d.yaml' %}",
        ),
    ];
    let rendered = render_in(&files, "lib/x.zy").0.map_err(|e| format!("{e:?}")).unwrap();
    assert_eq!(rendered.text, "ABweb-01 V 12web-01 [1] k: [1]\n");
}

#[test]
fn renders_of_one_environment_share_templates_and_no_data() {
    let memory = memory(&[
        ("lib.zy", "{% macro who() %}{{ grains.id }}{{ pillar.get('n', '') }}{% endmacro %}"),
        (
            "main.zy",
            "{% from 'lib.zy' import who %}{% do pillar.update({'n': pillar.get('n', 0) + 1}) %}{{ who() }}",
        ),
    ]);
    let tree = memory.trees["main.zy"].clone();
    let table = memory.files.clone();
    let env = Environment::new(Arc::new(memory), Arc::new(NoFunctions));
    let render = |tree: &Arc<Tree>, id: &str| {
        let facts = Facts {
            id: id.into(),
            grains: Map::from_iter([("id".to_owned(), Value::from(id))]),
            values: Map::new(),
        };
        let input = RenderInput {
            tree: tree.clone(),
            path: "main.zy",
            sls: "x",
            env: "base",
            facts: &Arc::new(facts),
            settings: &Arc::new(Value::Map(Map::new())),
            extra: &Map::new(),
            test: false,
        };
        env.render(&input).map(|r| r.text).map_err(|found| found[0].message.clone())
    };
    assert_eq!(render(&tree, "a"), Ok("a1".to_owned()));
    assert_eq!(render(&tree, "b"), Ok("b1".to_owned()));
    // A text of the caller's own goes before that of the tree, for its render alone.
    let own = |text: &str| Arc::new(syntax::parse(table.add("main.zy", text), &Arc::from(text)));
    let unsaved = own("{% from 'lib.zy' import who %}unsaved {{ who() }}");
    assert_eq!(render(&unsaved, "c"), Ok("unsaved c".to_owned()));
    assert!(render(&own("{{ (1 }}"), "c").is_err());
    assert_eq!(render(&tree, "d"), Ok("d1".to_owned()));
}

#[test]
fn undefined_values_are_errors_at_their_place() {
    let (result, files) = render_in(&[("x.zy", "ok\n{{ pillar.app.prot }}\n")], "x.zy");
    let error = &result.err().unwrap()[0];
    assert_eq!(&files.get(error.span.file).text[error.span.range()], "pillar.app.prot");
    assert!(text("{{ nothing.x }}").starts_with("! `nothing"));
    assert!(text("{{ salt['no.such']() }}").contains("there is no function `no.such`"));
    assert_eq!(text("{{ x is defined }} {{ pillar.app.get('y', 'z') }}"), "False z");
}

#[test]
fn macros_take_what_they_do_not_name() {
    let library = concat!(
        "{% macro all(first, second='b') -%}\n",
        "{{ first }}{{ second }}|{{ varargs | join(',') }}|",
        "{% for key, value in kwargs.items() %}{{ key }}={{ value }};{% endfor %}",
        "{{ caller() if caller is defined else '' }}{{ varargs | length }}{% endmacro %}\n",
        "{% macro some() %}{{ varargs }}{% endmacro %}\n",
        "{% macro own(varargs, a) %}{{ varargs }}{{ a }}{{ kwargs.x }}",
        "{% macro inner() %}{{ varargs | length }}{% endmacro %}{{ inner(1, 2) }}{% endmacro %}\n",
        "{% macro down(n) %}{{ n }}{% if n %}{{ down(n - 1, x=kwargs.x) }}{% endif %}{{ kwargs.x }}{% endmacro %}\n",
    );
    let text = |main: &str| match render_in(&[("main.zy", main), ("lib.zy", library)], "main.zy").0 {
        Ok(rendered) => rendered.text,
        Err(found) => found.iter().map(|d| d.message.clone()).collect(),
    };
    let import = "{% from 'lib.zy' import all, some, own, down %}";
    assert_eq!(text(&format!("{import}{{{{ all(1) }}}}")), "1b||0");
    assert_eq!(text(&format!("{import}{{{{ all(1, 2, 3, 4, x=5, second_=6) }}}}")), "12|3,4|x=5;second_=6;2");
    assert_eq!(text(&format!("{import}{{{{ all(x=5, second=2, first=1) }}}}")), "12||x=5;0");
    assert_eq!(text(&format!("{import}{{% call all(1, y=2) %}}in{{% endcall %}}")), "1b||y=2;in0");
    assert_eq!(text(&format!("{import}{{{{ down(2, x='.') }}}}")), "210...");
    assert_eq!(text(&format!("{import}{{{{ some.name }}}}")), "some");
    // A parameter of the author's that is called so is his.
    assert_eq!(text(&format!("{import}{{{{ own(1, 2, x=3) }}}}")), "1232");
    assert!(text(&format!("{import}{{{{ some(x=1) }}}}")).contains("`x`"));
    assert!(text(&format!("{import}{{{{ all(1, first=2) }}}}")).contains("`first`"));
}

#[test]
fn errors_in_macros_show_the_way_there() {
    let files = [
        ("m.jinja", "{% macro m(a) %}\n{{ a.b.c }}\n{% endmacro %}"),
        ("x.zy", "{% from 'm.jinja' import m %}\n{{ m({}) }}\n"),
    ];
    let (result, table) = render_in(&files, "x.zy");
    let error = &result.err().unwrap()[0];
    assert_eq!(&*table.get(error.span.file).path, "m.jinja");
    assert!(!error.labels.is_empty());
    assert_eq!(&*table.get(error.labels[0].span.file).path, "x.zy");
}

#[test]
fn every_byte_of_output_knows_its_source() {
    let files = [
        (
            "m.jinja",
            "{% macro state(n) %}\n{{ n }}-id:\n  test.nop:\n    - name: n{{ n }}\n{% endmacro %}\n{% macro outer(n) %}\nx-{{ n }}:\n  test.nop: []\n{{ state(n) }}\n{% endmacro %}",
        ),
        (
            "x.zy",
            "a: {{ peel_id }}\n{% from 'm.jinja' import outer %}{% for i in [1, 2] %}\n{{ outer(i) }}\n{% endfor %}tail: 1\n",
        ),
    ];
    let (result, table) = render_in(&files, "x.zy");
    let rendered = result.map_err(|e| format!("{e:?}")).unwrap();
    assert!(!rendered.text.contains(|c| ('\u{E000}'..='\u{E0FF}').contains(&c)), "{:?}", rendered.text);
    let at = |needle: &str| {
        let place = rendered.provenance.origin(rendered.text.find(needle).unwrap()).unwrap();
        let file = table.get(place.span.file);
        let rest = file.text[place.span.start as usize..].lines().next().unwrap().to_owned();
        (file.path.to_string(), rest, place.via.len())
    };
    assert_eq!(at("web-01"), ("x.zy".into(), "peel_id }}".into(), 0));
    assert_eq!(at("tail"), ("x.zy".into(), "tail: 1".into(), 0));
    assert_eq!(at("x-1").0, "m.jinja");
    assert_eq!(at("x-1").2, 1);
    assert_eq!(at("- name: n2"), ("m.jinja".into(), "- name: n{{ n }}".into(), 2));
}

#[test]
fn values_keep_their_types_behind_captures_and_empty_texts() {
    let files = [
        ("m.jinja", "{% macro m(a) %}{{ a }}{{ '' }}{{ [a] }}{% endmacro %}"),
        (
            "x.zy",
            "{% from 'm.jinja' import m %}{% set t %}{{ 1 }}{{ none }}{% endset %}{{ '' }}{{ 'x' if false }}\n\
             a: {{ 4 }}\nb: {{ m(5) }}\nc: {{ t }}\nd: {{ pillar.app.port }}\n\
             {% for i in [1, 2] %}{{ i }}: {{ [i] }}\n{% endfor %}e: {{ true }}\n",
        ),
    ];
    let rendered = render_in(&files, "x.zy").0.map_err(|e| format!("{e:?}")).unwrap();
    let holes: Vec<(&str, Value)> = rendered
        .holes
        .iter()
        .filter(|h| !h.text_is_yaml)
        .map(|h| (&rendered.text[h.range.clone()], h.value.clone()))
        .collect();
    let list = |i| Value::List(vec![Value::Int(i)]);
    assert_eq!(
        holes,
        [
            ("4", Value::Int(4)),
            ("1None", Value::from("1None")),
            ("80", Value::Int(80)),
            ("1", Value::Int(1)),
            ("[1]", list(1)),
            ("2", Value::Int(2)),
            ("[2]", list(2)),
            ("True", Value::Bool(true)),
        ]
    );
}

#[test]
fn renders_come_to_an_end() {
    assert!(
        text("{% for a in range(100000) %}{% for b in range(100000) %}{{ b }}{% endfor %}{% endfor %}")
            .starts_with('!')
    );
    assert!(text("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}").starts_with('!'));
}
