//! Steps of orchestrations against a made-up fleet.

use super::{
    fleet::{Answer, Done, End, Event, Fleet, OnPeel, Order, Wait},
    function::Function,
    runner::Runner,
    runners,
    state::State,
    wait_for_event::WaitForEvent,
};
use crate::{Cancel, Context, Failure, Library, State as _, provider::fake::FakeMachine};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use zester_compiler::types::{Arguments, Map, Value};

/// Peels that do as they are told: `changes`, `fails`, `silent`, anything else is as it should be.
#[derive(Default)]
struct Made {
    peels: Vec<&'static str>,
    value: Value,
    orders: Mutex<Vec<Order>>,
    called: Mutex<Vec<(String, Map, bool)>>,
}

impl Fleet for Made {
    fn matching(&self, _target: &str) -> Result<Vec<String>, String> {
        Ok(self.peels.iter().map(|p| (*p).to_owned()).collect())
    }

    fn run(&self, order: &Order, _cancel: &Cancel) -> Result<Done, String> {
        self.orders.lock().unwrap().push(order.clone());
        if self.peels.is_empty() {
            return Err(format!("no peel matches `{}`", order.target));
        }
        let mut peels = BTreeMap::new();
        for peel in &self.peels {
            let end = match *peel {
                "fails" | "fails too" => End::Failed,
                "silent" => End::Unreachable,
                "later" => End::NotBegun,
                _ => End::Done,
            };
            let changed =
                if *peel == "changes" { vec!["pkg.installed nginx".to_owned()] } else { Vec::new() };
            let error = if end == End::Failed { "`nginx` failed: no\nat web.zy:2:3" } else { "" };
            let value = (end == End::Done).then(|| self.value.clone());
            peels.insert((*peel).to_owned(), OnPeel { end, changed, value, error: error.to_owned() });
        }
        Ok(Done { jid: "J1".to_owned(), peels })
    }

    fn wait(&self, wait: &Wait, _cancel: &Cancel) -> Result<Vec<Event>, String> {
        if wait.tag == "never" {
            return Err("it did not come".to_owned());
        }
        let event = |id: &String| Event { origin: id.clone(), tag: wait.tag.clone(), data: Map::new() };
        Ok(wait.ids.iter().map(event).collect())
    }

    fn call(&self, runner: &str, args: &Map, test: bool, _cancel: &Cancel) -> Result<Answer, String> {
        self.called.lock().unwrap().push((runner.to_owned(), args.clone(), test));
        Ok(Answer { value: self.value.clone(), changed: runner == "event.send", comment: None })
    }
}

fn context(fleet: &Arc<Made>, test: bool) -> Context {
    let mut library = Library::new();
    crate::exec::register(&mut library);
    let fleet: Arc<dyn Fleet> = fleet.clone();
    Context { fleet: Some(fleet), library: Arc::new(library), test, ..FakeMachine::new().context() }
}

/// How a step ends: `changed`, `unchanged` or `would change`, with its comment and changes.
fn run<T: crate::State>(
    fleet: &Arc<Made>,
    test: bool,
    json: &str,
) -> Result<(&'static str, String, Map), Failure> {
    let cx = context(fleet, test);
    let step = T::from_values(&serde_json::from_str(json).unwrap()).unwrap();
    let plan = step.plan(&cx)?;
    match plan.apply {
        None => Ok(("unchanged", plan.comment, plan.changes)),
        Some(_) if test => Ok(("would change", plan.comment, plan.changes)),
        Some(apply) => {
            let done = apply(&cx)?;
            let word = if done.unchanged { "unchanged" } else { "changed" };
            Ok((word, done.comment.unwrap_or(plan.comment), done.changes))
        }
    }
}

