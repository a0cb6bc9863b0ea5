use super::*;
use crate::{
    project::OpenOptions,
    source::MemorySources,
    template::NoFunctions,
    types::{Effect, FunctionKind, Map, Param, Signature, Type, Value},
};

fn registry() -> Registry {
    let mut registry = Registry::new();
    registry.add(Signature {
        module: "test".into(),
        function: "nop".into(),
        kind: FunctionKind::State,
        doc: "".into(),
        params: vec![Param {
            name: "name".into(),
            aliases: &[],
            ty: Type::Str,
            default: None,
            required: false,
            primary: true,
            doc: "".into(),
            inert: None,
        }],
        constraints: Vec::new(),
        returns: Type::Any,
        open: true,
        effect: Effect::Mutating,
        watches: false,
        never_changes: false,
        fleet: false,
        platforms: &[],
    });
    registry
}

fn peels(count: usize) -> Vec<Arc<Facts>> {
    (0..count)
        .map(|number| {
            let family = if number % 3 == 0 { "rhel" } else { "debian" };
            let values: Map =
                serde_json::from_value(serde_json::json!({"os": {"family": family}, "number": number}))
                    .unwrap();
            let role = if number % 2 == 0 { "web" } else { "db" };
            Arc::new(Facts::collected(format!("{role}-{number:02}"), values, Map::new()))
        })
        .collect()
}

fn of(files: &[(&str, &str)], peels: &[Arc<Facts>]) -> (Fleet, Vec<String>) {
    let mut sources = MemorySources::new();
    for (path, text) in files {
        sources = sources.with(*path, *text);
    }
    let project = Arc::new(Project::open(Arc::new(sources), OpenOptions::default()).unwrap());
    let fleet = plans(&FleetInput {
        project: &project,
        registry: &registry(),
        functions: Arc::new(NoFunctions),
        peels,
        env: None,
        refs: &[],
        keep_plans: true,
    });
    let found = findings(&fleet, &project, peels, &[])
        .iter()
        .map(|d| {
            let (path, at) = project.files().locate(d.span);
            format!("{path}:{}:{}: {} {}", at.line, at.column, d.rule.name, d.message)
        })
        .collect();
    (fleet, found)
}

const TOP: &str = "base:\n  '*':\n    - common\n  'web-*':\n    - web\n";

#[test]
fn peels_that_nothing_tells_apart_have_one_plan() {
    let peels = peels(60);
    let (fleet, found) = of(
        &[
            ("states/top.zy", TOP),
            ("states/common.zy", "c:\n  test.nop:\n    - text: {{ grains.os_family }}\n"),
            ("states/web.zy", "w:\n  test.nop:\n    - port: {{ settings.port }}\n"),
            ("settings/top.zy", "base:\n  '*':\n    - all\n  'web-0*':\n    - few\n"),
            ("settings/all.zy", "port: 80\n"),
            ("settings/few.zy", "port: 81\n"),
        ],
        &peels,
    );
    assert_eq!(found, Vec::<String>::new());
    // Two families; web with either port, and db.
    assert_eq!(fleet.classes.len(), 6);
    // Each plan is the one that the peel alone gets.
    for class in &fleet.classes {
        for peel in &class.peels {
            let files: Vec<_> =
                class.plan.iter().flat_map(|p| p.graph.node_weights()).map(|n| n.sls.as_str()).collect();
            assert_eq!(files.contains(&"web"), peels[*peel].id.starts_with("web"));
        }
    }
}

#[test]
fn causes_are_said_once_with_their_peels() {
    let peels = peels(6);
    let (_, found) = of(
        &[
            ("states/top.zy", "base:\n  'web-*':\n    - web\n  'mail*':\n    - web\n"),
            (
                "states/web.zy",
                "{% if grains.os_family == 'RedHat' %}\na: test.nop\nb:\n  test.nop:\n    - require:\n      - test: gone\n{% endif %}\nx: test.nop\n",
            ),
        ],
        &peels,
    );
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].starts_with("states/web.zy:6:"), "{found:?}");
    assert!(found[0].contains("1 of 6 peels (web-00): "), "{found:?}");
    assert!(found[1].contains("peel-without-states 3 of 6 peels (db-01, db-03, db-05): "), "{found:?}");
    assert!(found[2].contains("matches-no-peel `mail*` matches none of the 6 known peels"), "{found:?}");
}

#[test]
fn what_only_the_machine_knows_is_no_error() {
    struct Probing;
    impl Functions for Probing {
        fn effect(&self, name: &str) -> Option<Effect> {
            (name == "pkg.version").then_some(Effect::Probe)
        }
        fn names(&self) -> Vec<String> {
            Vec::new()
        }
        fn call(&self, _: &str, _: &[Value], _: &Map) -> Result<Value, String> {
            panic!("the machine is not there")
        }
    }
    let sources = MemorySources::new()
        .with("states/top.zy", "base:\n  '*':\n    - a\n")
        .with("states/a.zy", "x:\n  test.nop:\n    - text: {{ salt['pkg.version']('nginx') }}\n");
    let project = Arc::new(Project::open(Arc::new(sources), OpenOptions::default()).unwrap());
    let peels = peels(3);
    let fleet = plans(&FleetInput {
        project: &project,
        registry: &registry(),
        functions: Arc::new(Probing),
        peels: &peels,
        env: None,
        refs: &[],
        keep_plans: false,
    });
    let found = findings(&fleet, &project, &peels, &[]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(*found[0].rule, NOT_FORETOLD);
    assert_eq!(found[0].peels.len(), 3);
}
