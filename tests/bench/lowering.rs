//! Times of lowering generated trees, phases apart: `cargo bench -p zester-stdlib --bench lowering`. Prints medians of
//! processor time in milliseconds, so that a busy machine changes little, and asserts nothing. An argument limits the
//! number of states: `-- 1000`.

use rustix::time::{ClockId, clock_gettime};
use std::{hint::black_box, sync::Arc, time::Duration};
use zester_compiler::{
    check::functions::CustomModules,
    lower::{LowerInput, Lowered, Request, TemplateRenderer, lower},
    project::{OpenOptions, Project, ProjectTemplates, TreeKind},
    source::MemorySources,
    syntax::parse_rendered,
    target::Nodegroups,
    template::{Environment, NoFunctions},
    types::{Facts, Map, Registry, Value},
};

/// How a tree says the same states.
#[derive(Clone, Copy)]
enum Shape {
    /// One file, written out.
    Plain,
    /// One file with a loop.
    Loop,
    /// Twenty states a file, each file included by the first.
    Files,
}

impl Shape {
    const ALL: [Self; 3] = [Self::Plain, Self::Loop, Self::Files];

    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Loop => "loop",
            Self::Files => "files",
        }
    }

    /// The tree, as paths and texts; `main` is its first file.
    fn tree(self, states: usize) -> Vec<(String, String)> {
        let body = |i: &str| {
            format!(
                "/srv/app/f{i}:\n  file.managed:\n    - contents: \"value {i}\"\n    - mode: \"0644\"\n    - makedirs: true\n"
            )
        };
        let written = |range: std::ops::Range<usize>| range.map(|i| body(&i.to_string())).collect::<String>();
        match self {
            Self::Plain => vec![("states/main.zy".to_owned(), written(0..states))],
            Self::Loop => {
                let text = format!("{{% for i in range({states}) %}}\n{}{{% endfor %}}\n", body("{{ i }}"));
                vec![("states/main.zy".to_owned(), text)]
            }
            Self::Files => {
                const EACH: usize = 20;
                let mut main = "include:\n".to_owned();
                let mut files = Vec::new();
                for (number, start) in (0..states).step_by(EACH).enumerate() {
                    main.push_str(&format!("  - part{number}\n"));
                    let text = written(start..(start + EACH).min(states));
                    files.push((format!("states/part{number}.zy"), text));
                }
                files.push(("states/main.zy".to_owned(), main));
                files
            }
        }
    }
}

/// Milliseconds of the median run. Large inputs run less often.
fn median(mut run: impl FnMut() -> Duration) -> f64 {
    let first = run();
    let runs = (Duration::from_millis(400).as_nanos() / first.as_nanos().max(1)).clamp(3, 200);
    let mut times: Vec<Duration> = (0..runs).map(|_| run()).collect();
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e3
}

/// What this thread has had of the processor.
fn used() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let start = used();
    let result = black_box(work());
    let took = used().saturating_sub(start);
    drop(result);
    took
}

/// A tree opened for one peel.
struct Bench {
    project: Arc<Project>,
    environment: Environment,
    registry: Registry,
    facts: Arc<Facts>,
    settings: Arc<Value>,
}

impl Bench {
    fn open(shape: Shape, states: usize) -> Result<Self, zester_compiler::project::ConfigError> {
        let sources = shape
            .tree(states)
            .into_iter()
            .fold(MemorySources::new(), |all, (path, text)| all.with(path, text));
        let project = Arc::new(Project::open(Arc::new(sources), OpenOptions::default())?);
        let templates = ProjectTemplates { project: project.clone(), kind: TreeKind::States };
        Ok(Self {
            environment: Environment::new(Arc::new(templates), Arc::new(NoFunctions)),
            project,
            registry: zester_stdlib::library().registry().clone(),
            facts: Arc::new(Facts { id: "bench".to_owned(), ..Facts::default() }),
            settings: Arc::new(Value::Map(Map::new())),
        })
    }

    fn renderer(&self) -> TemplateRenderer<'_> {
        TemplateRenderer {
            project: &self.project,
            environment: &self.environment,
            facts: &self.facts,
            settings: &self.settings,
            test: true,
        }
    }

    fn lower(&self) -> Lowered {
        lower(&LowerInput {
            project: &self.project,
            registry: &self.registry,
            custom: &CustomModules::default(),
            renderer: &self.renderer(),
            facts: &self.facts,
            settings: &self.settings,
            nodegroups: &Nodegroups::new(),
            env: None,
            request: Request::Refs(vec!["main".to_owned()]),
        })
    }
}

/// Millions of bytes a second.
fn throughput(bytes: usize, milliseconds: f64) -> f64 {
    bytes as f64 / milliseconds / 1e3
}

/// Most memory this process has had, in MiB.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? / 1024)
}

fn main() {
    let limit = std::env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(10_000);
    println!("lowering n states, milliseconds of processor time, medians");
    println!(
        "`first` is the whole with cold caches; `source`, `render` and `parse` are those of the largest file:"
    );
    println!("reading its text, rendering it, reading what that gave");
    println!(
        "{:>6} {:>7} {:>9} {:>9} {:>6} {:>9} {:>9} {:>6} {:>9} {:>9} {:>9}",
        "shape",
        "states",
        "first",
        "source",
        "MB/s",
        "render",
        "parse",
        "MB/s",
        "lower",
        "encode",
        "peak MiB"
    );
    for shape in Shape::ALL {
        for states in [10, 100, 1_000, 10_000].into_iter().filter(|n| *n <= limit) {
            let Ok(bench) = Bench::open(shape, states) else { continue };
            let first = timed(|| bench.lower()).as_secs_f64() * 1e3;
            let renderer = bench.renderer();
            let stem = if matches!(shape, Shape::Files) { "part0" } else { "main" };
            let path = format!("states/{stem}.zy");
            let text = || renderer.text(&path, &format!("{stem}.zy"), "base", stem);
            let lowered = bench.lower();
            let (Ok(rendered), Some(dag), Ok((id, source))) =
                (text(), &lowered.dag, bench.project.read_text(&path))
            else {
                println!(
                    "{:>6} {states:>7} does not lower: {} findings",
                    shape.name(),
                    lowered.diagnostics.len()
                );
                continue;
            };
            let read = median(|| timed(|| zester_compiler::syntax::parse(id, &source)));
            let render = median(|| timed(text));
            let file = zester_compiler::lower::rendered_file(0);
            let parse = median(|| timed(|| parse_rendered(file, &rendered.text, &rendered.holes)));
            let whole = median(|| timed(|| bench.lower()));
            let encode = median(|| timed(|| dag.encode()));
            println!(
                "{:>6} {states:>7} {first:>9.3} {read:>9.3} {:>6.1} {render:>9.3} {parse:>9.3} {:>6.1} {whole:>9.3} {encode:>9.3} {:>9}",
                shape.name(),
                throughput(source.len(), read),
                throughput(rendered.text.len(), parse),
                peak().map_or_else(String::new, |p| p.to_string()),
            );
        }
    }
}
