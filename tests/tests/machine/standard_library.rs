//! Functions as authors write them: text is lowered by the signatures of the standard library and applied to a made-up
//! machine, twice.

use std::sync::Arc;
use zester_compiler::{
    check::functions::CustomModules,
    diagnostic::{Diagnostic, Severity, short},
    ir::Dag,
    lower::{LowerInput, Place, RenderRequest, RenderedDocument, Renderer, Request, Root, lower},
    project::{OpenOptions, Project},
    source::{MemorySources, Span},
    syntax::parse_rendered,
    target::Nodegroups,
    types::{Facts, Map, Value},
};
use zester_stdlib::{Context, library, provider::fake::FakeMachine};

/// Takes files as they are: nothing here is a template.
struct Plain<'p>(&'p Project);

impl Renderer for Plain<'_> {
    fn render(&self, request: &RenderRequest<'_>) -> Result<RenderedDocument, Vec<Diagnostic>> {
        let (file, text) = self.0.read_text(&request.file.path).map_err(|_| Vec::new())?;
        let document = parse_rendered(request.id, &text, &[]);
        let place_of = Arc::new(move |span: Span| Place { span: Span { file, ..span }, via: Vec::new() });
        let (root, size) = (Root::Rendered(document.root.map(Arc::new)), text.len());
        Ok(RenderedDocument { root, place_of, diagnostics: document.diagnostics, size })
    }
}

fn plan(text: &str) -> Dag {
    let sources = MemorySources::new().with("states/a.zy", text);
    let project = Project::open(Arc::new(sources), OpenOptions::default()).unwrap();
    let lowered = lower(&LowerInput {
        project: &project,
        registry: library().registry(),
        custom: &CustomModules::default(),
        renderer: &Plain(&project),
        facts: &Facts::default(),
        settings: &Value::Map(Map::new()),
        nodegroups: &Nodegroups::default(),
        env: None,
        request: Request::Refs(vec!["a".to_owned()]),
    });
    let loud: Vec<Diagnostic> =
        lowered.diagnostics.iter().filter(|d| d.severity != Severity::Hint).cloned().collect();
    assert!(loud.is_empty(), "{}", short(&loud, project.files()));
    // Hints about `640` and `0644` are deserved: the states are written as people write them.
    match lowered.dag {
        Some(dag) => dag,
        None => panic!("{}", short(&lowered.diagnostics, project.files())),
    }
}

/// Applies all states in order; the ids of those that changed something.
fn apply(dag: &Dag, cx: &Context) -> Vec<String> {
    let library = library();
    let mut changed = Vec::new();
    for index in &dag.schedule {
        let node = &dag.graph[*index];
        let state = library.build(&node.function.to_string(), &node.args).unwrap();
        let plan = state.plan(cx).unwrap_or_else(|failure| panic!("{}: {}", node.id, failure.message));
        if let Some(apply) = plan.apply {
            apply(cx).unwrap_or_else(|failure| panic!("{}: {}", node.id, failure.message));
            changed.push(node.id.clone());
        }
    }
    changed
}

const STATES: &str = r##"
/etc/app:
  file.directory:
    - user: root
    - mode: 0750
    - makedirs: true
    - recurse: [user, group, mode]
    - group: root
    - file_mode: 640

/etc/app/main.conf:
  file.managed:
    - source:
      - salt://missing.conf
      - salt://main.conf
    - template: jinja
    - context: {port: 8080}
    - mode: 640
    - backup: minion
    - user: root

/etc/app/inline.conf:
  file.managed:
    - contents: |
        version = 1.10
        on = yes
    - mode: "0640"
    - replace: no

/etc/app/lines.conf:
  file.managed:
    - contents: [one, 2, yes]
    - mode: 640

current:
  file.symlink:
    - name: /etc/app/link
    - target: main.conf

change port:
  file.replace:
    - name: /etc/app/inline.conf
    - pattern: ^on = .*$
    - repl: "on = no"
    - flags: [IGNORECASE, MULTILINE]
    - backup: false

append:
  file.append:
    - name: /etc/hosts
    - text:
      - 127.0.0.1 localhost
      - |
        # two
        # lines

block:
  file.blockreplace:
    - name: /etc/hosts
    - marker_start: "# BEGIN"
    - marker_end: "# END"
    - content: 10.0.0.1 db
    - append_if_not_found: True
    - backup: '.old'

values:
  file.keyvalue:
    - name: /etc/app/inline.conf
    - key_values:
        version: 1.11
        debug: 'off'
    - separator: " = "
    - append_if_not_found: true

data:
  file.serialize:
    - name: /etc/app/data.yaml
    - dataset: {a: [1, yes, "no"], b: {c: 0644}}
    - formatter: yaml
    - mode: 0640

tree:
  file.recurse:
    - name: /srv/tree
    - source: zester://tree
    - clean: true
    - exclude_pat: E@\.bak$
    - file_mode: keep

line:
  file.line:
    - name: /etc/hosts
    - mode: ensure
    - content: 10.0.0.2 cache
    - after: ^::1

/tmp/stamp: file.touch
/tmp/gone: file.absent
looks:
  file.exists:
    - name: /etc/hosts

nothing:
  test.nop:
    - anything: goes
shown:
  test.show_notification:
    - text: hello
settings:
  test.check_pillar:
    - present: []

waits:
  cmd.wait:
    - name: systemctl daemon-reload
    - env:
      - LANG: C
      - N: 1
    - stateful: false

waits too:
  module.wait:
    - test.echo:
      - text: x
"##;

