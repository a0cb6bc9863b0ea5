//! Lowering of whole trees, without templates: files, and the plan or the findings they give.

use super::*;
use crate::{
    diagnostic::short,
    ir,
    project::OpenOptions,
    source::MemorySources,
    syntax::parse_rendered,
    types::{Constraint, Effect, FunctionKind, Param, Signature, Type},
};
use std::sync::Arc;

/// Reads files as they are.
struct Plain<'p>(&'p Project);

impl Renderer for Plain<'_> {
    fn render(&self, request: &RenderRequest<'_>) -> Result<RenderedDocument, Vec<Diagnostic>> {
        let (file, text) = self.0.read_text(&request.file.path).map_err(|_| Vec::new())?;
        let document = parse_rendered(request.id, &text, &[]);
        let place = move |span: Span| Span { file, ..span };
        let diagnostics = document
            .diagnostics
            .into_iter()
            .map(|mut d| {
                d.span = place(d.span);
                d.labels.iter_mut().for_each(|l| l.span = place(l.span));
                d
            })
            .collect();
        let place_of = Arc::new(move |span| Place { span: place(span), via: Vec::new() });
        let (root, size) = (Root::Rendered(document.root.map(Arc::new)), text.len());
        Ok(RenderedDocument { root, place_of, diagnostics, size })
    }
}

fn param(name: &'static str, ty: Type) -> Param {
    Param {
        name: name.into(),
        aliases: &[],
        ty,
        default: None,
        required: false,
        primary: name == "name",
        doc: "".into(),
        inert: None,
    }
}

fn registry() -> Registry {
    let mut registry = Registry::new();
    let mut add = |name: &'static str, params: Vec<Param>, constraints: Vec<Constraint>| {
        let (module, function) = name.split_once('.').unwrap();
        registry.add(Signature {
            module: module.into(),
            function: function.into(),
            kind: FunctionKind::State,
            doc: "".into(),
            params,
            constraints,
            returns: Type::Any,
            open: false,
            effect: Effect::Mutating,
            watches: false,
            never_changes: module == "test",
            fleet: false,
            platforms: &[],
        });
    };
    add(
        "file.managed",
        vec![
            param("name", Type::Path),
            param("source", Type::List(Box::new(Type::Source))),
            param("contents", Type::Str),
            param("mode", Type::Mode),
            param("context", Type::Map(Box::new(Type::Any))),
            param("makedirs", Type::Bool),
        ],
        vec![Constraint::AtMostOneOf(&["source", "contents"])],
    );
    let mut target = param("target", Type::Path);
    target.required = true;
    add("file.symlink", vec![param("name", Type::Path), target], vec![]);
    let version = || param("version", Type::Version);
    add("pkg.installed", vec![param("name", Type::Str), version()], vec![]);
    add("pkg.latest", vec![param("name", Type::Str)], vec![]);
    add("service.running", vec![param("name", Type::Str), param("enable", Type::Bool)], vec![]);
    add("cmd.run", vec![param("name", Type::Command), param("cwd", Type::Path)], vec![]);
    add(
        "user.present",
        vec![param("name", Type::User), param("password", Type::Secret(Box::new(Type::Str)))],
        vec![],
    );
    add("test.nop", vec![param("name", Type::Str)], vec![]);
    registry
}

fn run(files: &[(&str, &str)], request: Request) -> (Lowered, Arc<crate::source::Files>) {
    let sources = files.iter().fold(MemorySources::new(), |s, (path, text)| s.with(*path, text));
    let project = Project::open(Arc::new(sources), OpenOptions::default()).unwrap();
    let facts = Facts { id: "web-01".to_owned(), ..Facts::default() };
    let lowered = lower(&LowerInput {
        project: &project,
        registry: &registry(),
        custom: &CustomModules::default(),
        renderer: &Plain(&project),
        facts: &facts,
        settings: &Value::Null,
        nodegroups: &Nodegroups::new(),
        env: None,
        request,
    });
    (lowered, project.files().clone())
}

