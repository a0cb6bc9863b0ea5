//! One file of a project, checked, rendered and lowered, among files that are right.

use super::{language::renderings, spans};
use std::{
    fmt::Write,
    sync::{Arc, OnceLock},
};
use zester_compiler::{
    check::{self, CheckOptions, functions::CustomModules},
    diagnostic::Diagnostic,
    lower::{self, LowerInput, TemplateRenderer},
    project::{OpenOptions, Project, ProjectTemplates, TreeKind},
    settings::{self, KeepSealed, Override, Request},
    source::{Files, MemorySources, Span},
    syntax,
    template::{Environment, Functions},
    types::{Effect, Facts, FunctionKind, Map, Value},
};

const CONFIG: &str = "extensions: [zy, sls]\nnodegroups: {web: 'web*'}\n";
const OTHER: &str = "nginx:\n  pkg.installed: []\n/etc/motd:\n  file.managed:\n    - contents: hello\n";
const MACROS: &str = "{% macro installed(name) %}\n{{ name }}:\n  pkg.installed: []\n{% endmacro %}\n{% macro text(x) %}-{{ x }}-{% endmacro %}\n";
const DATA: &str = "ports: [80, 443]\nweb: nginx\n";
const SETTINGS: &str = "app: {name: shop, ports: [80, 443], owner: www-data}\naccounts: {ada: {uid: 1000, groups: [adm]}}\nweb: {port: 80}\n";

fn library() -> &'static zester_stdlib::Library {
    static LIBRARY: OnceLock<zester_stdlib::Library> = OnceLock::new();
    LIBRARY.get_or_init(zester_stdlib::library)
}

fn project_with(path: &str, data: &[u8]) -> Arc<Project> {
    let sources = MemorySources::new()
        .with("zester.yaml", CONFIG)
        .with("states/other.zy", OTHER)
        .with("states/lib/macros.jinja", MACROS)
        .with("states/lib/apache.jinja", MACROS)
        .with("states/data/ports.yaml", DATA)
        .with("states/top.zy", "base:\n  '*': [other, a]\n")
        .with("settings/top.zy", "base:\n  '*': [first, a, last]\n")
        .with("settings/first.zy", SETTINGS)
        .with("settings/last.zy", "app: {ports: [8080]}\n")
        .with(path, data);
    Arc::new(Project::open(Arc::new(sources), OpenOptions::default()).expect("the configuration is right"))
}

fn some_facts() -> Arc<Facts> {
    static FACTS: OnceLock<Arc<Facts>> = OnceLock::new();
    let made = FACTS.get_or_init(|| {
        let mut facts = Facts::default();
        facts
            .merge_text("{id: web-01, os: {name: linux, family: debian, platform: debian, platform_version: '12', arch: amd64}, cpu: {count: 4}, memory: {total: 17179869184}, network: {hostname: web-01, ipv4: [10.0.0.5]}, roles: [web]}")
            .expect("the facts are right");
        Arc::new(facts)
    });
    made.clone()
}

/// The library's functions by name and effect, of which none is run: a mutated command line is nobody's wish.
struct Silent;

impl Functions for Silent {
    fn effect(&self, name: &str) -> Option<Effect> {
        let (module, function) = name.split_once('.')?;
        library().registry().get(FunctionKind::Exec, module, function).map(|s| s.effect)
    }

    fn names(&self) -> Vec<String> {
        library().registry().signatures(FunctionKind::Exec).map(|s| s.name()).collect()
    }

    fn call(&self, name: &str, args: &[Value], kwargs: &Map) -> Result<Value, String> {
        match name.len() % 5 {
            0 => Ok(Value::Null),
            1 => Ok(Value::Str(format!("{name} {}", args.len()))),
            2 => Ok(Value::List(args.to_vec())),
            3 => Ok(Value::Map(kwargs.clone())),
            _ => Err(format!("`{name}` fails")),
        }
    }
}

fn hold_places(project: &Project, diagnostics: &[Diagnostic]) {
    spans::of_diagnostics(project.files(), diagnostics);
}

fn shown(files: &Files, diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().fold(String::new(), |mut all, d| {
        let (path, at) = files.locate(d.span);
        let _ = writeln!(all, "{path}:{at:?} {} {} {:?} {:?}", d.rule.code, d.message, d.help, d.fixes);
        all
    })
}

/// All rules on a project with one such file, twice.
pub fn check(data: &[u8]) {
    let run = || {
        let project = project_with("states/a.zy", data);
        let report = check::check(&project, library().registry(), &CheckOptions::default())
            .expect("no path was given that could be missing");
        hold_places(&project, &report.diagnostics);
        let text = shown(project.files(), &report.diagnostics);
        (project, report, text)
    };
    let (project, report, first) = run();
    renderings(&report.diagnostics, project.files());
    assert_eq!(first, run().2, "the same files give other findings");
}