#[test]
fn what_authors_write_is_applied_once() {
    let machine = FakeMachine::new();
    machine.tree.put("main.conf", "port {{ port }}\n");
    machine.tree.put("tree/a", "a");
    machine.tree.put("tree/b/c", "c");
    machine.files.put("/etc/hosts", "::1 localhost\n");
    machine.files.put("/srv/tree/old", "");
    machine.files.put("/srv/tree/x.bak", "");
    machine.files.put("/tmp/gone", "");
    let dag = plan(STATES);
    let first = apply(&dag, &machine.context());
    assert_eq!(
        first,
        [
            "/etc/app",
            "/etc/app/main.conf",
            "/etc/app/inline.conf",
            "/etc/app/lines.conf",
            "current",
            "change port",
            "append",
            "block",
            "values",
            "data",
            "tree",
            "line",
            "/tmp/stamp",
            "/tmp/gone",
        ]
    );
    let second = apply(&dag, &machine.context());
    assert_eq!(second, Vec::<String>::new());
    let text = |path| machine.files.text(path);
    assert_eq!(text("/etc/app/main.conf"), "port 8080\n");
    assert_eq!(text("/etc/app/inline.conf"), "version = 1.11\non = no\ndebug = off\n");
    assert_eq!(text("/etc/app/lines.conf"), "one\n2\nyes\n");
    assert_eq!(
        text("/etc/hosts"),
        "::1 localhost\n10.0.0.2 cache\n127.0.0.1 localhost\n# two\n# lines\n# BEGIN\n10.0.0.1 db\n# END\n"
    );
    assert_eq!(text("/etc/app/data.yaml"), "a:\n- 1\n- true\n- 'no'\nb:\n  c: 644\n");
    assert_eq!(text("/srv/tree/b/c"), "c");
}

/// Spellings that real trees have; each has to be accepted without a word.
const SPELLINGS: &str = r#"
managed:
  file.managed:
    - name: ~/x
    - source: [salt://x?saltenv=dev, {https://x/y: sha256=2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824}]
    - source_hash: https://x/y.sha256
    - skip_verify: True
    - backup: ''
    - mode: keep
    - dir_mode: '02775'
    - user: 0
    - group: '1000'
    - context:
        a: [1, 2]
    - defaults: {}
    - template: jinja
    - makedirs: True
    - show_changes: False
    - check_cmd: visudo -c -f
    - tmp_ext: .tmp
    - encoding: utf-8
managed text:
  file.managed:
    - name: /x
    - contents: 5
    - source_hash: md5=5d41402abc4b2a76b9719d911017c592
    - follow_symlinks: False
managed setting:
  file.managed:
    - name: /x
    - contents_pillar: a:b
    - contents_newline: False
    - backup: minion
directory:
  file.directory:
    - name: /x/
    - recurse: user
    - user: root
    - dir_mode: 2775
    - max_depth: 1
    - exclude_pat: '*.swp'
    - clean: True
symlink:
  file.symlink:
    - name: /x
    - target: ../y
    - force: True
replace:
  file.replace:
    - name: /x
    - pattern: '^#?\s*Port(?P<x>.*)$'
    - repl: ''
    - flags: 8
    - count: 1
    - bufsize: file
    - backup: False
replace flags:
  file.replace:
    - name: /x
    - pattern: a
    - repl: b
    - flags: ['IGNORECASE', 'MULTILINE']
    - append_if_not_found: True
    - not_found_content: 5
line:
  file.line:
    - name: /x
    - mode: delete
    - match: ^x
    - content: ''
accumulated:
  file.accumulated:
    - filename: /x
    - text: one
serialize:
  file.serialize:
    - name: /x
    - dataset_pillar: a
    - serializer: json
    - serializer_opts:
      - indent: 4
copied:
  file.copy:
    - name: /x
    - source: /y
    - mode: '0644'
comment:
  file.comment:
    - name: /x
    - regex: ^a
    - char: ';'
    - backup: '.bak'
run:
  cmd.run:
    - name: |
        set -e
        true
    - env:
      - PATH: /x:/y
      - N: 1
      - OFF: False
    - cwd: /tmp
    - runas: root
    - shell: /bin/bash
    - timeout: 30
    - stateful: True
    - success_retcodes: 2
    - umask: '022'
    - creates: /x
    - bg: False
run text env:
  cmd.run:
    - name: /bin/true
    - env: A=b
    - stateful:
      - test_name: /bin/true
    - unless: test -e /x
    - onlyif:
      - true
    - creates: [/x, /y]
script:
  cmd.script:
    - name: install
    - source: salt://x.sh
    - args: -a "b c"
    - env: {A: b}
archive:
  archive.extracted:
    - name: /x
    - source: https://x/y.tar.gz
    - source_hash: sha256=2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
    - archive_format: tar
    - options: v --strip-components=1
    - enforce_toplevel: False
    - trim_output: 50
    - if_missing: /x/y
    - user: root
module old:
  module.run:
    - name: service.restart
    - m_name: nginx
module new:
  module.run:
    - service.restart:
      - name: nginx
    - test.echo: x
state:
  test.configurable_test_state:
    - changes: Random
    - result: False
    - comment: x
"#;

#[test]
fn spellings_of_real_trees_are_accepted() {
    let library = library();
    let dag = plan(SPELLINGS);
    for index in &dag.schedule {
        let node = &dag.graph[*index];
        if let Err(message) = library.build(&node.function.to_string(), &node.args) {
            panic!("{}: {message}: {:?}", node.id, node.args);
        }
    }
    assert_eq!(dag.schedule.len(), 19);
}