fn files_of(text: &str) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if let Some(path) = line.strip_prefix("-- ").and_then(|l| l.strip_suffix(" --")) {
            files.push((format!("states/{path}"), String::new()));
        } else if let Some((_, body)) = files.last_mut() {
            body.push_str(line);
            body.push('\n');
        }
    }
    files
}

fn apply(text: &str) -> (Lowered, Arc<crate::source::Files>) {
    let files = files_of(text);
    let files: Vec<(&str, &str)> = files.iter().map(|(p, t)| (p.as_str(), t.as_str())).collect();
    let request = if files.iter().any(|(p, _)| *p == "states/top.zy") {
        Request::Highstate
    } else {
        Request::Refs(vec!["a".to_owned()])
    };
    run(&files, request)
}

/// Labels of the states in order, with the words of their requisites.
#[track_caller]
fn order(text: &str) -> Vec<String> {
    let (lowered, files) = apply(text);
    let Some(dag) = lowered.dag else { panic!("{}", short(&lowered.diagnostics, &files)) };
    ir::text(&dag)
        .lines()
        .filter(|l| !l.starts_with(' '))
        .map(|l| l.split("  [").next().unwrap().to_owned())
        .collect()
}

/// Findings, short; the paths lose `states/`.
fn findings(text: &str) -> String {
    let (lowered, files) = apply(text);
    short(&lowered.diagnostics, &files).replace("states/", "")
}

#[track_caller]
fn plan(text: &str) -> String {
    let (lowered, files) = apply(text);
    let Some(dag) = lowered.dag else { panic!("{}", short(&lowered.diagnostics, &files)) };
    ir::text(&dag).replace("states/", "")
}

#[test]
fn all_forms_of_a_body_mean_the_same() {
    let forms = [
        "nginx:\n  pkg.installed:\n    - version: 1.10\n",
        "nginx:\n  pkg.installed:\n    version: 1.10\n",
        "nginx:\n  pkg:\n    - installed\n    - version: 1.10\n",
        "nginx: {pkg: [installed, {version: 1.10}]}\n",
    ];
    for form in forms {
        let plan = plan(&format!("-- a.zy --\n{form}"));
        let lines: Vec<&str> = plan.lines().map(|l| l.split("  [").next().unwrap()).collect();
        assert_eq!(lines, ["pkg.installed nginx", "    name: nginx", "    version: \"1.10\""], "{form}");
    }
    for form in ["nginx: pkg.installed\n", "nginx:\n  pkg.installed:\n", "nginx:\n  pkg.installed: []\n"] {
        assert_eq!(order(&format!("-- a.zy --\n{form}")), ["pkg.installed nginx"], "{form}");
    }
}

#[test]
fn files_run_from_top_to_bottom_with_includes_first() {
    let tree = "\
-- a.zy --
include: [b, .c]
one: test.nop
-- b.zy --
include:
  - c
two: test.nop
-- c.zy --
three: test.nop
";
    assert_eq!(order(tree), ["test.nop three", "test.nop two", "test.nop one"]);
}

