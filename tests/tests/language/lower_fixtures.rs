//! Trees and the plans they lower to: `tests/fixtures/lower/*.txt`.
//!
//! A fixture is an archive of files (`-- states/web.zy --`). `-- settings.yaml --` and `-- facts.yaml --` say whose plan
//! it is; `-- refs --` names what is applied, the highstate without it. The last part is what is expected:
//! `-- plan --`, or `-- findings --` where the tree is wrong. With `UPDATE_FIXTURES=1` that part is rewritten.

use std::{fs, sync::Arc};
use zester_compiler::{
    check::functions::CustomModules,
    diagnostic::short,
    ir,
    lower::{LowerInput, Lowered, Request, TemplateRenderer, lower},
    project::{OpenOptions, Project, ProjectTemplates, TreeKind},
    syntax::load_yaml,
    target::Nodegroups,
    template::{Environment, NoFunctions},
    types::{Facts, Map, Value},
};
use zester_tests::{archive, repository};

struct Fixture {
    files: Vec<(String, String)>,
    settings: Value,
    facts: Facts,
    request: Request,
    /// `plan` or `findings`, and its text.
    expected: Option<(String, String)>,
}

fn fixture(text: &str) -> Fixture {
    let mut fixture = Fixture {
        files: Vec::new(),
        settings: Value::Map(Map::new()),
        facts: Facts { id: "web-01".to_owned(), ..Facts::default() },
        request: Request::Highstate,
        expected: None,
    };
    for (path, text) in archive::files(text, "about") {
        match path.as_str() {
            "settings.yaml" => fixture.settings = load_yaml(&text).unwrap(),
            "facts.yaml" => {
                let Value::Map(values) = load_yaml(&text).unwrap() else { panic!("facts are a map") };
                fixture.facts.grains = values.clone();
                fixture.facts.values = values;
            }
            "refs" => fixture.request = Request::Refs(text.split_whitespace().map(str::to_owned).collect()),
            "plan" | "findings" => fixture.expected = Some((path, text)),
            "about" => {}
            _ => fixture.files.push((path, text)),
        }
    }
    fixture
}

fn lowered(fixture: &Fixture) -> (Lowered, Arc<Project>) {
    let sources = Arc::new(archive::sources(&fixture.files));
    let project = Arc::new(Project::open(sources, OpenOptions::default()).unwrap());
    let templates = ProjectTemplates { project: project.clone(), kind: TreeKind::States };
    let environment = Environment::new(Arc::new(templates), Arc::new(NoFunctions));
    let (facts, settings) = (Arc::new(fixture.facts.clone()), Arc::new(fixture.settings.clone()));
    let library = zester_stdlib::library();
    let lowered = lower(&LowerInput {
        project: &project,
        registry: library.registry(),
        custom: &CustomModules::default(),
        renderer: &TemplateRenderer {
            project: &project,
            environment: &environment,
            facts: &facts,
            settings: &settings,
            test: false,
        },
        facts: &facts,
        settings: &settings,
        nodegroups: &Nodegroups::default(),
        env: None,
        request: fixture.request.clone(),
    });
    (lowered, project)
}

#[test]
fn trees_lower_to_their_plans() {
    let directory = repository().join("tests/fixtures/lower");
    let update = std::env::var_os("UPDATE_FIXTURES").is_some();
    let mut count = 0;
    let mut wrong = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let fixture = fixture(&text);
        let (lowered, project) = lowered(&fixture);
        let (section, found) = match &lowered.dag {
            Some(dag) => ("plan", ir::text(dag)),
            None => ("findings", short(&lowered.diagnostics, project.files())),
        };
        count += 1;
        if fixture.expected.as_ref().is_some_and(|(name, text)| name == section && *text == found) {
            // The same tree gives the same bytes, and they can be read back.
            if let Some(dag) = &lowered.dag {
                let bytes = dag.encode();
                assert_eq!(self::lowered(&fixture).0.dag.map(|d| d.encode()), Some(bytes.clone()));
                assert_eq!(ir::Dag::decode(&bytes).unwrap().encode(), bytes);
            }
        } else if update {
            let end = text.find("-- plan --").or(text.find("-- findings --")).unwrap_or(text.len());
            fs::write(&path, format!("{}-- {section} --\n{found}", &text[..end])).unwrap();
        } else {
            wrong.push(format!("{}\n-- {section} --\n{found}", path.display()));
        }
    }
    assert!(count > 0 && wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each tree of `tests/fixtures/trees`, for each peel of its inventory.
#[test]
fn whole_projects_lower_for_every_known_peel() {
    let mut wrong = Vec::new();
    let mut peels = 0;
    for entry in fs::read_dir(repository().join("tests/fixtures/trees")).unwrap() {
        let root = entry.unwrap().path();
        let project = Arc::new(Project::open_dir(&root, OpenOptions::default()).unwrap());
        let functions: Arc<dyn zester_compiler::template::Functions> = Arc::new(NoFunctions);
        let templates = ProjectTemplates { project: project.clone(), kind: TreeKind::States };
        let environment = Environment::new(Arc::new(templates), functions.clone());
        for peel in project.inventory().unwrap() {
            let facts = Arc::new(peel.facts.clone());
            let request = zester_compiler::settings::Request { facts: &facts, env: None, overrides: &[] };
            let (settings, problems) = zester_compiler::settings::resolve(&project, &functions, &request);
            let settings = Arc::new(settings.value.clone());
            let library = zester_stdlib::library();
            let lowered = lower(&LowerInput {
                project: &project,
                registry: library.registry(),
                custom: &CustomModules::default(),
                renderer: &TemplateRenderer {
                    project: &project,
                    environment: &environment,
                    facts: &facts,
                    settings: &settings,
                    test: false,
                },
                facts: &facts,
                settings: &settings,
                nodegroups: &project.config().nodegroups,
                env: None,
                request: Request::Highstate,
            });
            peels += 1;
            let states = lowered.dag.as_ref().map_or(0, |d| d.schedule.len());
            if states == 0 {
                let found = [problems, lowered.diagnostics].concat();
                wrong.push(format!("{} {}\n{}", root.display(), facts.id, short(&found, project.files())));
            }
        }
    }
    assert!(peels > 0 && wrong.is_empty(), "{}", wrong.join("\n"));
}