/// One state file rendered: every byte of the output has a source, and the findings of its YAML have theirs.
pub fn render(data: &[u8]) {
    let project = project_with("states/a.zy", data);
    let Ok((id, source)) = project.read_text("states/a.zy") else { return };
    let (facts, settings) = (some_facts(), some_settings());
    let templates = ProjectTemplates { project: project.clone(), kind: TreeKind::States };
    let environment = Environment::new(Arc::new(templates), Arc::new(Silent));
    let renderer = TemplateRenderer {
        project: &project,
        environment: &environment,
        facts: &facts,
        settings: &settings,
        test: true,
    };
    let rendered = match renderer.text("states/a.zy", "a.zy", "base", "a") {
        Ok(rendered) => rendered,
        Err(found) => {
            assert!(!found.is_empty(), "a render fails without a word");
            return hold_places(&project, &found);
        }
    };
    hold_places(&project, &rendered.diagnostics);
    let text = rendered.text.as_str();
    for hole in &rendered.holes {
        assert!(text.get(hole.range.clone()).is_some(), "{:?} is no place of the output", hole.range);
    }
    let held = |place: &zester_compiler::template::Place, what: &str| {
        for span in std::iter::once(&place.span).chain(place.via.iter().map(|(span, _)| span)) {
            spans::hold(&project.files().get(span.file).text, *span, what);
        }
    };
    let step = text.len() / 500 + 1;
    for (at, _) in text.char_indices().step_by(step) {
        match rendered.provenance.origin(at) {
            Some(place) => held(&place, "an origin"),
            None => panic!("byte {at} comes from nowhere"),
        }
    }
    let document = syntax::parse_rendered(id, text, &rendered.holes);
    document.root.iter().for_each(|root| spans::of_node(text, root));
    for diagnostic in &document.diagnostics {
        spans::hold(text, diagnostic.span, diagnostic.rule.code);
        rendered.provenance.place(diagnostic.span.range()).iter().for_each(|p| held(p, diagnostic.rule.code));
    }
    if !source.contains(['{', '\u{feff}']) {
        assert_eq!(text, &*source, "a text without templates is its own rendering");
    }
    // What cannot be repeated cannot be reviewed.
    if !source.contains("random") && !source.contains("now") && !source.contains("uuid") {
        let again = renderer.text("states/a.zy", "a.zy", "base", "a").map(|r| r.text).ok();
        assert_eq!(again.as_deref(), Some(text), "the same file renders to other text");
    }
}

/// One state file to its plan, twice, and alone what no file may do: change the plan of the others without a finding.
pub fn lower(data: &[u8]) {
    let (facts, settings) = (some_facts(), some_settings());
    let run = || {
        let project = project_with("states/a.zy", data);
        let templates = ProjectTemplates { project: project.clone(), kind: TreeKind::States };
        let environment = Environment::new(Arc::new(templates), Arc::new(Silent));
        let renderer = TemplateRenderer {
            project: &project,
            environment: &environment,
            facts: &facts,
            settings: &settings,
            test: true,
        };
        let lowered = lower::lower(&LowerInput {
            project: &project,
            registry: library().registry(),
            custom: &CustomModules::default(),
            renderer: &renderer,
            facts: &facts,
            settings: &settings,
            nodegroups: &project.config().nodegroups,
            env: None,
            request: lower::Request::Highstate,
        });
        hold_places(&project, &lowered.diagnostics);
        let wrong = lowered.diagnostics.iter().any(Diagnostic::is_error);
        assert_eq!(lowered.dag.is_none(), wrong, "a plan beside errors, or neither of them");
        let plan = lowered.dag.map(|dag| {
            assert_eq!(dag.schedule.len(), dag.graph.node_count());
            dag.encode()
        });
        (shown(project.files(), &lowered.diagnostics), plan)
    };
    let text = String::from_utf8_lossy(data);
    let first = run();
    if !text.contains("random") && !text.contains("now") && !text.contains("uuid") {
        assert!(first == run(), "the same files give another plan or other findings: {}", first.0);
    }
}

fn some_settings() -> Arc<Value> {
    Arc::new(zester_compiler::project::read_yaml(SETTINGS).expect("the settings are right"))
}

/// One settings file between two others, and published without its secrets.
pub fn settings(data: &[u8]) {
    let project = project_with("settings/a.zy", data);
    let facts = some_facts();
    let functions: Arc<dyn Functions> = Arc::new(Silent);
    let request = Request { facts: &facts, env: None, overrides: &[] };
    let (resolved, found) = settings::resolve(&project, &functions, &request);
    hold_places(&project, &found);
    assert!(matches!(&*resolved.value, Value::Map(_)));
    let _ = resolved.masked();
    for file in &resolved.files {
        assert!(file.starts_with("settings/"), "{file}");
    }
    if let Ok(tree) = project.tree("settings/a.zy") {
        match settings::sanitize(&tree, "settings/a.zy", Some(&KeepSealed)) {
            Ok(clean) => {
                let id = project.files().add("settings/clean.zy", clean.text.as_str());
                let again = settings::sanitize(
                    &syntax::parse(id, &project.files().get(id).text),
                    "settings/clean.zy",
                    Some(&KeepSealed),
                );
                let again = again.expect("what is published can be read again");
                assert_eq!(again.secrets.len(), clean.secrets.len(), "{:?}", clean.text);
                let names = clean.secrets.keys().map(|name| format!("__ZESTER_SECRET:{name}__"));
                assert!(
                    names.collect::<Vec<_>>().iter().eq(again.secrets.values()),
                    "a secret is published: {:?}",
                    clean.text
                );
            }
            Err(found) => hold_places(&project, &found),
        }
    }
    let files = Files::default();
    if let Ok(text) = std::str::from_utf8(data)
        && let Err(error) = Override::parse(text, &files)
    {
        assert!(!error.to_string().is_empty());
    }
}

/// A file of facts, or any other YAML or JSON without templates.
pub fn facts(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut facts = Facts::default();
    let merged = facts.merge_text(text);
    assert!(merged.is_ok() || !merged.unwrap_err().to_string().is_empty());
    let _ = facts.get("os.family");
    if let Err(error) = syntax::load_yaml(text) {
        let id = Files::default().add("facts.yaml", text);
        spans::hold(text, Span::new(id, error.range), "a mistake");
    }
}