fn made(peels: &[&'static str]) -> Arc<Made> {
    Arc::new(Made { peels: peels.to_vec(), value: Value::Bool(true), ..Made::default() })
}

#[test]
fn states_are_applied_and_what_changed_is_told() {
    let fleet = made(&["changes", "same"]);
    let json = r#"{"name": "x", "tgt": "web*", "sls": ["nginx", "php"], "pillar": {"v": 1}, "saltenv": "dev",
        "batch": "50%", "timeout": 60.0}"#;
    let (word, comment, changes) = run::<State>(&fleet, false, json).unwrap();
    assert_eq!(word, "changed");
    assert_eq!(comment, "2 peels: changed on changes; unchanged on same (job J1)");
    assert_eq!(changes.get("changes").unwrap().to_string(), r#"["pkg.installed nginx"]"#);
    let order = fleet.orders.lock().unwrap().pop().unwrap();
    assert_eq!((order.function.as_str(), order.target.as_str(), order.test), ("state.apply", "web*", false));
    assert_eq!((order.batch.as_deref(), order.timeout_s), (Some("50%"), 60.0));
    assert_eq!(order.args, [Value::from("nginx"), Value::from("php")]);
    assert_eq!(order.kwargs.get("saltenv"), Some(&Value::from("dev")));

    assert_eq!(order.fail_limit, Some(1), "what has failed begins no further portion");

    // In a test run the peels are asked what would change.
    let (word, comment, _) = run::<State>(&fleet, true, json).unwrap();
    assert_eq!(word, "would change");
    assert!(comment.starts_with("2 peels: would change on changes"), "{comment}");
    assert!(fleet.orders.lock().unwrap().pop().unwrap().test);
    // Where a step is a test by itself, an apply changes nothing.
    let (word, ..) =
        run::<State>(&fleet, false, r#"{"name": "x", "tgt": "*", "highstate": true, "test": true}"#).unwrap();
    assert_eq!(word, "unchanged");
    assert!(fleet.orders.lock().unwrap().pop().unwrap().test);
    // And a test run stays one.
    run::<State>(&fleet, true, r#"{"name": "x", "tgt": "*", "highstate": true, "test": false}"#).unwrap();
    assert!(fleet.orders.lock().unwrap().pop().unwrap().test);
}

#[test]
fn what_of_the_answers_is_a_failure() {
    let fleet = made(&["changes", "fails", "silent"]);
    let with = |more: &str| {
        run::<State>(&fleet, false, &format!(r#"{{"name": "x", "tgt": "*", "highstate": true{more}}}"#))
    };
    let failure = with("").unwrap_err();
    assert_eq!(
        failure.message,
        "2 of 3 peels failed (job J1)\nfails: `nginx` failed: no\n  at web.zy:2:3\nsilent: did not answer in time"
    );
    assert!(failure.changes.contains_key("changes"), "what changed before is told");
    assert!(with(r#", "allow_fail": 1"#).is_err());
    assert!(with(r#", "allow_fail": 2"#).is_ok());
    assert!(with(r#", "expect_minions": false"#).unwrap_err().message.starts_with("1 of 3"));
    assert!(with(r#", "expect_minions": false, "fail_minions": ["fails"]"#).is_ok());
    assert!(with(r#", "fail_minions": ["fails, silent"]"#).is_ok());
    // A job that ended before its last portion has not done what it should.
    let halted =
        run::<State>(&made(&["same", "later"]), false, r#"{"name": "x", "tgt": "*", "highstate": true}"#);
    assert_eq!(
        halted.unwrap_err().message,
        "the job ended before it was sent to all peels (job J1)\n1 peel not begun"
    );
    // Nobody at all is never right.
    let nobody = run::<State>(&made(&[]), false, r#"{"name": "x", "tgt": "db*", "highstate": true}"#);
    assert_eq!(nobody.unwrap_err().message, "no peel matches `db*`");
}

#[test]
fn peels_that_fail_alike_are_told_together() {
    let json = r#"{"name": "x", "tgt": "*", "highstate": true}"#;
    let failure = run::<State>(&made(&["fails", "fails too", "silent"]), false, json).unwrap_err();
    assert_eq!(
        failure.message,
        "3 of 3 peels failed (job J1)\nfails, fails too: `nginx` failed: no\n  at web.zy:2:3\nsilent: did not answer in time"
    );
}

#[test]
fn targets_of_every_kind_become_the_one_language() {
    let fleet = made(&["same"]);
    for (json, target) in [
        (r#""tgt": "G@os.family:debian and not web*""#, "G@os.family:debian and not web*"),
        (r#""tgt": "os:Debian", "tgt_type": "grain""#, "G@os:Debian"),
        (r#""tgt": ["a", "b"]"#, "L@a,b"),
        (r#""tgt": ["a", "b"], "tgt_type": "list""#, "L@a,b"),
        (r#""tgt": "a,b", "tgt_type": "list""#, "L@a,b"),
        (r#""tgt": "10.0.0.0/8", "tgt_type": "ipcidr""#, "S@10.0.0.0/8"),
    ] {
        run::<State>(&fleet, false, &format!(r#"{{"name": "x", "highstate": true, {json}}}"#)).unwrap();
        assert_eq!(fleet.orders.lock().unwrap().pop().unwrap().target, target);
    }
    let wrong =
        |json: &str| run::<State>(&fleet, false, &format!(r#"{{"name": "x", {json}}}"#)).unwrap_err().message;
    assert!(
        wrong(r#""tgt": "web* db*", "highstate": true"#).starts_with("the target `web* db*` is malformed")
    );
    assert!(
        wrong(r#""tgt": ["a"], "tgt_type": "grain", "highstate": true"#).contains("leave `tgt_type` out")
    );
    assert!(wrong(r#""tgt": "*""#).contains("nothing is to be applied"));
    assert!(wrong(r#""tgt": "*", "highstate": true, "sls": ["a"]"#).contains("exclude each other"));
    assert!(wrong(r#""tgt": "*", "highstate": true, "batch": "many""#).contains("`batch` is `many`"));
    assert!(wrong(r#""tgt": "*", "highstate": true, "batch": "0%""#).contains("`batch` is `0%`"));
    assert!(wrong(r#""tgt": "*", "highstate": true, "timeout": 90000"#).contains("at most a day"));
    assert!(wrong(r#""tgt": "*", "highstate": true, "subset": 0"#).contains("leaves nobody"));
}

#[test]
fn functions_are_called() {
    let fleet = made(&["a", "b"]);
    let (word, comment, changes) =
        run::<Function>(&fleet, false, r#"{"name": "test.ping", "tgt": "*"}"#).unwrap();
    assert_eq!((word, comment.as_str(), changes.len()), ("unchanged", "2 peels: true (job J1)", 0));
    // What can change something has changed something.
    let json = r#"{"name": "service.restart", "tgt": "*", "arg": ["nginx"]}"#;
    let (word, _, changes) = run::<Function>(&fleet, false, json).unwrap();
    assert_eq!((word, changes.len()), ("changed", 2));
    fleet.orders.lock().unwrap().clear();
    let (word, comment, _) = run::<Function>(&fleet, true, json).unwrap();
    assert_eq!((word, comment.as_str()), ("would change", "`service.restart` would be called on 2 peels"));
    assert!(fleet.orders.lock().unwrap().is_empty(), "a test run calls nothing");
    let wrong = |json: &str| run::<Function>(&fleet, false, json).unwrap_err().message;
    assert_eq!(
        wrong(r#"{"name": "service.retsart", "tgt": "*"}"#),
        "There is no function `service.retsart`; did you mean `service.restart`?"
    );
    assert_eq!(
        wrong(r#"{"name": "cmd.run", "tgt": "*", "kwarg": {"rnuas": "x"}}"#),
        "`cmd.run` has no argument `rnuas`; did you mean `runas`?"
    );
}

#[test]
fn a_command_fails_by_its_exit_status() {
    let value = |status: i64| {
        serde_json::from_value::<Value>(
            serde_json::json!({"retcode": status, "stdout": "out", "stderr": "no such thing", "pid": 7}),
        )
        .unwrap()
    };
    let fleet = |status| Arc::new(Made { peels: vec!["a"], value: value(status), ..Made::default() });
    let json = r#"{"name": "cmd.run", "tgt": "*", "arg": ["x"]}"#;
    let good = fleet(0);
    let (word, comment, changes) = run::<Function>(&good, false, json).unwrap();
    assert_eq!((word, comment.as_str()), ("changed", "1 peel: out (job J1)"));
    assert_eq!(changes.get("a"), Some(&Value::from("out")));
    assert_eq!(good.orders.lock().unwrap().pop().unwrap().function, "cmd.run_all");
    let failure = run::<Function>(&fleet(3), false, json).unwrap_err().message;
    assert_eq!(failure, "1 of 1 peel failed (job J1)\na: the command exited with 3: no such thing");
    let ignored = r#"{"name": "cmd.run", "tgt": "*", "arg": ["x"], "kwarg": {"ignore_retcode": true}}"#;
    assert!(run::<Function>(&fleet(3), false, ignored).is_ok());
}

#[test]
fn events_are_waited_for() {
    let fleet = made(&[]);
    let json = r#"{"name": "my/app/done", "id_list": ["a", "b"]}"#;
    let (word, comment, _) = run::<WaitForEvent>(&fleet, false, json).unwrap();
    assert_eq!((word, comment.as_str()), ("unchanged", "came: my.app.done from a, my.app.done from b"));
    let (_, comment, _) = run::<WaitForEvent>(&fleet, true, r#"{"name": "never"}"#).unwrap();
    assert_eq!(comment, "would wait for `never`");
    assert!(run::<WaitForEvent>(&fleet, false, r#"{"name": "never"}"#).is_err());
    assert!(run::<WaitForEvent>(&fleet, false, r#"{"name": "x", "timeout": 0}"#).is_err());
}

#[test]
fn runners_are_called_by_either_name() {
    let fleet = made(&[]);
    let (word, comment, _) =
        run::<Runner>(&fleet, false, r#"{"name": "manage.up", "tgt": "web*", "kwarg": {"timeout": 3}}"#)
            .unwrap();
    assert_eq!((word, comment.as_str()), ("unchanged", "peel.up: true"));
    let (name, args, _) = fleet.called.lock().unwrap().pop().unwrap();
    assert_eq!(name, "peel.up");
    assert_eq!(args.keys().collect::<Vec<_>>(), ["target", "timeout"]);
    let json = r#"{"name": "event.send", "arg": ["done"], "data": {"a": 1}}"#;
    assert_eq!(run::<Runner>(&fleet, true, json).unwrap().0, "would change");
    assert!(fleet.called.lock().unwrap().is_empty(), "a test run sends nothing");
    assert_eq!(run::<Runner>(&fleet, false, json).unwrap().0, "changed");
    // Another orchestration is told that it is a test.
    run::<Runner>(&fleet, true, r#"{"name": "state.orch", "mods": "orch.b"}"#).unwrap();
    assert!(fleet.called.lock().unwrap().iter().any(|(name, _, test)| name == "orch" && *test));
    let wrong = |json: &str| run::<Runner>(&fleet, false, json).unwrap_err().message;
    assert_eq!(
        wrong(r#"{"name": "peel.lits"}"#),
        "there is no runner `peel.lits`; did you mean `peel.list`?"
    );
    assert_eq!(
        wrong(r#"{"name": "peel.up", "tagret": "x"}"#),
        "`peel.up` has no argument `tagret`; did you mean `target`?"
    );
    assert_eq!(wrong(r#"{"name": "job.show"}"#), "`job.show` needs `jid`");
    assert_eq!(
        wrong(r#"{"name": "job.show", "jid": "a", "arg": ["b"]}"#),
        "`jid` of `job.show` is given twice"
    );
    assert!(wrong(r#"{"name": "job.active", "arg": ["b"]}"#).contains("takes 0 arguments"));
}

/// The signature's words are the table's.
#[test]
fn every_runner_can_be_written() {
    let signature = Runner::signature();
    let zester_compiler::types::Type::Enum(words) = &signature.param("name").unwrap().ty else { panic!() };
    let known: Vec<&str> = runners::RUNNERS
        .iter()
        .flat_map(|r| std::iter::once(r.name).chain(r.aliases.iter().copied()))
        .collect();
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    words.sort_unstable();
    let mut sorted = known.clone();
    sorted.sort_unstable();
    assert_eq!(words, sorted);
    for name in known {
        assert!(signature.doc.contains(&format!("`{name}`")), "{name} is not documented");
    }
}

#[test]
fn without_a_fleet_a_step_says_what_to_do() {
    let step =
        State::from_values(&serde_json::from_str(r#"{"name": "x", "tgt": "*", "highstate": true}"#).unwrap())
            .unwrap();
    let message = step.plan(&FakeMachine::new().context()).err().unwrap().message;
    assert!(message.contains("run the file with `zester orch REF`"), "{message}");
}
