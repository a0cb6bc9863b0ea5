//! Custom modules on a made-up machine.

use crate::{
    Context, Library, Plan,
    provider::{
        Output,
        fake::{FakeMachine, FakePackages},
    },
};
use std::sync::Arc;
use zester_compiler::{
    modules::CustomModules,
    project::{OpenOptions, Project},
    source::MemorySources,
    types::{Map, Value},
};

const SITE: &str = r#"
def _wanted(name: str, port: int) -> str:
    return "site %s\nlisten %d\n" % (name, port)

def configured_check(name: str, port: int = 80) -> dict:
    path = "/etc/" + name
    old = file_read(path) if file_exists(path) else None
    new = _wanted(name, port)
    if old == new:
        return {"changes": {}}
    return {"changes": {path: {"old": old, "new": new}}, "comment": "The site is written"}

def configured(name: str, port: int = 80) -> dict:
    """Configures a site."""
    found = configured_check(name, port)
    if found["changes"]:
        file_write("/etc/" + name, _wanted(name, port), mode = "0640")
        log.info("written")
    return found

def uptime() -> dict:
    said = cmd_run("uptime", ["-s"], env = {"A": "b"})
    if said["exit_code"] != 0:
        return {"result": False, "comment": said["stderr"]}
    return {"comment": said["stdout"]}

def greeting(name: str, times: int = 1) -> str:
    return "hello " * times + name

def version(name: str) -> str | None:
    return pkg_version(name)

def odd() -> dict:
    return {"chnges": {}}

def never() -> dict:
    for x in range(10000000000):
        pass
    return {}

def wrong() -> dict:
    return {"changes": {}}["x"]
"#;

fn library(text: &str) -> Arc<Library> {
    let sources = MemorySources::new().with("states/_modules/site.star", text);
    let project = Project::open(Arc::new(sources), OpenOptions::default()).unwrap();
    Arc::new(crate::library()).with_modules(&CustomModules::read(&project))
}

fn map(json: &str) -> Map {
    serde_json::from_str(json).unwrap()
}

fn plan<'f>(function: &'f dyn crate::StateFunction, cx: &Context) -> Plan<'f> {
    function.plan(cx).unwrap_or_else(|failure| panic!("{failure:?}"))
}