#[test]
fn requisites_order_and_point_at_their_place() {
    let tree = "\
-- a.zy --
web:
  service.running:
    - name: nginx
    - watch:
      - file: /etc/conf
      - pkg.installed: nginx
    - onchanges: [ { id: /etc/conf } ]
/etc/conf:
  file.managed:
    - mode: 0644
    - source: zester://conf
    - require_in: nginx
nginx:
  pkg: [installed]
";
    assert_eq!(
        plan(tree),
        "\
file.managed /etc/conf  [a.zy:9:3]
\x20   name: /etc/conf
\x20   mode: \"0644\"
\x20   source: [\"zester://conf\"]
pkg.installed nginx  [a.zy:14:3]
\x20   name: nginx
\x20   require: file.managed /etc/conf
service.running web (nginx)  [a.zy:2:3]
\x20   name: nginx
\x20   require: file.managed /etc/conf
\x20   watch: file.managed /etc/conf
\x20   watch: pkg.installed nginx
\x20   onchanges: file.managed /etc/conf
"
    );
}

#[test]
fn extend_appends_requisites_and_replaces_the_rest() {
    let tree = "\
-- a.zy --
include: b
extend:
  nginx:
    service:
      - enable: false
      - watch: [ { file: /etc/b } ]
    pkg.installed:
      - version: 2.10
/etc/b:
  file.managed:
    - contents: x
-- b.zy --
nginx:
  pkg.installed:
    - version: 1
  service.running:
    - enable: true
    - watch:
      - pkg: nginx
";
    assert_eq!(
        plan(tree),
        "\
pkg.installed nginx  [b.zy:2:3]
\x20   name: nginx
\x20   version: \"2.10\"
file.managed /etc/b  [a.zy:10:3]
\x20   name: /etc/b
\x20   contents: x
service.running nginx  [b.zy:4:3]
\x20   name: nginx
\x20   enable: false
\x20   watch: file.managed /etc/b
\x20   watch: pkg.installed nginx
"
    );
}

#[test]
fn names_make_one_state_each_with_their_own_arguments() {
    let tree = "\
-- a.zy --
conf:
  file.managed:
    - mode: 0600
    - names:
      - /etc/x
      - /etc/y:
        - mode: 0644
        - contents: y
after:
  cmd.run:
    - name: reload
    - onchanges:
      - file: conf
before:
  test.nop:
    - require_in:
      - file: /etc/y
";
    assert_eq!(
        plan(tree),
        "\
file.managed conf (/etc/x)  [a.zy:2:3]
\x20   name: /etc/x
\x20   mode: \"0600\"
test.nop before  [a.zy:15:3]
\x20   name: before
file.managed conf (/etc/y)  [a.zy:2:3]
\x20   name: /etc/y
\x20   mode: \"0644\"
\x20   contents: y
\x20   require: test.nop before
cmd.run after (reload)  [a.zy:10:3]
\x20   name: reload
\x20   onchanges: file.managed conf (/etc/x)
\x20   onchanges: file.managed conf (/etc/y)
"
    );
}

#[test]
fn excluded_states_are_gone() {
    let tree = "\
-- a.zy --
include: [b, c.d]
exclude:
  - id: x
  - sls: c.d
one: test.nop
-- b.zy --
x: test.nop
y: test.nop
-- c/d.zy --
z: test.nop
";
    assert_eq!(order(tree), ["test.nop y", "test.nop one"]);
}

#[test]
fn order_and_prereq_decide_among_free_states() {
    let tree = "\
-- a.zy --
last: {test.nop: [order: last]}
late: {test.nop: [order: -1]}
plain: test.nop
five: {test.nop: [order: 5]}
first: {test.nop: [order: first]}
deploy: {test.nop: [order: 1]}
stop: {test.nop: [prereq: [test: deploy], order: last]}
";
    assert_eq!(
        order(tree).iter().map(|s| s.strip_prefix("test.nop ").unwrap()).collect::<Vec<_>>(),
        ["first", "five", "plain", "late", "last", "stop", "deploy"]
    );
}

#[test]
fn a_whole_file_is_a_target_even_when_it_is_empty() {
    let tree = "\
-- a.zy --
include: [b, empty]
one:
  test.nop:
    - require: [ {sls: b}, {sls: .empty} ]
-- b.zy --
two: test.nop
three: test.nop
-- empty.zy --
# nothing yet
";
    assert_eq!(order(tree), ["test.nop two", "test.nop three", "test.nop one"]);
}

#[test]
fn attributes_are_typed() {
    let tree = "\
-- a.zy --
x:
  cmd.run:
    - onlyif: test -d /a
    - unless:
      - fun: file.exists
        args: [/b]
      - false
    - creates: [/c, /d]
    - retry: {attempts: 3, interval: 1m}
    - failhard: yes
    - runas: www
    - timeout: 5m
    - umask: 022
    - order: 7
    - use: [ {cmd: y} ]
y:
  cmd.run:
    - cwd: /tmp
";
    assert_eq!(
        plan(tree),
        "\
cmd.run x  [a.zy:2:3]
\x20   name: x
\x20   cwd: /tmp
\x20   onlyif: test -d /a
\x20   unless: file.exists(/b)
\x20   unless: \"false\"
\x20   creates: /c
\x20   creates: /d
\x20   retry: attempts=3, until=true, interval=60s, splay=0s
\x20   failhard: true
\x20   runas: www
\x20   timeout: 300s
\x20   umask: 0022
\x20   order: 7
cmd.run y  [a.zy:17:3]
\x20   name: y
\x20   cwd: /tmp
"
    );
}

#[test]
fn secrets_are_masked_in_what_is_shown() {
    let shown = plan("-- a.zy --\njoe:\n  user.present:\n    - password: $6$secret\n");
    assert!(shown.contains("password: ***") && !shown.contains("secret"), "{shown}");
}

#[test]
fn top_files_select_by_target_and_environment() {
    let tree = "\
-- top.zy --
base:
  'web*':
    - a
    - b
  'db*': [c]
  'not-me,web-01':
    - match: list
    - d
-- a.zy --
one: test.nop
-- b.zy --
include: [a]
two: test.nop
-- c.zy --
three: test.nop
-- d.zy --
four: test.nop
";
    assert_eq!(order(tree), ["test.nop one", "test.nop two", "test.nop four"]);
}

#[test]
fn what_a_missing_file_may_hold_is_not_missed_twice() {
    let tree = "-- a.zy --\ninclude: [b]\nx:\n  test.nop:\n    - require: [id: y]\n";
    assert_eq!(findings(tree), "a.zy:1:11: error[Z0101] No state file is named `b`\n");
}

#[test]
fn every_wrong_thing_is_reported_at_its_place() {
    for (tree, expected) in WRONG {
        assert_eq!(findings(tree), *expected, "{tree}");
    }
}

const WRONG: &[(&str, &str)] = &[
    (
        "-- a.zy --\nnginx:\n  pkg.latest: []\n  service.running:\n    - require:\n      - pkg.installed: nginx\n",
        "a.zy:5:24: error[Z0301] `require` names no state that exists: pkg.installed: nginx\n",
    ),
    (
        "-- a.zy --\nnginx:\n  pkg.latest: []\n  service.running:\n    - require:\n      - pkg: ngnix\n",
        "a.zy:5:14: error[Z0301] `require` names no state that exists: pkg: ngnix\n",
    ),
    (
        "-- a.zy --\nnginx:\n  pkg.latest:\n    - require_in: [service.running:ngnix]\n",
        "a.zy:3:20: error[Z0301] `require_in` names no state that exists: service.running: ngnix\n",
    ),
    (
        "-- a.zy --\nx: {test.nop: [require: true]}\ny: {test.nop: [require: [5, [a], {pkg: [b]}]]}\n",
        "a.zy:1:25: error[Z0302] An item of `require` names a state, found `true`\na.zy:2:26: error[Z0302] An item of `require` names a state, found `5`\na.zy:2:29: error[Z0302] An item of `require` names a state, found a list\na.zy:2:35: error[Z0302] An item of `require` names one state, found a list\n",
    ),
    (
        "-- a.zy --\nx: {test.nop: [require: [test: x]]}\n",
        "a.zy:1:26: error[Z0304] `x` is its own `require`\n",
    ),
    (
        "-- a.zy --\nx: {test.nop: [require: [test: y]]}\ny: {test.nop: [watch: [test: z]]}\nz: {test.nop: [prereq_in: [test: x], require: [id: x]]}\n",
        "a.zy:3:28: error[Z0303] These states wait for each other: test.nop: x → test.nop: y → test.nop: z → test.nop: x\n",
    ),
    (
        "-- a.zy --\nx:\n  test.nop:\n    - onfail: [test: y]\n    - require: [test: y]\ny: test.nop\n",
        "a.zy:4:17: error[Z0305] `require` and `onfail` on `y` can never be met together, so this state never runs\n",
    ),
    (
        "-- a.zy --\nx:\n  cmd.run:\n    - onchanges: [test: y]\ny: test.nop\n",
        "a.zy:3:19: warning[Z0306] `x` never runs: `test.nop` never reports a change\n",
    ),
    (
        "-- a.zy --\nx:\n  pkg.installed:\n    - require: []\n    - require: []\n",
        "a.zy:4:7: error[Z0207] `require` is given twice\n",
    ),
    (
        "-- a.zy --\ninclude: [b]\nx: pkg.installed\n-- b.zy --\nx: pkg.installed\n",
        "a.zy:2:1: error[Z0221] `x` has `pkg.installed` twice\n",
    ),
    (
        "-- a.zy --\ninclude: [b.nginx, c]\n-- b/ngnix.zy --\n\n-- c.zy --\ninclude: [d]\n-- d.zy --\ninclude: [c]\n",
        "a.zy:1:11: error[Z0101] No state file is named `b.nginx`\nd.zy:1:11: error[Z0103] These files include each other: c → d → c\n",
    ),
    (
        "-- a.zy --\nextend: {x: {pkg.latest: []}, z: {pkg: []}}\nx: pkg.installed\n",
        "a.zy:1:14: error[Z0109] `extend` names `pkg.latest` of `x`, which has `pkg.installed`\na.zy:1:31: error[Z0109] `extend` names `z`, and no state of this run has that id\n",
    ),
    (
        "-- a.zy --\nexclude: [x, id: q]\nx: pkg.installed\n",
        "a.zy:1:11: error[Z0110] This excludes nothing: no file of this run is named `x`; there is an id of that name\na.zy:1:18: error[Z0110] This excludes nothing: no state of this run has the id `q`\n",
    ),
    (
        "-- a.zy --\nx:\n  - pkg.installed\ny: pkg.installed - name\nz:\n  name: foo\nq:\n  pkg.installed: foo\nr:\n  pkg.installed:\n    - version 1\n",
        "a.zy:2:3: error[Z0218] The body of `x` is a map of functions, found a list\na.zy:3:4: error[Z0218] The body of `y` is a function or a map of functions, found text\na.zy:5:3: error[Z0219] `name` names no function in `z`\na.zy:7:18: error[Z0218] `pkg.installed` takes a list of parameters, found text\na.zy:10:7: error[Z0218] A parameter is written `key: value`, found text\n",
    ),
    (
        "-- a.zy --\n/x:\n  file.managed:\n    - sorce: zester://x\n    - mode: 644\n    - makedirs: maybe\n/y:\n  file.symlink: []\n/z:\n  file.managed:\n    - source: zester://z\n    - contents: z\n",
        "a.zy:3:7: error[Z0203] `file.managed` has no parameter `sorce`\na.zy:4:13: hint[Z0216] The mode `644` is a decimal number for other readers of YAML\na.zy:5:17: error[Z0204] `makedirs`: expected true or false, found `maybe`\na.zy:7:3: error[Z0205] `file.symlink` needs the parameter `target`\na.zy:11:7: error[Z0206] `source` and `contents` exclude each other\n",
    ),
    (
        "-- a.zy --\n/x:\n  file.managed:\n    - context:\n      a: 1\n      b: 22:22\nx: {test.nop: [retry: soon, order: frist, names: [a, b]]}\n",
        "a.zy:4:7: warning[Z0220] The keys of `context` stand in its own column\na.zy:5:10: hint[Z0217] `22:22` is text here, and a number in base 60 for other readers of YAML\na.zy:6:23: error[Z0204] `retry`: expected an integer from 1 to 10000, true or false or a map with the keys `attempts`, `until`, `interval`, `splay`, found `soon`\na.zy:6:36: error[Z0209] `order`: expected an integer or `first` or `last`, found `frist`\n",
    ),
    (
        "-- a.zy --\ninclude:\n  b: c\nx: {pgk.installed: []}\n",
        "a.zy:2:3: error[Z0107] `include` takes a list of refs, found a map\na.zy:3:5: error[Z0201] There is no state module `pgk`\n",
    ),
];