#[test]
fn a_state_is_foretold_then_changed_then_unchanged() {
    let (machine, library) = (FakeMachine::new(), library(SITE));
    let cx = machine.context();
    machine.files.put("/etc/keep", "");
    let state = library.build("site.configured", &map(r#"{"name": "web", "port": 8080}"#)).unwrap();
    let test = plan(&*state, &Context { test: true, ..cx.clone() });
    let expected = map(r#"{"/etc/web": {"old": null, "new": "site web\nlisten 8080\n"}}"#);
    assert_eq!(
        (&test.changes, &*test.comment, test.apply.is_some()),
        (&expected, "The site is written", true)
    );
    let outcome = plan(&*state, &cx).apply.unwrap()(&cx).unwrap();
    assert_eq!((outcome.changes, outcome.unchanged), (expected, false));
    assert_eq!(outcome.comment.as_deref(), Some("The site is written\nwritten"));
    assert_eq!(cx.machine.files.read("/etc/web").unwrap(), b"site web\nlisten 8080\n");
    assert_eq!(cx.machine.files.stat("/etc/web", true).unwrap().unwrap().mode, 0o640);
    let again = plan(&*state, &cx);
    assert_eq!((again.changes, again.apply.is_none()), (Map::new(), true));
}

#[test]
fn a_state_without_a_companion_says_so_and_then_what_it_did() {
    let (machine, library) = (FakeMachine::new(), library(SITE));
    let cx = machine.context();
    machine.commands.reply("uptime -s", 0, "today");
    let state = library.build("site.uptime", &Map::new()).unwrap();
    let test = plan(&*state, &cx);
    assert!(test.comment.contains("no `uptime_check`"), "{}", test.comment);
    let outcome = test.apply.unwrap()(&cx).unwrap();
    assert_eq!((outcome.unchanged, outcome.comment.as_deref()), (true, Some("today")));
    let failing = FakeMachine::new();
    failing.commands.on("uptime -s", |_, _| Output { status: 1, stderr: "no".into(), ..Output::default() });
    let cx = failing.context();
    let failure = plan(&*state, &cx).apply.unwrap()(&cx).unwrap_err();
    assert_eq!(failure.message, "no");
}

#[test]
fn failures_name_the_modules_line() {
    let (machine, library) = (FakeMachine::new(), library(SITE));
    let cx = machine.context();
    let failure = |name: &str| {
        let state = library.build(name, &Map::new()).unwrap();
        plan(&*state, &cx).apply.unwrap()(&cx).unwrap_err().message
    };
    let line = SITE.lines().position(|l| l.contains(r#"["x"]"#)).unwrap() + 1;
    assert_eq!(
        failure("site.wrong"),
        format!("`site.wrong` failed at states/_modules/site.star:{line}:12: The map has no key \"x\"")
    );
    assert!(failure("site.never").contains("takes more than"));
    let odd = "What `site.odd` gives has the key `chnges`, which means nothing; did you mean `changes`?";
    assert_eq!(failure("site.odd"), odd);
}

#[test]
fn exec_functions_take_what_templates_give() {
    let (mut machine, library) = (FakeMachine::new(), library(SITE));
    let packages = FakePackages::default();
    machine.packages = Some(Arc::new(packages));
    let cx = machine.context();
    let call = |name: &str, args: &[Value], kwargs: &str| library.call(name, args, &map(kwargs), &cx);
    assert_eq!(call("site.greeting", &["you".into()], r#"{"times": "2"}"#), Ok("hello hello you".into()));
    let wrong = call("site.greeting", &["you".into()], r#"{"times": "x"}"#);
    assert_eq!(wrong, Err("`times`: expected `int`, found text".to_owned()));
    assert_eq!(call("site.greeting", &[], "{}"), Err("`name` is missing".to_owned()));
    assert_eq!(call("site.version", &["nginx".into()], "{}"), Ok(Value::Null));
    assert!(call("site.configured", &["x".into()], "{}").is_err());
    assert!(call("site.greting", &[], "{}").is_err());
}

#[test]
fn a_companion_may_leave_open_what_changes() {
    let text = "def put_check(name: str) -> dict:\n    return {'result': None}\n\ndef put(name: str) -> dict:\n    return {'changes': {'it': 'done'}}\n";
    let (machine, library) = (FakeMachine::new(), library(text));
    let cx = machine.context();
    let state = library.build("site.put", &map(r#"{"name": "x"}"#)).unwrap();
    let outcome = plan(&*state, &cx).apply.unwrap()(&cx).unwrap();
    assert_eq!((outcome.changes, outcome.unchanged), (map(r#"{"it": "done"}"#), false));
}

#[test]
fn what_only_looks_changes_nothing() {
    let text = "def seen_check(name: str) -> dict:\n    f = file_write\n    f(name, '')\n    return {}\n\ndef seen(name: str) -> dict:\n    return {}\n";
    let (machine, library) = (FakeMachine::new(), library(text));
    let cx = machine.context();
    let state = library.build("site.seen", &map(r#"{"name": "/etc/x"}"#)).unwrap();
    let failure = state.plan(&cx).err().unwrap();
    assert!(failure.message.contains("`file_write` changes the machine, and `seen_check` only looks at it"));
    assert!(cx.machine.files.stat("/etc/x", true).unwrap().is_none());
}

#[test]
fn a_cancelled_run_ends_the_module() {
    let (machine, library) = (FakeMachine::new(), library(SITE));
    let cx = machine.context();
    cx.cancel.cancel();
    let state = library.build("site.never", &Map::new()).unwrap();
    let failure = plan(&*state, &cx).apply.unwrap()(&cx).unwrap_err();
    assert!(failure.message.contains("the run was cancelled"), "{}", failure.message);
}

#[test]
fn a_module_that_is_not_valid_says_where() {
    let library = library("def configured(name: str -> dict:\n    return {}\n");
    let error = library.build("site.configured", &Map::new()).err().unwrap();
    assert!(error.contains("is not valid, states/_modules/site.star:1:26: "), "{error}");
}
